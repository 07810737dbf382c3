import asyncio

from batchbg.core.circuit_breaker import MAX_DOUBTS
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.errors import ExitCode
from batchbg.pool.admission import Admission
from tests.pool.bench import Bench, soon


def asking(bench: Bench, admission: Admission, name: str) -> "asyncio.Task[Job]":
    """A new job that asks to be admitted."""
    (job,) = bench.planned(name)
    return asyncio.create_task(admission.admit(job))


async def test_the_first_create_goes_alone_until_its_record_is_seen(bench: Bench):
    """Its answer is not enough: it may understate; another job's record is none of it."""
    admission = bench.admission(price_known=False)
    first = await bench.admitted(admission, "a.jpg")
    second = asking(bench, admission, "b.jpg")
    assert await bench.waits(second)
    first = await bench.created(admission, first)
    assert await bench.waits(second)
    admission.recorded("another's")
    assert await bench.waits(second)
    admission.recorded(first.id)
    assert (await soon(second)).state is JobState.SUBMITTING


async def test_a_first_job_that_is_followed_no_longer_holds_up_nobody(bench: Bench):
    """Its record will not be seen any more in this run."""
    admission = bench.admission(price_known=False)
    first = await bench.created(admission, await bench.admitted(admission, "a.jpg"))
    second = asking(bench, admission, "b.jpg")
    assert await bench.waits(second)
    admission.release(first.id)
    assert (await soon(second)).state is JobState.SUBMITTING


async def test_with_the_price_known_they_go_side_by_side(bench: Bench):
    """And no later create holds up the others until its record is seen."""
    admission = bench.admission()
    sent = [await bench.admitted(admission, name) for name in ("a", "b", "c")]
    assert (admission.in_air, admission.let_through) == (3, 3)
    await bench.created(admission, sent[0])
    assert (admission.in_air, admission.let_through) == (2, 3)
    admission.breaker.doubted()
    for job in sent[1:]:
        await bench.created(admission, job)
    await bench.admitted(admission, "d")


async def test_after_a_doubt_one_is_in_the_air(bench: Bench):
    """Whoever comes beside it waits, and is let in when it has been answered."""
    admission = bench.admission()
    first = await bench.admitted(admission, "a.jpg")
    admission.breaker.doubted()
    second, third = asking(bench, admission, "b.jpg"), asking(bench, admission, "c.jpg")
    assert await bench.waits(second)
    await bench.created(admission, first)
    await soon(second)
    assert await bench.waits(third)


async def test_shut_it_lets_nothing_through_whatever_is_answered_meanwhile(bench: Bench):
    """After a 502 an answer to a create that left before it is no reason to go on."""
    admission = bench.admission()
    await bench.admitted(admission, "a.jpg")
    with admission.shut():
        admission.breaker.doubted()
        admission.breaker.created()
        waiting = asking(bench, admission, "b.jpg")
        assert await bench.waits(waiting)
        with admission.shut():
            pass
        assert await bench.waits(waiting)
    assert (await soon(waiting)).state is JobState.SUBMITTING


async def test_max_files_counts_what_may_have_made_something(bench: Bench):
    """One in the air may yet have made nothing; the run ends with the last place taken for good."""
    admission = bench.admission(max_files=2)
    first, second = await bench.admitted(admission, "a.jpg"), await bench.admitted(admission, "b.jpg")
    third = asking(bench, admission, "c.jpg")
    assert await bench.waits(third)
    assert not bench.stop.no_creates
    await bench.made_nothing(admission, first)
    assert (await soon(third)).state is JobState.SUBMITTING
    assert admission.let_through == 2
    fourth = asking(bench, admission, "d.jpg")
    await bench.created(admission, second)
    assert await bench.waits(fourth)
    await bench.created(admission, await third)
    assert (await soon(fourth)).state is JobState.PLANNED
    assert bench.stop.reasons == {ExitCode.CAP: "max_files: 2 new jobs were sent"}


async def test_the_breaker_stops_creates_with_what_it_says(bench: Bench):
    """Once, when it trips; a create that is in front of the door does not pass it."""
    admission = bench.admission()
    first = await bench.admitted(admission, "a.jpg")
    for _ in range(MAX_DOUBTS):
        admission.breaker.doubted()
    waiting = asking(bench, admission, "b.jpg")
    assert await bench.waits(waiting)
    await bench.created(admission, first)
    assert bench.stop.exit_code is ExitCode.TEMPORARY
    assert "3 creates in a row" in bench.stop.reasons[ExitCode.TEMPORARY]
    assert (await soon(waiting)).state is JobState.PLANNED
    assert (admission.in_air, admission.let_through, admission.concurrency.held) == (0, 1, 1)


async def test_a_tripped_breaker_is_heeded_before_the_next_create(bench: Bench):
    """Also where no create has left since."""
    admission = bench.admission()
    for _ in range(MAX_DOUBTS):
        admission.breaker.doubted()
    assert (await soon(asking(bench, admission, "a.jpg"))).state is JobState.PLANNED
    assert bench.stop.no_creates
    assert admission.in_air == 0


async def test_creates_that_were_stopped_stay_so_for_their_own_reason(bench: Bench):
    """A breaker that trips while the run ends adds none."""
    admission = bench.admission()
    bench.stop.creates(ExitCode.CAP, "the cap")
    assert (await soon(asking(bench, admission, "a.jpg"))).state is JobState.PLANNED
    for _ in range(MAX_DOUBTS):
        admission.breaker.doubted()
    admission.stop_if_tripped()
    assert bench.stop.reasons == {ExitCode.CAP: "the cap"}


async def test_at_rest_is_when_only_the_balance_can_tell_of_all_that_are_in_the_air(bench: Bench):
    """Their number may change while one waits."""
    admission = bench.admission()
    first = await bench.admitted(admission, "a.jpg")
    await bench.admitted(admission, "b.jpg")
    await bench.admitted(admission, "c.jpg")
    with admission.resting():
        waiting = asyncio.create_task(admission.at_rest())
        assert await bench.waits(waiting)
        await bench.created(admission, first)
        assert await bench.waits(waiting)
        with admission.resting():
            await soon(waiting)
