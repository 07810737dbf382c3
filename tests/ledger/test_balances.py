"""What the balance proves of a create that a gateway answered for."""

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.ledger import balances, transitions
from batchbg.ledger.store import Ledger

from .support import ACCOUNT, budget, move, record_balance, rendering, submitting

pytestmark = pytest.mark.usefixtures("adds_up", "ticking")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


def missing(ledger: Ledger, job: Job) -> int | None:
    with ledger.reading() as connection:
        return balances.unexplained(connection, ACCOUNT, job.submitted_at or 0.0)


def test_two_readings_of_the_account_are_needed(ledger):
    """One from before the create and one from after it; another account's tell nothing."""
    record_balance(ledger, 100, "another")
    job = submitting(ledger)
    assert missing(ledger, job) is None
    record_balance(ledger, 100)
    record_balance(ledger, 100)
    assert missing(ledger, job) is None
    later = submitting(ledger, "b.jpg")
    assert missing(ledger, later) is None
    record_balance(ledger, 100, "another")
    assert missing(ledger, later) is None
    record_balance(ledger, 95)
    assert missing(ledger, later) == 5


def test_what_the_service_said_that_it_charged_explains_a_fall(ledger):
    """And nothing beyond it."""
    record_balance(ledger, 100)
    doubted = submitting(ledger, "a.jpg")
    rendering(ledger, "b.jpg")
    record_balance(ledger, 95)
    assert missing(ledger, doubted) == 0
    record_balance(ledger, 90)
    assert missing(ledger, doubted) == 5


def test_what_ended_or_moved_before_the_first_reading_is_in_it(ledger):
    """Refunds seen by then, charges kept in vain, and answers lost; and what is done is no refund to come."""
    failed = move(ledger, transitions.ended, rendering(ledger, "a.jpg"), JobState.FAILED, "x", Price(5))
    move(ledger, transitions.refunded, failed, Price(3))
    move(ledger, transitions.lost, submitting(ledger, "b.jpg"), "timeout")
    record_balance(ledger, 100)
    doubted = submitting(ledger, "c.jpg")
    done = move(ledger, transitions.complete, rendering(ledger, "d.jpg"), Price(5))
    move(ledger, transitions.done, done)
    record_balance(ledger, 95)
    assert missing(ledger, doubted) == 0


def test_the_last_reading_before_the_create_counts(ledger):
    """What fell before is another matter."""
    record_balance(ledger, 1000)
    record_balance(ledger, 100)
    doubted = submitting(ledger)
    record_balance(ledger, 100)
    assert missing(ledger, doubted) == 0


def test_a_charge_that_the_first_reading_may_hold_explains_nothing(ledger):
    """A create in the air at the reading was charged before it and answered after: the next fall is not its doing."""
    in_air = submitting(ledger, "a.jpg")
    record_balance(ledger, 95)
    move(ledger, transitions.created, in_air, "p", Price(5))
    doubted = submitting(ledger, "b.jpg")
    record_balance(ledger, 90)
    assert missing(ledger, doubted) == 5


def test_a_charge_that_is_learnt_late_explains_nothing(ledger):
    """An answer said 0, the record says 5: the service had taken it before the first reading."""
    silent = rendering(ledger, "a.jpg", price=0)
    record_balance(ledger, 95)
    doubted = submitting(ledger, "b.jpg")
    move(ledger, transitions.complete, silent, Price(5))
    record_balance(ledger, 90)
    assert missing(ledger, doubted) == 5


def test_an_attempt_of_a_job_from_before_explains_by_its_own_charge(ledger):
    """A later attempt is a create of its own."""
    again = move(ledger, transitions.not_created, submitting(ledger, "a.jpg"), "429")
    record_balance(ledger, 100)
    doubted = submitting(ledger, "b.jpg")
    move(ledger, transitions.created, move(ledger, transitions.reserve, again, budget()), "p", Price(5))
    record_balance(ledger, 95)
    assert missing(ledger, doubted) == 0


def test_a_lost_answer_explains_nothing(ledger):
    """It may have been charged, or not."""
    record_balance(ledger, 100)
    doubted = submitting(ledger, "a.jpg")
    move(ledger, transitions.lost, submitting(ledger, "b.jpg"), "timeout")
    record_balance(ledger, 95)
    assert missing(ledger, doubted) == 5


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELED])
def test_a_refund_hides_no_charge(ledger, seen, state):
    """Whether the ledger has seen it or it is due: the balance may have risen by it already."""
    record_balance(ledger, 100)
    doubted = submitting(ledger, "a.jpg")
    failed = move(ledger, transitions.ended, rendering(ledger, "b.jpg"), state, "x", Price(5))
    if seen:
        move(ledger, transitions.refunded, failed, Price(0))
    record_balance(ledger, 95)  # 5 for each of the two, 5 given back
    assert missing(ledger, doubted) == 5
