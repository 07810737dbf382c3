"""Verdicts on results: given, changed, withdrawn; beside the states and the credits, not among them."""

import dataclasses

import pytest
import sqlalchemy as sa

from batchbg.core.model import Job
from batchbg.core.review import ReviewVerdict
from batchbg.errors import ConfigError
from batchbg.ledger import reviews
from batchbg.ledger.store import Ledger
from batchbg.ledger.transitions import MAX_TEXT

from .support import done, entries, history, other_program, rendering, stored

ACCEPTED, REJECTED = ReviewVerdict.ACCEPTED, ReviewVerdict.REJECTED


@pytest.fixture
def ledger(emptied):
    return emptied


def give(ledger: Ledger, job: Job, verdict: ReviewVerdict, reason: str = "") -> bool:
    with ledger.transaction() as tx:
        return reviews.give(tx, job.id, verdict, reason)


def withdraw(ledger: Ledger, job: Job) -> bool:
    with ledger.transaction() as tx:
        return reviews.withdraw(tx, job.id)


def of(ledger: Ledger, job: Job) -> tuple[str, str] | None:
    with ledger.reading() as connection:
        found = reviews.of(connection, job.id)
    return None if found is None else (str(found.verdict), found.reason)


def kinds(ledger: Ledger, job: Job) -> list[str]:
    return [kind for kind, _, _ in history(ledger, job.id) if kind.startswith("review")]


def test_a_verdict_holds_until_another_is_given_or_it_is_withdrawn(ledger):
    """Each change is an event; the same word again is none."""
    job = done(ledger)
    assert of(ledger, job) is None
    assert give(ledger, job, REJECTED, "the strap is cut off")
    assert not give(ledger, job, REJECTED, "the strap is cut off")
    assert of(ledger, job) == ("rejected", "the strap is cut off")
    assert give(ledger, job, REJECTED, "halo")
    assert give(ledger, job, ACCEPTED)
    assert of(ledger, job) == ("accepted", "")
    assert withdraw(ledger, job)
    assert not withdraw(ledger, job)
    assert of(ledger, job) is None
    assert kinds(ledger, job) == [
        "review: rejected",
        "review: rejected",
        "review: accepted",
        "review: undecided again",
    ]


def test_a_verdict_moves_neither_state_nor_credits(ledger):
    job = done(ledger)
    before = entries(ledger)
    give(ledger, job, REJECTED, "halo")
    after = stored(ledger, job)
    assert after == dataclasses.replace(job, verdict=REJECTED, verdict_reason="halo")
    assert entries(ledger) == before


def test_only_what_is_done_can_be_judged(ledger):
    """What has no result has none to look at."""
    with pytest.raises(ConfigError, match="is rendering"):
        give(ledger, rendering(ledger), ACCEPTED)
    with pytest.raises(ConfigError, match="no job nobody"), ledger.transaction() as tx:
        reviews.give(tx, "nobody", ACCEPTED)
    with ledger.transaction() as tx:
        assert not reviews.withdraw(tx, "nobody")


def test_a_reason_is_any_text(ledger):
    """Also one that no database takes as it is, or that does not end."""
    job = done(ledger)
    give(ledger, job, REJECTED, "\0 \udcff" + "x" * 2000)
    found = of(ledger, job)
    assert found is not None
    assert found[1].startswith("\\0 \\udcffxxx")
    assert len(found[1]) == MAX_TEXT
    assert not give(ledger, job, REJECTED, "\0 \udcff" + "x" * 2000)


def test_all_verdicts_and_their_numbers(ledger, ticking):
    """The numbers are of what is done: what is under way is not undecided."""
    first, second, third = (done(ledger, name) for name in ("a.jpg", "b.jpg", "c.jpg"))
    rendering(ledger, "d.jpg")
    with ledger.reading() as connection:
        assert not reviews.are_any(connection)
    give(ledger, third, ACCEPTED)
    give(ledger, first, REJECTED, "hole")
    with ledger.reading() as connection:
        found = list(reviews.given(connection))
        assert [(job_id, review.verdict, review.reason) for job_id, review in found] == [
            (third.id, ACCEPTED, ""),
            (first.id, REJECTED, "hole"),
        ]
        assert found[0][1].at < found[1][1].at
        counts = reviews.counts(connection)
        assert reviews.are_any(connection)
    assert (counts.accepted, counts.rejected, counts.undecided) == (1, 1, 1)
    assert of(ledger, second) is None


def test_a_verdict_is_a_job_s(path):
    """Whatever program writes it, and one of the two."""
    for verdict, why in (("superb", "(?i)check"), ("accepted", "(?i)foreign key")):
        with other_program(path) as connection, pytest.raises(sa.exc.IntegrityError, match=why):
            connection.exec_driver_sql(f"INSERT INTO reviews (job_id, verdict, at) VALUES ('nobody', '{verdict}', 0)")
