import logging
from typing import Any

import pytest

from batchbg.core.failure_codes import LOST_UPLOAD, NO_CREDITS
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import (
    AccountRefused,
    ApiUnreachable,
    BatchbgError,
    DecoderDied,
    DiskError,
    ExitCode,
    LedgerError,
    OutputRefused,
    PhotoChanged,
    ResultUnusable,
    StaleJobError,
    WrongProject,
)
from batchbg.ledger import assets, jobs, transitions
from batchbg.pool.track import Ending, Gone, Stranger
from batchbg.pool.worker import Worker
from tests.ledger.support import ACCOUNT, total
from tests.pool.bench import Bench, record, soon


class Stages:
    """Stand in for the stages of a job, which have tests of their own: each does what it was told."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.refusal = ""
        self.endings: list[Ending | None] = [record()]
        self.trouble: Exception | None = None
        self.delivered: list[Any] = []
        self.watched: list[Job] = []

    def _raise(self) -> None:
        if self.trouble:
            raise self.trouble

    async def submit(self, job: Job) -> Job:
        self._raise()
        job = await self.bench.writer.do(transitions.reserve, job, self.bench.session().budget)
        return await self.bench.writer.do(transitions.created, job, f"project-{job.id}", Price(5))

    async def ending(self, _job: Job) -> Ending | None:
        return self.endings.pop(0)

    async def why_not(self, _job: Job) -> str:
        self._raise()
        return self.refusal

    async def deliver(self, job: Job, project: Any) -> Job:
        self._raise()
        self.delivered.append(project)
        return await self.bench.writer.do(transitions.done, job)

    async def copy(self, _job: Job) -> None:
        self._raise()

    def watch(self, job: Job) -> None:
        self.watched.append(job)


class Working:
    """A worker on a bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.stages = Stages(bench)
        self.admission = bench.admission()
        stages: Any = self.stages
        self.worker = Worker(bench.session(), self.admission, stages, stages, stages, stages)

    async def process(self, job: Job, *endings: Ending | None) -> Job:
        if endings:
            self.stages.endings = list(endings)
        return await soon(self.worker.process(job))


@pytest.fixture
def working(bench: Bench) -> Working:
    return Working(bench)


@pytest.fixture
def job(bench: Bench) -> Job:
    (job,) = bench.planned("a.jpg")
    return job


async def in_state(bench: Bench, job: Job, state: JobState) -> Job:
    """Return the job as an earlier run left it."""
    job = await bench.writer.do(transitions.reserve, job, bench.session().budget)
    if state is JobState.SUBMITTING:
        return job
    job = await bench.writer.do(transitions.created, job, "project", Price(5))
    return job if state is JobState.RENDERING else await bench.writer.do(transitions.complete, job, Price(5))


async def test_a_planned_job_is_brought_to_its_end(bench: Bench, working: Working, job: Job):
    """With the record that said that its render was complete."""
    complete = record()
    working.admission.breaker.failed()
    assert (await working.process(job, complete)).state is JobState.DONE
    assert working.stages.delivered == [complete]
    assert bench.seen.told == [("ended", "a.jpg")]
    assert working.admission.breaker.errors == 0


@pytest.mark.parametrize("state", [JobState.RENDERING, JobState.DOWNLOADING])
async def test_what_an_earlier_run_left_is_taken_up_where_it_was(
    bench: Bench, working: Working, job: Job, state: JobState
):
    """And is never created again; what this run has not seen is asked for."""
    left = await in_state(bench, job, state)
    assert (await working.process(left, record())).state is JobState.DONE
    assert (working.stages.delivered == [None]) is (state is JobState.DOWNLOADING)


async def test_a_create_that_a_dead_run_left_is_not_sent_again(bench: Bench, working: Working, job: Job):
    """Nobody knows what it did."""
    lost = await working.process(await in_state(bench, job, JobState.SUBMITTING))
    assert (lost.state, lost.error) == (JobState.UNRESOLVED, "the process ended between the create and its answer")


async def test_a_job_that_has_ended_stays_as_it_is(bench: Bench, working: Working, job: Job):
    """It is told as ended all the same."""
    done = await working.process(job, record())
    assert await working.process(done) == done
    assert bench.seen.told == [("ended", "a.jpg")] * 2


async def test_a_place_is_given_back_when_the_end_of_the_render_is_seen(bench: Bench, working: Working, job: Job):
    """Before its result is fetched: a slow download holds up no create."""
    left = await in_state(bench, job, JobState.RENDERING)
    working.admission.concurrency.occupy(left.id)
    held = []

    async def deliver(job: Job, project: Any) -> Job:
        held.append(working.admission.concurrency.held)
        return await bench.writer.do(transitions.done, job)

    working.stages.deliver = deliver  # type: ignore[method-assign]
    await working.process(left, record())
    assert held == [0]


async def test_a_result_that_could_not_be_saved_is_not_paid_for(bench: Bench, working: Working, job: Job, caplog):
    """The job is dropped: a later run plans what is there then."""
    working.stages.refusal = "output exists"
    await working.process(job)
    with bench.ledger.reading() as connection:
        assert jobs.get(connection, job.id) is None
    assert working.worker.dropped == 1
    assert "a.jpg: left out: a.jpg.png: output exists" in caplog.text


async def test_a_path_that_the_disk_does_not_take_is_dropped_with_its_reason(bench: Bench, working: Working, job: Job):
    """And counts towards the exit code: a person has to do something."""
    working.stages.trouble = OutputRefused("name too long")
    await working.process(job)
    with bench.ledger.reading() as connection:
        assert jobs.get(connection, job.id) is None
    assert working.worker.dropped == 1
    assert bench.stop.reasons == {ExitCode.INCOMPLETE: "a.jpg: name too long"}


# What becomes of a render


async def test_a_render_that_is_not_waited_for_any_more_stays_as_it_is(bench: Bench, working: Working, job: Job):
    """A later run takes it up; its place is another's."""
    left = await in_state(bench, job, JobState.RENDERING)
    working.admission.concurrency.occupy(left.id)
    assert (await working.process(left, None)).state is JobState.RENDERING
    assert working.admission.concurrency.held == 0


async def test_a_price_that_rises_while_a_render_goes_on_is_counted_at_once(
    bench: Bench, working: Working, job: Job, caplog
):
    """Before another create goes by the lower one."""
    left = await in_state(bench, job, JobState.RENDERING)
    waiting = record("rendering", price=7)
    done = await working.process(left, waiting, record(price=7))
    assert (done.state, done.credits) == (JobState.DONE, 7)
    assert caplog.text.count("the service takes 7 credits, where 5 were reserved") == 1


async def test_a_project_that_is_gone_fails_its_job_and_counts_as_charged(bench: Bench, working: Working, job: Job):
    """A 404 never means "not charged"."""
    gone = await working.process(await in_state(bench, job, JobState.RENDERING), Gone("404"))
    assert (gone.state, gone.error, gone.credits) == (JobState.FAILED, "404", 5)


@pytest.mark.parametrize("state", [JobState.RENDERING, JobState.DOWNLOADING])
async def test_a_project_of_another_name_leaves_its_job_in_doubt(
    bench: Bench, working: Working, job: Job, state: JobState, caplog
):
    """Its picture is another's; creates go one at a time from here on, and stop after three in a row."""
    working.stages.trouble = WrongProject("another") if state is JobState.DOWNLOADING else None
    lost = await working.process(await in_state(bench, job, state), Stranger("another"))
    assert lost.state is JobState.UNRESOLVED
    assert lost.error == "project project is called 'another', which is another's: what this create made is not known"
    assert total(bench.ledger).unresolved == 5
    assert ("unresolved", "a.jpg") in bench.seen.told
    assert working.admission.breaker.strangers == 1
    assert "`batchbg jobs --state unresolved`" in caplog.text


@pytest.mark.parametrize(
    ("ending", "state", "error", "errors"),
    [
        (record("error", price=5, error="too dark"), JobState.FAILED, "too dark", 1),
        (record("error", price=5), JobState.FAILED, "the service gives no reason", 1),
        (record("canceled", price=5), JobState.CANCELED, "canceled at the service", 0),
    ],
)
async def test_a_render_that_came_to_nothing_is_asked_about_its_refund(
    bench: Bench, working: Working, job: Job, ending: Any, state: JobState, error: str, errors: int
):
    """One that a person canceled says nothing of the service."""
    ended = await working.process(await in_state(bench, job, JobState.RENDERING), ending)
    assert (ended.state, ended.error) == (state, error)
    assert working.stages.watched == [ended]
    assert working.admission.breaker.errors == errors


async def test_a_refund_that_has_come_is_not_asked_after(bench: Bench, working: Working, job: Job):
    """Nor by a run that only collects what is paid for."""
    ended = await working.process(await in_state(bench, job, JobState.RENDERING), record("error", price=0))
    assert ended.credits == 0
    bench.stop.collect_only()
    (other,) = bench.planned("b.jpg")
    left = await bench.writer.do(transitions.reserve, other, bench.session().budget)
    left = await bench.writer.do(transitions.created, left, "other", Price(5))
    await working.process(left, record("error", price=5))
    assert working.stages.watched == []


async def test_a_render_that_ends_dearer_than_reserved_is_said(bench: Bench, working: Working, job: Job, caplog):
    """However it ended."""
    with caplog.at_level(logging.ERROR):
        await working.process(await in_state(bench, job, JobState.RENDERING), record("error", price=7))
    assert "the service takes 7 credits, where 5 were reserved" in caplog.text


async def test_a_job_that_ends_for_want_of_credits_stops_creates(bench: Bench, working: Working, job: Job):
    """Like a 402; it is planned again once its refund is seen."""
    broke = record("error", price=0, error="no credits", error_code=NO_CREDITS)
    ended = await working.process(await in_state(bench, job, JobState.RENDERING), broke, record())
    assert "for lack of credits (no credits)" in bench.stop.reasons[ExitCode.ACCOUNT]
    assert ended.state is JobState.DONE  # planned again, and these stages know no stop
    assert working.admission.breaker.errors == 0


async def test_an_upload_that_the_service_has_lost_is_forgotten(bench: Bench, working: Working, job: Job):
    """The next job that needs it uploads it again."""
    with bench.ledger.transaction("earlier") as tx:
        assets.uploaded(tx, ACCOUNT, job.photo_sha256, "files/old", 100)
    left = await in_state(bench, job, JobState.RENDERING)
    await working.process(left, record("error", price=5, error_code=LOST_UPLOAD))
    with bench.ledger.reading() as connection:
        assert assets.find(connection, [ACCOUNT], job.photo_sha256, 0.0) is None


# One bad photo costs one photo


@pytest.mark.parametrize(
    ("trouble", "code", "stops"),
    [
        (PhotoChanged("changed"), None, False),
        (StaleJobError("moved"), None, False),
        (AccountRefused("401 key", status=401), ExitCode.ACCOUNT, True),
        (ApiUnreachable("no answer"), ExitCode.TEMPORARY, False),
        (ResultUnusable("half a picture"), ExitCode.INCOMPLETE, False),
        (DiskError("disk full"), ExitCode.TEMPORARY, True),
        (LedgerError("locked"), ExitCode.TEMPORARY, True),
        (DecoderDied("killed"), DecoderDied.exit_code, True),
        (BatchbgError("something"), ExitCode.INTERNAL, True),
        (ValueError("a bug"), ExitCode.INTERNAL, True),
    ],
)
async def test_trouble_ends_with_its_job(
    bench: Bench, working: Working, job: Job, trouble: Exception, code: ExitCode | None, stops: bool
):
    """What would make every job fail stops creates; what is a job's own does not. None of it ends the siblings."""
    working.stages.trouble = trouble
    left = await working.process(await in_state(bench, job, JobState.DOWNLOADING))
    assert left.state is JobState.DOWNLOADING
    assert set(bench.stop.reasons) == ({code} if code else set())
    assert bench.stop.no_creates is stops
    assert bench.seen.told == [("ended", "a.jpg")]


async def test_whatever_becomes_of_a_job_its_place_is_given_back(bench: Bench, working: Working, job: Job):
    """A place that nobody gives back would be lost for the rest of the run."""

    async def submit(job: Job) -> Job:
        working.admission.concurrency.occupy(job.id)
        raise ValueError("a bug")

    working.stages.submit = submit  # type: ignore[method-assign]
    await working.process(job)
    assert working.admission.concurrency.held == 0


async def test_trouble_with_a_copy_is_its_own(bench: Bench, working: Working, job: Job):
    """The job is done; what could not be written is told."""
    done = await working.process(job, record())
    working.stages.trouble = OutputRefused("name too long")
    await soon(working.worker.copy(done))
    assert bench.stop.reasons == {ExitCode.INCOMPLETE: "a.jpg: name too long"}
    assert working.worker.dropped == 0
    working.stages.trouble = None
    await soon(working.worker.copy(done))
