import asyncio
import dataclasses
from typing import Any

import pytest

from batchbg.api.limiter import Urgency
from batchbg.api.wire import Account
from batchbg.core.budget import Caps
from batchbg.core.circuit_breaker import MAX_DOUBTS
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import ApiUnreachable, ExitCode, StaleJobError
from batchbg.ledger import runs, transitions
from batchbg.pool.admission import Admission
from batchbg.pool.stop import Stop
from tests.ledger.support import ACCOUNT, job_of, plan_one, total
from tests.pool.bench import RUN, Bench, soon


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


async def test_a_price_that_was_seen_is_counted_before_another_create_goes_by_it(bench: Bench):
    """Between the record's coming and its being committed nobody slips through."""
    admission = bench.admission(price_known=False)
    first = await bench.created(admission, await bench.admitted(admission, "a.jpg"))
    admission.breaker.recorded()
    second = asking(bench, admission, "b.jpg")
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


# Headroom


async def test_who_finds_no_headroom_waits_until_some_is_given_back(bench: Bench):
    """Credits that come back are used in the same run."""
    admission = bench.admission(caps=Caps(run=5))
    first = await bench.admitted(admission, "a.jpg")
    second = asking(bench, admission, "b.jpg")
    assert await bench.waits(second)
    assert admission.concurrency.held == 1
    await bench.made_nothing(admission, first)
    assert (await soon(second)).state is JobState.SUBMITTING
    assert not bench.stop.no_creates


async def test_without_anything_that_could_give_headroom_back_the_run_stops_at_its_cap(bench: Bench):
    """And nothing was sent, nor any start of the request rate taken."""
    admission = bench.admission(caps=Caps(run=4))
    assert (await soon(asking(bench, admission, "a.jpg"))).state is JobState.PLANNED
    assert bench.stop.exit_code is ExitCode.CAP
    assert "max_credits of this run: 4 of 4 credits left" in bench.stop.reasons[ExitCode.CAP]
    assert (admission.in_air, admission.let_through, admission.concurrency.held) == (0, 0, 0)


async def test_a_refund_that_may_come_is_waited_for(bench: Bench):
    """Once it has come or will not come any more, whoever waits looks again."""
    admission = bench.admission(caps=Caps(run=4))
    admission.refund_expected()
    waiting = asking(bench, admission, "a.jpg")
    assert await bench.waits(waiting)
    admission.refund_settled()
    assert (await soon(waiting)).state is JobState.PLANNED
    assert bench.stop.exit_code is ExitCode.CAP


async def test_a_render_that_ends_may_give_headroom_back(bench: Bench):
    """Its place is free, too."""
    admission = bench.admission(caps=Caps(run=5))
    first = await bench.created(admission, await bench.admitted(admission, "a.jpg"))
    second = asking(bench, admission, "b.jpg")
    assert await bench.waits(second)
    failed = await bench.writer.do(transitions.ended, first, JobState.FAILED, "error", Price(0))
    admission.release(failed.id)
    assert (await soon(second)).state is JobState.SUBMITTING


async def test_what_changes_between_looking_and_waiting_is_not_slept_through(bench: Bench):
    """A render that ends in that very moment would be the last that wakes anybody."""
    admission = bench.admission(caps=Caps(run=5))
    first = await bench.created(admission, await bench.admitted(admission, "a.jpg"))
    (job,) = bench.planned("b.jpg")
    free = admission.concurrency.free

    def free_while_the_other_ends(job_id: str) -> None:
        free(job_id)
        if job_id == job.id and admission.concurrency.held:  # b.jpg has found no headroom and does not wait yet
            with bench.ledger.transaction(RUN) as tx:
                transitions.ended(tx, first, JobState.FAILED, "error", Price(0))
            admission.release(first.id)

    admission.concurrency.free = free_while_the_other_ends  # type: ignore[method-assign]
    assert (await soon(admission.admit(job))).state is JobState.SUBMITTING
    assert not bench.stop.no_creates


async def test_whoever_waits_for_headroom_is_let_go_when_creates_stop(bench: Bench):
    """For the reason for which they stop."""
    admission = bench.admission(caps=Caps(run=5))
    await bench.admitted(admission, "a.jpg")
    waiting = asking(bench, admission, "b.jpg")
    assert await bench.waits(waiting)
    bench.stop.creates(ExitCode.TIME, "time is over")
    assert (await soon(waiting)).state is JobState.PLANNED
    assert bench.stop.reasons == {ExitCode.TIME: "time is over"}


async def test_the_cap_of_an_earlier_run_holds_up_its_own_jobs_alone(bench: Bench):
    """Another job is begun under this run's, which has none."""
    with bench.ledger.transaction() as tx:
        earlier = runs.begin(tx, "run", "https://api.example", 4)
        runs.end(tx, ExitCode.CAP)
    (job,) = bench.planned("a.jpg")
    job = dataclasses.replace(job, budget_run_id=earlier.budget_id)
    limiter: Any = Watched(bench, bench.planned("b.jpg")[0])
    admission = Admission(dataclasses.replace(bench.session(budget_id="this"), limiter=limiter))
    assert (await soon(admission.admit(job))).state is JobState.PLANNED
    assert limiter.found == []  # no start of the request rate was taken for it
    assert "the cap of the run that began them" in bench.stop.reasons[ExitCode.CAP]
    assert not bench.stop.no_creates
    assert (await soon(admission.admit(limiter.job))).state is JobState.SUBMITTING


# The order that keeps money safe


class Watched:
    """A limiter that notes how the ledger was when the start was granted."""

    def __init__(self, bench: Bench, job: Job) -> None:
        self.bench = bench
        self.job = job
        self.found: list[tuple[Urgency, JobState, int]] = []

    async def acquire(self, urgency: Urgency) -> None:
        reserved = total(self.bench.ledger).reserved
        self.found.append((urgency, self.bench.job(self.job).state, reserved))
        await asyncio.sleep(0)  # whoever else waits has a turn


async def test_the_intent_is_committed_after_the_start_is_granted(bench: Bench):
    """And it is in the ledger, with its credits, when the create may leave."""
    (job,) = bench.planned("a.jpg")
    limiter: Any = Watched(bench, job)
    admission = Admission(dataclasses.replace(bench.session(), limiter=limiter))
    assert (await soon(admission.admit(job))).state is JobState.SUBMITTING
    assert limiter.found == [(Urgency.CREATE, JobState.PLANNED, 0)]
    assert bench.job(job).state is JobState.SUBMITTING
    assert total(bench.ledger).reserved == 5


async def test_who_finds_no_headroom_takes_no_start(bench: Bench):
    """A busy service would be asked for nothing."""
    (job,) = bench.planned("a.jpg")
    limiter: Any = Watched(bench, job)
    admission = Admission(dataclasses.replace(bench.session(caps=Caps(run=4)), limiter=limiter))
    await soon(admission.admit(job))
    assert limiter.found == []


async def test_one_stands_in_the_doorway_at_a_time(bench: Bench):
    """Of many that wait for a shut door one takes a start of the rate when it opens, then the next."""
    ready = bench.planned("a.jpg", "b.jpg", "c.jpg")
    limiter: Any = Watched(bench, ready[0])
    admission = Admission(dataclasses.replace(bench.session(), limiter=limiter))
    first, second, third = (asyncio.create_task(admission.admit(job)) for job in ready)
    await soon(first)
    assert await bench.waits(second)
    assert await bench.waits(third)
    assert len(limiter.found) == 1
    await bench.made_nothing(admission, first.result())
    await bench.settle()
    assert len(limiter.found) == 2


class Stopping:
    """A writer in whose commit of an intent creates stop."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    async def do(self, work: Any, *args: Any) -> Any:
        done = await self.bench.writer.do(work, *args)
        self.bench.stop.creates(ExitCode.TIME, "time is over")
        return done


async def test_an_intent_whose_create_may_not_leave_any_more_is_taken_back(bench: Bench):
    """None has left, so that nothing counts."""
    (job,) = bench.planned("a.jpg")
    writer: Any = Stopping(bench)
    admission = Admission(dataclasses.replace(bench.session(), writer=writer))
    assert (await soon(admission.admit(job))).state is JobState.PLANNED
    assert total(bench.ledger).spent == 0
    assert (admission.in_air, admission.let_through, admission.concurrency.held) == (0, 0, 0)


async def test_an_intent_that_could_not_be_committed_counts_for_nothing(bench: Bench):
    """The error is the job's own trouble; its place is another's."""
    (job,) = bench.planned("a.jpg")
    await bench.writer.do(transitions.reserve, job, bench.session().budget)
    admission = bench.admission()
    with pytest.raises(StaleJobError):
        await soon(admission.admit(job))
    assert (admission.in_air, admission.let_through, admission.concurrency.held) == (0, 0, 0)


async def test_a_key_in_doubt_waits_for_a_later_run(bench: Bench, caplog):
    """The other job may be paid for; nothing stops for it."""
    admission = bench.admission()
    await bench.admitted(admission, "a.jpg")
    with bench.ledger.transaction(RUN) as tx:
        twin = job_of(tx.connection, plan_one(tx, "copy of a.jpg", content="a.jpg", generation=2))
    assert (await soon(admission.admit(twin))).state is JobState.PLANNED
    assert "copy of a.jpg waits" in caplog.text
    assert not bench.stop.no_creates
    assert (admission.in_air, admission.concurrency.held) == (1, 1)


async def test_a_price_in_doubt_stops_creates(bench: Bench):
    """At the start, and where it came up while somebody waited."""
    admission = bench.admission(caps=Caps(run=1000))
    first = await bench.admitted(admission, "a.jpg")
    await bench.writer.do(transitions.created, first, "project", Price(None, "-1"))
    assert (await soon(asking(bench, admission, "b.jpg"))).state is JobState.PLANNED
    assert "--accept-price" in bench.stop.reasons[ExitCode.ACCOUNT]
    bench.stop = Stop()
    later = bench.admission()
    later.stop_if_price_in_doubt()
    assert "--accept-price" in bench.stop.reasons[ExitCode.ACCOUNT]
    later.stop_if_price_in_doubt()
    assert len(bench.stop.reasons) == 1


async def test_a_price_in_doubt_is_no_reason_more_where_creates_are_stopped(bench: Bench):
    """The run ends for its own."""
    admission = bench.admission()
    admission.stop_if_price_in_doubt()
    assert not bench.stop.reasons
    job = await bench.admitted(admission, "a.jpg")
    await bench.writer.do(transitions.created, job, "project", Price(None, "-1"))
    bench.stop.creates(ExitCode.TIME, "time is over")
    admission.stop_if_price_in_doubt()
    assert bench.stop.reasons == {ExitCode.TIME: "time is over"}


# Places


async def test_a_place_is_held_from_the_create_to_the_end_of_its_render(bench: Bench):
    """Not only until the answer."""
    admission = bench.admission(max_in_flight=1)
    first = await bench.created(admission, await bench.admitted(admission, "a.jpg"))
    second = asking(bench, admission, "b.jpg")
    assert await bench.waits(second)
    admission.release(first.id)
    admission.release(first.id)
    assert (await soon(second)).state is JobState.SUBMITTING
    assert admission.concurrency.held == 1


async def test_a_service_that_is_busy_lowers_the_width(bench: Bench):
    """The place of the job that was refused goes; one that merely failed gives its place back."""
    admission = bench.admission(max_in_flight=3)
    sent = [await bench.admitted(admission, name) for name in ("a", "b", "c")]
    await bench.made_nothing(admission, sent[2])
    assert admission.concurrency.width == 3
    await bench.made_nothing(admission, sent[1], busy=True)
    assert (admission.concurrency.width, admission.concurrency.held) == (1, 1)


async def test_a_lost_answer_gives_its_place_back_and_counts_as_sent(bench: Bench):
    """What it made may exist."""
    admission = bench.admission(max_in_flight=1, max_files=1)
    job = await bench.admitted(admission, "a.jpg")
    admission.answered(await bench.writer.do(transitions.lost, job, "timeout"))
    assert (admission.in_air, admission.let_through, admission.concurrency.held) == (0, 1, 0)


async def test_creates_that_stop_let_go_whoever_waits_for_a_place(bench: Bench):
    """Or for a door to open."""
    admission = bench.admission(max_in_flight=1)
    await bench.admitted(admission, "a.jpg")
    waiting = asking(bench, admission, "b.jpg")
    assert await bench.waits(waiting)
    bench.stop.creates(ExitCode.TIME, "time is over")
    assert (await soon(waiting)).state is JobState.PLANNED
    assert (admission.in_air, admission.concurrency.held) == (1, 1)


# Time and balance


async def test_creates_stop_when_the_time_is_over(bench: Bench):
    """What is under way is collected."""
    await soon(bench.admission(max_duration_s=0.0).watch_time())
    assert bench.stop.reasons == {ExitCode.TIME: "max_duration: 0 s are over"}
    assert not bench.stop.leaving


async def test_without_limits_nothing_is_watched(bench: Bench):
    """Neither time nor balance."""
    admission = bench.admission()
    await soon(admission.watch_time())
    await soon(admission.watch_balance())
    assert not bench.stop.reasons
    assert bench.api.asked == []


async def test_a_balance_that_has_risen_is_headroom(bench: Bench, monkeypatch):
    """It is read now and then, whatever becomes of one reading."""
    monkeypatch.setattr("batchbg.pool.balance.BALANCE_EVERY_S", 0.001)
    bench.read_balance(100)
    admission = bench.admission(caps=Caps(keep_balance=100))
    admission.refund_expected()  # so that it is worth waiting
    waiting = asking(bench, admission, "a.jpg")
    assert await bench.waits(waiting)
    bench.api.accounts = [ApiUnreachable("no answer"), Account(ACCOUNT, 105, "pro")]
    watching = asyncio.create_task(admission.watch_balance())
    assert (await soon(waiting)).state is JobState.SUBMITTING
    watching.cancel()
    await asyncio.wait({watching})
