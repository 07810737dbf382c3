"""Events on their way to the jobs: each is a reason to ask the service, and decides nothing by itself."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.webhook_event import EventType
from batchbg.errors import (
    AccountRefused,
    ApiUnreachable,
    DiskError,
    ExitCode,
    LedgerError,
    RequestRefused,
    StaleJobError,
)
from batchbg.ledger import jobs
from batchbg.ledger.spool import KEPT_S, Spool, Stored
from batchbg.pool.claims import Claim, attach, is_unaccounted, job_of, why_not
from batchbg.pool.outage import Outage
from batchbg.pool.session import PoolSession
from batchbg.pool.track import Tracker

log = logging.getLogger(__name__)

TICK_S: Final = 0.1
"""Seconds between two looks at what has come."""

AGAIN_S: Final = 1.0
"""Seconds between two looks at an event that waits for something: an answer to a create, the service."""

NOT_YET_S: Final = 15.0
"""Seconds after which a project is asked for again that the service did not know: it copies with a delay."""

NOT_YET_ASKS: Final = 4
"""How often it is asked for in one run."""

MOST_AT_ONCE: Final = 4
"""Claims that are asked about at the same time."""

TRIAL_S: Final = 3_600.0
"""Seconds for which the event that `batchbg doctor` sent to itself is left to it."""

_NEVER: Final = float("inf")


class Inbox:
    """Takes the events that come for this ledger, and settles lost creates by them."""

    def __init__(
        self,
        session: PoolSession,
        tracker: Tracker,
        outage: Outage,
        collect: Callable[[Job], Coroutine[Any, Any, None]],
    ) -> None:
        """Hand jobs that are settled to ``collect``."""
        self._session = session
        self._stop = session.stop
        self._tracker = tracker
        self._outage = outage
        self._collect = collect
        self._spool = Spool(session.ledger.path)
        self._again_at: dict[str, float] = {}
        self._asked: dict[str, int] = {}
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._has_looked = asyncio.Event()
        self._is_trouble_told = False

    async def run(self) -> None:
        """Take what comes, until cancelled."""
        self._has_looked.clear()
        try:
            while True:
                try:
                    await self._look()
                except (DiskError, LedgerError) as error:
                    log.log(logging.INFO if self._is_trouble_told else logging.WARNING, "webhook events: %s", error)
                    self._is_trouble_told = True
                except Exception:  # what is only there to ask less must not end a run
                    log.exception("webhook events")
                    self._tracker.events.receives(False)
                    return
                finally:
                    self._has_looked.set()
                await asyncio.sleep(TICK_S)
        finally:
            for task in self._settling.values():
                task.cancel()

    async def settle(self) -> None:
        """Wait for what events may yet tell of creates that were lost just now, as long as that may take."""
        await self._stop.before_leaving(self._has_looked.wait())
        expected = self._lost_lately()
        while not self._stop.leaving:
            if self._settling:
                await self._stop.before_leaving(asyncio.wait(set(self._settling.values())))
            elif self._is_any_expected(expected):
                await self._stop.before_leaving(asyncio.sleep(TICK_S))
            else:
                return

    def _lost_lately(self) -> dict[str, float]:
        """Return until when an event may tell of each create that was lost just now, by job."""
        within_s = self._tracker.event_within_s
        with self._session.ledger.reading() as connection:
            lost = [job for job in jobs.in_states(connection, {JobState.UNRESOLVED}) if job.submitted_at is not None]
        until = {job.id: (job.submitted_at or 0.0) + within_s for job in lost}
        return {job_id: at for job_id, at in until.items() if at > time.time()}

    def _is_any_expected(self, until: dict[str, float]) -> bool:
        if not self._tracker.events.flow.comes:
            return False
        waited = [job_id for job_id, at in until.items() if at > time.time()]
        with self._session.ledger.reading() as connection:
            left = (jobs.get(connection, job_id) for job_id in waited)
            return any(job is not None and job.state is JobState.UNRESOLVED for job in left)

    async def _look(self) -> None:
        """Take what has come since, and what has waited for long enough."""
        if not self._spool.path.exists():
            self._tracker.events.receives(False)
            return
        now = time.monotonic()
        waiting = {name for name, at in self._again_at.items() if at > now}
        is_received, found = await asyncio.to_thread(self._read, waiting)
        self._tracker.events.receives(is_received)
        over = [stored.name for stored in found if self._is_over(stored)]
        if over:
            await self._remove(over)

    def _read(self, waiting: set[str]) -> tuple[bool, list[Stored]]:
        return self._spool.has_receiver(), self._spool.fresh(waiting)

    async def _remove(self, names: list[str]) -> None:
        for name in names:  # also where it cannot be removed: it is not to be taken again
            self._again_at[name] = _NEVER
        await asyncio.to_thread(self._spool.remove, names)
        for name in names:
            del self._again_at[name]

    def _is_over(self, stored: Stored) -> bool:
        """Do what an event asks for; return whether it is of no use any more."""
        event = stored.event
        age_s = time.time() - stored.at
        if event.type is EventType.TRIAL or age_s > KEPT_S:
            return age_s > TRIAL_S
        with self._session.ledger.reading() as connection:
            job = job_of(connection, event)
            waits = job is not None and job.state in (JobState.UNRESOLVED, JobState.SUBMITTING)
            is_known = waits or (job is not None and job.project_id == event.project_id)
            is_odd = not is_known and is_unaccounted(connection, event)
        if job is not None and job.state is JobState.UNRESOLVED:
            self._start_settling(Claim(stored, job))
            return False
        if event.is_end:  # also of a project that no job has: the answer with its id may be yet to come
            self._tracker.ended(event.project_id)
        if is_odd:
            log.warning(
                "project %s is called %r, and the ledger knows of no such project: it may be charged; see `batchbg audit`",
                *(event.project_id, event.name),
            )
        if waits:
            self._again_at[stored.name] = time.monotonic() + AGAIN_S
        return not waits

    def _start_settling(self, claim: Claim) -> None:
        """Ask about a claim; of several on one job, one after the other."""
        self._again_at[claim.stored.name] = time.monotonic() + AGAIN_S
        if claim.job.account not in self._session.accounts:
            self._again_at[claim.stored.name] = _NEVER
        elif claim.job.id not in self._settling:
            task = asyncio.create_task(self._settle(claim))
            self._settling[claim.job.id] = task
            task.add_done_callback(lambda _: self._settling.pop(claim.job.id))

    async def _settle(self, claim: Claim) -> None:
        """Attach the project that an event names, where the service confirms it."""
        self._again_at[claim.stored.name] = _NEVER
        is_over = False
        try:
            async with self._at_once:
                is_over = await self._is_settled(claim)
        except LedgerError as error:
            log.warning("job %s: %s", claim.job.id, error)
            self._again_at[claim.stored.name] = time.monotonic() + AGAIN_S
        except Exception:
            log.exception("job %s", claim.job.id)
        if is_over:
            with contextlib.suppress(DiskError):
                await self._remove([claim.stored.name])

    async def _is_settled(self, claim: Claim) -> bool:
        """Ask for the project; return whether the event is of no use any more."""
        job, project_id, name = claim.job, claim.project_id, claim.stored.name
        self._asked[name] = self._asked.get(name, 0) + 1
        try:
            project = await self._session.api.project(project_id)
        except AccountRefused as error:
            self._stop.creates(ExitCode.ACCOUNT, f"the service refuses: {error}; check the key, then run again")
            return False
        except RequestRefused as error:
            log.info("job %s: project %s, of which an event tells: %s", job.id, project_id, error)
            if self._asked[name] < NOT_YET_ASKS:
                self._again_at[name] = time.monotonic() + NOT_YET_S
            return False
        except ApiUnreachable as error:
            self._outage.unanswered(str(error))
            if not self._outage.over:
                self._again_at[name] = time.monotonic() + max(AGAIN_S, error.retry_after_s or 0.0)
            return False
        self._outage.answered()
        with self._session.ledger.reading() as connection:
            why = why_not(connection, job, project_id, project)
        if why:
            log.warning("%s: %s", job.photo_path, why)
            # Without a name nothing is known yet, and of what was deleted a person has to be told until it is settled.
            return bool(project.name) and project.enabled
        try:
            job = await self._session.writer.do(attach, job, project_id, project)
        except StaleJobError:
            self._again_at[name] = time.monotonic()
            return False
        log.warning("%s: job %s is settled: an event named its project %s", job.photo_path, job.id, project_id)
        self._session.observer.found(job)
        await self._collect(job)
        return True
