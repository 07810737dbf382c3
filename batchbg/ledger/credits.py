"""The money: entries that are only ever appended, and their running sums, always moved together."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.budget import Bucket, Credits, Period, Scope
from batchbg.ledger.sql import Statement, insert
from batchbg.ledger.tables import credit_entries, credit_totals
from batchbg.ledger.transaction import Tx


def post(tx: Tx, job_id: str, attempt: int, period: Period, moves: Iterable[tuple[Bucket, int]]) -> None:
    """Append one entry for each (bucket, credits) and move the totals of every scope the period is in."""
    moves = [(bucket, amount) for bucket, amount in moves if amount]
    if not moves:
        return
    _APPEND.run_each(
        tx.connection,
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
        _FALL.run_each(tx.connection, falling)
    if rising := [row for row in rows if row["amount"] > 0]:
        _RISE.run_each(tx.connection, rising)


_APPEND: Final = Statement(sa.insert(credit_entries))
_FALL: Final = Statement(
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


def _rise(dialect: str) -> Any:
    statement = insert(dialect, credit_totals)
    return statement.on_conflict_do_update(
        index_elements=list(credit_totals.primary_key),
        set_={"amount": credit_totals.c.amount + statement.excluded.amount},
    )


_RISE: Final = Statement(_rise)


def totals(connection: sa.Connection, scope: Scope, period: str = "") -> Credits:
    """Return the running sums of one scope."""
    return Credits.of(dict(_TOTALS.all(connection, in_scope=scope, in_period=period)))


_TOTALS: Final = Statement(
    sa.select(credit_totals.c.bucket, credit_totals.c.amount).where(
        credit_totals.c.scope == sa.bindparam("in_scope"), credit_totals.c.period == sa.bindparam("in_period")
    )
)


def settled(connection: sa.Connection) -> int:
    """Return what this ledger has seen charged or lost sight of; reservations in the air are not in it."""
    sums = totals(connection, Scope.TOTAL)
    return sums.charged + sums.unresolved


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
