"""The way of one job, a state at a time. A first run and a resumed run are the same code."""

import contextlib
import logging
from collections.abc import Iterator
from typing import assert_never

from batchbg import log_context
from batchbg.api.wire import Project, ProjectStatus
from batchbg.core.failure_codes import LOST_UPLOAD, NO_CREDITS
from batchbg.core.lifecycle import ENDED_BADLY, JobState
from batchbg.core.model import Job
from batchbg.errors import (
    AccountRefused,
    ApiError,
    BatchbgError,
    DiskError,
    ExitCode,
    LedgerError,
    LedgerUnreachable,
    OutputRefused,
    PhotoChanged,
    ResultUnusable,
    StaleJobError,
    WrongProject,
)
from batchbg.ledger import jobs, transitions
from batchbg.ledger.transaction import Tx
from batchbg.pool.admission import Admission
from batchbg.pool.deliver import Deliverer
from batchbg.pool.refunds import Refunds
from batchbg.pool.session import PoolSession
from batchbg.pool.submit import Submitter
from batchbg.pool.track import Gone, Stranger, Tracker
from batchbg.pool.uploads import forget_uploads_of

log = logging.getLogger(__name__)


class Worker:
    """Takes jobs from the state in which they are found as far as they get in this run.

    Attributes:
        dropped: planned jobs left out because their files are no longer what was planned.
    """

    def __init__(
        self,
        session: PoolSession,
        admission: Admission,
        submitter: Submitter,
        tracker: Tracker,
        deliverer: Deliverer,
        refunds: Refunds,
    ) -> None:
        self._session = session
        self._writer = session.writer
        self._stop = session.stop
        self._admission = admission
        self._submitter = submitter
        self._tracker = tracker
        self._deliverer = deliverer
        self._refunds = refunds
        self._projects: dict[str, Project] = {}
        self.dropped = 0

    async def process(self, job: Job) -> Job:
        """Take ``job`` as far as it gets; return it as it is then."""
        log_context.JOB.set(job.id)
        try:
            with self._contained(job):
                while True:
                    before = job.state
                    try:
                        job = await self.step(job)
                    except LedgerUnreachable:
                        # Writing waits for the server; what has come of the job by then is gone on with.
                        job = await self._writer.do(_present, job)
                        continue
                    if job.state is before:
                        break
        finally:
            self._projects.pop(job.id, None)
            self._admission.release(job.id)
            self._session.observer.ended(job)
        return job

    async def copy(self, job: Job) -> None:
        """Give a done job's result to the outputs that still want it."""
        with self._contained(job):
            await self._deliverer.copy(job)

    @contextlib.contextmanager
    def _contained(self, job: Job) -> Iterator[None]:
        """Let a job's own troubles end here; they must not cancel its siblings' paid calls."""
        try:
            yield
        except PhotoChanged as error:
            self.dropped += 1
            log.warning("%s: left out: %s", job.photo_path, error)
        except OutputRefused as error:
            self.dropped += job.state is JobState.PLANNED
            log.warning("%s: left out: %s", job.photo_path, error)
            self._stop.note(ExitCode.INCOMPLETE, f"{job.photo_path}: {error}")
        except StaleJobError as error:
            log.warning("%s", error)
        except AccountRefused as error:
            self._stop.creates(ExitCode.ACCOUNT, f"the service refuses: {error}; check the key and the credits")
        except ApiError as error:
            self._stop.note(ExitCode.TEMPORARY, f"{job.photo_path}: {error}; run again to go on")
        except ResultUnusable as error:
            self._stop.note(ExitCode.INCOMPLETE, f"{job.output_path}: {error}")
        except (DiskError, LedgerError) as error:
            self._stop.creates(ExitCode.TEMPORARY, str(error))
        except BatchbgError as error:
            self._stop.creates(error.exit_code, f"{job.photo_path}: {error}")
        except Exception as error:
            log.exception("job %s", job.id)
            self._stop.creates(ExitCode.INTERNAL, f"{job.photo_path}: {type(error).__name__}: {error}")

    async def step(self, job: Job) -> Job:
        """Take ``job`` one state further; one that goes no further in this run comes back as it is."""
        match job.state:
            case JobState.PLANNED:
                await self._check_output(job)
                return await self._submitter.submit(job)
            case JobState.SUBMITTING:
                return await self._writer.do(
                    transitions.lost, job, "the process ended between the create and its answer"
                )
            case JobState.RENDERING:
                return await self._track(job)
            case JobState.DOWNLOADING:
                try:
                    return await self._deliverer.deliver(job, self._projects.get(job.id))
                except WrongProject as error:
                    return await self._misattributed(job, error.name)
            case JobState.DONE | JobState.FAILED | JobState.CANCELED | JobState.UNRESOLVED:
                return job
            case _:
                assert_never(job.state)

    async def _check_output(self, job: Job) -> None:
        """Drop a planned job whose result could not be saved: nothing is paid for it.

        Raises:
            OutputRefused, PhotoChanged: it is dropped.
            DiskError: nothing can be saved now.
        """
        try:
            why_not = await self._deliverer.why_not(job)
        except OutputRefused as error:
            await self._writer.do(transitions.drop, job, str(error))
            raise
        if why_not:
            await self._writer.do(transitions.drop, job, why_not)
            raise PhotoChanged(f"{job.output_path}: {why_not}")

    async def _track(self, job: Job) -> Job:
        """Follow a render to its end, which gives its place back: what comes then needs none."""
        try:
            return await self._follow(job)
        finally:
            self._admission.release(job.id)

    async def _follow(self, job: Job) -> Job:
        """Return the job moved on, or still rendering where this run waits for it no longer."""
        prices = self._admission.prices
        while True:
            ending = await self._tracker.ending(job)
            match ending:
                case None:
                    return job
                case Gone(why):
                    return await self._writer.do(transitions.ended, job, JobState.FAILED, why)
                case Stranger(name):
                    return await self._misattributed(job, name)
            reserved = job.credits
            if ending.status is ProjectStatus.WAITING:
                job = await self._writer.do(transitions.priced, job, ending.price)
                prices.heard(job, ending.price, reserved=reserved)
                self._admission.recorded(job.id)
                continue
            if ending.status is ProjectStatus.COMPLETE:
                # Waited for, though a crash would cost one question more: the place that is given back next lets a
                # create look for headroom, which has to be in the ledger by then.
                moved = await self._writer.do(transitions.complete, job, ending.price)
                self._admission.breaker.rendered()
                self._projects[job.id] = ending
            else:
                moved = await self._ended(job, ending)
            if ending.status is ProjectStatus.COMPLETE or ending.price.odd or (ending.price.credits or 0) > reserved:
                prices.heard(moved, ending.price, reserved=reserved)
            return moved

    async def _misattributed(self, job: Job, name: str) -> Job:
        """Make a job unresolved whose project turns out to be another's; its picture is not taken."""
        why = f"project {job.project_id} is called {name!r}, which is another's: what this create made is not known"
        moved = await self._writer.do(transitions.misattributed, job, why)
        self._admission.breaker.mistaken()
        self._admission.stop_if_tripped()
        log.warning("%s: %s; job %s is unresolved: `batchbg jobs --state unresolved`", job.photo_path, why, job.id)
        self._session.observer.unresolved(moved)
        return moved

    async def _ended(self, job: Job, project: Project) -> Job:
        """Record a render that came to nothing, and see to its refund."""
        canceled = project.status is ProjectStatus.CANCELED
        state = JobState.CANCELED if canceled else JobState.FAILED
        error = project.error or ("canceled at the service" if canceled else "the service gives no reason")
        moved = await self._writer.do(transitions.ended, job, state, error, project.price, project.error_code)
        log.warning("%s: %s", job.photo_path, error)
        if project.error_code == NO_CREDITS:
            why = f"the service has ended a job for lack of credits ({error}); buy some, then run again"
            self._stop.creates(ExitCode.ACCOUNT, why)
        elif project.error_code == LOST_UPLOAD:
            await forget_uploads_of(job, self._writer)
        if not canceled and moved.state is not JobState.PLANNED:
            self._admission.breaker.failed()
            self._admission.stop_if_tripped()
        if moved.state in ENDED_BADLY and moved.credits and not self._stop.collecting:
            self._refunds.watch(moved)
        return moved


def _present(tx: Tx, job: Job) -> Job:
    """Return a job as it is now.

    Raises:
        StaleJobError: it is there no more.
    """
    found = jobs.get(tx.connection, job.id)
    if found is None:
        raise StaleJobError(f"job {job.id} is there no more")
    return found
