"""Watching a run: what the pool tells and the ledger holds, as the figures a person wants to see."""

import time

from batchbg.core.budget import CAP_NAMES, Scope, next_price, period_of, tightest
from batchbg.core.lifecycle import JobState
from batchbg.core.model import PRICE_CREDITS, Job
from batchbg.core.progress import Progress, Rate, time_left_s
from batchbg.ledger import credits, prices
from batchbg.ledger.engine import Ledger, enter
from batchbg.ledger.jobs import Budget
from batchbg.pool.observer import Observer
from batchbg.pool.pool import Pool
from batchbg.pool.stop import Stop


class Watch(Observer):
    """Counts what the pool tells; ``standing`` puts it together when somebody looks.

    Attributes:
        total: jobs that are to come to an end.
        pool: the pool that is at work, once there is one.
    """

    def __init__(
        self,
        ledger: Ledger,
        budget: Budget,
        stop: Stop,
        total: int,
        *,
        max_files: int | None,
        requests_per_second: float,
    ) -> None:
        self.total = total
        self.pool: Pool | None = None
        self._ledger = ledger
        self._budget = budget
        self._stop = stop
        self._max_files = max_files
        self._requests_per_second = requests_per_second
        self._ended = 0
        self._at_work: set[str] = set()
        self._last_create_s = time.monotonic()
        self._rate = Rate(self._last_create_s)

    def sent(self, job: Job) -> None:
        """Count a job as at work."""
        self._at_work.add(job.id)
        self._last_create_s = time.monotonic()

    def ended(self, job: Job) -> None:
        """Count a job as ended."""
        self._ended += 1
        self._at_work.discard(job.id)
        if job.state is JobState.DONE:
            self._rate.count(time.monotonic())

    def standing(self) -> Progress:
        """Return how the run stands."""
        assert self.pool is not None
        slots, now = self.pool.concurrency, time.monotonic()
        with self._ledger.reading() as connection:
            period = period_of(self._budget.id, enter(connection, "").at, self._budget.zone)
            rooms = credits.room_under(connection, self._budget.caps, period, self._budget.account)
            spent = credits.totals(connection, Scope.RUN, self._budget.id).spent
            price = next_price(PRICE_CREDITS, *prices.last(connection, self._budget.account))
        waiting = max(0, self.total - self._ended - max(slots.held, len(self._at_work)))
        for room in rooms:
            waiting = min(waiting, max(0, room.left) // price)
        if self._max_files is not None:
            waiting = min(waiting, max(0, self._max_files - self.pool.admission.let_through))
        if self._stop.no_creates:
            waiting = 0
        # A floor under the balance is no cap of which something could be spent.
        cap = tightest([room for room in rooms if room.name in CAP_NAMES.values()])
        return Progress(
            ended=self._ended,
            total=self.total,
            in_flight=slots.held,
            width=slots.width,
            widest=slots.widest,
            spent=spent,
            cap=(cap.cap - cap.left, cap.cap) if cap else None,
            per_minute=self._rate.per_minute(now),
            left_s=time_left_s(
                waiting,
                max(slots.held, len(self._at_work)),
                slots.width,
                self.pool.tracker.render_s,
                now - self._last_create_s,
                self._requests_per_second,
            ),
            stopping=self._stop.no_creates and not self._stop.collecting,
        )
