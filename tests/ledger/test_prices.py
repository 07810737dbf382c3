"""What the service told of its price, and the odd ones that a person judges."""

import dataclasses

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.price import Price, Verdict
from batchbg.errors import (
    ConfigError,
    PriceInDoubt,
)
from batchbg.ledger import credits, prices, transitions
from batchbg.ledger.store import Ledger
from batchbg.repair.retry import Retry

from .support import (
    ACCOUNT,
    budget,
    disagreements,
    move,
    planned,
    rendering,
    stored,
    submitting,
    total,
)

S = JobState

pytestmark = pytest.mark.usefixtures("adds_up", "ticking")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


def test_the_next_reservation_takes_the_last_answered_price(ledger):
    """Where it rose; where it fell the configured price stays, and an answer without a price teaches nothing."""
    rendering(ledger, "a.jpg", 7)
    assert submitting(ledger, "b.jpg").credits == 7
    rendering(ledger, "c.jpg", None)
    assert submitting(ledger, "d.jpg").credits == 7
    rendering(ledger, "e.jpg", 3)
    assert submitting(ledger, "f.jpg").credits == 5


def test_prices_are_learnt_by_account(ledger):
    """Another account has other prices."""
    rendering(ledger, "a.jpg", 7)
    (job,) = planned(ledger, "b.jpg")
    assert move(ledger, transitions.reserve, job, dataclasses.replace(budget(), account="other")).credits == 5


@pytest.mark.parametrize(("told", "held"), [(Price(51), 51), (Price(6, "5.5"), 6), (Price(None, "-1"), 5)])
def test_an_odd_price_is_held_and_bars_creates_until_it_is_judged(ledger, told, held):
    """A person accepts it, and it is charged and what the next images take; or dismisses it, and it is as if unsaid."""
    for verdict in (Verdict.ACCEPTED, Verdict.DISMISSED):
        job = rendering(ledger, f"{verdict}.jpg")
        job = move(ledger, transitions.complete, job, told)
        assert (job.credits, job.charged) == (held, 5)
        (other,) = planned(ledger, f"other-{verdict}.jpg")
        with pytest.raises(PriceInDoubt, match=told.told):
            move(ledger, transitions.reserve, other, budget())
        with ledger.transaction() as tx:
            assert transitions.judge_prices(tx, ACCOUNT, verdict) == [job.id]
        settled = stored(ledger, job)
        assert settled.credits == settled.charged == (held if verdict is Verdict.ACCEPTED else 5)
        move(ledger, transitions.reserve, other, budget())
        if verdict is Verdict.ACCEPTED:
            again = move(ledger, transitions.complete, rendering(ledger, "again.jpg"), told)
            assert again.credits == again.charged, "what was accepted once is no longer odd"
            break
    with ledger.reading() as connection:
        assert credits.disagreements(connection) == []


def test_a_dismissed_price_is_not_asked_about_again_for_the_same_job(ledger):
    """Its record says the same at every look."""
    job = move(ledger, transitions.ended, rendering(ledger), S.FAILED, "x", Price(500))
    assert job.credits == 500
    with ledger.transaction() as tx:
        transitions.judge_prices(tx, ACCOUNT, Verdict.DISMISSED)
    job = move(ledger, transitions.refunded, stored(ledger, job), Price(500))
    assert job.credits == 5
    with ledger.reading() as connection:
        assert prices.in_doubt(connection, ACCOUNT) == []
    assert move(ledger, transitions.refunded, job, Price(0)).credits == 0
    assert total(ledger).spent == 0


def judge(ledger: Ledger, verdict: Verdict) -> None:
    with ledger.transaction() as tx:
        transitions.judge_prices(tx, ACCOUNT, verdict)


@pytest.mark.parametrize(("verdict", "counted"), [(Verdict.ACCEPTED, 1000), (Verdict.DISMISSED, 5)])
@pytest.mark.parametrize("ending", ["complete", "failed"])
def test_a_record_without_a_price_does_not_judge_the_answer_s_odd_one(ledger, ending, verdict, counted):
    """It stays held until a person has judged it; a dismissed one counts no more."""
    job = rendering(ledger, price=1000)
    if ending == "complete":
        job = move(ledger, transitions.complete, job, Price(None))
    else:
        job = move(ledger, transitions.ended, job, JobState.FAILED, "gone", Price(None))
    assert (job.credits, job.charged) == (1000, 5)
    judge(ledger, verdict)
    assert (stored(ledger, job).credits, total(ledger).spent) == (counted, counted)


def test_a_dismissed_price_of_a_job_whose_project_was_another_s_counts_no_more(ledger):
    """What its create took nobody knows, but not that much."""
    job = move(ledger, transitions.misattributed, rendering(ledger, price=1000), "a stranger's")
    assert total(ledger).unresolved == 1000
    judge(ledger, Verdict.DISMISSED)
    assert (stored(ledger, job).credits, total(ledger).spent, total(ledger).unresolved) == (5, 5, 5)
    assert disagreements(ledger) == []


def test_an_accepted_price_of_a_job_that_is_unresolved_stays_counted(ledger):
    """It may have been charged; and the next reservations go by it."""
    job = move(ledger, transitions.misattributed, rendering(ledger, price=1000), "a stranger's")
    judge(ledger, Verdict.ACCEPTED)
    assert (stored(ledger, job).credits, total(ledger).unresolved) == (1000, 1000)
    assert submitting(ledger, "b.jpg").credits == 1000


def test_a_job_with_an_odd_price_is_not_paid_again_before_that_is_judged(ledger):
    """What it holds back would be held for good."""
    job = move(ledger, transitions.ended, rendering(ledger), JobState.FAILED, "x", Price(1000))
    with pytest.raises(ConfigError, match="--dismiss-price"), ledger.transaction("run") as tx:
        Retry([job.id], pay_again=True).prepare(tx, ledger)
    judge(ledger, Verdict.DISMISSED)
    with ledger.transaction("run") as tx:
        assert Retry([job.id], pay_again=True).prepare(tx, ledger).planned == (job.id,)
    assert (total(ledger).reserved, total(ledger).spent) == (0, 5)


def test_an_accepted_price_is_accepted_of_its_account_alone(ledger):
    """And what another account's service tells stays a question."""
    rendering(ledger, "a.jpg", price=1000)
    with ledger.transaction("run") as tx:
        prices.doubt(tx, "another", "its job", "1000")
    judge(ledger, Verdict.ACCEPTED)
    with ledger.reading() as connection:
        assert prices.accepted(connection, ACCOUNT) == ["1000"]
        assert prices.accepted(connection, "another") == []
        assert len(prices.in_doubt(connection, "another")) == 1


def test_a_verdict_stands(ledger):
    """A later one is given on what is open then."""
    rendering(ledger, "a.jpg", price=1000)
    judge(ledger, Verdict.ACCEPTED)
    rendering(ledger, "b.jpg", price=2000)
    judge(ledger, Verdict.DISMISSED)
    with ledger.reading() as connection:
        assert prices.accepted(connection, ACCOUNT) == ["1000"]


def test_a_job_may_tell_two_odd_prices(ledger):
    """Each is judged; the same one is kept once."""
    job = rendering(ledger, price=1000)
    for told in (1000, 2000, 2000):
        job = move(ledger, transitions.priced, job, Price(told))
    with ledger.reading() as connection:
        assert [told for _, told in prices.open_ones(connection, ACCOUNT)] == ["1000", "2000"]


def test_odd_prices_are_of_one_account_and_one_job(ledger):
    """Another account's creates go on; the same figure of another job is a matter of its own."""
    rendering(ledger, "a.jpg", price=1000)
    with ledger.reading() as connection:
        assert prices.in_doubt(connection, "another") == []
        assert len(prices.in_doubt(connection, ACCOUNT)) == 1
        assert prices.doubted_accounts(connection) == [ACCOUNT]
    judge(ledger, Verdict.DISMISSED)
    assert submitting(ledger, "b.jpg").credits == 5
    rendering(ledger, "c.jpg", price=1000)
    with ledger.reading() as connection:
        assert len(prices.in_doubt(connection, ACCOUNT)) == 1
