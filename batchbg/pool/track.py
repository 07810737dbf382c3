"""Following image projects to their end: one scheduler for all of them."""

import asyncio
import contextlib
import dataclasses
import heapq
import itertools
import logging
import time
from typing import Final

from batchbg.api.wire import KNOWN_WAITING, Project, ProjectStatus
from batchbg.core.model import Job
from batchbg.core.poll_schedule import BLIND_FIRST_S, BLIND_TOLD_S, PollSchedule, blind_gap_s
from batchbg.errors import AccountRefused, ApiUnreachable, ExitCode, RequestRefused
from batchbg.pool.admission import Admission
from batchbg.pool.event_news import TOLD_LATE_S, EventNews
from batchbg.pool.outage import Outage
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)

GONE_ASKS: Final = 5
GONE_AFTER_S: Final = 15.0
"""A project that is answered with 404 this often, over at least this time, will not turn up any more."""

NEW_S: Final = 120.0
"""Seconds after its create in which a project that is not known is not known yet: services copy with a delay."""

EMPTY_ASKS: Final = 5
EMPTY_PAUSE_S: Final = 1.0
"""A complete project without a download is asked again this often, after a pause that grows by this each time."""

MOST_AT_ONCE: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Gone:
    """The project is not there (any more). That never means that it was not charged."""

    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Stranger:
    """The project has the name of another job: its picture is another's, and so is its price."""

    name: str


Ending = Project | Gone | Stranger
"""How following a project ended, apart from not at all (None). One that still waits names another price than counted."""


@dataclasses.dataclass(slots=True)
class _Followed:
    """One project.

    Attributes:
        is_first: others wait for its record.
        told_s: its age when an event told of its end.
        due: the number of the question that comes next; others are void.
        asking: whether a question is under way.
    """

    job: Job
    ending: asyncio.Future[Ending | None]
    give_up_at_s: float
    is_first: bool = False
    told_s: float | None = None
    due: int = 0
    asking: bool = False
    asked: int = 0
    missing: int = 0
    missing_since: float = 0.0
    empty: int = 0
    waiting_s: float = 0.0
    last: Project | None = None


class Tracker:
    """Asks about projects when it is worth it, for the workers that wait for their end.

    Attributes:
        events: what webhook events told.
        polls: status requests sent so far.
    """

    def __init__(self, session: PoolSession, admission: Admission, outage: Outage) -> None:
        self.events = EventNews(self._plan_anew)
        self._schedule = PollSchedule(self.events.flow)
        self._followed: dict[str, _Followed] = {}
        self._api = session.api
        self._stop = session.stop
        self._admission = admission
        self._outage = outage
        self._render_patience_s = session.limits.render_patience_s
        self._is_unnamed_told = False
        self._due: list[tuple[float, int, _Followed]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._asking: set[asyncio.Task[None]] = set()
        self.polls = 0

    @property
    def render_s(self) -> float | None:
        """Seconds a render takes, by those seen lately; None before the first."""
        return self._schedule.median_s

    @property
    def event_within_s(self) -> float:
        """Seconds after a create in which an event is to be expected of its project's end."""
        return 1.5 * (self._schedule.longest_s or BLIND_TOLD_S) + TOLD_LATE_S

    def ended(self, project_id: str) -> None:
        """Ask about a project now, of whose end an event tells; or as soon as somebody follows it."""
        is_new = self.events.told(project_id)
        followed = self._followed.get(project_id)
        if followed is not None and is_new:
            followed.told_s = self._age_s(followed.job)
            self._ask_in(followed, 0.0)
            self.events.useful()

    async def ending(self, job: Job) -> Ending | None:
        """Follow a rendering job's project; None where this run waits for it no longer.

        A job whose create lies further back than ``render_patience`` is asked about once.
        """
        age_s = self._age_s(job)
        left_s = max(0.0, self._render_patience_s - age_s)
        ending: asyncio.Future[Ending | None] = asyncio.get_running_loop().create_future()
        followed = _Followed(job, ending, give_up_at_s=time.monotonic() + left_s)
        followed.is_first = not self._admission.breaker.price_known
        assert job.project_id is not None
        followed.told_s = age_s if self.events.is_told(job.project_id) else None
        self._followed[job.project_id] = followed
        try:
            self._ask_in(followed, self._first_in_s(followed) if left_s else 0.0)
            return await self._stop.before_leaving(followed.ending)
        finally:
            if self._followed.get(job.project_id) is followed:
                del self._followed[job.project_id]

    async def run(self) -> None:
        """Ask, until cancelled."""
        try:
            while True:
                now = time.monotonic()
                while self._due and self._due[0][0] <= now:
                    _, number, followed = heapq.heappop(self._due)
                    if followed.ending.done() or number != followed.due:
                        continue
                    await self._at_once.acquire()
                    task = asyncio.create_task(self._ask(followed))
                    self._asking.add(task)
                    task.add_done_callback(self._asked)
                self._wake.clear()
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is None or wait_s > 0:
                    # Not wait_for: up to Python 3.11 it swallows a cancellation that comes together with the event.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await self._wake.wait()
        finally:
            for task in self._asking:
                task.cancel()

    @staticmethod
    def _age_s(job: Job) -> float:
        # The ledger's clock never runs back, the machine's may: a create "in the future" is a new one.
        return max(0.0, time.time() - (job.submitted_at or 0.0))

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._at_once.release()

    def _ask_in(self, followed: _Followed, wait_s: float) -> None:
        followed.due = next(self._order)  # which takes the place of what was due before
        heapq.heappush(self._due, (time.monotonic() + wait_s, followed.due, followed))
        self._wake.set()

    def _first_in_s(self, followed: _Followed) -> float:
        """Return the seconds from now to the first question about a project."""
        if followed.told_s is not None:
            return 0.0
        first_s = BLIND_FIRST_S if self._is_urgent(followed) else self._schedule.first_s()
        return max(0.0, first_s - self._age_s(followed.job))

    def _is_urgent(self, followed: _Followed) -> bool:
        """Return whether its record is wanted sooner than it would be worth the question where events come."""
        return self.events.flow.comes and (followed.is_first or followed.told_s is not None)

    def _plan_anew(self) -> None:
        """Ask when it is worth it by now: about those that were not asked about, and where no events come about all."""
        self._schedule.revise()
        for followed in self._followed.values():
            if followed.asking or self._is_urgent(followed):
                continue
            if not followed.asked:
                self._ask_in(followed, self._first_in_s(followed))
            elif not self.events.flow.comes:
                self._ask_in(followed, self._schedule.gap_s(self._age_s(followed.job), followed.asked))

    async def _ask(self, followed: _Followed) -> None:
        followed.asking = True
        try:
            await self._ask_once(followed)
        finally:
            followed.asking = False

    async def _ask_once(self, followed: _Followed) -> None:
        followed.asked += 1
        self.polls += 1
        assert followed.job.project_id is not None
        try:
            project = await self._api.project(followed.job.project_id)
        except AccountRefused as error:
            self._stop.creates(ExitCode.ACCOUNT, f"the service refuses: {error}; check the key, then run again")
            self._settle(followed, None)
        except RequestRefused as error:
            self._missing(followed, error)
        except ApiUnreachable as error:
            self._outage.unanswered(str(error))
            self._ask_again(followed, wait_s=max(blind_gap_s(followed.asked), error.retry_after_s or 0.0))
        except Exception as error:
            if not followed.ending.done():
                followed.ending.set_exception(error)
        else:
            self._outage.answered()
            self._judge(followed, project)
            if not followed.ending.done():
                self._admission.recorded(followed.job.id)

    def _judge(self, followed: _Followed, project: Project) -> None:
        followed.missing = 0
        job = followed.job
        if project.name and not job.owns(project.name):
            self._settle(followed, Stranger(project.name))
            return
        if not project.name and not self._is_unnamed_told:
            self._is_unnamed_told = True
            log.warning(
                "%s: the service reports no name for project %s; taken at its word", job.photo_path, job.project_id
            )
        self._admission.seen(job.id)
        if not project.enabled:
            self._settle(followed, Gone("the project was deleted at the service"))
        elif project.status is ProjectStatus.WAITING:
            if project.status_word not in KNOWN_WAITING and (
                followed.last is None or followed.last.status_word != project.status_word
            ):
                log.warning("%s: unknown status %r, waiting on", followed.job.photo_path, project.status_word)
            followed.last = project
            followed.waiting_s = self._age_s(followed.job)
            if project.price.odd or (project.price.credits or 0) > job.credits:
                self._settle(followed, project)  # for the ledger to count, before another create uses that price
            else:
                self._ask_again(followed)
        elif project.status is ProjectStatus.COMPLETE and not project.downloads and followed.empty < EMPTY_ASKS:
            followed.empty += 1
            self._ask_again(followed, wait_s=followed.empty * EMPTY_PAUSE_S)
        else:
            self._learn(followed, project.status)
            self._settle(followed, project)

    def _learn(self, followed: _Followed, status: ProjectStatus) -> None:
        """Take in how a render's end became known, and how long it took: as an event says, or between two questions."""
        age_s, told_s = self._age_s(followed.job), followed.told_s
        if told_s is None and status is not ProjectStatus.CANCELED:  # of which no event tells
            self.events.found(followed.job)
        if status is not ProjectStatus.COMPLETE or age_s >= self._render_patience_s:
            return
        not_before_s, seen_s = (min(followed.waiting_s, age_s), age_s) if told_s is None else (told_s, told_s)
        if self._schedule.learn(not_before_s, seen_s) and self.events.flow.comes:
            self._plan_anew()

    def _missing(self, followed: _Followed, error: RequestRefused) -> None:
        now = time.monotonic()
        if not followed.missing:
            followed.missing_since = now
        followed.missing += 1
        is_new = self._age_s(followed.job) < min(NEW_S, self._render_patience_s)
        if not is_new and followed.missing >= GONE_ASKS and now - followed.missing_since >= GONE_AFTER_S:
            self._settle(followed, Gone(str(error)))
        else:
            # Asked in any case, however old it is: one 404 shortly after a create proves nothing.
            self._ask_in(followed, max(GONE_AFTER_S / GONE_ASKS, blind_gap_s(followed.missing)))

    def _ask_again(self, followed: _Followed, wait_s: float | None = None) -> None:
        if self._outage.gave_up or time.monotonic() >= followed.give_up_at_s:
            if not self._outage.gave_up:
                self._stop.note(ExitCode.TEMPORARY, "some renders take longer than render_patience; run again later")
            self._settle(followed, None)
            return
        if wait_s is None:
            asked, age_s = followed.asked, self._age_s(followed.job)
            wait_s = blind_gap_s(asked) if self._is_urgent(followed) else self._schedule.gap_s(age_s, asked)
        self._ask_in(followed, wait_s)

    @staticmethod
    def _settle(followed: _Followed, ending: Ending | None) -> None:
        if not followed.ending.done():
            followed.ending.set_result(ending)
