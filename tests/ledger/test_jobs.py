"""Which jobs are picked: for a run, and to be asked after."""

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Size
from batchbg.core.price import Price
from batchbg.ledger import jobs, transitions

from .support import budget, move, planned, rendering, submitting

S = JobState

pytestmark = pytest.mark.usefixtures("adds_up", "ticking")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


def test_the_work_of_a_run_is_taken_in_order_and_none_twice(ledger):
    """In pieces of any size."""
    names = [f"{n}.jpg" for n in range(7)]
    made = {job.id for job in planned(ledger, *names)}
    planned(ledger, "x.jpg", run_id="another run")
    seen, after = [], (0.0, "")
    with ledger.reading() as connection:
        while found := jobs.next_planned(connection, "run", after, 3):
            seen += [job.id for job in found]
            after = (found[-1].created_at, found[-1].id)
        assert jobs.counts(connection, "run")[S.PLANNED] == 7
        assert jobs.counts(connection)[S.PLANNED] == 8
    assert (len(seen), set(seen)) == (7, made)


def test_taken_up_jobs_count_among_those_of_the_run(ledger):
    """One by one, or all in some states."""
    first, second = planned(ledger, "a.jpg", "b.jpg", run_id="earlier")
    with ledger.transaction("run") as tx:
        jobs.take_up(tx, first.id)
        assert jobs.counts(tx.connection, "run")[S.PLANNED] == 1
        jobs.take_up_all(tx, {S.PLANNED})
        assert jobs.counts(tx.connection, "run")[S.PLANNED] == 2
        assert {job.id for job in jobs.in_states(tx.connection, {S.PLANNED})} == {first.id, second.id}


def test_refunds_are_asked_after_for_so_long(ledger):
    """By the end of the job."""
    ended = move(ledger, transitions.ended, rendering(ledger), JobState.FAILED, "x", Price(5))
    assert ended.ended_at is not None
    with ledger.reading() as connection:
        assert [job.id for job in jobs.charged_in_vain(connection, ended.ended_at)] == [ended.id]
        assert not list(jobs.charged_in_vain(connection, ended.ended_at + 1.0))


def test_what_was_given_back_in_full_is_not_asked_after(ledger):
    """There is nothing to come."""
    move(ledger, transitions.ended, rendering(ledger), JobState.FAILED, "x", Price(0))
    with ledger.reading() as connection:
        assert not list(jobs.charged_in_vain(connection, 0.0))


def test_only_what_ended_badly_is_asked_after(ledger):
    """A job that is done is charged, too, and for good; one that is unresolved has no project to be asked for."""
    done = move(ledger, transitions.complete, rendering(ledger, "a.jpg"), Price(5))
    assert move(ledger, transitions.done, done).credits == 5
    move(ledger, transitions.lost, submitting(ledger, "b.jpg"), "timeout")
    canceled = move(ledger, transitions.ended, rendering(ledger, "c.jpg"), JobState.CANCELED, "x", Price(5))
    with ledger.reading() as connection:
        assert [job.id for job in jobs.charged_in_vain(connection, 0.0)] == [canceled.id]


def test_what_a_run_has_planned_is_told_with_its_size_and_its_folder(ledger):
    """What another run planned, and what is begun, is not."""
    first, second = planned(ledger, "a.jpg", "b.jpg")
    planned(ledger, "c.jpg", run_id="another")
    move(ledger, transitions.reserve, second, budget())
    with ledger.reading() as connection:
        assert jobs.planned_by(connection, "run") == [(first.id, "a.jpg", Size(64, 48))]
        assert jobs.planned_outputs(connection, "run") == ["output"]
        assert jobs.planned_outputs(connection, "a third") == []
        assert jobs.pairs_made(connection) == [(Size(64, 48), "")]
        assert jobs.pixels_to_come(connection, frozenset({JobState.PLANNED})) == 2 * 64 * 48
        assert jobs.pixels_to_come(connection, frozenset({JobState.DONE})) == 0


def test_a_project_leads_to_its_job(ledger):
    """And one that nobody knows to none."""
    job = rendering(ledger, "a.jpg")
    with ledger.reading() as connection:
        assert jobs.by_project(connection, "project-a.jpg") == job.id
        assert jobs.by_project(connection, "project-b.jpg") is None


def test_a_job_that_is_taken_up_for_an_order_is_of_that_order(ledger):
    """Without one it keeps the order that it was last done for."""
    (job,) = planned(ledger, "a.jpg")
    with ledger.transaction("later") as tx:
        jobs.take_up(tx, job.id, order_id="order")
        jobs.take_up(tx, job.id)
        jobs.take_up(tx)
        (known,) = jobs.by_content(tx.connection, [job.photo_sha256])[job.photo_sha256]
    assert (known.order_id, known.run_id) == ("order", "later")
