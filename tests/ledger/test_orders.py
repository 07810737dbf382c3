"""Orders to pay again for what is done: the same words are the same order until it is carried out."""

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.ledger import jobs, orders, transitions
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import force_orders

from .support import budget, planned


def take(ledger: Ledger, request: str, *, anew: bool = False) -> str:
    with ledger.transaction("run") as tx:
        return orders.take(tx, request, anew=anew)


def end(ledger: Ledger, order_id: str) -> bool:
    with ledger.transaction("run") as tx:
        return orders.end(tx, order_id)


def ordered(ledger: Ledger, order_id: str, name: str) -> Job:
    (job,) = planned(ledger, name)
    with ledger.transaction("run") as tx:
        jobs.take_up(tx, job.id, order_id=order_id)
    return job


def test_the_same_request_is_the_same_order_until_it_has_ended(ledger):
    """Another request is another order, and ends without this one."""
    first = take(ledger, "a")
    other = take(ledger, "b")
    assert first != other
    assert take(ledger, "a") == first
    assert end(ledger, other)
    assert take(ledger, "a") == first
    assert take(ledger, "b") != other
    assert end(ledger, first)
    assert take(ledger, "a") != first


def test_a_person_may_want_it_once_more(ledger):
    """The order before is over then, that of another request is not."""
    first, other = take(ledger, "a"), take(ledger, "b")
    again = take(ledger, "a", anew=True)
    assert again != first
    assert take(ledger, "a") == again
    assert take(ledger, "b") == other
    with ledger.reading() as connection:
        unended = sa.select(force_orders.c.id).where(force_orders.c.ended_at.is_(None))
        assert set(connection.scalars(unended)) == {again, other}


def test_an_order_ends_with_the_last_of_its_jobs(ledger):
    """One that waits for a person is not at its end: ended, the same words would pay for it again."""
    order = take(ledger, "a")
    with ledger.reading() as connection:
        assert not orders.was_begun(connection, order)
    job = ordered(ledger, order, "a.jpg")
    ordered(ledger, take(ledger, "b"), "b.jpg")
    with ledger.reading() as connection:
        assert orders.was_begun(connection, order)
    assert not end(ledger, order)
    with ledger.transaction("run") as tx:
        job = transitions.reserve(tx, job, budget())
    assert not end(ledger, order)
    with ledger.transaction("run") as tx:
        job = transitions.lost(tx, job, "timeout")
    assert not end(ledger, order)
    assert take(ledger, "a") == order
    with ledger.transaction("run") as tx:
        job = transitions.resolve_project(tx, job, "p", Price(5))
    assert not end(ledger, order)
    with ledger.transaction("run") as tx:
        job = transitions.complete(tx, job, Price(5))
    assert not end(ledger, order)
    with ledger.transaction("run") as tx:
        job = transitions.done(tx, job)
    assert job.state is JobState.DONE
    assert end(ledger, order)
    assert take(ledger, "a") != order
