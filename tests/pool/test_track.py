import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batchbg.api.wire import Project
from batchbg.core.model import Job, project_name
from batchbg.core.price import Price
from batchbg.errors import AccountRefused, ApiUnreachable, ExitCode, RequestRefused
from batchbg.pool.outage import Outage
from batchbg.pool.track import Ending, Gone, Stranger, Tracker
from tests.ledger.support import rendering
from tests.pool.bench import Bench, record, soon, until

UNKNOWN = RequestRefused("404 not found", status=404)


class Tracking:
    """A tracker at work on a bench."""

    def __init__(self, bench: Bench, *, give_up_after_s: float = 600.0, **limits: Any) -> None:
        self.bench = bench
        self.admission = bench.admission(price_known=False)
        self.outage = Outage(bench.stop, give_up_after_s)
        self.tracker = Tracker(bench.session(**limits), self.admission, self.outage)
        self.running = asyncio.create_task(self.tracker.run())

    async def follow(self, job: Job, *answers: Any) -> Ending | None:
        """Follow a project whose record is asked for with these answers."""
        if answers:
            self.bench.api.projects = list(answers)
        return await soon(self.tracker.ending(job))

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.wait({self.running})


@pytest.fixture
async def tracking(bench: Bench) -> AsyncIterator[Tracking]:
    tracking = Tracking(bench)
    yield tracking
    await tracking.end()


@pytest.fixture
def job(bench: Bench) -> Job:
    return rendering(bench.ledger)


def name_of(job: Job) -> str:
    return project_name(job.id, job.attempt)


async def test_a_render_is_asked_about_until_it_is_complete(tracking: Tracking, job: Job):
    """And what it took is learnt."""
    assert tracking.tracker.render_s is None
    complete = record("complete", name_of(job))
    waiting = record("rendering", name_of(job))
    assert await tracking.follow(job, record("queued", name_of(job)), waiting, complete) is complete
    assert tracking.tracker.polls == 3
    assert tracking.tracker.render_s is not None


@pytest.mark.parametrize("status", ["error", "canceled"])
async def test_a_render_that_came_to_nothing_has_ended(tracking: Tracking, job: Job, status: str):
    """Nothing is learnt of it."""
    ended = record(status, name_of(job))
    assert await tracking.follow(job, ended) is ended
    assert tracking.tracker.render_s is None


async def test_a_record_that_was_seen_lets_the_other_creates_go(bench: Bench, tracking: Tracking):
    """The first of a run held them up until its price was known."""
    first = await bench.created(tracking.admission, await bench.admitted(tracking.admission, "a.jpg"))
    (other,) = bench.planned("b.jpg")
    waiting = asyncio.create_task(tracking.admission.admit(other))
    assert await bench.waits(waiting)
    bench.api.projects = [record("rendering")]
    following = asyncio.create_task(tracking.tracker.ending(first))
    await soon(waiting)
    assert not following.done()
    following.cancel()


async def test_a_project_of_another_name_is_anothers(tracking: Tracking, job: Job):
    """Its state and its price are no concern of this job's, nor do they tell the price."""
    assert await tracking.follow(job, record("error", "batchbg another-1")) == Stranger("batchbg another-1")
    assert not tracking.admission.breaker.price_known


async def test_a_nameless_project_is_taken_at_its_word(bench: Bench, tracking: Tracking, job: Job, caplog):
    """Which is said once."""
    assert isinstance(await tracking.follow(job, record()), Project)
    first = await bench.created(tracking.admission, await bench.admitted(tracking.admission, "b.jpg"))
    assert isinstance(await tracking.follow(first, record()), Project)
    assert caplog.text.count("reports no name for project") == 1
    assert tracking.admission.breaker.price_known


async def test_the_record_of_an_earlier_run_s_create_does_not_tell_today_s_price(tracking: Tracking, job: Job):
    """The first create of this run goes alone all the same."""
    assert isinstance(await tracking.follow(job, record("complete", name_of(job))), Project)
    assert not tracking.admission.breaker.price_known


async def test_a_deleted_project_is_gone(tracking: Tracking, job: Job):
    """Whatever its status says."""
    gone = await tracking.follow(job, record("complete", name_of(job), enabled=False))
    assert gone == Gone("the project was deleted at the service")


async def test_a_status_that_nobody_knows_is_waited_for(tracking: Tracking, job: Job, caplog):
    """Each is said once, and once more where it comes back."""
    odd, other = record("resting", name_of(job)), record("dreaming", name_of(job))
    await tracking.follow(job, odd, odd, other, other, record("complete", name_of(job)))
    assert caplog.text.count("unknown status 'resting', waiting on") == 1
    assert caplog.text.count("unknown status 'dreaming', waiting on") == 1


@pytest.mark.parametrize("price", [Price(6), Price(None, "-1")])
async def test_a_higher_price_is_told_while_the_render_goes_on(tracking: Tracking, job: Job, price: Price):
    """For the ledger to count before another create goes by it; a lower one waits for the end."""
    told = record("rendering", name_of(job), price=None)
    dear = dataclasses.replace(told, price=price)
    cheap = dataclasses.replace(told, price=Price(1))
    assert await tracking.follow(job, cheap, told, dear) is dear
    assert tracking.tracker.polls == 3


async def test_a_complete_project_without_a_download_is_asked_about_again(
    tracking: Tracking, job: Job, monkeypatch: pytest.MonkeyPatch
):
    """For a while; then the job goes on with what there is."""
    monkeypatch.setattr("batchbg.pool.track.EMPTY_PAUSE_S", 0.0)
    monkeypatch.setattr("batchbg.pool.track.EMPTY_ASKS", 2)
    empty = record("complete", name_of(job), downloads=())
    assert await tracking.follow(job, empty) is empty
    assert tracking.tracker.polls == 3
    full = record("complete", name_of(job))
    assert await tracking.follow(job, empty, full) is full


@pytest.fixture
def soon_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a project that is not known be gone after three questions."""
    monkeypatch.setattr("batchbg.pool.track.GONE_AFTER_S", 0.0)
    monkeypatch.setattr("batchbg.pool.track.GONE_ASKS", 3)


@pytest.mark.usefixtures("soon_gone")
async def test_a_project_that_is_not_found_so_often_is_gone(tracking: Tracking, job: Job, monkeypatch):
    """In a row: a record between two refusals begins the count anew."""
    monkeypatch.setattr("batchbg.pool.track.NEW_S", 0.0)
    waiting = record("rendering", name_of(job))
    gone = await tracking.follow(job, UNKNOWN, UNKNOWN, waiting, UNKNOWN)
    assert gone == Gone("404 not found")
    assert tracking.tracker.polls == 6


@pytest.mark.usefixtures("soon_gone")
async def test_a_new_project_may_not_be_known_yet(tracking: Tracking, job: Job):
    """However often it is not found: services copy with a delay."""
    complete = record("complete", name_of(job))
    assert await tracking.follow(job, *[UNKNOWN] * 9, complete) is complete


async def test_a_project_is_not_gone_within_moments(tracking: Tracking, job: Job, monkeypatch):
    """So many questions in a second are one question."""
    monkeypatch.setattr("batchbg.pool.track.NEW_S", 0.0)
    monkeypatch.setattr("batchbg.pool.track.GONE_AFTER_S", 3600.0)
    monkeypatch.setattr("batchbg.pool.track.GONE_ASKS", 3_600_000)  # the pause after each is their quotient
    complete = record("complete", name_of(job))
    assert await tracking.follow(job, *[UNKNOWN] * 5, complete) is complete


async def test_a_key_that_is_refused_stops_creates(bench: Bench, tracking: Tracking, job: Job):
    """And nobody waits for this render any more in this run."""
    assert await tracking.follow(job, AccountRefused("401 key", status=401)) is None
    assert "the service refuses: 401 key" in bench.stop.reasons[ExitCode.ACCOUNT]


async def test_an_api_that_does_not_answer_is_asked_again(tracking: Tracking, job: Job):
    """After what it asked for at least."""
    complete = record("complete", name_of(job))
    silence = ApiUnreachable("no answer", retry_after_s=0.002)
    assert await tracking.follow(job, silence, ApiUnreachable("no answer"), complete) is complete


async def test_an_api_that_counts_as_down_is_waited_for_no_longer(bench: Bench, job: Job):
    """The run stops for that, and for no other reason."""
    tracking = Tracking(bench, give_up_after_s=0.0)
    assert await tracking.follow(job, ApiUnreachable("no answer")) is None
    assert set(bench.stop.reasons) == {ExitCode.TEMPORARY}
    assert "no useful answer" in bench.stop.reasons[ExitCode.TEMPORARY]
    await tracking.end()


async def test_a_render_that_takes_too_long_is_left_for_a_later_run(bench: Bench, job: Job):
    """One whose create lies that far back is asked about once."""
    tracking = Tracking(bench, render_patience_s=0.0)
    assert await tracking.follow(job, record("rendering", name_of(job))) is None
    assert tracking.tracker.polls == 1
    assert "longer than render_patience" in bench.stop.reasons[ExitCode.TEMPORARY]
    complete = record("complete", name_of(job))
    assert await tracking.follow(job, complete) is complete
    assert tracking.tracker.render_s is None  # how long it took, nobody knows
    await tracking.end()


async def test_a_create_in_the_future_is_a_new_one(bench: Bench, tracking: Tracking, job: Job):
    """The ledger's clock never runs back, the machine's may."""
    late = dataclasses.replace(job, submitted_at=time.time() + 3600.0)
    complete = record("complete", name_of(job))
    assert await tracking.follow(late, complete) is complete
    assert bench.stop.exit_code is ExitCode.OK


async def test_an_error_of_this_tools_own_reaches_who_waits(tracking: Tracking, job: Job):
    """The scheduler goes on for the others."""
    with pytest.raises(ValueError, match="a bug"):
        await tracking.follow(job, ValueError("a bug"))
    complete = record("complete", name_of(job))
    assert await tracking.follow(job, complete) is complete


async def test_whoever_leaves_is_asked_for_no_more(bench: Bench, tracking: Tracking, job: Job):
    """What is under way then concerns nobody, well or not."""
    answers = [asyncio.Event(), asyncio.Event()]

    async def answer() -> Project:
        await answers[0].wait()
        return record("complete", name_of(job))

    async def trouble() -> Project:
        await answers[1].wait()
        raise ValueError("a bug")

    bench.api.projects = [answer, trouble]
    following = [asyncio.create_task(tracking.tracker.ending(job)) for _ in range(2)]
    await until(lambda: tracking.tracker.polls == 2)
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    assert await soon(asyncio.gather(*following)) == [None, None]
    for event in answers:
        event.set()
    await bench.settle()
    assert not tracking.running.done()


async def test_a_question_that_has_become_idle_is_not_asked(bench: Bench, tracking: Tracking, job: Job):
    """Nobody waits for its answer."""
    await tracking.end()
    following = asyncio.create_task(tracking.tracker.ending(job))
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait({following})
    tracking.running = asyncio.create_task(tracking.tracker.run())
    other = rendering(bench.ledger, "b.jpg")
    complete = record("complete", name_of(other))
    assert await tracking.follow(other, complete) is complete
    assert tracking.tracker.polls == 1


async def test_what_is_being_asked_ends_with_the_scheduler(bench: Bench, tracking: Tracking, job: Job):
    """No request outlives the run."""
    asking = asyncio.Event()

    async def hang() -> Project:
        asking.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    bench.api.projects = [hang]
    following = asyncio.create_task(tracking.tracker.ending(job))
    await soon(asking.wait())
    await tracking.end()
    await bench.settle()
    assert not tracking.tracker._asking
    following.cancel()
