"""Following projects where webhook events tell of their ends."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator

import pytest

from batchbg.core.model import Job
from batchbg.pool import event_news
from tests.ledger.support import rendering
from tests.pool.bench import Bench, record, soon, until
from tests.pool.test_track import Tracking, name_of


@pytest.fixture
async def tracking(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tracking]:
    """Somebody receives events, and no first question is worth it for an hour."""
    monkeypatch.setattr("batchbg.core.poll_schedule.BLIND_TOLD_S", 3600.0)
    monkeypatch.setattr(event_news, "TOLD_LATE_S", 0.0)
    tracking = Tracking(bench)
    tracking.admission.breaker.recorded()
    tracking.tracker.events.receives(True)
    yield tracking
    await tracking.end()


def new(bench: Bench, name: str = "a.jpg") -> Job:
    """Return a job whose create has just been answered."""
    return dataclasses.replace(rendering(bench.ledger, name), submitted_at=time.time() + 60)


def followed(tracking: Tracking, job: Job, *answers: object) -> "asyncio.Task[object]":
    assert job.project_id is not None
    tracking.bench.api.of_project[job.project_id] = list(answers)
    return asyncio.create_task(tracking.tracker.ending(job))


async def test_a_project_is_asked_about_once_when_an_event_tells_of_its_end(bench: Bench, tracking: Tracking):
    """And no sooner; the same event again is no reason to ask again."""
    job = new(bench)
    complete = record("complete", name_of(job))
    following = followed(tracking, job, complete)
    assert await bench.waits(following)
    assert tracking.tracker.polls == 0
    for _ in range(3):
        tracking.tracker.ended(job.project_id or "")
    assert await soon(following) is complete
    tracking.tracker.ended(job.project_id or "")
    await bench.settle()
    assert tracking.tracker.polls == 1


async def test_an_event_may_come_before_anybody_follows(bench: Bench, tracking: Tracking):
    """Before the create's answer, for instance; one of a project that nobody ever follows is forgotten some day."""
    job = new(bench)
    for number in range(3):
        tracking.tracker.ended(f"somebody's {number}")
    tracking.tracker.ended(job.project_id or "")
    complete = record("complete", name_of(job))
    assert await soon(followed(tracking, job, complete)) is complete
    assert tracking.tracker.polls == 1


async def test_there_is_an_end_to_what_is_remembered(tracking: Tracking, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_news, "MOST_TOLD", 2)
    for number in range(3):
        tracking.tracker.ended(f"p{number}")
    assert [tracking.tracker.events.is_told(f"p{number}") for number in range(3)] == [False, True, True]


async def test_an_event_that_is_ahead_of_the_record_is_not_believed(bench: Bench, tracking: Tracking):
    """The project itself is the truth: it is asked about until it says so, too."""
    job = new(bench)
    waiting, complete = record("rendering", name_of(job)), record("complete", name_of(job))
    following = followed(tracking, job, waiting, waiting, complete)
    tracking.tracker.ended(job.project_id or "")
    assert await soon(following) is complete


async def test_the_first_of_a_run_is_asked_about_although_events_come(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """The others wait for its record."""
    monkeypatch.setattr("batchbg.core.poll_schedule.BLIND_TOLD_S", 3600.0)
    tracking = Tracking(bench)
    tracking.tracker.events.receives(True)
    job = new(bench)
    waiting, complete = record("rendering", name_of(job)), record("complete", name_of(job))
    job = dataclasses.replace(job, submitted_at=time.time())
    assert await soon(followed(tracking, job, waiting, complete)) is complete
    assert tracking.tracker.polls == 2
    await tracking.end()


async def test_events_that_do_not_come_are_not_waited_for(bench: Bench, tracking: Tracking, caplog):
    """One end without an event is enough at first; all that wait are asked about from then on, which is said once."""
    following, jobs = [], [new(bench, name) for name in ("a.jpg", "b.jpg")]
    for job in jobs:
        job = dataclasses.replace(job, submitted_at=time.time())
        following.append(followed(tracking, job, record("complete", name_of(job))))
    await bench.settle()
    assert tracking.tracker.polls == 0
    for _ in range(2):
        tracking.tracker.events.flow.missed()
        tracking.tracker.events.found(dataclasses.replace(jobs[0], submitted_at=time.time() + 60))
    await soon(asyncio.gather(*following))
    assert caplog.text.count("no webhook events come") == 1


async def test_a_receiver_that_ends_is_not_waited_for(bench: Bench, tracking: Tracking, caplog):
    """Whatever was learnt; and one that starts again is."""
    job = dataclasses.replace(new(bench), submitted_at=time.time())
    following = followed(tracking, job, record("complete", name_of(job)))
    assert await bench.waits(following)
    tracking.tracker.events.receives(False)
    await soon(following)
    for received in (True, False, True):
        tracking.tracker.events.receives(received)
    assert [message for message in caplog.messages if "no webhook events come" in message] == [
        "no webhook events come: asking how renders stand, as without them"
    ]


async def lost(tracking: Tracking) -> bool:
    """Return whether events count as not coming, once all that is known is taken into account."""
    await asyncio.sleep(0.001)
    await tracking.bench.settle()
    return not tracking.tracker.events.flow.comes


async def test_an_end_that_was_found_by_asking_says_that_its_event_was_lost(bench: Bench, tracking: Tracking):
    """Unless it comes in the next moments."""
    tracking.tracker.events.found(new(bench, "a.jpg"))
    tracking.tracker.ended("project-a.jpg")
    assert not await lost(tracking)
    tracking.tracker.events.flow._seen = 0
    tracking.tracker.events.found(new(bench, "b.jpg"))
    assert await lost(tracking)


async def test_of_what_no_event_can_tell_none_is_missed(bench: Bench, tracking: Tracking):
    """Of an image that was cancelled, and of a create from before there was a receiver."""
    canceled, old = new(bench, "a.jpg"), dataclasses.replace(new(bench, "b.jpg"), submitted_at=time.time() - 3600)
    tracking.tracker.events.flow._seen = 0
    following = followed(tracking, canceled, record("canceled", name_of(canceled)))
    await asyncio.sleep(0)
    (one,) = tracking.tracker._followed.values()
    tracking.tracker._ask_in(one, 0.0)
    await soon(following)
    tracking.tracker.events.found(old)
    assert not await lost(tracking)


async def test_how_long_a_render_took_is_learnt_from_its_event(bench: Bench, tracking: Tracking):
    """And others, which were not asked about yet, are planned anew by that."""
    slow = dataclasses.replace(new(bench, "b.jpg"), submitted_at=time.time() - 0.5)
    quick = dataclasses.replace(new(bench, "a.jpg"), submitted_at=time.time() - 0.2)
    complete = record("complete", name_of(slow))
    following = followed(tracking, slow, complete)
    other = followed(tracking, quick, record("complete", name_of(quick)))
    await until(lambda: len(tracking.tracker._followed) == 2)
    tracking.tracker.ended(quick.project_id or "")
    await soon(other)
    assert await soon(following) is complete
    assert tracking.tracker.render_s is not None
    assert tracking.tracker.event_within_s > 0.1
