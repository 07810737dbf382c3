"""How far the ledger's time is ahead of this machine's, and the zone in which its days begin."""

import dataclasses
import datetime
import time
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from batchbg.core import zone
from batchbg.errors import ConfigError
from batchbg.ledger.events import EventKind, note
from batchbg.ledger.meta import ZONE, keep, value
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import assets, runs
from batchbg.ledger.transaction import last_entry_at, now

AHEAD_S: Final = 60.0
"""Seconds by which the ledger's time may be ahead of the machine's: a clock that is set right moves by less."""


LONG_AGO_S: Final = 400 * 86_400.0
"""Seconds without any entry after which the clock is more likely wrong than the ledger that old."""


def ahead_s(connection: sa.Connection) -> float:
    """Return by how many seconds the ledger's time is ahead of this machine's; 0 where it is not."""
    return max((last_entry_at(connection) or 0.0) - now(connection), 0.0)


def about_time(last: float | None, present: float) -> Iterator[str]:
    """Say what is odd about the time between the ledger's last entry and the present, both seconds since 1970."""
    if last is None:
        return
    late = last - present
    if late > AHEAD_S:
        yield told_ahead(last, late)
    elif -late > LONG_AGO_S:
        yield (
            f"{-late / 86_400:.0f} days have passed since the ledger's last entry: if this machine's clock is wrong,"
            " set it right first, or days to come are used up"
        )


def told_if_ahead(connection: sa.Connection) -> str:
    """Say that the ledger's time is ahead of this machine's, if it is; "" where it is not."""
    late = ahead_s(connection)
    return told_ahead(now(connection) + late, late) if late > AHEAD_S else ""


def told_ahead(last: float, late: float) -> str:
    """Say that the ledger's time is ahead, and what that does."""
    how_long = f"{late / 86_400:.0f} days" if late > 2 * 86_400 else f"{late / 60:.0f} minutes"
    return (
        f"the ledger's last entry is of {time.strftime('%Y-%m-%d %H:%M', time.localtime(last))}, {how_long} from now:"
        " this machine's clock was ahead once, or is behind now. Credits count for the ledger's day until it is caught"
        " up with; set the clock, or `batchbg ledger clock --reset` goes on with the machine's"
    )


def reset_clock(ledger: Ledger) -> float:
    """Let the ledger's time be the machine's from now on, by a person's word; return seconds since 1970.

    What was entered keeps its day; the order of entries is that of their numbers. The order of runs is that of their
    starts, so that those to come are put into the last second.
    """
    with ledger.transaction("clock") as tx:
        present = now(tx.connection)
        note(dataclasses.replace(tx, at=present), None, EventKind.CLOCK_RESET, detail=str(tx.at))
        ahead = tx.connection.scalars(
            sa.select(runs.c.id).where(runs.c.started_at > present).order_by(runs.c.started_at)
        )
        for number, run_id in enumerate(ids := list(ahead)):
            tx.connection.execute(
                sa.update(runs).where(runs.c.id == run_id).values(started_at=present - 1e-5 * (len(ids) - number))
            )
        tx.connection.execute(sa.update(runs).where(runs.c.ended_at > present).values(ended_at=present))
        tx.connection.execute(sa.delete(assets).where(assets.c.uploaded_at > present))
    return present


def zone_of(connection: sa.Connection) -> str | None:
    """Return the name of the zone that the ledger's days are bound to; None where it is not bound yet."""
    return value(connection, ZONE)


def zone_in(connection: sa.Connection, otherwise: datetime.tzinfo | None) -> datetime.tzinfo | None:
    """Return the zone that the ledger's days are bound to; ``otherwise`` where it is not bound, or not known here."""
    name = zone_of(connection)
    return zone.named(name) if name and zone.is_known(name) else otherwise


def rebind_zone(ledger: Ledger, name: str) -> None:
    """Let days begin in another zone from now on, by a person's word; what was entered keeps its day.

    Raises:
        ConfigError: there is no such zone.
    """
    if not zone.is_known(name):
        raise ConfigError(f"timezone: {name!r} is not known; try one like 'Europe/Berlin'")
    with ledger.transaction("timezone") as tx:
        keep(tx, ZONE, name)
