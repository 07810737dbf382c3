"""Readings of the account's balance, and what this ledger cannot explain between two of them."""

import dataclasses
import math
from typing import Final

import sqlalchemy as sa

from batchbg.core.budget import Bucket
from batchbg.core.lifecycle import ENDED_BADLY
from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import balances, credit_entries, jobs
from batchbg.ledger.transaction import Tx


def record(tx: Tx, account: str, credits: int, settled_before: int) -> None:
    """Record a reading of the account; ``settled_before`` is ``settled`` as it was when the reading was asked for.

    A create that was in the air at that time may or may not be in the reading; it is counted beside it.
    """
    _RECORD.run(tx.connection, at=tx.at, run_id=tx.run_id, account=account, credits=credits, settled=settled_before)


_RECORD: Final = Statement(sa.insert(balances))


@dataclasses.dataclass(frozen=True, slots=True)
class Balance:
    """What one reading of the account found.

    Attributes:
        id: in the order of readings.
        at: seconds since 1970.
        credits: on the account.
        settled: what this ledger had seen charged, or lost sight of, when the reading was asked for.
    """

    id: int
    at: float
    credits: int
    settled: int


def last(connection: sa.Connection, account: str, until: float = math.inf) -> Balance | None:
    """Return the last reading of an account, or the last that was made ``until`` a time; None where there is none."""
    row = _LAST.first(connection, of_account=account, until=until)
    return Balance(*row) if row else None


_LAST: Final = Statement(
    sa.select(balances.c.id, balances.c.at, balances.c.credits, balances.c.settled)
    .where(balances.c.account == sa.bindparam("of_account"), balances.c.at <= sa.bindparam("until"))
    .order_by(balances.c.id.desc())
    .limit(1)
)


def was_read(connection: sa.Connection, run_id: str) -> bool:
    """Return whether this run has a reading of the account."""
    return bool(_WAS_READ.value(connection, run=run_id))


_WAS_READ: Final = Statement(sa.select(sa.exists().where(balances.c.run_id == sa.bindparam("run"))))


def unexplained(connection: sa.Connection, account: str, since: float) -> int | None:
    """Return the credits by which the balance has fallen beyond what this ledger knows to be charged.

    Only what the service has said counts as an explanation: what was lost sight of may or may not have been charged,
    and a refund that nobody has seen yet would hide a charge. So would a create that was in the air at the first
    reading, which may hold its charge already.

    Args:
        connection: to the ledger.
        account: whose balance.
        since: the last reading before this time is compared with the newest; seconds since 1970.

    Returns:
        Credits, zero or less where all is explained; None where there are no two readings.
    """
    first, latest = last(connection, account, since), last(connection, account)
    if first is None or latest is None or first.id == latest.id:
        return None
    lost, refunded = (_moved_after(connection, bucket, first.at) for bucket in (Bucket.UNRESOLVED, Bucket.REFUNDED))
    charged = min(latest.settled - first.settled - lost, _charged_of_attempts_after(connection, first.at))
    given_back = refunded + _refunds_due(connection, first.at)
    return first.credits - latest.credits - charged + given_back


def _moved_after(connection: sa.Connection, bucket: Bucket, at: float) -> int:
    """Return the credits that came into a bucket after ``at``."""
    entries = credit_entries.c
    mine = entries.bucket == bucket, entries.at > at, entries.amount > 0
    return int(connection.scalar(sa.select(sa.func.sum(entries.amount)).where(*mine)) or 0)


def _refunds_due(connection: sa.Connection, at: float) -> int:
    """Return what is still charged for renders that came to nothing after ``at``: it may have been given back."""
    mine = jobs.c.state.in_(ENDED_BADLY), jobs.c.ended_at > at
    return int(connection.scalar(sa.select(sa.func.sum(jobs.c.charged)).where(*mine)) or 0)


def _charged_of_attempts_after(connection: sa.Connection, at: float) -> int:
    """Return what was charged, as far as is known, for creates whose intent was committed after ``at``."""
    entries = credit_entries.c
    begun = sa.select(entries.job_id, entries.attempt).group_by(entries.job_id, entries.attempt)
    charged = sa.select(sa.func.coalesce(sa.func.sum(entries.amount), 0)).where(
        entries.bucket == Bucket.CHARGED,
        sa.tuple_(entries.job_id, entries.attempt).in_(begun.having(sa.func.min(entries.at) > at)),
    )
    return int(connection.scalar(charged) or 0)
