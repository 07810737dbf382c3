"""Credits to the credit: what every job cost, and how that compares with the account."""

import dataclasses
from collections.abc import Iterator

import sqlalchemy as sa

from batchbg.core.budget import Bucket, Credits
from batchbg.core.lifecycle import JobState
from batchbg.ledger import credits, identity
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import balances, credit_entries, jobs


@dataclasses.dataclass(frozen=True, slots=True)
class JobCredits:
    """The credits of one job, over all its attempts."""

    job_id: str
    attempts: int
    credits: Credits


def by_job(connection: sa.Connection) -> Iterator[JobCredits]:
    """Yield every job that ever moved credits, in the order of its first movement."""
    entries = credit_entries.c
    amounts = [
        sa.func.sum(sa.case((entries.bucket == bucket, entries.amount), else_=0)).label(bucket) for bucket in Bucket
    ]
    query = (
        sa.select(entries.job_id, sa.func.max(entries.attempt).label("attempts"), *amounts)
        .group_by(entries.job_id)
        .order_by(sa.func.min(entries.id))
    )
    for row in connection.execute(query.execution_options(yield_per=500)):
        yield JobCredits(row.job_id, row.attempts, Credits.of({bucket: row._mapping[bucket] for bucket in Bucket}))


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the account beside what the ledger had spent by then; seconds since 1970, credits."""

    at: float
    balance: int
    spent: int


def readings(connection: sa.Connection, account: str) -> list[Reading]:
    """Return every reading of the account, oldest first."""
    net = sa.case((credit_entries.c.bucket == Bucket.REFUNDED, -credit_entries.c.amount), else_=credit_entries.c.amount)
    spent = sa.select(sa.func.coalesce(sa.func.sum(net), 0)).where(credit_entries.c.at <= balances.c.at)
    query = (
        sa.select(balances.c.at, balances.c.credits, spent.scalar_subquery().label("spent"))
        .where(balances.c.account == account)
        .order_by(balances.c.id)
    )
    return [Reading(row.at, row.credits, row.spent) for row in connection.execute(query)]


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """The ledger beside the account.

    Attributes:
        first: the earliest reading, from which both are counted; None without any.
        balance: of the account now.
        expected: what the balance would be if nothing but this ledger had changed it.
        since: the time of the first reading from which the difference has stayed what it is, or None.
    """

    first: Reading | None
    balance: int
    expected: int
    since: float | None

    @property
    def difference(self) -> int:
        """Credits the account has more than expected; negative where it has less."""
        return self.balance - self.expected


def compare(past: list[Reading], balance: int, spent: int) -> Comparison:
    """Compare the account's balance now with what the ledger has spent since the first reading."""
    if not past:
        return Comparison(None, balance, balance, None)
    first = past[0]
    result = Comparison(first, balance, first.balance - (spent - first.spent), None)
    since = None
    for reading in past:
        gap = reading.balance - (first.balance - (reading.spent - first.spent))
        since = (since or reading.at) if gap == result.difference else None
    return dataclasses.replace(result, since=since if result.difference else None)


def damage(ledger: Ledger, connection: sa.Connection) -> list[str]:
    """Return what is wrong with the file or with its sums, a line each; nothing where all is well."""
    return ledger.database.damage(connection, quick=True) or check(ledger, connection)


def check(ledger: Ledger, connection: sa.Connection) -> list[str]:
    """Return a line for everything in the ledger that does not add up; nothing where all does."""
    found = ledger.database.damage(connection, quick=False)
    return found + credits.disagreements(connection) + _jobs_that_differ(connection) + identity.check(connection)


def _jobs_that_differ(connection: sa.Connection) -> list[str]:
    """Compare what a job counts with the entries of its present attempt."""
    entries = credit_entries.c
    net = sa.case((entries.bucket == Bucket.REFUNDED, -entries.amount), else_=entries.amount)
    summed = sa.func.coalesce(sa.func.sum(net), 0)
    query = (
        sa.select(jobs.c.id, jobs.c.credits, summed)
        .outerjoin(credit_entries, (entries.job_id == jobs.c.id) & (entries.attempt == jobs.c.attempt))
        .where(jobs.c.state != JobState.PLANNED)
        .group_by(jobs.c.id, jobs.c.credits)
        .having(jobs.c.credits != summed)
    )
    return [f"job {row[0]}: counts {row[1]} credits, its entries sum to {row[2]}" for row in connection.execute(query)]
