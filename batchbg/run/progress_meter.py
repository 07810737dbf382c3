"""Measuring a run: what the pool reports and the ledger holds, as the figures a person wants to see."""

import logging
import time

from batchbg.core.budget import CAP_NAMES, Scope, next_price, period_of, tightest
from batchbg.core.lifecycle import JobState
from batchbg.core.model import PRICE_CREDITS, Job
from batchbg.core.progress import Progress, Rate, time_left_s
from batchbg.ledger import budgets, credits, prices
from batchbg.ledger.budgets import Budget
from batchbg.ledger.transaction import enter
from batchbg.pool.feed import PlanFeed
from batchbg.pool.observer import Observer
from batchbg.pool.pool import Pool
from batchbg.run.context import RunContext

log = logging.getLogger(__name__)


class Counter(Observer):
    """Counts what the pool reports.

    Attributes:
        ended: jobs that have come to their end.
        at_work: jobs that were sent and have not, by id.
        last_create_s: when the last one was sent, by the monotonic clock.
        rate: of results.
        again: jobs that come to an end once more.
    """

    def __init__(self) -> None:
        self.completed = 0
        self.at_work: set[str] = set()
        self.last_create_s = time.monotonic()
        self.rate = Rate(self.last_create_s)
        self.again = 0

    def sent(self, job: Job) -> None:
        """Count a job as at work."""
        self.at_work.add(job.id)
        self.last_create_s = time.monotonic()

    def found(self, job: Job) -> None:
        """Count a job that comes to an end once more: as unresolved it had come to one, in this run or before."""
        self.again += 1
        self.at_work.add(job.id)

    def ended(self, job: Job) -> None:
        """Count a job as ended."""
        self.completed += 1
        self.at_work.discard(job.id)
        log.info("%s: %s -> %s", job.state, job.photo_path, job.output_path)
        if job.state is JobState.DONE:
            self.rate.count(time.monotonic())


class ProgressMeter:
    """Puts together how a run stands, when it is asked.

    Attributes:
        total: jobs that are to come to an end, but for those that are still being planned.
    """

    def __init__(
        self, run: RunContext, budget: Budget, pool: Pool, counter: Counter, total: int, feed: PlanFeed | None
    ) -> None:
        """ProgressMeter ``pool``, which spends ``budget``; ``feed`` counts the jobs planned beside it."""
        self.total = total
        self._run = run
        self._budget = budget
        self._pool = pool
        self._counter = counter
        self._feed = feed

    @property
    def jobs(self) -> int:
        """How many jobs are to come to an end, as far as is known."""
        return self.total + self._counter.again + (self._feed.jobs if self._feed else 0)

    def progress(self) -> Progress:
        """Return how the run stands."""
        limit, counter, now = self._pool.concurrency, self._counter, time.monotonic()
        at_work = max(limit.held, len(counter.at_work))
        spent, cap, waiting = self._money(max(0, self.jobs - counter.completed - at_work))
        return Progress(
            ended=counter.completed,
            total=self.jobs,
            in_flight=limit.held,
            width=limit.width,
            widest=limit.widest,
            spent=spent,
            cap=cap,
            per_minute=counter.rate.per_minute(now),
            left_s=time_left_s(
                waiting,
                at_work,
                limit.width,
                self._pool.tracker.render_s,
                now - counter.last_create_s,
                self._run.settings.requests_per_second,
            ),
            stopping=self._run.stop.no_creates and not self._run.stop.collecting,
        )

    def _money(self, waiting: int) -> tuple[int, tuple[int, int] | None, int]:
        """Return (credits spent, (spent, cap) of the tightest cap, how many of ``waiting`` jobs the limits let through)."""
        run, budget = self._run, self._budget
        with run.ledger.reading() as connection:
            period = period_of(budget.id, enter(connection, "").at, budget.zone)
            found = budgets.headroom_under(connection, budget.caps, period, budget.account)
            spent = credits.totals(connection, Scope.RUN, budget.id).spent
            price = next_price(PRICE_CREDITS, *prices.last(connection, budget.account))
        limits = [max(0, headroom.left) // price for headroom in found]
        if run.settings.max_files is not None:
            limits.append(max(0, run.settings.max_files - self._pool.admission.let_through))
        if run.stop.no_creates:
            limits.append(0)
        # A floor under the balance is no cap of which something could be spent.
        cap = tightest([headroom for headroom in found if headroom.name in CAP_NAMES.values()])
        return spent, (cap.cap - cap.left, cap.cap) if cap else None, min([waiting, *limits])
