"""May a create leave? Places in flight, headroom, request rate, circuit breaker, files and time: asked in one place."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from batchbg.api.limiter import Urgency
from batchbg.core.circuit_breaker import CircuitBreaker
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.errors import BudgetExceeded, EarlierCapReached, ExitCode, KeyInDoubt, PriceInDoubt
from batchbg.ledger import budgets, prices, transitions
from batchbg.ledger.transaction import Tx, enter
from batchbg.pool.balance import readings
from batchbg.pool.concurrency import ConcurrencyLimit
from batchbg.pool.prices import PriceWatch
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)


class Admission:
    """Lets creates leave, and counts each job from there until its render is seen to have ended.

    A job goes in by ``admit`` and comes out by ``release``. Between the two ``answered`` is told what its create did,
    and ``recorded`` that the record of its project was seen.

    Attributes:
        concurrency: places for jobs between their create and their seen end.
        breaker: what earlier creates and renders say.
        prices: hears every price that the service names.
        in_air: creates that were let through and of which it is not settled what they did.
        let_through: creates that may have made something.
    """

    def __init__(self, session: PoolSession) -> None:
        self._session = session
        self._stop = session.stop
        self._budget = session.budget
        self._max_files = session.limits.max_files
        self.concurrency = ConcurrencyLimit(session.limits.max_in_flight)
        self.breaker = CircuitBreaker()
        with session.ledger.reading() as connection:
            self.prices = PriceWatch(session.stop, prices.accepted(connection, self._budget.account))
        self.in_air = 0
        self.let_through = 0
        self._unseen: set[str] = set()
        self._shut = 0
        self._resting = 0
        self._refunds = 0
        self._doorway = asyncio.Lock()  # one at a time: who finds no headroom or a shut door takes no start
        self._passage = _Change()  # of what ``_may_pass`` and ``at_rest`` look at
        self._headroom = _Change()  # credits came back, or something that might have given some back has ended

    # -- in

    async def admit(self, job: Job) -> Job:
        """Wait until the create of ``job`` may leave, and commit its intent.

        Returns:
            The job in submitting, with a place: its create has to leave at once, and ``answered`` to be told of it. Or
            the job as it is and without a place, where none may leave for it in this run.

        Raises:
            StaleJobError, LedgerError: nothing is reserved.
        """
        while not self._stop.no_creates:
            before = self._headroom.times  # what changes from here on must not be slept through
            try:
                return await self._attempt(job)
            except BudgetExceeded as error:
                if await self._may_have_headroom(before):
                    continue
                if isinstance(error, EarlierCapReached):
                    self._stop.note(ExitCode.CAP, str(error))
                    return job
                self._stop.creates(ExitCode.CAP, str(error))
            except (KeyInDoubt, PriceInDoubt) as error:
                log.warning("%s waits: %s", job.photo_path, error)
                if isinstance(error, PriceInDoubt):
                    self._stop.creates(ExitCode.ACCOUNT, str(error))
                return job
        return job

    async def _attempt(self, job: Job) -> Job:
        """Take a place, pass the doorway, commit the intent; a job that does not get as far has no place afterwards.

        Raises:
            BudgetExceeded, KeyInDoubt, PriceInDoubt, StaleJobError, LedgerError: nothing is reserved.
        """
        await self._stop.before_creates_stop(self.concurrency.take(job.id))
        try:
            if await self._stop.before_creates_stop(self._pass_doorway(job)):
                job = await self._commit_intent(job)
        finally:
            if job.state is not JobState.SUBMITTING:
                self.concurrency.free(job.id)
        return job

    async def _pass_doorway(self, job: Job) -> bool:
        """Wait for a turn and for the request rate; False where no create may leave any more.

        Raises:
            BudgetExceeded, PriceInDoubt: there is no headroom, or no price; no start of the request rate was taken.
        """
        async with self._doorway:
            if self._budget.caps.are_set or job.budget_run_id != self._budget.id:
                with self._session.ledger.reading() as connection:
                    budgets.find_headroom(enter(connection, ""), self._budget, job)
            while not self._stop.no_creates:
                while not self._may_pass():
                    await self._passage.next()
                await self._session.limiter.acquire(Urgency.CREATE)
                if self._enter():
                    return True
        return False

    def _may_pass(self) -> bool:
        # With the last file in the air: it may yet turn out to have made nothing.
        files_left = self._max_files is None or self.let_through < self._max_files or not self.in_air
        # What a record names is counted before another create uses that price.
        is_open = not self._shut and not self._unseen
        return is_open and files_left and (not self.in_air or not self.breaker.one_at_a_time)

    def _enter(self) -> bool:
        """Count one create more, if it still may leave."""
        self.stop_if_tripped()
        if self._stop.no_creates or not self._may_pass():
            return False
        if self._max_files is not None and self.let_through >= self._max_files:
            self._stop.creates(ExitCode.CAP, f"max_files: {self._max_files} new jobs were sent")
            return False
        self.in_air += 1
        self.let_through += 1
        return True

    async def _commit_intent(self, job: Job) -> Job:
        """Reserve. Where creates were stopped meanwhile it is taken back, for none has left."""
        is_leaving = False
        try:
            job = await self._session.writer.do(self._intend, job)
            if self._stop.no_creates:
                return await self._session.writer.do(
                    transitions.not_created, job, "creates were stopped before it left"
                )
            is_leaving = True
            return job
        finally:
            if not is_leaving:
                self._settle(made_nothing=True)

    def _intend(self, tx: Tx, job: Job) -> Job:
        """Reserve in a ledger that is still the one at its path."""
        self._session.ledger.check_still_there(job.output_folder)
        return transitions.reserve(tx, job, self._budget)

    async def _may_have_headroom(self, before: int) -> bool:
        """Wait until it is worth trying again; False where nothing is left that could give credits back."""
        if self._headroom.times == before:
            if not self.in_air + self.concurrency.held + self._refunds:
                return False
            await self._stop.before_creates_stop(self._headroom.next())
        return True

    # -- out

    def answered(self, job: Job, *, busy: bool = False) -> None:
        """Count what a create did, which is committed by now.

        The first create of a run that makes a project holds up the others until its record is seen, which may name
        another price than the answer did.

        Args:
            job: as it is since. In rendering it keeps its place; in planned its create certainly made nothing.
            busy: the service took none beside the others.
        """
        if job.state is JobState.RENDERING:
            self.concurrency.accepted()
            if not self.breaker.price_known:
                self._unseen.add(job.id)
        else:
            self.concurrency.refused(job.id) if busy else self.concurrency.free(job.id)
            self._headroom.tell()
        self._settle(made_nothing=job.state is JobState.PLANNED)

    def seen(self, job_id: str) -> None:
        """Note that the record of a job's project has come under its own name; what it names is not counted yet."""
        self.breaker.recorded(of_this_run=job_id in self._unseen)

    def recorded(self, job_id: str) -> None:
        """Note that the record of a job's project has been seen, and that what it names is counted."""
        if job_id in self._unseen:
            self._unseen.discard(job_id)
            self._passage.tell()

    def release(self, job_id: str) -> None:
        """Let a job go whose render has come to its seen end, or with which the run goes no further.

        May be called again: for a job that is no longer counted it changes nothing.
        """
        self.concurrency.free(job_id)
        self.recorded(job_id)
        self._headroom.tell()

    def _settle(self, *, made_nothing: bool) -> None:
        self.in_air -= 1
        self.let_through -= made_nothing
        self.stop_if_tripped()
        self._passage.tell()

    # -- what else holds creates up

    def stop_if_tripped(self) -> None:
        """Stop creates where the breaker says so."""
        if (why := self.breaker.tripped) and not self._stop.no_creates:
            self._stop.creates(ExitCode.TEMPORARY, f"{why}: no further create leaves in this run")

    def stop_if_price_in_doubt(self) -> None:
        """Stop creates where a person has to judge a price first."""
        with self._session.ledger.reading() as connection:
            odd = prices.in_doubt(connection, self._budget.account)
        if odd and not self._stop.no_creates:
            self._stop.creates(ExitCode.ACCOUNT, f"{odd[0]}: {prices.HOW_TO_JUDGE}")

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """Let no create pass meanwhile, whatever comes of those that are in the air."""
        self._shut += 1
        try:
            yield
        finally:
            self._shut -= 1
            self._passage.tell()

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Count a create in the air as one of which only the balance can tell what it did."""
        self._resting += 1
        self._passage.tell()
        try:
            yield
        finally:
            self._resting -= 1

    async def at_rest(self) -> None:
        """Wait until all creates that are in the air are resting."""
        while self.in_air > self._resting:
            await self._passage.next()

    def refund_expected(self) -> None:
        """Count a refund that may come in this run."""
        self._refunds += 1

    def refund_settled(self) -> None:
        """Note that a refund has come, or is not asked after any more."""
        self._refunds -= 1
        self._headroom.tell()

    async def watch_time(self) -> None:
        """Stop creates when the time that was given is over."""
        if (limit_s := self._session.limits.max_duration_s) is not None:
            await asyncio.sleep(limit_s)
            self._stop.creates(ExitCode.TIME, f"max_duration: {limit_s:.0f} s are over")

    async def watch_balance(self) -> None:
        """Read the balance now and then where a floor under it is held against the last reading, until cancelled."""
        if self._budget.caps.keep_balance is not None:
            async for _ in readings(self._session.api, self._session.ledger, self._session.writer):
                self._headroom.tell()


class _Change:
    """Something that happens again and again.

    Attributes:
        times: how often it has happened.
    """

    def __init__(self) -> None:
        self.times = 0
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Let it happen, and wake all who wait for it."""
        self.times += 1
        self._next.set()
        self._next = asyncio.Event()

    async def next(self) -> None:
        """Wait until it happens the next time."""
        await self._next.wait()
