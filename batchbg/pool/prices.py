"""Telling a person of prices: another one than was expected, and one that cannot be right."""

import logging
from collections.abc import Collection

from batchbg.core.model import Job
from batchbg.core.price import Price, is_odd
from batchbg.errors import ExitCode
from batchbg.ledger.prices import HOW_TO_JUDGE
from batchbg.pool.stop import Stop

log = logging.getLogger(__name__)


class PriceWatch:
    """Hears every price that the service names; what it means for money, the ledger has decided by then."""

    def __init__(self, stop: Stop, accepted: Collection[str]) -> None:
        """Take the odd prices that a person has accepted earlier, as they were told."""
        self._stop = stop
        self._accepted = accepted
        self._said: set[Price] = set()

    def heard(self, job: Job, price: Price, *, reserved: int) -> None:
        """Say what is remarkable about a price, each figure once; stop creates where a person has to judge it.

        Args:
            job: whose create or record names it.
            price: as it was named.
            reserved: credits that the job counted before.
        """
        if price in self._said or (price.credits in (None, reserved) and not price.odd):
            return
        self._said.add(price)
        if is_odd(price, self._accepted):
            why = (
                f"the service says that {job.photo_path} takes {price.told} credits, where {reserved} were reserved:"
                f" {HOW_TO_JUDGE}"
            )
            self._stop.creates(ExitCode.ACCOUNT, why)
            log.error("%s", why)
            return
        # A price that rises is told even where only errors are.
        level = logging.ERROR if (price.credits or 0) > reserved else logging.WARNING
        log.log(level, "%s: the service takes %s credits, where %d were reserved", job.photo_path, price.told, reserved)
