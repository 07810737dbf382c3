"""Events beside the ledger: what a run makes of them, and what it does not."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, project_name
from batchbg.core.webhook_event import Event, EventType
from batchbg.errors import AccountRefused, ApiUnreachable, ExitCode, RequestRefused
from batchbg.ledger import transitions
from batchbg.ledger.spool import Spool, SpoolWriter
from batchbg.ledger.store import Ledger
from batchbg.pool import inbox as inbox_module
from batchbg.pool.claims import claims_in
from batchbg.pool.inbox import Inbox
from batchbg.pool.outage import Outage
from batchbg.pool.track import Tracker
from tests.ledger.support import disagreements, entries, history, move, planned, rendering, submitting, total
from tests.pool.bench import Bench, record, soon, until

COMPLETED, STARTED, ERRORED = EventType.COMPLETED, EventType.STARTED, EventType.ERRORED

UNKNOWN = RequestRefused("404 not found", status=404)


class Receiving:
    """An inbox at work on a bench, and the receiver beside it."""

    def __init__(self, bench: Bench, writer: SpoolWriter) -> None:
        self.bench = bench
        self.spool = Spool(bench.ledger.path)
        self.writer = writer
        self.collected: list[Job] = []
        session = bench.session()
        self.tracker = Tracker(session, bench.admission(), Outage(bench.stop, 600.0))
        self.inbox = Inbox(session, self.tracker, Outage(bench.stop, 600.0), self._collect)
        self.running: asyncio.Task[None] | None = None

    async def _collect(self, job: Job) -> None:
        self.collected.append(job)

    def start(self) -> None:
        self.running = asyncio.create_task(self.inbox.run())

    async def end(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.wait({self.running})

    def put(self, *events: Event) -> None:
        self.writer.put(events)

    def left(self) -> int:
        return len(self.spool.fresh())

    async def looked(self) -> None:
        """Let all that came be looked at, and what is asked for that be answered."""
        if self.running is None:
            self.start()
        for _ in range(3):
            self.inbox._has_looked.clear()
            await soon(self.inbox._has_looked.wait())
            while self.inbox._settling:
                await asyncio.wait(set(self.inbox._settling.values()))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TICK_S", "AGAIN_S", "NOT_YET_S"):
        monkeypatch.setattr(inbox_module, name, 0.002)


@pytest.fixture
async def receiving(bench: Bench, quick: None) -> AsyncIterator[Receiving]:
    with Spool(bench.ledger.path).receiving() as writer:
        receiving = Receiving(bench, writer)
        yield receiving
        await receiving.end()


def lost(ledger: Ledger, name: str = "a.jpg") -> Job:
    return move(ledger, transitions.lost, submitting(ledger, name), "timeout")


def event_of(job: Job, project_id: str = "found", type_: EventType = COMPLETED, attempt: int | None = None) -> Event:
    return Event(type_, project_id, project_name(job.id, attempt or job.attempt, "a.jpg"))


def known(receiving: Receiving, project_id: str, *answers: Any) -> None:
    """Let the service answer so about a project."""
    receiving.bench.api.of_project[project_id] = list(answers)


async def test_a_lost_create_finds_itself(bench: Bench, receiving: Receiving):
    """The service confirms what an event names: the project is attached, its credits are charged, it is collected."""
    job = lost(bench.ledger)
    known(receiving, "found", record("rendering", job.name))
    receiving.put(event_of(job, type_=STARTED), event_of(job))
    await receiving.looked()
    found = bench.job(job)
    assert (found.state, found.project_id, found.error) == (JobState.RENDERING, "found", "")
    assert [one.id for one in receiving.collected] == [job.id]
    assert history(bench.ledger, job.id)[-1] == ("resolved: webhook", "unresolved", "rendering")
    assert entries(bench.ledger)[-2:] == [("unresolved", -5), ("charged", 5)]
    assert (total(bench.ledger).unresolved, total(bench.ledger).charged) == (0, 5)
    assert disagreements(bench.ledger) == []
    assert receiving.left() == 0
    assert bench.api.count("project") == 1


@pytest.mark.parametrize(
    "name", ["batchbg another-1", "Background Remover - 2026-11-27", "batchbg {id}-2", "batchbg {id}-11"]
)
async def test_a_project_that_bears_another_name_is_not_attached(bench: Bench, receiving: Receiving, name: str):
    """Whatever the event says: the project itself is the truth."""
    job = lost(bench.ledger)
    known(receiving, "found", record("complete", name.format(id=job.id)))
    receiving.put(event_of(job))
    await receiving.looked()
    assert bench.job(job) == job
    assert receiving.collected == []
    assert receiving.left() == 0


async def test_a_project_whose_name_is_not_told_is_for_a_person_to_attach(bench: Bench, receiving: Receiving, caplog):
    """The event is kept for a later run, which may be told it."""
    job = lost(bench.ledger)
    known(receiving, "found", record("complete"))
    receiving.put(event_of(job))
    await receiving.looked()
    assert bench.job(job) == job
    assert receiving.left() == 1
    assert bench.api.count("project") == 1
    assert "reports no name for project found" in caplog.text


async def test_a_project_that_was_deleted_is_for_a_person_to_settle(bench: Bench, receiving: Receiving, caplog):
    """Nothing can be fetched; each run says so again."""
    job = lost(bench.ledger)
    known(receiving, "found", record("complete", job.name, enabled=False))
    receiving.put(event_of(job))
    await receiving.looked()
    assert bench.job(job) == job
    assert receiving.left() == 1
    assert f"settle job {job.id} with --charged" in caplog.text


async def test_a_project_that_another_job_has_is_not_attached(bench: Bench, receiving: Receiving):
    """Taken twice, one photo would get the other's picture."""
    other, job = rendering(bench.ledger, "b.jpg"), lost(bench.ledger)
    assert other.project_id is not None
    known(receiving, other.project_id, record("complete", job.name))
    receiving.put(event_of(job, other.project_id))
    await receiving.looked()
    assert bench.job(job) == job


async def test_a_project_that_is_not_known_yet_is_asked_for_again(bench: Bench, receiving: Receiving):
    """A few times, and again in the next run: the service copies with a delay, and 404 is no proof of anything."""
    job = lost(bench.ledger)
    known(receiving, "found", UNKNOWN, UNKNOWN, record("complete", job.name))
    receiving.put(event_of(job))
    receiving.start()
    await until(lambda: bool(receiving.collected))
    other = lost(bench.ledger, "b.jpg")
    known(receiving, "gone", UNKNOWN)
    receiving.put(event_of(other, "gone"))
    await until(lambda: bench.api.count("project") == 3 + inbox_module.NOT_YET_ASKS)
    await receiving.looked()
    assert bench.api.count("project") == 3 + inbox_module.NOT_YET_ASKS
    assert receiving.left() == 1
    assert bench.job(other) == other


async def test_a_service_that_does_not_answer_is_asked_again(bench: Bench, receiving: Receiving):
    job = lost(bench.ledger)
    known(receiving, "found", ApiUnreachable("no answer"), ApiUnreachable("no answer"), record("complete", job.name))
    receiving.put(event_of(job))
    receiving.start()
    await until(lambda: bool(receiving.collected))


async def test_a_key_that_is_refused_stops_creates(bench: Bench, receiving: Receiving):
    job = lost(bench.ledger)
    known(receiving, "found", AccountRefused("401 key", status=401))
    receiving.put(event_of(job))
    await receiving.looked()
    assert "401 key" in bench.stop.reasons[ExitCode.ACCOUNT]
    assert receiving.left() == 1


async def test_another_accounts_project_is_not_asked_for(bench: Bench, receiving: Receiving):
    """It would look as if it were gone."""
    session = dataclasses.replace(receiving.inbox._session, accounts=["another"])
    receiving.inbox._session = session
    job = lost(bench.ledger)
    receiving.put(event_of(job))
    await receiving.looked()
    assert bench.api.count("project") == 0
    assert receiving.left() == 1


async def test_an_event_for_a_create_in_the_air_waits_for_its_answer(bench: Bench, receiving: Receiving):
    """Lost, it is settled; answered, its render is asked about at once."""
    first, second = submitting(bench.ledger, "a.jpg"), submitting(bench.ledger, "b.jpg")
    known(receiving, "p1", record("complete", first.name))
    receiving.put(event_of(first, "p1"), event_of(second, "p2"))
    await receiving.looked()
    assert (bench.api.count("project"), receiving.left()) == (0, 2)
    await bench.writer.do(transitions.lost, first, "timeout")
    await bench.writer.do(transitions.created, second, "p2")
    await until(lambda: bool(receiving.collected))
    await until(lambda: receiving.left() == 0)
    assert bench.job(first).project_id == "p1"
    assert receiving.tracker.events.is_told("p2")


async def test_the_end_of_a_render_is_told_to_who_waits_for_it(bench: Bench, receiving: Receiving):
    """By events with the project's name and without; that one has started is no news."""
    jobs = [rendering(bench.ledger, f"{name}.jpg") for name in "abc"]
    ids = [job.project_id or "" for job in jobs]
    receiving.put(event_of(jobs[0], ids[0]), Event(ERRORED, ids[1]), event_of(jobs[2], ids[2], STARTED))
    await receiving.looked()
    assert [receiving.tracker.events.is_told(one) for one in ids] == [True, True, False]
    assert receiving.left() == 0
    assert receiving.tracker.events.flow.received


async def test_an_event_without_a_name_may_come_before_the_projects_id(bench: Bench, receiving: Receiving):
    """It is remembered; that it settles a lost create is not guessed."""
    job = lost(bench.ledger)
    receiving.put(Event(COMPLETED, "found"))
    await receiving.looked()
    assert receiving.tracker.events.is_told("found")
    assert bench.job(job) == job
    assert bench.api.count("project") == 0


async def test_a_project_that_the_ledger_never_had_is_told(bench: Bench, receiving: Receiving, caplog):
    """Of a create that counts as not made, or that was carried out twice: the account may be charged for it."""
    planned_again = move(bench.ledger, transitions.not_created, submitting(bench.ledger, "a.jpg"), "502")
    twice = rendering(bench.ledger, "b.jpg")
    receiving.put(event_of(planned_again, "p1", attempt=1), event_of(twice, "p2"))
    receiving.put(event_of(twice, twice.project_id or ""))
    await receiving.looked()
    assert sorted(message.split()[1] for message in caplog.messages) == ["p1", "p2"]
    assert receiving.left() == 0


async def test_a_trial_is_left_to_who_sent_it(bench: Bench, receiving: Receiving, monkeypatch: pytest.MonkeyPatch):
    """For a while; and nothing is kept for ever."""
    receiving.put(Event(EventType.TRIAL, "trial"))
    await receiving.looked()
    assert receiving.left() == 1
    monkeypatch.setattr(inbox_module, "TRIAL_S", -1.0)
    await until(lambda: receiving.left() == 0)
    receiving.put(event_of(lost(bench.ledger)))
    monkeypatch.setattr(inbox_module, "KEPT_S", -1.0)
    await until(lambda: receiving.left() == 0)


@pytest.mark.usefixtures("quick")
async def test_where_nobody_receives_none_are_waited_for(bench: Bench):
    """Nor is a folder made."""
    receiving = Receiving(bench, None)  # type: ignore[arg-type]
    receiving.start()
    await soon(receiving.inbox.settle())
    assert not receiving.spool.path.exists()
    assert not receiving.tracker.events.flow.comes
    await receiving.end()


async def test_a_trouble_with_the_folder_is_told_once_and_ends_nothing(bench: Bench, receiving: Receiving, caplog):
    with contextlib.ExitStack() as stack:
        stack.callback(receiving.spool.path.with_name("moved").rename, receiving.spool.path)
        receiving.spool.path.rename(receiving.spool.path.with_name("moved"))
        receiving.spool.path.symlink_to(receiving.spool.path.with_name("moved"))
        stack.callback(receiving.spool.path.unlink)
        await receiving.looked()
    assert len([message for message in caplog.messages if "is a link" in message]) == 1
    receiving.put(event_of(job := lost(bench.ledger)))
    known(receiving, "found", record("complete", job.name))
    await until(lambda: bool(receiving.collected))


async def test_a_run_waits_for_the_event_of_a_create_that_it_lost(bench: Bench, receiving: Receiving):
    """While events come; the event then settles it before the run is over."""
    receiving.start()
    await receiving.looked()
    job = lost(bench.ledger)
    known(receiving, "found", record("complete", job.name))
    settling = asyncio.create_task(receiving.inbox.settle())
    assert await bench.waits(settling)
    receiving.put(event_of(job))
    await soon(settling)
    assert bench.job(job).state is JobState.RENDERING


async def test_no_longer_than_a_render_takes(bench: Bench, receiving: Receiving, monkeypatch: pytest.MonkeyPatch):
    """One that was lost long ago is not waited for at all."""
    lost(bench.ledger)
    monkeypatch.setattr(Tracker, "event_within_s", 0.05)
    receiving.start()
    before = time.monotonic()
    await soon(receiving.inbox.settle())
    assert time.monotonic() - before < 30


async def test_only_unresolved_jobs_are_claimed(bench: Bench):
    """By the attempt that was lost, each project once."""
    job, done = lost(bench.ledger), rendering(bench.ledger, "b.jpg")
    (waiting,) = planned(bench.ledger, "c.jpg")
    with Spool(bench.ledger.path).receiving() as writer:
        writer.put([event_of(job), event_of(job, type_=STARTED), event_of(job, "other")])
        writer.put([event_of(job, attempt=2), event_of(done), event_of(waiting, attempt=1), Event(COMPLETED, "p9")])
    assert sorted((claim.job.id, claim.project_id) for claim in claims_in(bench.ledger)) == [
        (job.id, "found"),
        (job.id, "other"),
    ]
