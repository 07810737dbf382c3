"""Starting the pool, feeding it from the ledger, and bringing it to rest."""

import asyncio
import dataclasses
import datetime
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final

from batchbg.api.client import MagicHour
from batchbg.api.deadline import sleep_running
from batchbg.api.limiter import RateLimiter
from batchbg.core.budget import Caps
from batchbg.core.lifecycle import PAID, JobState
from batchbg.core.model import Job
from batchbg.core.poll_schedule import PollSchedule
from batchbg.errors import ApiError, ExitCode
from batchbg.ledger import jobs, outputs, prices
from batchbg.ledger.budgets import Budget
from batchbg.ledger.store import Ledger
from batchbg.ledger.writer import Writer
from batchbg.pool.account import read_account
from batchbg.pool.concurrency import ConcurrencyLimit
from batchbg.pool.decoding import DecodeLimit
from batchbg.pool.deliver import Deliverer, SaveOptions
from batchbg.pool.evidence import Evidence
from batchbg.pool.feed import PlanFeed
from batchbg.pool.gate import Gate
from batchbg.pool.observer import Observer
from batchbg.pool.outage import Outage
from batchbg.pool.prices import PriceWatch
from batchbg.pool.refunds import ASKED_FOR_S, Refunds
from batchbg.pool.room import Room
from batchbg.pool.stop import Stop
from batchbg.pool.submit import Submitter
from batchbg.pool.track import Tracker
from batchbg.pool.uploads import Uploads
from batchbg.pool.worker import Worker

log = logging.getLogger(__name__)

TRANSFERS: Final = 8
"""Files on their way up, and as many on their way down, at once."""

AHEAD: Final = 4
"""Jobs that upload before there is a render slot for them, beside one for each slot."""

GRACE_S: Final = 10.0
"""Seconds for creates in the air and downloads under way once the run is being left."""

INSIST_AFTER_S: Final = 3.0
"""Seconds after which what was cancelled and goes on is cancelled again."""

BALANCE_EVERY_S: Final = 60.0
FETCHED_AT_ONCE: Final = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may do: seconds, jobs, credits."""

    max_in_flight: int
    max_files: int | None
    max_duration_s: float | None
    give_up_after_s: float
    render_patience_s: float
    budget_id: str
    caps: Caps
    zone: datetime.tzinfo | None = None


class Pool:
    """The pool of one run."""

    def __init__(
        self,
        api: MagicHour,
        limiter: RateLimiter,
        ledger: Ledger,
        writer: Writer,
        stop: Stop,
        limits: Limits,
        accounts: list[str],
        run_id: str,
        observer: Observer,
        saving: SaveOptions,
    ) -> None:
        """Work for the account that comes first in ``accounts``; the others are names it had in earlier runs."""
        self._api = api
        self._ledger = ledger
        self._writer = writer
        self._stop = stop
        self._limits = limits
        self._accounts = accounts
        self._run_id = run_id
        self._observer = observer
        self.slots = ConcurrencyLimit(limits.max_in_flight)
        self.gate = Gate(stop, limits.max_files)
        self._patience = Outage(stop, limits.give_up_after_s)
        self._room = Room(stop, lambda: self.gate.in_air + self.slots.held + self._refunds.pending)
        self._refunds = Refunds(api, writer, stop, self._room)
        self.tracker = Tracker(api, stop, self._patience, self.gate, PollSchedule(), limits.render_patience_s)
        pictures = DecodeLimit()
        self.uploads = Uploads(api, ledger, writer, self._patience, pictures, accounts, TRANSFERS)
        self._deliverer = Deliverer(api, ledger, writer, self._patience, pictures, observer, TRANSFERS, saving)
        budget = Budget(limits.budget_id, limits.caps, accounts[0], limits.zone)
        with ledger.reading() as connection:
            watched = PriceWatch(stop, prices.accepted(connection, accounts[0]))
        submitter = Submitter(
            api,
            limiter,
            ledger,
            writer,
            self.uploads,
            self.slots,
            self.gate,
            self._room,
            stop,
            self._patience,
            budget,
            watched,
            Evidence(api, ledger, writer, stop, self.gate),
            observer,
        )
        self._worker = Worker(
            writer,
            submitter,
            self.tracker,
            self._deliverer,
            self._refunds,
            self.uploads,
            watched,
            self.slots,
            self.gate,
            self._room,
            stop,
            observer,
        )
        self._places = asyncio.Semaphore(2 * limits.max_in_flight + AHEAD + TRANSFERS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._given: set[str] = set()

    async def drain(self, only: frozenset[str] | None = None, coming: PlanFeed | None = None) -> None:
        """Carry every job that this run took up as far as it gets.

        Args:
            only: of the planned jobs carry these alone.
            coming: tells of jobs that are planned meanwhile; None where all are.
        """
        helpers = [asyncio.create_task(self.tracker.run())]
        if self._limits.max_duration_s is not None:
            helpers.append(asyncio.create_task(self._watch_time(self._limits.max_duration_s)))
        if self._limits.caps.keep_balance is not None:
            helpers.append(asyncio.create_task(self._watch_balance()))
        try:
            self._heed_odd_prices()
            await self._settle_old()
            await self._carry_all(only, coming)
            if coming is not None:
                await self._stop.before_leaving(coming.ended())
            await self._join()
            if coming is not None:
                await self._copy_wanted()  # by photos that were planned after the result had come
                await self._join()
            await self._refunds.settle()
            # A refund that was waited for may have planned a job again.
            await self._carry_all(only, None)
            await self._join()
            await self._refunds.settle()
        finally:
            await _end([*helpers, *self._tasks])
            await self.uploads.close()

    def _heed_odd_prices(self) -> None:
        """Let no create leave where a person has to judge a price first."""
        with self._ledger.reading() as connection:
            odd = prices.in_doubt(connection, self._accounts[0])
        if odd and not self._stop.no_creates:
            self._stop.creates(ExitCode.ACCOUNT, f"{odd[0]}: {prices.HOW_TO_JUDGE}")

    async def _carry_all(self, only: frozenset[str] | None, coming: PlanFeed | None) -> None:
        """Set out with every planned job for which there is a place."""
        async for job in self._planned(only, coming):
            if not await self._place():
                break
            self._start(self._carry_planned(job))

    async def _place(self) -> bool:
        """Wait for a place among the jobs at work; False where no further create may leave."""
        await self._stop.before_creates_stop(self._places.acquire())
        return not self._stop.no_creates

    async def _join(self) -> None:
        """Wait for all jobs at work, or for the grace time where the run is being left."""
        while self._tasks and not self._stop.leaving:
            await self._stop.before_leaving(asyncio.wait(set(self._tasks)))
        if self._tasks:
            grace = asyncio.create_task(sleep_running(GRACE_S))
            try:
                while self._tasks and not grace.done():
                    await asyncio.wait({grace, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                grace.cancel()

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        """Let work that has a place go its way."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._places.release()

    async def _settle_old(self) -> None:
        """See to what earlier runs left: refunds not seen, paid jobs, copies still wanted."""
        with self._ledger.reading() as connection:
            for job in jobs.charged_in_vain(connection, time.time() - ASKED_FOR_S):
                if self._is_ours(job):
                    self._refunds.ask_once(job)
            paid = [job for job in jobs.in_states(connection, PAID) if self._is_ours(job)]
        for job in paid:
            if job.state is JobState.RENDERING:
                self.slots.occupy(job.id)
        # What is paid for does not wait behind what is not.
        for job in paid:
            await self._stop.before_leaving(self._places.acquire())
            if self._stop.leaving:
                return
            self._start(self._worker.carry(job))
        await self._copy_wanted()

    async def _copy_wanted(self) -> None:
        """Give results that are there to the outputs that still want them."""
        with self._ledger.reading() as connection:
            undelivered = outputs.undelivered(connection)
        for job_id in undelivered:
            await self._stop.before_leaving(self._places.acquire())
            if self._stop.leaving:
                return
            with self._ledger.reading() as connection:
                done = jobs.get(connection, job_id)
            assert done is not None  # it was joined a moment ago, and a done job is never removed
            self._start(self._worker.copy(done))

    def _is_ours(self, job: Job) -> bool:
        """Tell whether this key may ask about a job: another account's projects look as if they were gone."""
        if job.account in self._accounts:
            return True
        log.warning("job %s belongs to another account (%s); left alone", job.id, job.account)
        return False

    async def _planned(self, only: frozenset[str] | None, coming: PlanFeed | None) -> AsyncIterator[Job]:
        """Yield every planned job once, the oldest first; while more are coming, in several passes."""
        while True:
            is_last = coming is None or coming.over
            after = (0.0, "")
            while batch := self._next_planned(after):
                for job in batch:
                    if job.id not in self._given and (only is None or job.id in only):
                        self._given.add(job.id)
                        yield job
                after = (batch[-1].created_at, batch[-1].id)
            if coming is None or is_last:
                return
            await self._stop.before_creates_stop(coming.news())
            if self._stop.no_creates:
                return

    def _next_planned(self, after: tuple[float, str]) -> Sequence[Job]:
        with self._ledger.reading() as connection:
            return jobs.next_planned(connection, self._run_id, after, FETCHED_AT_ONCE)

    async def _carry_planned(self, job: Job) -> None:
        """Carry a job; one that is still planned afterwards is not taken again in this run."""
        job = await self._worker.carry(job)
        if job.state is not JobState.PLANNED:
            self._given.discard(job.id)

    @property
    def reused(self) -> int:
        """Copies made for other photos of the same content."""
        return self._deliverer.copied

    @property
    def dropped(self) -> int:
        """Planned jobs left out because their files are no longer what was planned."""
        return self._worker.dropped

    async def _watch_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._stop.creates(ExitCode.TIME, f"max_duration: {seconds:.0f} s are over")

    async def _watch_balance(self) -> None:
        """Read the account now and then: ``keep_balance`` is held against the last reading."""
        while True:
            await asyncio.sleep(BALANCE_EVERY_S)
            try:
                await read_account(self._api, self._ledger, self._writer)
            except ApiError as error:
                log.info("account: %s", error)
            else:
                self._room.changed()


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended: a library may swallow a cancellation, and a run must not hang for it."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=INSIST_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)
