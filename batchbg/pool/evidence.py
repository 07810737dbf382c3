"""What the account's balance says of a create that a gateway answered for."""

import asyncio

from batchbg.api.retry_reads import retry_read
from batchbg.core.model import Job
from batchbg.errors import ApiError
from batchbg.ledger import balances
from batchbg.pool.admission import Admission
from batchbg.pool.balance import read_account
from batchbg.pool.session import PoolSession


class Evidence:
    """Reads the balance once things have come to rest: one reading for all creates that wait for it together.

    Each of them is measured against it before any of them is recorded, for what is recorded changes the sum.
    """

    def __init__(self, session: PoolSession, admission: Admission) -> None:
        self._session = session
        self._stop = session.stop
        self._admission = admission
        self._reading = asyncio.Lock()
        self._resting: dict[str, Job] = {}
        self._found: dict[str, str] = {}

    async def against(self, job: Job, pause_s: float) -> str:
        """Wait, and return why a create may have made something all the same; "" where nothing speaks for it.

        Args:
            job: submitting.
            pause_s: seconds until a charge would show.
        """
        await self._stop.before_leaving(asyncio.sleep(pause_s))
        self._resting[job.id] = job
        try:
            with self._admission.resting():
                # What else was in the air is answered, which explains its own charge, or rests, too.
                await self._stop.before_leaving(self._admission.at_rest())
                if self._stop.leaving:
                    return "the run was left before the balance could tell"
                async with self._reading:
                    if job.id not in self._found:
                        await self._read()
                    return self._found[job.id]
        finally:
            self._resting.pop(job.id)
            self._found.pop(job.id, None)

    async def _read(self) -> None:
        """Read the balance, and find for each create that rests by now what speaks against it."""
        resting = dict(self._resting)
        trouble = await self._ask()
        for job in resting.values():
            missing = await self._session.look(balances.unexplained, job.account, job.submitted_at or 0.0)
            if self._resting.get(job.id) is job:  # else nobody waits for it any more
                self._found[job.id] = trouble or _told(missing)

    async def _ask(self) -> str:
        """Have the balance recorded; return why there is none, or ""."""
        session = self._session
        try:
            account = await retry_read(lambda: read_account(session.api, session.ledger, session.writer))
        except ApiError as error:
            return f"the balance cannot be read: {error}"
        return "the service reports no balance" if account is None or account.credits is None else ""


def _told(missing: int | None) -> str:
    if missing is None:
        return "the balance was not known before"
    return f"the balance has fallen by {missing} credits more than the ledger explains" if missing > 0 else ""
