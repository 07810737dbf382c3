"""What the stages of one run's pool share: built once, changed by none of them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.errors import LedgerUnreachable
from batchbg.ledger.budgets import Budget
from batchbg.ledger.store import Connection, Ledger
from batchbg.ledger.transaction import Tx
from batchbg.ledger.writer import Writer
from batchbg.pool.observer import Observer
from batchbg.pool.stop import Stop

P = ParamSpec("P")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may do, in jobs and seconds; how many credits, its budget says."""

    max_in_flight: int
    max_files: int | None
    max_duration_s: float | None
    give_up_after_s: float
    render_patience_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class PoolSession:
    """What is at hand at every stage.

    Attributes:
        api: the service, with the key of one account.
        limiter: when the next request to it may leave.
        ledger: to read from.
        writer: to write with.
        stop: why and how far the run stops.
        observer: hears of every job that moves.
        run_id: of this run.
        accounts: names of the account: today's first, which is the budget's, then those it had in earlier runs.
        budget: what a reservation is held against.
        limits: jobs and seconds.
    """

    api: MagicHour
    limiter: RateLimiter
    ledger: Ledger
    writer: Writer
    stop: Stop
    observer: Observer
    run_id: str
    accounts: Sequence[str]
    budget: Budget
    limits: Limits

    async def look(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Return what ``read(connection, ...)`` finds; where the ledger's server is away, once it is back.

        Raises:
            LedgerError: it cannot be read.
        """
        while True:
            try:
                with self.ledger.looking() as connection:
                    return read(connection, *args, **options)
            except LedgerUnreachable:
                await self.writer.do(_nothing)  # whose thread waits for the server


def _nothing(_tx: Tx) -> None:
    """Write nothing."""
