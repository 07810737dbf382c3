"""What the ledger's tests share: a ledger with planned jobs, and shorthands for its figures."""

import contextlib
import datetime
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchbg.core.budget import Caps, Credits, Scope
from batchbg.core.model import Job, Treatment, new_id
from batchbg.core.price import Price
from batchbg.ledger import balances, credits, folders, jobs, outputs, runs, transitions
from batchbg.ledger.budgets import Budget
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import credit_entries, events
from batchbg.ledger.tables import outputs as output_table
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import NewJob

ACCOUNT = "account"


def memory_disk() -> str | None:
    """Where files live in memory, or None for the usual temporary folder."""
    shared = "/dev/shm"
    return shared if os.access(shared, os.W_OK) else None


def url_of(path: Path) -> str:
    """The URL of a ledger by its path; where that stands for a database on a server, its URL is in the file."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        if (told := file.read(1000)).startswith(b"postgresql"):
            return told.decode()
    return f"sqlite:///{path}"


@contextlib.contextmanager
def other_program(path: Path) -> Iterator[sa.Connection]:
    """Speak with a ledger as any program can, past every line of batchbg; it sees only what is committed."""
    engine = sa.create_engine(url_of(path), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            yield connection
    finally:
        engine.dispose()


def open_at(path: Path) -> Ledger:
    return open_ledger(url_of(path))


def plan_one(tx: Tx, name: str, *, content: str | None = None, generation: int = 1, background: str = "") -> str:
    """Plan a result for the photo ``name``; a second call makes another job for the same output."""
    photo_root, output_root = folders.id_of(tx, "photos"), folders.id_of(tx, "output")
    mine = output_table.c.folder_id == output_root, output_table.c.photo_path == name
    number = tx.connection.scalar(sa.select(output_table.c.id).where(*mine))
    if number is None:
        (number,) = outputs.assign(tx, output_root, photo_root, [(f"{name}.png", name)])
    sha256 = hashlib.sha256(os.fsencode(content or name)).hexdigest()
    new = NewJob(sha256, background, number, None, "", Treatment.NONE, 64, 48, generation=generation)
    job_id = new_id()
    transitions.plan_jobs(tx, [(job_id, new)])
    return job_id


def planned(ledger: Ledger, *names: str, run_id: str = "run") -> list[Job]:
    """Plan a job for each name."""
    with ledger.transaction(run_id) as tx:
        ids = [plan_one(tx, name) for name in names]
        return [job_of(tx.connection, job_id) for job_id in ids]


def job_of(connection: sa.Connection, job_id: str) -> Job:
    job = jobs.get(connection, job_id)
    assert job is not None
    return job


def budget(run: str = "run", /, **caps: int) -> Budget:
    """A budget in UTC for the run ``run``."""
    return Budget(run, Caps(**caps), ACCOUNT, datetime.UTC)


def move(ledger: Ledger, function: Callable[..., Any], *args: Any, run_id: str = "run") -> Job:
    """Call one of the arrows in a transaction of its own."""
    with ledger.transaction(run_id) as tx:
        moved: Job = function(tx, *args)
        return moved


def stored(ledger: Ledger, job: Job) -> Job:
    with ledger.reading() as connection:
        return job_of(connection, job.id)


def record_balance(ledger: Ledger, balance: int, account: str = ACCOUNT) -> None:
    with ledger.transaction("run") as tx:
        balances.record(tx, account, balance, credits.settled(tx.connection))


def submitting(ledger: Ledger, name: str = "a.jpg", run_id: str = "run") -> Job:
    """Plan and reserve one job."""
    (job,) = planned(ledger, name, run_id=run_id)
    with ledger.transaction(run_id) as tx:
        return transitions.reserve(tx, job, budget(run_id))


def rendering(ledger: Ledger, name: str = "a.jpg", price: int | None = 5, run_id: str = "run") -> Job:
    """Plan, reserve and create one job."""
    job = submitting(ledger, name, run_id)
    with ledger.transaction(run_id) as tx:
        return transitions.created(tx, job, f"project-{name}", Price(price))


def saved(ledger: Ledger, job: Job) -> Job:
    """A job that was rendering, when its result is saved."""
    job = move(ledger, transitions.complete, job, Price(5))
    with ledger.transaction("run") as tx:
        outputs.saved(tx, job.output_id, job.id, job.photo_sha256, f"result of {job.photo_path}", 9)
        return transitions.done(tx, job)


def done(ledger: Ledger, name: str = "a.jpg") -> Job:
    """A job whose result is saved."""
    return saved(ledger, rendering(ledger, name))


def total(ledger: Ledger, scope: Scope = Scope.TOTAL, period: str = "") -> Credits:
    with ledger.reading() as connection:
        return credits.totals(connection, scope, period)


def entries(ledger: Ledger) -> list[tuple[str, int]]:
    """Every movement of credits as (bucket, amount), oldest first."""
    with ledger.reading() as connection:
        columns = credit_entries.c.bucket, credit_entries.c.amount
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(credit_entries.c.id))]


def history(ledger: Ledger, job_id: str) -> list[tuple[str, str | None, str | None]]:
    """Every event of a job as (kind, old state, new state), oldest first."""
    with ledger.reading() as connection:
        query = sa.select(events.c.kind, events.c.old_state, events.c.new_state).where(events.c.job_id == job_id)
        return [(row[0], row[1], row[2]) for row in connection.execute(query.order_by(events.c.id))]


def disagreements(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return credits.disagreements(connection)


def begin_run(ledger: Ledger, cap: int | None = None) -> runs.Run:
    with ledger.transaction() as tx:
        return runs.begin(tx, "run", "https://api.example", cap)


class Clock:
    """Stands in for time.time."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def use_clock(monkeypatch, at: float = 1_700_000_000.0) -> Clock:
    """Let the ledger live by a clock that the test moves."""
    clock = Clock(at)
    monkeypatch.setattr(time, "time", clock)
    return clock
