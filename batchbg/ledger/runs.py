"""Runs: who ran when, under which cap, and what came of it."""

import dataclasses
import os
import socket
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.model import new_id
from batchbg.ledger.events import EventKind, note
from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import runs
from batchbg.ledger.transaction import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One invocation that may spend.

    Attributes:
        id: its own.
        budget_id: the run under whose cap it spends: itself, or the killed run that it continues.
        cap_credits: cap of that run; None without one.
        continued: whether it continues a killed one.
    """

    id: str
    budget_id: str
    cap_credits: int | None
    continued: bool


def begin(
    tx: Tx, command: str, base_url: str, cap_credits: int | None, *, spends: bool = True, run_id: str = ""
) -> Run:
    """Enter a run. A run that was killed is not over: this one continues it, under its cap unless it has another.

    One that does not spend leaves a killed run to the next that does, and hands its cap on if it is killed itself. Its
    id is new unless one is given. The caller holds the ledger's lock, so a run without an end can only be a dead one.
    """
    killed = _KILLED.first(tx.connection)
    if spends:
        _END_KILLED.run(tx.connection, ended_at=tx.at)
    run_id = run_id or new_id()
    # The order of runs is that of their starts, also where the clock stands still.
    before = _LAST_START.value(tx.connection) or 0.0
    budget_id, cap = killed or (run_id, None)
    run = Run(run_id, budget_id, cap if cap_credits is None else cap_credits, spends and killed is not None)
    _ENTER.run(
        tx.connection,
        id=run.id,
        budget_id=run.budget_id,
        command=command,
        pid=os.getpid(),
        host=socket.gethostname(),
        started_at=max(tx.at, before + 1e-6),
        cap_credits=run.cap_credits,
        base_url=base_url,
    )
    note(
        dataclasses.replace(tx, run_id=run.id),
        None,
        EventKind.RUN_CONTINUED if run.continued else EventKind.RUN_BEGUN,
        detail=command,
    )
    return run


_KILLED: Final = Statement(
    sa.select(runs.c.budget_id, runs.c.cap_credits)
    .where(runs.c.ended_at.is_(None))
    .order_by(runs.c.started_at.desc())
    .limit(1)
)
_END_KILLED: Final = Statement(sa.update(runs).where(runs.c.ended_at.is_(None)))
_LAST_START: Final = Statement(sa.select(sa.func.max(runs.c.started_at)))
_ENTER: Final = Statement(sa.insert(runs))


def is_one(connection: sa.Connection, run_id: str) -> bool:
    """Return whether a run has that id."""
    return bool(_IS_ONE.value(connection, run=run_id))


_IS_ONE: Final = Statement(sa.select(sa.exists().where(runs.c.id == sa.bindparam("run"))))


def describe(tx: Tx, /, **values: Any) -> None:
    """Write what becomes known about the run: account, folders, counts."""
    _DESCRIBE.run(tx.connection, run=tx.run_id, **values)


_DESCRIBE: Final = Statement(sa.update(runs).where(runs.c.id == sa.bindparam("run")))


def end(tx: Tx, exit_code: int) -> None:
    """Say that the run is over."""
    describe(tx, ended_at=tx.at, exit_code=exit_code)
    note(tx, None, EventKind.RUN_ENDED, detail=str(exit_code))


def account_behind(connection: sa.Connection, base_url: str) -> str | None:
    """Return the account that the last run found behind an address, None where none did."""
    found: str | None = _ACCOUNT_BEHIND.value(connection, address=base_url)
    return found


_ACCOUNT_BEHIND: Final = Statement(
    sa.select(runs.c.account)
    .where(
        runs.c.base_url == sa.bindparam("address"),
        runs.c.account != "",
        runs.c.account != sa.bindparam("address"),
    )
    .order_by(runs.c.started_at.desc())
    .limit(1)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """A run as `status` shows it; times in seconds since 1970."""

    id: str
    command: str
    started_at: float
    ended_at: float | None
    exit_code: int | None
    budget_id: str
    cap_credits: int | None
    scanned: bool
    seen: int
    rejected: int
    reused: int
    skipped: int
    ignored: int


def last(connection: sa.Connection, number: int, *, scanned: bool = False) -> list[Past]:
    """Return the latest runs, newest first; with ``scanned`` only those that scanned a folder."""
    columns = [runs.c[field.name] for field in dataclasses.fields(Past)]
    query = sa.select(*columns).order_by(runs.c.started_at.desc()).limit(number)
    if scanned:
        query = query.where(runs.c.scanned)
    return [Past(**row._mapping) for row in connection.execute(query)]
