"""Starting the pool, feeding it from the ledger, and bringing it to rest."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final

from batchbg.api.deadline import sleep_running
from batchbg.core.lifecycle import PAID, JobState
from batchbg.core.model import Job
from batchbg.core.poll_schedule import ASKED_FOR_S
from batchbg.ledger import jobs, outputs
from batchbg.ledger.store import Connection
from batchbg.pool import deliver
from batchbg.pool.admission import Admission
from batchbg.pool.concurrency import ConcurrencyLimit
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.deliver import Deliverer, SaveOptions
from batchbg.pool.feed import PlanFeed
from batchbg.pool.inbox import Inbox
from batchbg.pool.outage import Outage
from batchbg.pool.refunds import Refunds
from batchbg.pool.session import PoolSession
from batchbg.pool.submit import Submitter
from batchbg.pool.track import Tracker
from batchbg.pool.uploads import Uploads
from batchbg.pool.worker import Worker

log = logging.getLogger(__name__)

AHEAD: Final = 4
"""Jobs that upload before there is a place in flight for them, beside one for each place."""

GRACE_S: Final = 10.0
"""Seconds for creates in the air and downloads under way once the run is being left."""

INSIST_AFTER_S: Final = 3.0
"""Seconds after which what was cancelled and goes on is cancelled again."""

FETCHED_AT_ONCE: Final = 200


class Pool:
    """The pool of one run.

    Attributes:
        admission: what is in flight, and which creates may leave.
        tracker: what is known of renders.
    """

    def __init__(self, session: PoolSession, saving: SaveOptions) -> None:
        self._session = session
        self._stop = session.stop
        self.admission = Admission(session)
        outage = Outage(session.stop, session.limits.give_up_after_s)
        decoding = DecodeLimit()
        self.tracker = Tracker(session, self.admission, outage)
        self._inbox = Inbox(session, self.tracker, outage, self._collect)
        self._uploads = Uploads(session, outage, decoding)
        self._deliverer = Deliverer(session, outage, decoding, saving)
        self._refunds = Refunds(session, self.admission)
        submitter = Submitter(session, self.admission, self._uploads, outage)
        self._worker = Worker(session, self.admission, submitter, self.tracker, self._deliverer, self._refunds)
        # Uploading, in flight, downloading: what is planned beyond that stays in the ledger, not in memory.
        self._at_work = asyncio.Semaphore(2 * session.limits.max_in_flight + AHEAD + deliver.AT_ONCE)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._given: set[str] = set()

    @property
    def concurrency(self) -> ConcurrencyLimit:
        """Places for jobs between their create and their seen end."""
        return self.admission.concurrency

    @property
    def reused(self) -> int:
        """Copies made for other photos of the same content."""
        return self._deliverer.copied

    @property
    def dropped(self) -> int:
        """Planned jobs left out because their files are no longer what was planned."""
        return self._worker.dropped

    async def drain(self, only: frozenset[str] | None = None, feed: PlanFeed | None = None) -> None:
        """Process every job that this run took up as far as it gets.

        Args:
            only: of the planned jobs process these alone.
            feed: tells of jobs that are planned meanwhile; None where all are.
        """
        watches = (self.tracker.run(), self._inbox.run(), self.admission.watch_time(), self.admission.watch_balance())
        helpers = [asyncio.create_task(watch) for watch in watches]
        try:
            self.admission.stop_if_price_in_doubt()
            await self._settle_old()
            await self._process_planned(only, feed)
            if feed is not None:
                await self._stop.before_leaving(feed.ended())
            await self._join()
            if feed is not None:
                await self._copy_wanted()  # by photos that were planned after the result had come
                await self._join()
            await self._refunds.settle()
            await self._inbox.settle()
            # A refund that was waited for may have planned a job again.
            await self._process_planned(only, None)
            await self._join()
            await self._refunds.settle()
        finally:
            await _end([*helpers, *self._tasks])
            await self._uploads.close()

    async def _process_planned(self, only: frozenset[str] | None, feed: PlanFeed | None) -> None:
        """Begin every planned job, as far as creates may leave."""
        async for job in self._planned(only, feed):
            if not await self._may_begin():
                break
            self._start(self._process(job))

    async def _may_begin(self) -> bool:
        """Wait until one more job may begin; False where no further create may leave."""
        await self._stop.before_creates_stop(self._at_work.acquire())
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
        """Let work begin for which ``_at_work`` has been acquired."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._at_work.release()

    async def _settle_old(self) -> None:
        """See to what earlier runs left: refunds not seen, paid jobs, copies still wanted."""
        with self._session.ledger.reading() as connection:
            for job in jobs.charged_in_vain(connection, time.time() - ASKED_FOR_S):
                if self._is_ours(job):
                    self._refunds.ask_once(job)
            paid = [job for job in jobs.in_states(connection, PAID) if self._is_ours(job)]
        for job in paid:
            if job.state is JobState.RENDERING:
                self.concurrency.occupy(job.id)
        # What is paid for does not wait behind what is not.
        for job in paid:
            await self._stop.before_leaving(self._at_work.acquire())
            if self._stop.leaving:
                return
            self._start(self._worker.process(job))
        await self._copy_wanted()

    async def _collect(self, job: Job) -> None:
        """Take a job that was unresolved to its end: it is paid for, and has its project now."""
        self.concurrency.occupy(job.id)
        await self._stop.before_leaving(self._at_work.acquire())
        if not self._stop.leaving:
            self._start(self._worker.process(job))

    async def _copy_wanted(self) -> None:
        """Give results that are there to the outputs that still want them."""
        undelivered = await self._session.look(outputs.undelivered)
        for job_id in undelivered:
            await self._stop.before_leaving(self._at_work.acquire())
            if self._stop.leaving:
                return
            done = await self._session.look(jobs.get, job_id)
            assert done is not None  # it was joined a moment ago, and a done job is never removed
            self._start(self._worker.copy(done))

    def _is_ours(self, job: Job) -> bool:
        """Return whether this key may ask about a job: another account's projects look as if they were gone."""
        if job.account in self._session.accounts:
            return True
        log.warning("job %s belongs to another account (%s); left alone", job.id, job.account)
        return False

    async def _planned(self, only: frozenset[str] | None, feed: PlanFeed | None) -> AsyncIterator[Job]:
        """Yield every planned job once, the oldest first; while more are coming, in several passes."""
        while True:
            is_last = feed is None or feed.over
            after = (0.0, "")
            while batch := await self._session.look(self._next_planned, after):
                for job in batch:
                    if job.id not in self._given and (only is None or job.id in only):
                        self._given.add(job.id)
                        yield job
                after = (batch[-1].created_at, batch[-1].id)
            if feed is None or is_last:
                return
            await self._stop.before_creates_stop(feed.news())
            if self._stop.no_creates:
                return

    def _next_planned(self, connection: Connection, after: tuple[float, str]) -> Sequence[Job]:
        return jobs.next_planned(connection, self._session.run_id, after, FETCHED_AT_ONCE)

    async def _process(self, job: Job) -> None:
        """Process a job; one that is still planned afterwards is not taken again in this run."""
        job = await self._worker.process(job)
        if job.state is not JobState.PLANNED:
            self._given.discard(job.id)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended: a library may swallow a cancellation, and a run must not hang for it."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=INSIST_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)
