"""The caps: what a reservation is held against, and whose."""

import pytest

from batchbg.core.budget import Credits, Scope
from batchbg.core.lifecycle import JobState
from batchbg.core.price import Price
from batchbg.errors import BudgetExceeded, EarlierCapReached, ExitCode
from batchbg.ledger import budgets, jobs, runs, transitions

from .support import budget, move, planned, record_balance, rendering, stored, submitting, total, use_clock

S = JobState

pytestmark = pytest.mark.usefixtures("adds_up")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


@pytest.mark.parametrize("cap", ["run", "day", "month", "total"])
def test_a_cap_of_23_lets_four_of_five_credits_through(ledger, cap):
    """The fifth is refused with the cap's name, and nothing of it is written."""
    five = planned(ledger, *(f"{n}.jpg" for n in range(5)))
    for job in five[:4]:
        move(ledger, transitions.reserve, job, budget(**{cap: 23}))
    with pytest.raises(BudgetExceeded, match=r"3 of 23 credits left, the next image takes 5") as caught:
        move(ledger, transitions.reserve, five[4], budget(**{cap: 23}))
    assert caught.value.exit_code is ExitCode.CAP
    assert total(ledger).reserved == 20
    assert stored(ledger, five[4]) == five[4]


def test_the_tightest_cap_is_named(ledger):
    """What a person has to raise."""
    first, second = planned(ledger, "a.jpg", "b.jpg")
    move(ledger, transitions.reserve, first, budget(run=100, day=9, total=50))
    with pytest.raises(BudgetExceeded, match=r"budget\.per_day"):
        move(ledger, transitions.reserve, second, budget(run=100, day=9, total=50))


def test_lost_and_charged_credits_fill_a_cap_and_refunds_make_room(ledger):
    """Room that is given back is used in the same run."""
    lost, failed, waiting = planned(ledger, "a.jpg", "b.jpg", "c.jpg")
    cap = budget(run=12)
    move(ledger, transitions.lost, move(ledger, transitions.reserve, lost, cap), "timeout")
    failed = move(ledger, transitions.created, move(ledger, transitions.reserve, failed, cap), "p", Price(5))
    failed = move(ledger, transitions.ended, failed, S.FAILED, "error", Price(5))
    with pytest.raises(BudgetExceeded):
        move(ledger, transitions.reserve, waiting, cap)
    move(ledger, transitions.refunded, failed, Price(0))
    assert move(ledger, transitions.reserve, waiting, cap).state is S.SUBMITTING


def test_a_refund_belongs_to_the_day_of_its_reservation(ledger, monkeypatch):
    """Whenever it arrives: yesterday's credits do not make room today."""
    clock = use_clock(monkeypatch, 1_700_000_000.0)  # 2023-11-14 22:13 UTC
    job = move(ledger, transitions.ended, rendering(ledger), S.FAILED, "error", Price(5))
    clock.at += 86_400 * 17
    move(ledger, transitions.refunded, job, Price(0))
    assert total(ledger, Scope.DAY, "2023-11-14") == Credits(charged=5, refunded=5)
    assert total(ledger, Scope.MONTH, "2023-11") == Credits(charged=5, refunded=5)
    assert total(ledger, Scope.DAY, "2023-12-01") == Credits()


def test_a_second_attempt_belongs_to_its_own_day(ledger, monkeypatch):
    """The period is that of the present attempt's reservation."""
    clock = use_clock(monkeypatch, 1_700_000_000.0)
    job = move(ledger, transitions.not_created, submitting(ledger), "429")
    clock.at += 86_400
    move(ledger, transitions.reserve, job, budget("later"))
    assert total(ledger, Scope.DAY, "2023-11-14") == Credits()
    assert total(ledger, Scope.DAY, "2023-11-15") == total(ledger, Scope.RUN, "later") == Credits(reserved=5)


def test_without_a_reading_keep_balance_lets_nothing_through(ledger):
    """What is not known cannot be kept."""
    first, second = planned(ledger, "a.jpg", "b.jpg")
    record_balance(ledger, 1000, "another account")
    with pytest.raises(BudgetExceeded, match="not known"):
        move(ledger, transitions.reserve, first, budget(keep_balance=10))
    record_balance(ledger, 1000)
    assert move(ledger, transitions.reserve, second, budget(keep_balance=10)).state is S.SUBMITTING


def test_keep_balance_counts_what_was_reserved_since_the_reading(ledger):
    """20 on the account and 10 to be kept: two images, whatever became of them since."""
    three = planned(ledger, "a.jpg", "b.jpg", "c.jpg")
    record_balance(ledger, 20)
    cap = budget(keep_balance=10)
    move(ledger, transitions.created, move(ledger, transitions.reserve, three[0], cap), "p", Price(5))
    move(ledger, transitions.lost, move(ledger, transitions.reserve, three[1], cap), "timeout")
    with pytest.raises(BudgetExceeded, match="keep_balance"):
        move(ledger, transitions.reserve, three[2], cap)
    record_balance(ledger, 15)
    assert move(ledger, transitions.reserve, three[2], cap).state is S.SUBMITTING


def test_a_create_in_the_air_during_a_reading_is_counted_beside_it(ledger):
    """It may or may not be in the reading: the safe side."""
    two = planned(ledger, "a.jpg", "b.jpg")
    cap = budget(keep_balance=10)
    record_balance(ledger, 100)
    in_air = move(ledger, transitions.reserve, two[0], cap)
    record_balance(ledger, 15)
    with pytest.raises(BudgetExceeded):
        move(ledger, transitions.reserve, two[1], cap)
    move(ledger, transitions.created, in_air, "p", Price(5))
    with pytest.raises(BudgetExceeded):
        move(ledger, transitions.reserve, two[1], cap)


def test_a_cap_that_is_given_later_takes_the_place_of_the_earlier_run_s(ledger):
    """And one without a cap goes on under what was given to the run that began the job."""
    with ledger.transaction() as tx:
        begun = runs.begin(tx, "run", "https://api.example", 5)
    first, second = planned(ledger, "a.jpg", "b.jpg", run_id=begun.id)
    move(ledger, transitions.reserve, first, budget(begun.id, run=5), run_id=begun.id)
    with pytest.raises(EarlierCapReached, match="--max-credits"):
        move(ledger, transitions.reserve, second, budget("later"), run_id="later")
    (fresh,) = planned(ledger, "c.jpg", run_id="later")
    assert move(ledger, transitions.reserve, fresh, budget("later"), run_id="later").budget_run_id == "later"
    sent = move(ledger, transitions.reserve, second, budget("later", run=10), run_id="later")
    assert sent.budget_run_id == "later"


def test_the_budgets_of_earlier_runs_are_those_of_this_run_s_jobs(ledger):
    """With the cap that was last given; what others took up, and what was sent before this run, tells nothing."""
    with ledger.transaction() as tx:
        begun = runs.begin(tx, "run", "https://api.example", 50)
    waiting, sent, _ = planned(ledger, "a.jpg", "b.jpg", "c.jpg", run_id=begun.id)
    move(ledger, transitions.reserve, sent, budget(begun.id, run=50), run_id=begun.id)
    with ledger.transaction(begun.id) as tx:
        runs.end(tx, 0)
        now = runs.begin(tx, "resume", "https://api.example", None)
    own = budget(now.id)
    with ledger.transaction(now.id) as tx:
        assert budgets.earlier(tx.connection, now.id, own) == []
        jobs.take_up(tx, sent.id)
        assert budgets.earlier(tx.connection, now.id, own) == []
        jobs.take_up(tx, waiting.id)
        assert budgets.earlier(tx.connection, now.id, own) == [budget(begun.id, run=50)]
