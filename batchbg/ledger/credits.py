"""The money: entries that are only ever appended, and their running sums, always moved together."""

import functools
import importlib
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.budget import Bucket, Caps, Credits, Headroom, Period, Scope, rooms
from batchbg.ledger.engine import Tx
from batchbg.ledger.tables import balances, credit_entries, credit_totals, jobs


def upsert(connection: sa.Connection, table: sa.Table, *replaced: str) -> Any:
    """Return the statement, for the database in use, that enters a row or replaces these columns of the one there."""
    return _upsert(connection.dialect.name, table, replaced)


def _insert(dialect: str, table: sa.Table) -> Any:
    """Return the INSERT of a dialect that can take an ON CONFLICT clause; the others' modules are not loaded for it."""
    return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


# Building a statement takes SQLAlchemy six times as long as running it: what every job needs is built once.
@functools.cache
def _upsert(dialect: str, table: sa.Table, replaced: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    changed = {name: statement.excluded[name] for name in replaced}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


@functools.cache
def _rise(dialect: str) -> Any:
    statement = _insert(dialect, credit_totals)
    return statement.on_conflict_do_update(
        index_elements=list(credit_totals.primary_key),
        set_={"amount": credit_totals.c.amount + statement.excluded.amount},
    )


def post(tx: Tx, job_id: str, attempt: int, period: Period, moves: Iterable[tuple[Bucket, int]]) -> None:
    """Append one entry for each (bucket, credits) and move the totals of every scope the period is in."""
    moves = [(bucket, amount) for bucket, amount in moves if amount]
    if not moves:
        return
    tx.connection.execute(
        _APPEND,
        [
            {
                "at": tx.at,
                "job_id": job_id,
                "attempt": attempt,
                "run_id": period.run,
                "day": period.day,
                "month": period.month,
                "bucket": bucket,
                "amount": amount,
            }
            for bucket, amount in moves
        ],
    )
    rows: list[dict[str, Any]] = [
        {"scope": scope, "period": name, "bucket": bucket, "amount": amount}
        for scope, name in period.scopes()
        for bucket, amount in moves
    ]
    # An INSERT of a negative sum fails its CHECK even where it would end as an update.
    if falling := [_as_parameters(row) for row in rows if row["amount"] < 0]:
        tx.connection.execute(_FALL, falling)
    if rising := [row for row in rows if row["amount"] > 0]:
        tx.connection.execute(_rise(tx.connection.dialect.name), rising)


_APPEND: Final = sa.insert(credit_entries)

_FALL: Final = (
    sa.update(credit_totals)
    .where(
        credit_totals.c.scope == sa.bindparam("in_scope"),
        credit_totals.c.period == sa.bindparam("in_period"),
        credit_totals.c.bucket == sa.bindparam("in_bucket"),
    )
    .values(amount=credit_totals.c.amount + sa.bindparam("by"))
)


def _as_parameters(row: dict[str, Any]) -> dict[str, Any]:
    return {"in_scope": row["scope"], "in_period": row["period"], "in_bucket": row["bucket"], "by": row["amount"]}


def totals(connection: sa.Connection, scope: Scope, period: str = "") -> Credits:
    """Return the running sums of one scope."""
    rows = connection.execute(_TOTALS, {"in_scope": scope, "in_period": period})
    return Credits.of({row.bucket: row.amount for row in rows})


_TOTALS: Final = sa.select(credit_totals.c.bucket, credit_totals.c.amount).where(
    credit_totals.c.scope == sa.bindparam("in_scope"), credit_totals.c.period == sa.bindparam("in_period")
)


def room_under(connection: sa.Connection, caps: Caps, period: Period, account: str) -> list[Headroom]:
    """Return the room under every cap that is set, for a reservation in ``period``."""
    names = dict(period.scopes())
    spent = {scope: totals(connection, scope, names[scope]).spent for scope, _ in caps.by_scope()}
    found = rooms(caps, spent)
    if caps.keep_balance is not None:
        found.append(_balance_room(connection, caps.keep_balance, account))
    return found


def settled(connection: sa.Connection) -> int:
    """Return what this ledger has seen charged or lost sight of; reservations in the air are not in it."""
    sums = totals(connection, Scope.TOTAL)
    return sums.charged + sums.unresolved


def record_balance(tx: Tx, account: str, credits: int, settled_before: int) -> None:
    """Record a reading of the account; ``settled_before`` is ``settled`` as it was when the reading was asked for.

    A create that was in the air at that time may or may not be in the reading; it is counted beside it.
    """
    tx.connection.execute(
        sa.insert(balances).values(at=tx.at, run_id=tx.run_id, account=account, credits=credits, settled=settled_before)
    )


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


def was_read(connection: sa.Connection, run_id: str) -> bool:
    """Tell whether this run has a reading of the account."""
    return bool(connection.scalar(sa.select(sa.exists().where(balances.c.run_id == run_id))))


def _balance_room(connection: sa.Connection, keep: int, account: str) -> Headroom:
    row = connection.execute(
        sa.select(balances.c.credits, balances.c.settled)
        .where(balances.c.account == account)
        .order_by(balances.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return Headroom("budget.keep_balance (the account's balance is not known)", keep, 0)
    since = settled(connection) + totals(connection, Scope.TOTAL).reserved - row.settled
    return Headroom("budget.keep_balance", keep, row.credits - max(since, 0) - keep)


def disagreements(connection: sa.Connection) -> list[str]:
    """Compare every running total with the sum of its entries; return a line for each that differs."""
    entries = credit_entries.c
    summed: dict[tuple[str, str, str], int] = {}
    for scope, period in (
        (Scope.TOTAL, sa.literal("")),
        (Scope.RUN, entries.run_id),
        (Scope.DAY, entries.day),
        (Scope.MONTH, entries.month),
    ):
        rows = connection.execute(
            sa.select(period.label("period"), entries.bucket, sa.func.sum(entries.amount).label("amount")).group_by(
                sa.text("1"), entries.bucket
            )
        )
        summed |= {(scope, row.period, row.bucket): row.amount for row in rows}
    running = {(row.scope, row.period, row.bucket): row.amount for row in connection.execute(sa.select(credit_totals))}
    return [
        f"{scope} {period or 'ledger'}: {bucket} is {running.get((scope, period, bucket), 0)},"
        f" its entries sum to {summed.get((scope, period, bucket), 0)}"
        for scope, period, bucket in sorted(summed.keys() | running.keys())
        if running.get((scope, period, bucket), 0) != summed.get((scope, period, bucket), 0)
    ]
