import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pytest

from batchbg.api.wire import Account
from batchbg.core.create_outcome import Ambiguous, Created, Guarded, NotCreated, Outcome, Refusal
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import ExitCode, LedgerError, PhotoChanged, RequestRefused, StaleJobError
from batchbg.ledger import assets, jobs, photos, transitions
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.outage import Outage
from batchbg.pool.session import PoolSession
from batchbg.pool.submit import Submitter
from batchbg.pool.uploads import Uploads
from tests.ledger.support import ACCOUNT, total
from tests.pool.bench import Bench, soon

CREATED = Created("project", Price(5))


class Sending:
    """A submitter on a bench, with uploads of its own."""

    def __init__(self, bench: Bench, writer: Any = None) -> None:
        self.bench = bench
        session: PoolSession = bench.session()
        if writer is not None:
            session = dataclasses.replace(session, writer=writer)
        self.admission = bench.admission()
        self.outage = Outage(bench.stop, 600.0)
        uploads = Uploads(bench.session(), self.outage, DecodeLimit())
        self.submitter = Submitter(session, self.admission, uploads, self.outage)

    async def submit(self, job: Job, *outcomes: Any) -> Job:
        """Send a job, whose creates are answered so."""
        if outcomes:
            self.bench.api.creates = list(outcomes)
        return await soon(self.submitter.submit(job))

    @property
    def figures(self) -> tuple[int, int, int]:
        """Creates in the air, creates that may have made something, places taken."""
        return self.admission.in_air, self.admission.let_through, self.admission.concurrency.held


@pytest.fixture
def sending(bench: Bench) -> Sending:
    return Sending(bench)


@pytest.fixture
def job(bench: Bench) -> Job:
    return bench.photo_job()


async def test_a_create_that_is_answered_is_on_file_with_its_project(bench: Bench, sending: Sending, job: Job):
    """It keeps its place: it renders."""
    sending.admission.breaker.doubted()
    sent = await sending.submit(job, CREATED)
    assert (sent.state, sent.project_id) == (JobState.RENDERING, "project")
    assert bench.job(job) == sent
    assert bench.ledger.projects == {job.id: "project"}
    assert bench.api.sent == [("files/up", None)]
    assert bench.seen.told == [("sent", "a.png")]
    assert sending.figures == (0, 1, 1)
    assert sending.admission.breaker.doubts == 0


async def test_the_intent_is_in_the_ledger_when_the_create_leaves(bench: Bench, sending: Sending, job: Job):
    """With its credits; and the uploads have come before it."""
    found = []

    async def look() -> Outcome:
        found.append((bench.job(job).state, total(bench.ledger).reserved, bench.api.count("put")))
        return CREATED

    await sending.submit(job, look)
    assert found == [(JobState.SUBMITTING, 5, 1)]


async def test_files_that_the_service_does_not_take_cost_their_job_alone(bench: Bench, sending: Sending, job: Job):
    """Nothing is created for it."""
    bench.api.targets = [RequestRefused("400 bad extension", status=400)]
    failed = await sending.submit(job)
    assert (failed.state, failed.error, failed.credits) == (JobState.FAILED, "400 bad extension", 0)
    assert bench.api.count("create") == 0
    assert sending.admission.breaker.errors == 1


async def test_a_photo_that_has_changed_is_dropped(bench: Bench, sending: Sending, job: Job):
    """A later run plans what it is now."""
    (bench.photos / "a.png").write_bytes(b"another")
    with pytest.raises(PhotoChanged, match=r"a\.png has changed"):
        await sending.submit(job)
    with bench.ledger.reading() as connection:
        assert jobs.get(connection, job.id) is None
    assert bench.api.count("create") == 0


async def test_creates_that_stop_let_go_what_is_being_uploaded(bench: Bench, sending: Sending, job: Job):
    """The job stays planned."""
    bench.api.targets = [asyncio.Event().wait]
    submitting = asyncio.create_task(sending.submit(job))
    assert await bench.waits(submitting)
    bench.stop.creates(ExitCode.TIME, "time is over")
    assert (await soon(submitting)).state is JobState.PLANNED


async def test_creates_that_stopped_before_it_leave_a_job_planned(bench: Bench, sending: Sending, job: Job):
    """Its files are there for the next run."""

    async def stop_creates() -> None:
        bench.stop.creates(ExitCode.TIME, "time is over")

    bench.api.puts = [stop_creates]
    assert (await sending.submit(job)).state is JobState.PLANNED
    assert bench.api.count("create") == 0


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_an_upload_of_an_earlier_run_that_is_gone_is_made_anew(
    bench: Bench, sending: Sending, job: Job, status: int
):
    """Once; the service deletes files when it likes."""
    gone = NotCreated(Refusal.REQUEST, "no such file", status)
    await _upload_before(bench, job)
    assert (await sending.submit(job, gone, CREATED)).state is JobState.RENDERING
    assert [image for image, _ in bench.api.sent] == ["files/old", "files/up"]


async def test_a_request_that_is_refused_with_new_uploads_has_failed(bench: Bench, sending: Sending, job: Job):
    """What was refused twice is not sent a third time."""
    gone = NotCreated(Refusal.REQUEST, "no such file", 404)
    await _upload_before(bench, job)
    failed = await sending.submit(job, gone)
    assert (failed.state, failed.error) == (JobState.FAILED, "no such file")
    assert bench.api.count("create") == 2
    assert sending.admission.breaker.errors == 1
    assert sending.figures == (0, 0, 0)
    assert total(bench.ledger).spent == 0


async def test_an_upload_is_made_anew_once_whoever_made_the_next(
    bench: Bench, sending: Sending, job: Job, monkeypatch: pytest.MonkeyPatch
):
    """Another job may have uploaded the same photo meanwhile, which is refused in its turn."""

    async def forget_what_is_uploaded_again(*_: Any) -> None:
        """What another job has put there is found again."""

    monkeypatch.setattr(Uploads, "forget", forget_what_is_uploaded_again)
    await _upload_before(bench, job)
    failed = await sending.submit(job, NotCreated(Refusal.REQUEST, "no such file", 404))
    assert failed.state is JobState.FAILED
    assert bench.api.count("create") == 2


async def test_a_request_that_is_refused_for_itself_has_failed_at_once(bench: Bench, sending: Sending, job: Job):
    """Its uploads are not to blame."""
    await _upload_before(bench, job)
    failed = await sending.submit(job, NotCreated(Refusal.REQUEST, "too large", 413))
    assert (failed.state, failed.error) == (JobState.FAILED, "too large")
    assert bench.api.count("create") == 1


async def _upload_before(bench: Bench, job: Job) -> None:
    """Let an earlier run have uploaded the job's photo."""
    with bench.ledger.transaction("earlier") as tx:
        info = photos.info_of(tx.connection, job.photo_folder, job.photo_path)
        assert info is not None
        assets.uploaded(tx, ACCOUNT, info.sha256, "files/old", 100)


@pytest.mark.parametrize("refusal", [Refusal.UNREACHABLE, Refusal.BUSY])
async def test_what_certainly_made_nothing_is_sent_again(
    bench: Bench, sending: Sending, job: Job, refusal: Refusal, caplog
):
    """By the same run; its credits are reserved anew."""
    sent = await sending.submit(job, NotCreated(refusal, "not now", retry_after_s=0.0), CREATED)
    assert (sent.state, sent.attempt) == (JobState.RENDERING, 2)
    assert "a.png: not created: not now; trying again" in caplog.text
    assert total(bench.ledger).spent == 5
    assert sending.figures == (0, 1, 1)
    assert sending.admission.concurrency.width == (1 if refusal is Refusal.BUSY else 8)


async def test_an_account_that_is_refused_stops_creates(bench: Bench, sending: Sending, job: Job):
    """Every job would be refused alike."""
    left = await sending.submit(job, NotCreated(Refusal.ACCOUNT, "402 no credits", 402))
    assert left.state is JobState.PLANNED
    assert "the service refuses: 402 no credits" in bench.stop.reasons[ExitCode.ACCOUNT]
    assert sending.figures == (0, 0, 0)


async def test_a_lost_answer_is_not_sent_again(bench: Bench, sending: Sending, job: Job, caplog):
    """It counts as spent, and a person is told what to do."""
    lost = await sending.submit(job, Ambiguous("read timeout"))
    assert (lost.state, lost.error) == (JobState.UNRESOLVED, "read timeout")
    assert bench.api.count("create") == 1
    assert total(bench.ledger).unresolved == 5
    assert f"job {job.id} is unresolved: `batchbg jobs --state unresolved`" in caplog.text
    assert bench.seen.told == [("unresolved", "a.png")]
    assert sending.admission.breaker.doubts == 1
    assert sending.figures == (0, 1, 0)


async def test_a_quick_502_that_the_balance_clears_is_sent_again(bench: Bench, sending: Sending, job: Job):
    """Nothing was made, nothing counts."""
    bench.read_balance(100)
    sent = await sending.submit(job, Guarded("502", 0.0), CREATED)
    assert sent.state is JobState.RENDERING
    assert bench.api.count("account") == 1
    assert total(bench.ledger).spent == 5
    assert sending.figures == (0, 1, 1)


async def test_a_quick_502_that_the_balance_speaks_against_is_a_lost_answer(bench: Bench, sending: Sending, job: Job):
    """With both reasons."""
    bench.read_balance(100)
    bench.api.accounts = [Account(ACCOUNT, 95, "pro")]
    lost = await sending.submit(job, Guarded("502", 0.0))
    assert lost.state is JobState.UNRESOLVED
    assert lost.error == "502, and the balance has fallen by 5 credits more than the ledger explains"
    assert sending.figures == (0, 1, 0)


async def test_no_create_leaves_while_the_balance_is_waited_for(bench: Bench, sending: Sending, job: Job):
    """Not even one whose turn it would be."""
    bench.read_balance(100)
    other = bench.photo_job("b.png")
    guarded = asyncio.create_task(sending.submit(job, Guarded("502", 3600.0), CREATED))
    await bench.waits(guarded)
    assert bench.api.count("create") == 1
    waiting = asyncio.create_task(sending.submit(other))
    assert await bench.waits(waiting)
    assert bench.api.count("create") == 1
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    assert (await soon(guarded)).state is JobState.UNRESOLVED
    assert (await soon(waiting)).state is JobState.PLANNED


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (CREATED, JobState.RENDERING),
        (NotCreated(Refusal.UNREACHABLE, "never left"), JobState.PLANNED),
        (Ambiguous("left while the create was in the air"), JobState.UNRESOLVED),
        (Guarded("502", 3600.0), JobState.UNRESOLVED),
    ],
)
async def test_a_create_that_nobody_waits_for_any_more_is_recorded_by_what_has_come(
    bench: Bench, sending: Sending, job: Job, outcome: Outcome, state: JobState
):
    """The run is left in the middle of it; the commit is not."""
    bench.api.judged = [outcome]
    bench.api.creates = [asyncio.Event().wait]
    submitting = asyncio.create_task(sending.submitter.submit(job))
    await bench.waits(submitting)
    assert bench.job(job).state is JobState.SUBMITTING
    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting
    assert bench.job(job).state is state
    assert sending.admission.in_air == 0


async def test_the_commit_of_an_answer_is_not_broken_off(bench: Bench, job: Job):
    """A second blow comes while it is under way."""
    writer = Faulty(bench)
    sending = Sending(bench, writer)
    writer.hold = asyncio.Event()
    bench.api.judged = [CREATED]
    bench.api.creates = [asyncio.Event().wait]
    submitting = asyncio.create_task(sending.submitter.submit(job))
    await bench.waits(submitting)
    submitting.cancel()
    await bench.settle()
    submitting.cancel()
    await asyncio.wait({submitting})
    assert bench.job(job).state is JobState.SUBMITTING
    writer.hold.set()
    await bench.settle()
    assert (bench.job(job).state, bench.job(job).project_id) == (JobState.RENDERING, "project")


async def test_a_project_of_another_job_at_work_is_not_taken(bench: Bench, sending: Sending, job: Job):
    """One photo would get the other's picture."""
    await sending.submit(job, CREATED)
    sending.admission.recorded(job.id)
    lost = await sending.submit(bench.photo_job("b.png"), CREATED)
    assert lost.state is JobState.UNRESOLVED
    assert f"that of job {job.id}" in lost.error
    assert sending.admission.breaker.doubts == 1


# A project id is worth more than anything else


class Faulty:
    """A writer that has trouble with the commit of a project id."""

    def __init__(self, bench: Bench, *troubles: Exception, ballast: bool = False) -> None:
        self.bench = bench
        self.troubles = list(troubles)
        self.ballast = ballast
        self.is_committed = False
        self.hold: asyncio.Event | None = None

    def drop_ballast(self) -> bool:
        had, self.ballast = self.ballast, False
        return had

    async def do(self, work: Callable[..., Any], *args: Any) -> Any:
        if work is transitions.created:
            if self.hold:
                await self.hold.wait()
            if self.is_committed:
                await self.bench.writer.do(work, *args)
            if self.troubles:
                raise self.troubles.pop(0)
        return await self.bench.writer.do(work, *args)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchbg.pool.submit.KEEP_TRYING_EVERY_S", 0.0)


async def test_a_full_disk_makes_room_for_a_project_id(bench: Bench, job: Job):
    """First of what was kept free for it; creates stop all the same."""
    sending = Sending(bench, Faulty(bench, LedgerError("disk full"), ballast=True))
    assert (await sending.submit(job, CREATED)).state is JobState.RENDERING
    assert bench.stop.reasons == {ExitCode.TEMPORARY: "disk full"}


async def test_a_project_id_is_tried_again_for_a_while(bench: Bench, job: Job, caplog):
    """And said at once, should it be the last that is heard of it."""
    full = LedgerError("disk full")
    sending = Sending(bench, Faulty(bench, full, full, full, ballast=True))
    assert (await sending.submit(job, CREATED)).state is JobState.RENDERING
    assert caplog.text.count(f"job {job.id} has project id project, which the ledger cannot take") == 2


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_project_id_that_cannot_be_kept_is_told(bench: Bench, job: Job, monkeypatch, caplog, leaves: bool):
    """In a way that can be typed, whatever a server calls it; the job stays submitting, which a later run parks."""
    full = LedgerError("disk full")
    sending = Sending(bench, Faulty(bench, *[full] * 3))
    if leaves:

        async def leave() -> Outcome:
            bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
            return Created("a project", Price(5))

        bench.api.creates = [leave]
    else:
        monkeypatch.setattr("batchbg.pool.submit.KEEP_TRYING_S", 0.0)
        bench.api.creates = [Created("a project", Price(5))]
    with caplog.at_level(logging.ERROR), pytest.raises(LedgerError, match="disk full"):
        await sending.submit(job)
    assert f"`batchbg resolve {job.id} --project-id 'a project'` brings it back" in caplog.text
    assert bench.job(job).state is JobState.SUBMITTING
    assert sending.figures == (0, 1, 0)


async def test_a_project_id_whose_commit_went_unheard_is_there(bench: Bench, job: Job):
    """What is done again finds that it was done: the job is moved, by this very commit."""
    writer = Faulty(bench, LedgerError("disk I/O error"))
    writer.is_committed = True
    sending = Sending(bench, writer)
    sent = await sending.submit(job, CREATED)
    assert (sent.state, sent.project_id) == (JobState.RENDERING, "project")
    assert sending.figures == (0, 1, 1)


async def test_a_job_that_was_moved_by_somebody_else_is_theirs(bench: Bench, job: Job):
    """The project id is on nobody's file but in the log of projects."""
    sending = Sending(bench, Faulty(bench, StaleJobError("moved")))
    with pytest.raises(StaleJobError):
        await sending.submit(job, CREATED)
    assert bench.ledger.projects == {job.id: "project"}
    assert sending.figures == (0, 1, 0)
