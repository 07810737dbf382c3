"""What a plan comes to: what its jobs would cost, and the headroom they would find."""

import dataclasses
import datetime

import sqlalchemy as sa

from batchbg.core.budget import Caps, Headroom, next_price, period_of, tightest
from batchbg.core.lifecycle import JobState
from batchbg.core.model import PRICE_CREDITS
from batchbg.ledger import balances, budgets, jobs, prices, runs
from batchbg.ledger.transaction import enter


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """What the jobs of a plan would cost, and what they would find.

    Attributes:
        jobs: to be created, those that an earlier run planned included.
        price: credits for one.
        headroom: under the tightest cap; None without caps.
        balance: credits the account should still have, as far as this ledger knows; None without a reading.
        read_at: when the account was read, seconds since 1970.
    """

    jobs: int
    price: int
    headroom: Headroom | None
    balance: int | None
    read_at: float

    @property
    def credits(self) -> int:
        """What all of them cost."""
        return self.jobs * self.price


def estimate(
    connection: sa.Connection,
    run_id: str,
    caps: Caps,
    base_url: str,
    zone: datetime.tzinfo | None,
    budget_id: str | None = None,
) -> Estimate:
    """Return what the jobs that a run planned or took up would cost, under the budget of the run that it continues."""
    account = runs.account_behind(connection, base_url) or base_url
    period = period_of(budget_id or run_id, enter(connection, run_id).at, zone)
    reading = balances.last(connection, account)
    (balance,) = budgets.headroom_under(connection, Caps(keep_balance=0), period, account)
    return Estimate(
        jobs=jobs.counts(connection, run_id)[JobState.PLANNED],
        price=next_price(PRICE_CREDITS, *prices.last(connection, account)),
        headroom=tightest(budgets.headroom_under(connection, caps, period, account)),
        balance=balance.left if reading else None,
        read_at=reading.at if reading else 0.0,
    )
