"""One transaction, at the ledger's own time."""

import dataclasses
import time
from typing import Final

import sqlalchemy as sa

from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import events


@dataclasses.dataclass(frozen=True, slots=True)
class Tx:
    """One transaction on the ledger.

    Attributes:
        connection: SQLAlchemy's.
        at: the ledger's time, seconds since 1970; never less than that of any earlier transaction.
        run_id: the run that writes, for the events.
        repeats: it is a transaction done again, which may have been committed without a word of it: its own effects
            may be there already.
    """

    connection: sa.Connection
    at: float
    run_id: str
    repeats: bool = False


def enter(connection: sa.Connection, run_id: str, *, repeats: bool = False) -> Tx:
    """Return the transaction that ``connection`` has open, at the ledger's time.

    The clock of the machine may jump back; the ledger's does not, or a day's budget could be spent twice.
    """
    return Tx(connection, max(now(connection), last_entry_at(connection) or 0.0), run_id, repeats)


def now(connection: sa.Connection) -> float:
    """Return the time of the clock that the ledger goes by, seconds since 1970: this machine's, or its server's."""
    clock = connection.get_execution_options().get(CLOCK)
    return clock(connection) if clock else time.time()


CLOCK: Final = "clock"
"""The execution option of an engine whose server has a clock of its own, for all who write from their machines."""


def last_entry_at(connection: sa.Connection) -> float | None:
    """Return the time of the ledger's last entry, seconds since 1970; None where there is none."""
    at: float | None = _LAST_AT.value(connection)
    return at


_LAST_AT: Final = Statement(sa.select(events.c.at).order_by(events.c.id.desc()).limit(1))
