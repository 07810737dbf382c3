"""What a reservation is held against: the caps of the run that began the job, and the headroom under them."""

import dataclasses
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.budget import CAP_NAMES, Caps, Headroom, Period, Scope, headrooms, next_price, period_of, tightest
from batchbg.core.lifecycle import JobState
from batchbg.core.model import PRICE_CREDITS, Job
from batchbg.errors import BudgetExceeded, EarlierCapReached, PriceInDoubt
from batchbg.ledger import balances, credits, prices
from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import jobs, runs
from batchbg.ledger.transaction import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """What a reservation is held against.

    Attributes:
        id: the run whose cap counts: this one, or the killed one that it continues.
        caps: credits.
        account: whose price and balance hold.
        zone: where days and months begin; None is the system's.
    """

    id: str
    caps: Caps
    account: str
    zone: Any = None


def find_headroom(tx: Tx, budget: Budget, job: Job) -> tuple[Period, int]:
    """Return the period to which a reservation made now for ``job`` belongs, and its price in credits.

    Raises:
        BudgetExceeded: a cap leaves too little.
        PriceInDoubt: a person has to judge a price first.
    """
    if odd := prices.in_doubt(tx.connection, budget.account):
        raise PriceInDoubt(f"{odd[0]}: {prices.HOW_TO_JUDGE}")
    own, budget = budget, budget if budget.caps.run is not None else _begun_under(tx.connection, budget, job)
    period = period_of(budget.id, tx.at, budget.zone)
    price = next_price(PRICE_CREDITS, *prices.last(tx.connection, budget.account))
    headroom = tightest(headroom_under(tx.connection, budget.caps, period, budget.account))
    if headroom is not None and headroom.left < price:
        if budget is not own and headroom.name == CAP_NAMES[Scope.RUN]:
            raise EarlierCapReached(
                f"{headroom}, the next image takes {price}: the cap of the run that began them holds until --max-credits"
                " gives another"
            )
        raise BudgetExceeded(f"{headroom}, the next image takes {price}")
    return period, price


def _begun_under(connection: sa.Connection, budget: Budget, job: Job) -> Budget:
    """Return the budget of the run that began ``job`` where that one has a cap: it holds until a person gives another.

    Args:
        connection: to the ledger.
        budget: of a run without a cap of its own.
        job: planned, by this run or an earlier one.
    """
    if job.budget_run_id in ("", budget.id):
        return budget
    cap = _CAP_OF.value(connection, budget=job.budget_run_id)
    if cap is None:
        return budget
    return dataclasses.replace(budget, id=job.budget_run_id, caps=dataclasses.replace(budget.caps, run=cap))


_CAP_OF: Final = Statement(
    sa.select(runs.c.cap_credits)
    .where(runs.c.budget_id == sa.bindparam("budget"))
    .order_by(runs.c.started_at.desc())
    .limit(1)
)
"""The cap that was last given to a budget."""


def earlier(connection: sa.Connection, run_id: str, budget: Budget) -> list[Budget]:
    """Return the budgets with a cap that jobs of a run without one were begun under by earlier runs."""
    begun = _BEGUN_UNDER.column(connection, run=run_id, own=budget.id)
    caps = {one: _CAP_OF.value(connection, budget=one) for one in begun}
    return [
        dataclasses.replace(budget, id=one, caps=dataclasses.replace(budget.caps, run=cap))
        for one, cap in caps.items()
        if cap is not None
    ]


_BEGUN_AT: Final = sa.select(runs.c.started_at).where(runs.c.id == sa.bindparam("run")).scalar_subquery()
_BEGUN_UNDER: Final = Statement(
    sa.select(jobs.c.budget_run_id)
    .where(
        jobs.c.run_id == sa.bindparam("run"),
        jobs.c.budget_run_id.not_in(["", sa.bindparam("own")]),
        (jobs.c.state == JobState.PLANNED) | (jobs.c.submitted_at >= _BEGUN_AT),
    )
    .distinct()
)


def headroom_under(connection: sa.Connection, caps: Caps, period: Period, account: str) -> list[Headroom]:
    """Return the headroom under every cap that is set, for a reservation in ``period``."""
    names = dict(period.scopes())
    spent = {scope: credits.totals(connection, scope, names[scope]).spent for scope, _ in caps.by_scope()}
    found = headrooms(caps, spent)
    if caps.keep_balance is not None:
        found.append(_balance_headroom(connection, caps.keep_balance, account))
    return found


def _balance_headroom(connection: sa.Connection, keep: int, account: str) -> Headroom:
    reading = balances.last(connection, account)
    if reading is None:
        return Headroom("budget.keep_balance (the account's balance is not known)", keep, 0)
    since = credits.settled(connection) + credits.totals(connection, Scope.TOTAL).reserved - reading.settled
    return Headroom("budget.keep_balance", keep, reading.credits - max(since, 0) - keep)
