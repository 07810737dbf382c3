"""The one step that costs credits: reserve, commit, create, commit."""

import asyncio
import logging
import shlex
from typing import Final

from batchbg.api.exchange import Exchange
from batchbg.core.backoff import pause_s
from batchbg.core.create_outcome import Ambiguous, Created, Guarded, NotCreated, Outcome, Refusal
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import ExitCode, LedgerError, PhotoChanged, RequestRefused, StaleJobError
from batchbg.ledger import transitions
from batchbg.pool.admission import Admission
from batchbg.pool.evidence import Evidence
from batchbg.pool.outage import Outage
from batchbg.pool.session import PoolSession
from batchbg.pool.uploads import Asset, Uploads

log = logging.getLogger(__name__)

STALE_ASSET: Final = frozenset({400, 404, 422})
"""Refusals that may mean that a reused upload is no longer there."""

KEEP_TRYING_EVERY_S: Final = 1.0
KEEP_TRYING_S: Final = 30.0
"""Seconds for which a project id that the disk will not take is tried again, before it is only printed."""


class Submitter:
    """Sends creates, each in the order that keeps money safe."""

    def __init__(self, session: PoolSession, admission: Admission, uploads: Uploads, outage: Outage) -> None:
        self._session = session
        self._stop = session.stop
        self._admission = admission
        self._uploads = uploads
        self._outage = outage
        self._evidence = Evidence(session, admission)

    async def submit(self, job: Job) -> Job:
        """Take a planned job to rendering, failed or unresolved; or give it back as it is where none may be sent."""
        uploaded_again = False
        while True:
            try:
                assets = await self._stop.before_creates_stop(self._uploads.assets_for(job))
            except RequestRefused as error:
                self._admission.breaker.failed()
                return await self._session.writer.do(transitions.refused, job, str(error))
            except PhotoChanged as error:
                await self._session.writer.do(transitions.drop, job, str(error))
                raise
            if assets is None:
                return job
            job, refusal = await self._send(job, *assets)
            if refusal is None:
                return job
            reused = [one for one in assets if one is not None and not one.fresh]
            if refusal.status in STALE_ASSET and reused and not uploaded_again:
                uploaded_again = True
                for asset in reused:
                    await self._uploads.forget(asset)
                continue
            self._admission.breaker.failed()
            return await self._session.writer.do(transitions.refused, job, refusal.reason)

    async def _send(self, job: Job, photo: Asset, background: Asset | None) -> tuple[Job, NotCreated | None]:
        """Send creates until one is answered; return a refusal that concerns this job alone beside the job."""
        failures = 0
        while True:
            job = await self._admission.admit(job)
            if job.state is not JobState.SUBMITTING:
                return job, None
            exchange = Exchange()
            try:
                outcome = await self._create(job, photo, background, exchange)
            except BaseException:
                # Nobody waits for the answer any more: what has come of it decides.
                outcome = self._session.api.judge(exchange.reply("left while the create was in the air"))
                if isinstance(outcome, Guarded):
                    outcome = Ambiguous(f"{outcome.reason}, and the run was left before the balance could tell")
                await asyncio.shield(self._record(job, outcome))
                raise
            job = await self._record(job, outcome)
            if job.state is JobState.RENDERING:
                self._outage.answered()
                self._session.observer.sent(job)
                return job, None
            if job.state is JobState.UNRESOLVED or isinstance(outcome, Created | Ambiguous):
                return job, None
            if isinstance(outcome, Guarded):
                outcome = NotCreated(Refusal.UNREACHABLE, outcome.reason)
            failures += 1
            if outcome.refusal is Refusal.REQUEST:
                return job, outcome
            await self._after_refusal(job, outcome, failures)

    async def _create(self, job: Job, photo: Asset, background: Asset | None, exchange: Exchange) -> Outcome:
        background_path = background.file_path if background else None
        return await self._session.api.create(job.name, photo.file_path, background_path, exchange)

    async def _record(self, job: Job, outcome: Outcome) -> Job:
        """Commit what a create did, before anything else is done with it."""
        breaker, writer = self._admission.breaker, self._session.writer
        try:
            match outcome:
                case Created(project_id, price):
                    reserved = job.credits
                    job = await self._keep_id(job, project_id, price)
                    breaker.created() if job.state is JobState.RENDERING else breaker.doubted()
                    self._admission.prices.heard(job, price, reserved=reserved)
                case NotCreated(_, reason):
                    job = await writer.do(transitions.not_created, job, reason)
                case Guarded(reason, pause_s):
                    breaker.doubted()
                    job = await self._settle_guarded(job, reason, pause_s)
                case Ambiguous(reason):
                    breaker.doubted()
                    job = await writer.do(transitions.lost, job, reason)
        finally:
            # The limiter holds everything back where the service is busy; here its place goes, too.
            busy = isinstance(outcome, NotCreated) and outcome.refusal is Refusal.BUSY
            self._admission.answered(job, busy=busy)
        if job.state is JobState.UNRESOLVED:
            log.warning(
                "%s: %s; job %s is unresolved: `batchbg jobs --state unresolved`", job.photo_path, job.error, job.id
            )
            self._session.observer.unresolved(job)
        return job

    async def _settle_guarded(self, job: Job, reason: str, pause_s: float) -> Job:
        """Let the balance decide what a create did that a gateway answered for; meanwhile none leaves."""
        log.warning("%s: %s; no create leaves for %.0f s, then the balance is read", job.photo_path, reason, pause_s)
        with self._admission.shut():
            against = await self._evidence.against(job, pause_s)
            if against:
                return await self._session.writer.do(transitions.lost, job, f"{reason}, and {against}")
            return await self._session.writer.do(transitions.not_created, job, f"{reason}; the balance is as it was")

    async def _keep_id(self, job: Job, project_id: str, price: Price) -> Job:
        """Commit a project id, also onto a disk that is full for a moment: it is worth more than anything else."""
        self._session.ledger.projects[job.id] = project_id
        deadline = asyncio.get_running_loop().time() + KEEP_TRYING_S
        while True:
            try:
                return await self._session.writer.do(transitions.created, job, project_id, price)
            except StaleJobError:
                raise
            except LedgerError as error:
                self._stop.creates(ExitCode.TEMPORARY, str(error))
                if self._session.writer.drop_ballast():
                    continue
                log.error("job %s has project id %s, which the ledger cannot take: %s", job.id, project_id, error)
                if asyncio.get_running_loop().time() >= deadline or self._stop.leaving:
                    typed = shlex.quote(project_id)  # which a server wrote
                    log.error("write it down: `batchbg resolve %s --project-id %s` brings it back", job.id, typed)
                    raise
            await asyncio.sleep(KEEP_TRYING_EVERY_S)

    async def _after_refusal(self, job: Job, outcome: NotCreated, failures: int) -> None:
        if outcome.refusal is Refusal.ACCOUNT:
            self._stop.creates(
                ExitCode.ACCOUNT,
                f"the service refuses: {outcome.reason}; check the key, the plan and the credits, then run again",
            )
            return
        self._outage.unanswered(f"{job.photo_path}: not created: {outcome.reason}")
        if outcome.refusal is not Refusal.BUSY:
            await self._stop.before_creates_stop(asyncio.sleep(pause_s(failures, outcome.retry_after_s)))
