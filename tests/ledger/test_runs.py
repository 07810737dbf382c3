"""Runs: a killed one is not over, and the last is the last."""

import pytest

from batchbg.ledger import runs

from .support import begin_run, use_clock

pytestmark = pytest.mark.usefixtures("adds_up")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


def test_a_killed_run_is_not_over(ledger):
    """The next run spends under its cap until a person gives another; one that ended is over."""
    first = begin_run(ledger, 23)
    second = begin_run(ledger, None)
    assert (second.continued, second.budget_id, second.cap_credits) == (True, first.id, 23)
    third = begin_run(ledger, 100)
    assert (third.budget_id, third.cap_credits) == (first.id, 100)
    with ledger.transaction(third.id) as tx:
        runs.end(tx, 0)
    fourth = begin_run(ledger, None)
    assert (fourth.continued, fourth.budget_id, fourth.cap_credits) == (False, fourth.id, None)


def test_a_killed_run_without_a_cap_takes_the_next_ones(ledger):
    """And a cap stays where the next run has none."""
    begin_run(ledger, None)
    assert begin_run(ledger, 23).cap_credits == 23
    assert begin_run(ledger, None).cap_credits == 23


def test_a_killed_run_s_cap_survives_a_killed_rescue(ledger):
    """What does not spend, killed or not, does not end what the killed run began."""
    first = begin_run(ledger, 23)
    with ledger.transaction() as tx:
        runs.begin(tx, "rescue", "https://api.example", None, spends=False)
    third = begin_run(ledger, None)
    assert (third.budget_id, third.cap_credits) == (first.id, 23)


def test_the_last_run_is_the_last_although_the_clock_stood_still(ledger, monkeypatch):
    """After a jump back several runs begin at the ledger's same second; `status` shows the newest."""
    clock = use_clock(monkeypatch)
    begun = []
    for _ in range(6):
        run = begin_run(ledger)
        begun.append(run.id)
        with ledger.transaction(run.id) as tx:
            runs.end(tx, 0)
        clock.at -= 3600
    with ledger.reading() as connection:
        assert [one.id for one in runs.last(connection, 6)] == begun[::-1]
