import asyncio
import dataclasses
from typing import Any

import pytest

from batchbg.core.create_outcome import Created
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, new_id
from batchbg.core.price import Price
from batchbg.errors import ExitCode
from batchbg.ledger import outputs, transitions
from batchbg.pool import pool as pool_module
from batchbg.pool.deliver import SaveOptions
from batchbg.pool.feed import PlanFeed
from batchbg.pool.pool import Pool
from tests.pool.bench import RUN, Bench, png, record, soon, until


def pool_of(bench: Bench, **session: Any) -> Pool:
    return Pool(bench.session(**session), SaveOptions(90, None, keep_received=False))


@pytest.fixture(autouse=True)
def projects(bench: Bench) -> None:
    """Let each create make a project of its own."""

    async def created() -> Created:
        return Created(new_id(), Price(5))

    bench.api.creates = [created]


@pytest.fixture
def pool(bench: Bench) -> Pool:
    return pool_of(bench)


def states(bench: Bench, *jobs: Job) -> list[JobState]:
    return [bench.job(job).state for job in jobs]


def left_by_an_earlier_run(bench: Bench, name: str, state: JobState, account: str = "account") -> Job:
    job = bench.photo_job(name)
    budget = dataclasses.replace(bench.session().budget, account=account)
    with bench.ledger.transaction(RUN) as tx:
        job = transitions.reserve(tx, job, budget)
        job = transitions.created(tx, job, f"project-{name}", Price(5))
        if state is JobState.RENDERING:
            return job
        if state is JobState.FAILED:
            return transitions.ended(tx, job, JobState.FAILED, "error", Price(5))
        return transitions.complete(tx, job, Price(5))


async def test_every_planned_job_is_brought_to_its_end(bench: Bench, pool: Pool):
    """Each is created once and its result in its place."""
    planned = [bench.photo_job(f"{name}.png") for name in "abc"]
    await soon(pool.drain())
    assert states(bench, *planned) == [JobState.DONE] * 3
    assert bench.api.count("create") == 3
    assert (bench.output / "a.png").read_bytes() == png()
    assert (pool.reused, pool.dropped, pool.concurrency.held, pool.admission.let_through) == (0, 0, 0, 3)
    assert pool.tracker.render_s is not None


async def test_of_the_planned_jobs_those_that_were_picked_are_done_first(bench: Bench, pool: Pool):
    """And the rest by another round, with what the first has learnt."""
    planned = [bench.photo_job(f"{name}.png") for name in "abc"]
    await soon(pool.drain(frozenset({planned[1].id})))
    assert states(bench, *planned) == [JobState.PLANNED, JobState.DONE, JobState.PLANNED]
    await soon(pool.drain())
    assert states(bench, *planned) == [JobState.DONE] * 3


async def test_jobs_are_taken_up_while_others_are_being_planned(bench: Bench, pool: Pool):
    """The first is done before the last is planned; the pool ends when the plan does."""
    feed = PlanFeed()
    draining = asyncio.create_task(pool.drain(feed=feed))
    first = bench.photo_job("a.png")
    feed.more()
    feed.more()  # cheap to say often
    await until(lambda: bench.job(first).state is JobState.DONE)
    assert not draining.done()
    last = bench.photo_job("b.png")
    await asyncio.to_thread(feed.more)
    feed.end()
    await soon(draining)
    assert bench.job(last).state is JobState.DONE
    assert (feed.jobs, feed.over) == (3, True)


async def test_a_copy_that_was_planned_after_its_result_had_come_is_made(bench: Bench, pool: Pool):
    """Another photo of the same picture turned up late."""
    feed = PlanFeed()
    draining = asyncio.create_task(pool.drain(feed=feed))
    job = bench.photo_job("a.png")
    feed.more()
    await until(lambda: bench.job(job).state is JobState.DONE)
    with bench.ledger.transaction(RUN) as tx:
        outputs.want(tx, [(bench.output_of(tx, "copy of a.png", "copy.png"), job.id)])
    feed.end()
    await soon(draining)
    assert (bench.output / "copy.png").read_bytes() == png()
    assert pool.reused == 1


async def test_creates_that_stop_end_the_wait_for_the_plan(bench: Bench, pool: Pool):
    """What is planned then is left for a later run."""
    feed = PlanFeed()
    draining = asyncio.create_task(pool.drain(feed=feed))
    await bench.settle()
    bench.stop.creates(ExitCode.TIME, "time is over")
    job = bench.photo_job("a.png")
    feed.more()
    feed.end()
    await soon(draining)
    assert bench.job(job).state is JobState.PLANNED


async def test_what_earlier_runs_paid_for_is_collected(bench: Bench, pool: Pool):
    """Without a create: renders, results, refunds and copies."""
    rendering = left_by_an_earlier_run(bench, "a.png", JobState.RENDERING)
    downloading = left_by_an_earlier_run(bench, "b.png", JobState.DOWNLOADING)
    failed = left_by_an_earlier_run(bench, "c.png", JobState.FAILED)
    bench.api.of_project["project-c.png"] = [record("error", price=0)]
    bench.stop.collect_only()
    await soon(pool.drain())
    assert states(bench, rendering, downloading) == [JobState.DONE] * 2
    assert bench.job(failed).credits == 0
    assert bench.api.count("create") == 0
    assert bench.stop.exit_code is ExitCode.OK
    with bench.ledger.transaction(RUN) as tx:
        outputs.want(tx, [(bench.output_of(tx, "copy of a.png", "copy.png"), rendering.id)])
    await soon(pool.drain())
    assert (bench.output / "copy.png").read_bytes() == png()


async def test_renders_that_an_earlier_run_left_take_places(bench: Bench):
    """Of as many as may be in flight, whoever began them."""
    pool = pool_of(bench, max_in_flight=1)
    left = left_by_an_earlier_run(bench, "a.png", JobState.RENDERING)
    new = bench.photo_job("b.png")
    over = asyncio.Event()

    async def answer() -> Any:
        return record() if over.is_set() else record("rendering")

    bench.api.projects = [answer]
    draining = asyncio.create_task(pool.drain())
    await until(lambda: bench.api.count("project") > 2 and bench.api.count("put") == 1)
    await bench.settle()
    assert bench.api.count("create") == 0
    over.set()
    await soon(draining)
    assert states(bench, left, new) == [JobState.DONE] * 2


async def test_another_accounts_jobs_are_left_alone(bench: Bench, pool: Pool, caplog):
    """To this key its projects look as if they were gone."""
    job = left_by_an_earlier_run(bench, "a.png", JobState.RENDERING, account="another")
    failed = left_by_an_earlier_run(bench, "b.png", JobState.FAILED, account="another")
    await soon(pool.drain())
    assert bench.job(job).state is JobState.RENDERING
    assert f"job {job.id} belongs to another account (another); left alone" in caplog.text
    assert f"job {failed.id} belongs to another account" in caplog.text
    assert bench.api.asked == []


async def test_what_comes_back_while_refunds_are_waited_for_is_used(bench: Bench, pool: Pool, monkeypatch):
    """A job that ended for lack of credits is planned again once its refund is seen."""
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.0, 0.0))
    job = bench.photo_job()
    no_credits = {"error": "no credits", "error_code": "insufficient_credits"}
    bench.api.projects = [record("error", price=5, **no_credits), record("error", price=0, **no_credits)]
    await soon(pool.drain())
    assert bench.job(job).state is JobState.PLANNED
    assert bench.job(job).credits == 0
    assert ExitCode.ACCOUNT in bench.stop.reasons
    assert bench.api.count("create") == 1


async def test_a_price_in_doubt_lets_no_create_leave(bench: Bench):
    """A person has to judge it first; what is paid for is collected."""
    left = left_by_an_earlier_run(bench, "a.png", JobState.RENDERING)
    with bench.ledger.transaction(RUN) as tx:
        transitions.priced(tx, left, Price(None, "-1"))
    new = bench.photo_job("b.png")
    await soon(pool_of(bench).drain())
    assert bench.job(new).state is JobState.PLANNED
    assert "--accept-price" in bench.stop.reasons[ExitCode.ACCOUNT]
    assert bench.api.count("create") == 0


# Leaving


async def test_creates_in_the_air_are_awaited_when_the_run_is_left(bench: Bench, pool: Pool):
    """Within the grace time; nothing else begins, and nobody waits for the render."""
    answered = asyncio.Event()

    async def created() -> Created:
        await answered.wait()
        return Created("project", Price(5))

    bench.api.creates = [created]
    job, other = bench.photo_job("a.png"), bench.photo_job("b.png")
    draining = asyncio.create_task(pool.drain())
    await until(lambda: bench.api.count("create") == 1)
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    await bench.settle()
    assert not draining.done()
    answered.set()
    await soon(draining)
    assert sorted(states(bench, job, other)) == [JobState.PLANNED, JobState.RENDERING]  # whichever came first


async def test_after_the_grace_time_what_is_left_is_broken_off(bench: Bench, pool: Pool, monkeypatch):
    """A create whose answer has not come by then is in doubt."""
    monkeypatch.setattr(pool_module, "GRACE_S", 0.0)
    bench.api.creates = [asyncio.Event().wait]
    job = bench.photo_job()
    draining = asyncio.create_task(pool.drain())
    await until(lambda: bench.api.count("create") == 1)
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    await soon(draining)
    assert bench.job(job).state is JobState.UNRESOLVED


async def test_nothing_is_taken_up_by_a_run_that_is_being_left(bench: Bench, pool: Pool):
    """Paid or not: the next run does it."""
    left = left_by_an_earlier_run(bench, "a.png", JobState.DOWNLOADING)
    new = bench.photo_job("b.png")
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    await soon(pool.drain())
    assert states(bench, left, new) == [JobState.DOWNLOADING, JobState.PLANNED]
    assert bench.api.asked == []


async def test_no_copy_is_begun_by_a_run_that_is_being_left(bench: Bench, pool: Pool):
    """It is wanted still."""
    job = bench.photo_job()
    await soon(pool.drain())
    with bench.ledger.transaction(RUN) as tx:
        outputs.want(tx, [(bench.output_of(tx, "copy of a.png", "copy.png"), job.id)])
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    await soon(pool.drain())
    assert pool.reused == 0


async def test_what_swallows_a_cancellation_is_cancelled_again(bench: Bench, pool: Pool, monkeypatch):
    """A library may do so, and a run must not hang for it."""
    monkeypatch.setattr(pool_module, "INSIST_AFTER_S", 0.001)
    monkeypatch.setattr(pool_module, "GRACE_S", 0.0)
    begun = asyncio.Event()
    cancelled = 0

    async def stubborn() -> Any:
        nonlocal cancelled
        begun.set()
        while cancelled < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
        return record()

    job = left_by_an_earlier_run(bench, "a.png", JobState.RENDERING)
    bench.api.downloads = [stubborn]
    draining = asyncio.create_task(pool.drain())
    await soon(begun.wait())
    bench.stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    await soon(draining)
    assert cancelled == 3
    assert bench.job(job).state is JobState.DOWNLOADING
