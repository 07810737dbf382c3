"""Readings of the account's balance, and what this ledger cannot explain between two of them."""

import sqlalchemy as sa

from batchbg.core.budget import Bucket
from batchbg.ledger.tables import balances, credit_entries, jobs
from batchbg.ledger.transaction import Tx


def record(tx: Tx, account: str, credits: int, settled_before: int) -> None:
    """Record a reading of the account; ``settled_before`` is ``settled`` as it was when the reading was asked for.

    A create that was in the air at that time may or may not be in the reading; it is counted beside it.
    """
    tx.connection.execute(
        sa.insert(balances).values(at=tx.at, run_id=tx.run_id, account=account, credits=credits, settled=settled_before)
    )


def was_read(connection: sa.Connection, run_id: str) -> bool:
    """Return whether this run has a reading of the account."""
    return bool(connection.scalar(sa.select(sa.exists().where(balances.c.run_id == run_id))))


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
    mine = sa.select(balances).where(balances.c.account == account).order_by(balances.c.id.desc()).limit(1)
    first = connection.execute(mine.where(balances.c.at <= since)).first()
    last = connection.execute(mine).first()
    if first is None or last is None or first.id == last.id:
        return None
    entries = credit_entries.c
    moved = {
        bucket: connection.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(entries.amount), 0)).where(
                entries.bucket == bucket, entries.at > first.at, entries.amount > 0
            )
        )
        for bucket in (Bucket.UNRESOLVED, Bucket.REFUNDED)
    }
    refund_due = connection.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(jobs.c.charged), 0)).where(
            jobs.c.state.in_(("failed", "canceled")), jobs.c.ended_at > first.at
        )
    )
    explained = min(
        last.settled - first.settled - moved[Bucket.UNRESOLVED], _charged_of_attempts_after(connection, first.at)
    )
    return int(first.credits - last.credits - explained + moved[Bucket.REFUNDED] + refund_due)


def _charged_of_attempts_after(connection: sa.Connection, at: float) -> int:
    """Return what was charged, as far as is known, for creates whose intent was committed after ``at``."""
    entries = credit_entries.c
    begun = sa.select(entries.job_id, entries.attempt).group_by(entries.job_id, entries.attempt)
    charged = sa.select(sa.func.coalesce(sa.func.sum(entries.amount), 0)).where(
        entries.bucket == Bucket.CHARGED,
        sa.tuple_(entries.job_id, entries.attempt).in_(begun.having(sa.func.min(entries.at) > at)),
    )
    return int(connection.scalar(charged) or 0)
