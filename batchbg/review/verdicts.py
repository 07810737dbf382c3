"""Writing verdicts into the ledger: in short transactions, so that a run at work on it is not kept waiting."""

import time
from collections.abc import Sequence
from typing import Final

from batchbg.core.review import ReviewVerdict
from batchbg.errors import LedgerError
from batchbg.ledger import reviews
from batchbg.ledger.store import Ledger, WouldWait
from batchbg.ledger.transaction import enter

UNDECIDED: Final = "undecided"

TOGETHER: Final = 200
"""Verdicts of one transaction: a few milliseconds, and one flush of the disk."""

PATIENCE_S: Final = 3.0
"""Seconds for which it is tried to write while others do; then the page says so, and asks again."""

AGAIN_S: Final = 0.03


class Busy(LedgerError):
    """Others write into the ledger just now."""


class Verdicts:
    """Writes verdicts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def give(self, job_ids: Sequence[str], verdict: ReviewVerdict | None, reason: str) -> None:
        """Give these jobs a verdict, or take theirs away; those that were written stay so where the rest cannot be.

        Raises:
            Busy: others write just now; nothing of this portion is written.
            LedgerError: it cannot be written.
            ConfigError: a job is not there or has no result.
        """
        for start in range(0, len(job_ids), TOGETHER):
            self._give(job_ids[start : start + TOGETHER], verdict, reason)

    def _give(self, job_ids: Sequence[str], verdict: ReviewVerdict | None, reason: str) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._ledger.begin(wait=not self._ledger.database.is_near) as connection:
                    tx = enter(connection, "")
                    for job_id in job_ids:
                        if verdict is None:
                            reviews.withdraw(tx, job_id)
                        else:
                            reviews.give(tx, job_id, verdict, reason)
                return
            except WouldWait as waiting:
                if time.monotonic() > give_up_at:
                    raise Busy("the ledger is being written by a run just now; try again") from waiting
            time.sleep(AGAIN_S)
