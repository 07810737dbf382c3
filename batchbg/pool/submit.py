"""The one step that costs credits: reserve, commit, create, commit."""

import asyncio
import logging
import shlex
from typing import Final

from batchbg.api.client import MagicHour
from batchbg.api.exchange import Exchange
from batchbg.api.limiter import RateLimiter, Urgency
from batchbg.core.backoff import pause_s
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.outcome import Ambiguous, Created, Guarded, NotCreated, Outcome, Refusal
from batchbg.core.price import Price
from batchbg.errors import (
    BudgetExceeded,
    EarlierCapReached,
    ExitCode,
    KeyInDoubt,
    LedgerError,
    PhotoChanged,
    PriceInDoubt,
    RequestRefused,
    StaleJobError,
)
from batchbg.ledger import budgets, jobs, transitions
from batchbg.ledger.budgets import Budget
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx, enter
from batchbg.ledger.writer import Writer
from batchbg.pool.concurrency import ConcurrencyLimit
from batchbg.pool.evidence import Evidence
from batchbg.pool.gate import Gate
from batchbg.pool.observer import Observer
from batchbg.pool.outage import Outage
from batchbg.pool.prices import PriceWatch
from batchbg.pool.room import Room
from batchbg.pool.stop import Stop
from batchbg.pool.uploads import Asset, Uploads

log = logging.getLogger(__name__)

STALE_ASSET: Final = frozenset({400, 404, 422})
"""Refusals that may mean that a reused upload is no longer there."""

KEEP_TRYING_S: Final = 30.0
"""Seconds for which a project id that the disk will not take is tried again, before it is only printed."""


class Submitter:
    """Sends creates, each in the order that keeps money safe."""

    def __init__(
        self,
        api: MagicHour,
        limiter: RateLimiter,
        ledger: Ledger,
        writer: Writer,
        uploads: Uploads,
        slots: ConcurrencyLimit,
        gate: Gate,
        room: Room,
        stop: Stop,
        patience: Outage,
        budget: Budget,
        prices: PriceWatch,
        evidence: Evidence,
        observer: Observer,
    ) -> None:
        self._api = api
        self._limiter = limiter
        self._ledger = ledger
        self._writer = writer
        self._uploads = uploads
        self._slots = slots
        self._gate = gate
        self._room = room
        self._stop = stop
        self._patience = patience
        self._budget = budget
        self._prices = prices
        self._evidence = evidence
        self._observer = observer
        self._doorway = asyncio.Lock()  # one at a time: who finds no room or a closed gate takes no rate slot

    async def submit(self, job: Job) -> Job:
        """Take a planned job to rendering, failed or unresolved; or give it back as it is where none may be sent."""
        uploaded_again = False
        while True:
            try:
                assets = await self._stop.before_creates_stop(self._uploads.assets_for(job))
            except RequestRefused as error:
                self._gate.brake.failed()
                return await self._writer.do(transitions.refused, job, str(error))
            except PhotoChanged as error:
                await self._writer.do(transitions.drop, job, str(error))
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
            self._gate.brake.failed()
            return await self._writer.do(transitions.refused, job, refusal.reason)

    async def _send(self, job: Job, photo: Asset, background: Asset | None) -> tuple[Job, NotCreated | None]:
        """Send creates until one is answered; return a refusal that concerns this job alone beside the job."""
        failures = 0
        while True:
            job = await self._reserve(job)
            if job.state is not JobState.SUBMITTING:
                return job, None
            exchange = Exchange()
            try:
                outcome = await self._create(job, photo, background, exchange)
            except BaseException:
                # Nobody waits for the answer any more: what has come of it decides.
                outcome = self._api.judge(exchange.reply("left while the create was in the air"))
                if isinstance(outcome, Guarded):
                    outcome = Ambiguous(f"{outcome.reason}, and the run was left before the balance could tell")
                await asyncio.shield(self._record(job, outcome))
                raise
            job = await self._record(job, outcome)
            if job.state is JobState.RENDERING:
                self._patience.answered()
                self._observer.sent(job)
                self._slots.accepted()
                return job, None
            if job.state is JobState.UNRESOLVED or isinstance(outcome, Created | Ambiguous):
                self._slots.free(job.id)
                return job, None
            if isinstance(outcome, Guarded):
                outcome = NotCreated(Refusal.UNREACHABLE, outcome.reason)
            if outcome.refusal is Refusal.BUSY:
                self._slots.refused(job.id)  # the limiter holds everything back already
            else:
                self._slots.free(job.id)
            self._room.changed()
            failures += 1
            if outcome.refusal is Refusal.REQUEST:
                return job, outcome
            await self._after_refusal(job, outcome, failures)

    async def _reserve(self, job: Job) -> Job:
        """Return the job in submitting, its intent committed and a place taken; or as it is where none may be sent."""
        while True:
            changes = self._room.changes
            await self._stop.before_creates_stop(self._slots.take(job.id))
            try:
                if not await self._stop.before_creates_stop(self._pass_gate(job)):
                    self._slots.free(job.id)
                    return job
                return await self._commit_intent(job)
            except BudgetExceeded as error:
                self._slots.free(job.id)
                if not await self._room.wait(changes):
                    if isinstance(error, EarlierCapReached):
                        self._stop.note(ExitCode.CAP, str(error))
                        return job
                    self._stop.creates(ExitCode.CAP, str(error))
            except (KeyInDoubt, PriceInDoubt) as error:
                log.warning("%s waits: %s", job.photo_path, error)
                self._slots.free(job.id)
                if isinstance(error, PriceInDoubt):
                    self._stop.creates(ExitCode.ACCOUNT, str(error))
                return job

    async def _pass_gate(self, job: Job) -> bool:
        """Wait for the gate and a slot of the request rate; False where no create may leave any more.

        Raises:
            BudgetExceeded, PriceInDoubt: there is no room under a cap, or no price, so that no slot was taken.
        """
        async with self._doorway:
            if self._budget.caps.are_set or job.budget_run_id != self._budget.id:
                with self._ledger.reading() as connection:
                    budgets.find_headroom(enter(connection, ""), self._budget, job)
            while not self._stop.no_creates:
                await self._gate.clear()
                await self._limiter.slot(Urgency.CREATE)
                if self._gate.enter():
                    return True
        return False

    async def _commit_intent(self, job: Job) -> Job:
        """Commit the intent behind the gate. Where creates were stopped meanwhile it is taken back, for none has left.

        Raises:
            BudgetExceeded, KeyInDoubt, StaleJobError, LedgerError: nothing is reserved.
        """
        try:
            job = await self._writer.do(self._intend, job)
            if not self._stop.no_creates:
                return job
            job = await self._writer.do(transitions.not_created, job, "creates were stopped before it left")
        except BaseException:
            await self._gate.leave(made_nothing=True)
            raise
        await self._gate.leave(made_nothing=True)
        return job

    def _intend(self, tx: Tx, job: Job) -> Job:
        """Reserve in a ledger that is still the one at its path."""
        self._ledger.check_still_there(job.output_folder)
        return transitions.reserve(tx, job, self._budget)

    async def _create(self, job: Job, photo: Asset, background: Asset | None, exchange: Exchange) -> Outcome:
        background_path = background.file_path if background else None
        return await self._api.create(job.name, photo.file_path, background_path, exchange)

    async def _record(self, job: Job, outcome: Outcome) -> Job:
        """Commit what a create did, before anything else is done with it."""
        brake = self._gate.brake
        try:
            match outcome:
                case Created(project_id, price):
                    reserved = job.credits
                    job = await self._keep_id(job, project_id, price)
                    brake.created() if job.state is JobState.RENDERING else brake.doubted()
                    self._prices.heard(job, price, reserved=reserved)
                case NotCreated(_, reason):
                    job = await self._writer.do(transitions.not_created, job, reason)
                case Guarded(reason, pause_s):
                    brake.doubted()
                    job = await self._settle_guarded(job, reason, pause_s)
                case Ambiguous(reason):
                    brake.doubted()
                    job = await self._writer.do(transitions.lost, job, reason)
        finally:
            created = job.id if job.state is JobState.RENDERING else ""
            await self._gate.leave(made_nothing=job.state is JobState.PLANNED, created=created)
        if job.state is JobState.UNRESOLVED:
            log.warning("%s: %s; job %s is unresolved: `batchbg resolve`", job.photo_path, job.error, job.id)
            self._observer.unresolved(job)
        return job

    async def _settle_guarded(self, job: Job, reason: str, pause_s: float) -> Job:
        """Let the balance decide what a create did that a gateway answered for; meanwhile none leaves."""
        log.warning(
            "%s: %s; no create leaves for %.0f s, then the balance is looked at", job.photo_path, reason, pause_s
        )
        async with self._gate.shut():
            against = await self._evidence.against(job, pause_s)
            if against:
                return await self._writer.do(transitions.lost, job, f"{reason}, and {against}")
            return await self._writer.do(transitions.not_created, job, f"{reason}; the balance is as it was")

    async def _keep_id(self, job: Job, project_id: str, price: Price) -> Job:
        """Commit a project id, also onto a disk that is full for a moment: it is worth more than anything else."""
        self._ledger.projects[job.id] = project_id
        deadline = asyncio.get_running_loop().time() + KEEP_TRYING_S
        while True:
            try:
                return await self._writer.do(transitions.created, job, project_id, price)
            except StaleJobError:
                with self._ledger.reading() as connection:
                    present = jobs.get(connection, job.id)
                if present is None or present.project_id != project_id:
                    raise
                return present  # it was committed, and only the word of it was lost
            except LedgerError as error:
                self._stop.creates(ExitCode.TEMPORARY, str(error))
                if self._writer.drop_ballast():
                    continue
                log.error("job %s has project id %s, which the ledger cannot take: %s", job.id, project_id, error)
                if asyncio.get_running_loop().time() >= deadline or self._stop.leaving:
                    typed = shlex.quote(project_id)  # which a server wrote
                    log.error("write it down: `batchbg resolve %s --project-id %s` brings it back", job.id, typed)
                    raise
            await asyncio.sleep(1.0)

    async def _after_refusal(self, job: Job, outcome: NotCreated, failures: int) -> None:
        if outcome.refusal is Refusal.ACCOUNT:
            self._stop.creates(
                ExitCode.ACCOUNT,
                f"the service refuses: {outcome.reason}; check the key, the plan and the credits, then run again",
            )
            return
        self._patience.unanswered(f"{job.photo_path}: not created: {outcome.reason}")
        if outcome.refusal is not Refusal.BUSY:
            await self._stop.before_creates_stop(asyncio.sleep(pause_s(failures, outcome.retry_after_s)))
