"""What the account's balance says of a create that a gateway answered for."""

import asyncio
import logging
import time

from batchbg.api.client import MagicHour
from batchbg.api.retry import ask_again
from batchbg.core.model import Job
from batchbg.errors import ApiError
from batchbg.ledger import balances
from batchbg.ledger.store import Ledger
from batchbg.ledger.writer import Writer
from batchbg.pool.account import read_account
from batchbg.pool.gate import Gate
from batchbg.pool.stop import Stop

log = logging.getLogger(__name__)


class Evidence:
    """Reads the balance once things have come to rest, for all creates that wait for it together."""

    def __init__(self, api: MagicHour, ledger: Ledger, writer: Writer, stop: Stop, gate: Gate) -> None:
        self._api = api
        self._ledger = ledger
        self._writer = writer
        self._stop = stop
        self._gate = gate
        self._waiting = 0
        self._reading = asyncio.Lock()
        self._read_s = 0.0

    async def against(self, job: Job, pause_s: float) -> str:
        """Wait, and return why a create may have made something all the same; "" where nothing speaks for it.

        Args:
            job: submitting.
            pause_s: seconds until a charge would show.
        """
        self._waiting += 1
        try:
            rested = await self._stop.before_leaving(self._rest(pause_s))
        finally:
            self._waiting -= 1
        if rested is None:
            return "the run was left before the balance could tell"
        rested_s = time.monotonic()
        async with self._reading:
            if self._read_s < rested_s:
                try:
                    began_s = time.monotonic()
                    account = await ask_again(lambda: read_account(self._api, self._ledger, self._writer))
                except ApiError as error:
                    return f"the balance cannot be read: {error}"
                if account is None or account.credits is None:
                    return "the service tells no balance"
                self._read_s = began_s
        with self._ledger.reading() as connection:
            missing = balances.unexplained(connection, job.account, job.submitted_at or 0.0)
        if missing is None:
            return "the balance was not known before"
        return f"the balance has fallen by {missing} credits more than the ledger explains" if missing > 0 else ""

    async def _rest(self, pause_s: float) -> bool:
        """Wait until a charge would show, and until what else was in the air has been answered, which explains its own."""
        await asyncio.sleep(pause_s)
        await self._gate.settled(lambda: self._waiting)
        return True
