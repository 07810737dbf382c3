import asyncio

import pytest

from batchbg.core.budget import Caps
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import ApiUnreachable, ExitCode
from batchbg.ledger import transitions
from batchbg.pool.admission import Admission
from batchbg.pool.refunds import Refunds
from tests.pool.bench import Bench, record, soon


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.0, 0.001))


@pytest.fixture
def admission(bench: Bench) -> Admission:
    return bench.admission()


@pytest.fixture
def refunds(bench: Bench, admission: Admission) -> Refunds:
    return Refunds(bench.session(), admission)


async def failed(bench: Bench, admission: Admission, name: str = "a.jpg") -> Job:
    """A job that the service has ended and still charges."""
    job = await bench.created(admission, await bench.admitted(admission, name))
    job = await bench.writer.do(transitions.ended, job, JobState.FAILED, "error", Price(5))
    admission.release(job.id)
    return job


def failure(price: int | None, name: str = "") -> object:
    return record("error", name, price)


async def test_a_refund_that_comes_late_is_counted(bench: Bench, admission: Admission, refunds: Refunds):
    """It is asked after twice, and no more once it was seen."""
    job = await failed(bench, admission)
    bench.api.projects = [failure(5), failure(0)]
    refunds.watch(job)
    await soon(refunds.settle())
    assert bench.job(job).credits == 0
    assert bench.api.count("project") == 2


async def test_no_more_is_asked_once_it_was_seen(bench: Bench, admission: Admission, refunds: Refunds):
    """The second question would be for nothing."""
    job = await failed(bench, admission)
    bench.api.projects = [failure(0)]
    refunds.watch(job)
    await soon(refunds.settle())
    assert bench.job(job).credits == 0
    assert bench.api.count("project") == 1


async def test_a_refund_that_never_comes_stays_charged(bench: Bench, admission: Admission, refunds: Refunds):
    """A later run asks again, once."""
    job = await failed(bench, admission)
    bench.api.projects = [failure(5)]
    refunds.watch(job)
    refunds.ask_once(job)
    await soon(refunds.settle())
    assert bench.job(job).credits == 5
    assert bench.api.count("project") == 3


async def test_a_question_that_is_not_answered_is_asked_again(bench: Bench, admission: Admission, refunds: Refunds):
    """One failure is not the end of it."""
    job = await failed(bench, admission)
    bench.api.projects = [ApiUnreachable("no answer"), failure(0)]
    refunds.watch(job)
    await soon(refunds.settle())
    assert bench.job(job).credits == 0


async def test_anothers_record_says_nothing_of_this_jobs_credits(bench: Bench, admission: Admission, refunds: Refunds):
    """Its refund is another's."""
    job = await failed(bench, admission)
    bench.api.projects = [failure(0, "batchbg another-1")]
    refunds.watch(job)
    await soon(refunds.settle())
    assert bench.job(job).credits == 5
    assert bench.api.count("project") == 1


async def test_a_create_without_headroom_waits_for_a_refund_that_is_asked_after(bench: Bench):
    """What comes back is used in the same run."""
    admission = bench.admission(caps=Caps(run=5))
    refunds = Refunds(bench.session(), admission)
    job = await failed(bench, admission)
    answered = asyncio.Event()

    async def answer() -> object:
        await answered.wait()
        return failure(0)

    bench.api.projects = [answer]
    refunds.watch(job)
    (next_one,) = bench.planned("b.jpg")
    waiting = asyncio.create_task(admission.admit(next_one))
    assert await bench.waits(waiting)
    answered.set()
    assert (await soon(waiting)).state is JobState.SUBMITTING
    assert not bench.stop.no_creates


async def test_without_a_refund_to_come_the_cap_is_reached(bench: Bench):
    """Nothing is left that could give headroom back."""
    admission = bench.admission(caps=Caps(run=5))
    refunds = Refunds(bench.session(), admission)
    refunds.watch(await failed(bench, admission))
    bench.api.projects = [failure(5)]
    (next_one,) = bench.planned("b.jpg")
    assert (await soon(admission.admit(next_one))).state is JobState.PLANNED
    assert bench.stop.exit_code is ExitCode.CAP


async def test_whoever_leaves_waits_for_no_refund(bench: Bench, admission: Admission, refunds: Refunds):
    """What is being asked is broken off."""
    job = await failed(bench, admission)
    bench.api.projects = [asyncio.Event().wait]
    refunds.watch(job)
    settling = asyncio.create_task(refunds.settle())
    assert await bench.waits(settling)
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    await soon(settling)
    await bench.settle()
    assert bench.job(job).credits == 5


async def test_trouble_with_one_is_its_own(bench: Bench, admission: Admission, refunds: Refunds, caplog):
    """It is said, and the others are asked after."""
    first, second = await failed(bench, admission, "a.jpg"), await failed(bench, admission, "b.jpg")
    bench.api.projects = [ValueError("a bug"), failure(0)]
    refunds.ask_once(first)
    refunds.ask_once(second)
    await soon(refunds.settle())
    assert "asking after a refund: a bug" in caplog.text
    assert bench.job(second).credits == 0


async def test_without_any_there_is_nothing_to_wait_for(refunds: Refunds, caplog):
    """Nor anything to say."""
    await soon(refunds.settle())
    assert caplog.records == []
