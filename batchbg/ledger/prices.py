"""What the service has told of its price, for each account, and the odd ones that a person has to judge."""

from typing import Final

import sqlalchemy as sa

from batchbg.core.price import Verdict
from batchbg.ledger.sql import Statement, upsert
from batchbg.ledger.tables import odd_prices, prices
from batchbg.ledger.transaction import Tx

HOW_TO_JUDGE: Final = "`batchbg account --accept-price` accepts that as right, --dismiss-price treats it as a mistake"


def last(connection: sa.Connection, account: str) -> tuple[int | None, int | None]:
    """Return the credits that the last create answer took, and those of the last record; None where there is none."""
    row = _LAST.first(connection, of_account=account)
    return (row[0], row[1]) if row else (None, None)


_LAST: Final = Statement(
    sa.select(prices.c.credits, prices.c.recorded).where(prices.c.account == sa.bindparam("of_account"))
)


def learn(tx: Tx, account: str, credits: int, *, recorded: bool) -> None:
    """Remember what a create's answer took, or a project's record."""
    if recorded:
        _RECORDED.run(tx.connection, account=account, credits=0, recorded=credits)
    else:
        _ANSWERED.run(tx.connection, account=account, credits=credits, recorded=0)


_RECORDED: Final = upsert(prices, "recorded")
_ANSWERED: Final = upsert(prices, "credits")


def doubt(tx: Tx, account: str, job_id: str, told: str) -> None:
    """Keep an odd price until a person has judged it; one that a job has told before is kept once."""
    known = sa.select(sa.exists().where(odd_prices.c.job_id == job_id, odd_prices.c.told == told))
    if not tx.connection.scalar(known):
        tx.connection.execute(sa.insert(odd_prices).values(at=tx.at, account=account, job_id=job_id, told=told))


def is_doubted(connection: sa.Connection, job_id: str) -> bool:
    """Return whether a job has told an odd price that nobody has judged yet."""
    return bool(_DOUBTED.value(connection, job=job_id))


_DOUBTED: Final = Statement(
    sa.select(sa.exists().where(odd_prices.c.job_id == sa.bindparam("job"), odd_prices.c.verdict == Verdict.OPEN))
)


def is_dismissed(connection: sa.Connection, job_id: str, told: str) -> bool:
    """Return whether a person has said that a price which a job told is none."""
    mine = odd_prices.c.job_id == job_id, odd_prices.c.told == told, odd_prices.c.verdict == Verdict.DISMISSED
    return bool(connection.scalar(sa.select(sa.exists().where(*mine))))


def in_doubt(connection: sa.Connection, account: str) -> list[str]:
    """Return a sentence for each odd price that nobody has judged yet, the oldest first."""
    return [
        f"job {job_id}: the service says that it takes {told} credits"
        for job_id, told in open_ones(connection, account)
    ]


def doubted_accounts(connection: sa.Connection) -> list[str]:
    """Return the accounts that have an odd price which nobody has judged yet."""
    return list(
        connection.scalars(sa.select(odd_prices.c.account).where(odd_prices.c.verdict == Verdict.OPEN).distinct())
    )


def open_ones(connection: sa.Connection, account: str) -> list[tuple[str, str]]:
    """Return (job id, what was told) of the odd prices that nobody has judged yet, the oldest first."""
    return [(row[0], row[1]) for row in _OPEN.all(connection, of_account=account)]


_OPEN: Final = Statement(
    sa.select(odd_prices.c.job_id, odd_prices.c.told)
    .where(odd_prices.c.account == sa.bindparam("of_account"), odd_prices.c.verdict == Verdict.OPEN)
    .order_by(odd_prices.c.id)
)


def accepted(connection: sa.Connection, account: str) -> list[str]:
    """Return the odd prices that a person has accepted, as they were told."""
    return _ACCEPTED.column(connection, of_account=account)


_ACCEPTED: Final = Statement(
    sa.select(odd_prices.c.told)
    .where(odd_prices.c.account == sa.bindparam("of_account"), odd_prices.c.verdict == Verdict.ACCEPTED)
    .distinct()
)


def judge(tx: Tx, account: str, verdict: Verdict) -> None:
    """Give all odd prices of an account that are open a person's verdict."""
    tx.connection.execute(
        sa.update(odd_prices)
        .where(odd_prices.c.account == account, odd_prices.c.verdict == Verdict.OPEN)
        .values(verdict=verdict)
    )
