"""What the balance proves of a create that a gateway answered for, and what odd prices leave behind."""

import dataclasses
import itertools
import time

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price, Verdict
from batchbg.errors import ConfigError, EarlierCapReached, StaleJobError
from batchbg.ledger import balances, budgets, credits, jobs, prices, runs, transitions
from batchbg.ledger.store import Ledger
from batchbg.repair import Retry

from .support import ACCOUNT, budget, disagreements, job_of, plan_one, planned, rendering, submitting, total


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Everything here happens at a time of its own."""
    seconds = itertools.count(1_700_000_000)
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))


def read(ledger: Ledger, balance: int, account: str = ACCOUNT) -> None:
    with ledger.transaction("run") as tx:
        balances.record(tx, account, balance, credits.settled(tx.connection))


def missing(ledger: Ledger, job: Job) -> int | None:
    with ledger.reading() as connection:
        return balances.unexplained(connection, ACCOUNT, job.submitted_at or 0.0)


def move(ledger: Ledger, function, *args, run_id: str = "run") -> Job:
    with ledger.transaction(run_id) as tx:
        moved: Job = function(tx, *args)
        return moved


# The balance


def test_two_readings_of_the_account_are_needed(ledger):
    """One from before the create and one from after it; another account's tell nothing."""
    read(ledger, 100, "another")
    job = submitting(ledger)
    assert missing(ledger, job) is None
    read(ledger, 100)
    read(ledger, 100)
    assert missing(ledger, job) is None
    later = submitting(ledger, "b.jpg")
    assert missing(ledger, later) is None
    read(ledger, 100, "another")
    assert missing(ledger, later) is None
    read(ledger, 95)
    assert missing(ledger, later) == 5


def test_what_the_service_said_that_it_charged_explains_a_fall(ledger):
    """And nothing beyond it."""
    read(ledger, 100)
    doubted = submitting(ledger, "a.jpg")
    rendering(ledger, "b.jpg")
    read(ledger, 95)
    assert missing(ledger, doubted) == 0
    read(ledger, 90)
    assert missing(ledger, doubted) == 5


def test_what_ended_or_moved_before_the_first_reading_is_in_it(ledger):
    """Refunds seen by then, charges kept in vain, and answers lost; and what is done is no refund to come."""
    failed = move(ledger, transitions.ended, rendering(ledger, "a.jpg"), JobState.FAILED, "x", Price(5))
    move(ledger, transitions.refunded, failed, Price(3))
    move(ledger, transitions.lost, submitting(ledger, "b.jpg"), "timeout")
    read(ledger, 100)
    doubted = submitting(ledger, "c.jpg")
    done = move(ledger, transitions.complete, rendering(ledger, "d.jpg"), Price(5))
    move(ledger, transitions.done, done)
    read(ledger, 95)
    assert missing(ledger, doubted) == 0


def test_the_last_reading_before_the_create_counts(ledger):
    """What fell before is another matter."""
    read(ledger, 1000)
    read(ledger, 100)
    doubted = submitting(ledger)
    read(ledger, 100)
    assert missing(ledger, doubted) == 0


def test_a_charge_that_the_first_reading_may_hold_explains_nothing(ledger):
    """A create in the air at the reading was charged before it and answered after: the next fall is not its doing."""
    in_air = submitting(ledger, "a.jpg")
    read(ledger, 95)
    move(ledger, transitions.created, in_air, "p", Price(5))
    doubted = submitting(ledger, "b.jpg")
    read(ledger, 90)
    assert missing(ledger, doubted) == 5


def test_a_charge_that_is_learnt_late_explains_nothing(ledger):
    """An answer said 0, the record says 5: the service had taken it before the first reading."""
    silent = rendering(ledger, "a.jpg", price=0)
    read(ledger, 95)
    doubted = submitting(ledger, "b.jpg")
    move(ledger, transitions.complete, silent, Price(5))
    read(ledger, 90)
    assert missing(ledger, doubted) == 5


def test_an_attempt_of_a_job_from_before_explains_by_its_own_charge(ledger):
    """A later attempt is a create of its own."""
    again = move(ledger, transitions.not_created, submitting(ledger, "a.jpg"), "429")
    read(ledger, 100)
    doubted = submitting(ledger, "b.jpg")
    move(ledger, transitions.created, move(ledger, transitions.reserve, again, budget()), "p", Price(5))
    read(ledger, 95)
    assert missing(ledger, doubted) == 0


def test_a_lost_answer_explains_nothing(ledger):
    """It may have been charged, or not."""
    read(ledger, 100)
    doubted = submitting(ledger, "a.jpg")
    move(ledger, transitions.lost, submitting(ledger, "b.jpg"), "timeout")
    read(ledger, 95)
    assert missing(ledger, doubted) == 5


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELED])
def test_a_refund_hides_no_charge(ledger, seen, state):
    """Whether the ledger has seen it or it is due: the balance may have risen by it already."""
    read(ledger, 100)
    doubted = submitting(ledger, "a.jpg")
    failed = move(ledger, transitions.ended, rendering(ledger, "b.jpg"), state, "x", Price(5))
    if seen:
        move(ledger, transitions.refunded, failed, Price(0))
    read(ledger, 95)  # 5 for each of the two, 5 given back
    assert missing(ledger, doubted) == 5


# Odd prices


def judge(ledger: Ledger, verdict: Verdict) -> None:
    with ledger.transaction() as tx:
        transitions.judge_prices(tx, ACCOUNT, verdict)


def stored(ledger: Ledger, job: Job) -> Job:
    with ledger.reading() as connection:
        return job_of(connection, job.id)


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


# Whose project it is


def test_a_project_of_this_run_is_one_job_s_also_when_that_is_done(ledger):
    """And one that is at work is its job's, whichever run began it."""
    done = move(ledger, transitions.complete, rendering(ledger, "a.jpg"), Price(5))
    with ledger.transaction("run") as tx:
        jobs.take_up(tx, done.id)
    move(ledger, transitions.done, done)
    again = move(ledger, transitions.created, submitting(ledger, "b.jpg"), "project-a.jpg", Price(5))
    assert (again.state, again.project_id) == (JobState.UNRESOLVED, None)
    rendering(ledger, "c.jpg", run_id="earlier")
    other = move(ledger, transitions.created, submitting(ledger, "d.jpg"), "project-c.jpg", Price(5))
    assert (other.state, other.project_id) == (JobState.UNRESOLVED, None)


def test_refunds_are_asked_after_for_so_long(ledger):
    """By the end of the job."""
    ended = move(ledger, transitions.ended, rendering(ledger), JobState.FAILED, "x", Price(5))
    assert ended.ended_at is not None
    with ledger.reading() as connection:
        assert [job.id for job in jobs.charged_in_vain(connection, ended.ended_at)] == [ended.id]
        assert not list(jobs.charged_in_vain(connection, ended.ended_at + 1.0))


# Caps of earlier runs


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


# One job among others


def test_only_the_job_that_is_meant_is_dropped_and_only_as_it_was_seen(ledger):
    """Another planned one stays; one that has come back since is not the one that was judged."""
    first, second = planned(ledger, "a.jpg", "b.jpg")
    with ledger.transaction("run") as tx:
        transitions.drop(tx, first, "gone")
    assert stored(ledger, second) == second
    back = move(ledger, transitions.not_created, move(ledger, transitions.reserve, second, budget()), "429")
    with pytest.raises(StaleJobError), ledger.transaction("run") as tx:
        transitions.drop(tx, second, "gone")
    assert stored(ledger, back) == back


def test_the_same_photo_on_another_background_is_another_key(ledger):
    """One in doubt bars its own key alone."""
    move(ledger, transitions.lost, submitting(ledger, "a.jpg"), "timeout")
    with ledger.transaction("run") as tx:
        other = job_of(tx.connection, plan_one(tx, "b.jpg", content="a.jpg", background="ab" * 32))
    assert move(ledger, transitions.reserve, other, budget()).state is JobState.SUBMITTING


def test_projects_are_told_apart_by_account(ledger):
    """Two accounts may number theirs alike."""
    rendering(ledger, "a.jpg")
    (job,) = planned(ledger, "b.jpg")
    theirs = move(ledger, transitions.reserve, job, dataclasses.replace(budget(), account="another"))
    assert move(ledger, transitions.created, theirs, "project-a.jpg", Price(5)).state is JobState.RENDERING


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
