"""What the ledger tells of each step: these very words are in ledgers in use, and scripts read them."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import UNTOLD, Price, Verdict
from batchbg.core.review import ReviewVerdict
from batchbg.ledger import clock, deletions, events, outputs, prices, reviews, runs, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import events as event_table

from .support import ACCOUNT, budget, history, planned, rendering, submitting

S = JobState


def downloading(ledger: Ledger) -> Job:
    job = rendering(ledger)
    with ledger.transaction("run") as tx:
        return transitions.complete(tx, job, Price(5))


def failed(ledger: Ledger, code: str = "", price: int = 5) -> Job:
    job = rendering(ledger)
    with ledger.transaction("run") as tx:
        return transitions.ended(tx, job, S.FAILED, "no luck", Price(price), code)


def done(ledger: Ledger) -> Job:
    job = downloading(ledger)
    with ledger.transaction("run") as tx:
        return transitions.done(tx, job)


def rejected(ledger: Ledger) -> Job:
    job = done(ledger)
    with ledger.transaction("run") as tx:
        reviews.give(tx, job.id, ReviewVerdict.REJECTED)
    return job


def unresolved(ledger: Ledger) -> Job:
    job = submitting(ledger)
    with ledger.transaction("run") as tx:
        return transitions.lost(tx, job, "timeout")


STEPS: dict[str, tuple[Any, Any, tuple[str | None, str | None]]] = {
    "planned": (lambda ledger: planned(ledger, "a.jpg")[0], None, (None, "planned")),
    "dropped": (lambda ledger: planned(ledger, "a.jpg")[0], (transitions.drop, "gone"), ("planned", None)),
    "reserved": (
        lambda ledger: planned(ledger, "a.jpg")[0],
        (transitions.reserve, budget()),
        ("planned", "submitting"),
    ),
    "refused": (lambda ledger: planned(ledger, "a.jpg")[0], (transitions.refused, "too large"), ("planned", "failed")),
    "created": (submitting, (transitions.created, "p", Price(5)), ("submitting", "rendering")),
    "not created": (submitting, (transitions.not_created, "429"), ("submitting", "planned")),
    "answer lost": (submitting, (transitions.lost, "timeout"), ("submitting", "unresolved")),
    "misattributed": (rendering, (transitions.misattributed, "another's"), ("rendering", "unresolved")),
    "priced": (rendering, (transitions.priced, Price(7)), ("rendering", "rendering")),
    "complete": (rendering, (transitions.complete, Price(5)), ("rendering", "downloading")),
    "ended": (rendering, (transitions.ended, S.CANCELED, "stopped", Price(5)), ("rendering", "canceled")),
    "done": (downloading, (transitions.done,), ("downloading", "done")),
    "unusable": (downloading, (transitions.unusable, "torn"), ("downloading", "failed")),
    "refunded": (failed, (transitions.refunded, Price(0)), ("failed", "failed")),
    "resolved: project": (unresolved, (transitions.resolve_project, "p", UNTOLD), ("unresolved", "rendering")),
    "deleted at the service": (downloading, (deletions.record,), (None, None)),
    "kept at the service": (downloading, (deletions.withdraw, "missing on disk"), (None, None)),
    "review: accepted": (done, (lambda tx, job: reviews.give(tx, job.id, ReviewVerdict.ACCEPTED),), (None, None)),
    "review: rejected": (done, (lambda tx, job: reviews.give(tx, job.id, ReviewVerdict.REJECTED),), (None, None)),
    "review: undecided again": (rejected, (lambda tx, job: reviews.withdraw(tx, job.id),), (None, None)),
    "resolved: webhook": (
        unresolved,
        (transitions.resolve_project, "p", UNTOLD, EventKind.RESOLVED_WEBHOOK),
        ("unresolved", "rendering"),
    ),
    "resolved: charged": (unresolved, (transitions.resolve_charged,), ("unresolved", "failed")),
    "resolved: not charged": (unresolved, (transitions.resolve_not_charged,), ("unresolved", "planned")),
    **{
        kind: (failed, (transitions.reopen, state, kind), ("failed", state.value))
        for kind, state in {
            EventKind.RETRY: S.PLANNED,
            EventKind.RETRY_FOR_FREE: S.RENDERING,
            EventKind.RETRY_PAID_AGAIN: S.PLANNED,
            EventKind.RETRY_REFUNDED: S.PLANNED,
            EventKind.RESCUE: S.RENDERING,
            EventKind.RENAMED: S.RENDERING,
            EventKind.SANDBOX_ENDED: S.RENDERING,
        }.items()
    },
}


@pytest.mark.parametrize("kind", STEPS)
def test_every_step_of_a_job_leaves_its_event(ledger, kind):
    """One, with the state before and after; a job's history tells where its credits went."""
    begin, step, states = STEPS[kind]
    job = begin(ledger)
    before = history(ledger, job.id)
    if step is not None:
        function, *args = step
        with ledger.transaction("run") as tx:
            function(tx, job, *args)
    else:
        before = []
    assert history(ledger, job.id) == [*before, (kind, *states)]


def test_a_job_that_is_not_to_blame_is_told_to_be_planned_again(ledger):
    """With the project that came to nothing, and why."""
    job = failed(ledger, "insufficient_credits", price=0)
    assert history(ledger, job.id)[-2:] == [("ended", "rendering", "failed"), ("planned again", "failed", "planned")]
    assert told(ledger, job.id, EventKind.PLANNED_AGAIN) == {
        "project_id": "project-a.jpg",
        "code": "insufficient_credits",
    }


@pytest.mark.parametrize(("begin", "price", "given_back"), [(rendering, 7, -2), (failed, 2, 3), (failed, 0, 5)])
def test_a_change_of_what_a_job_counts_is_noted_with_its_credits(ledger, begin, price, given_back):
    """What is given back is positive; the state stays. A price that changes nothing is not noted."""
    job = begin(ledger)
    function, kind = (
        (transitions.priced, EventKind.PRICED) if begin is rendering else (transitions.refunded, EventKind.REFUNDED)
    )
    with ledger.transaction("run") as tx:
        recounted = function(tx, job, Price(price))
        function(tx, recounted, Price(price))
    assert told(ledger, job.id, kind) == {"credits": given_back}


@pytest.mark.parametrize(
    ("verdict", "kind"), [(Verdict.ACCEPTED, "price accepted"), (Verdict.DISMISSED, "price dismissed")]
)
def test_a_person_s_word_on_a_price_is_noted(ledger, verdict, kind):
    """By the job that told the price."""
    job = rendering(ledger, price=1000)
    with ledger.transaction("run") as tx:
        assert transitions.judge_prices(tx, ACCOUNT, verdict) == [job.id]
        assert prices.open_ones(tx.connection, ACCOUNT) == []
    assert history(ledger, job.id)[-1] == (kind, "rendering", "rendering")


def test_a_result_is_noted_before_it_is_put_in_its_place(ledger):
    """The process may end in between: its digest says that the file which is there is this job's."""
    job = downloading(ledger)
    with ledger.transaction("run") as tx:
        for sha256 in ("ab", "cd"):
            outputs.saving(tx, job.id, sha256)
        assert outputs.saved_ever(tx.connection, job.id) == ["ab", "cd"]
    assert history(ledger, job.id)[-1] == ("saving", None, None)


def test_runs_and_clocks_have_their_events(ledger):
    """Of no job; a run that goes on with a killed one says so."""
    with ledger.transaction() as tx:
        runs.begin(tx, "run", "https://api.example", None)
        second = runs.begin(tx, "resume", "https://api.example", None)
    with ledger.transaction(second.id) as tx:
        runs.end(tx, 3)
    clock.reset_clock(ledger)
    with ledger.reading() as connection:
        columns = event_table.c.kind, event_table.c.job_id, event_table.c.detail
        found = [tuple(row) for row in connection.execute(sa.select(*columns).order_by(event_table.c.id))]
    assert found[:3] == [("run begun", None, "run"), ("run continued", None, "resume"), ("run ended", None, "3")]
    assert found[3][:2] == ("clock reset", None)


def test_every_kind_is_one_of_those_above():
    """A new one needs a line there: what is in a ledger stays in it."""
    elsewhere = {"redo", "planned again", "price accepted", "price dismissed", "saving"}
    of_no_job = {"run begun", "run continued", "run ended", "clock reset", "copied from another ledger"}
    assert set(EventKind) == {*STEPS, *elsewhere, *of_no_job}


def test_a_ledger_that_lacks_an_event_is_told_apart(ledger):
    """By its number, time and job together: two ledgers number theirs alike."""
    (job,) = planned(ledger, "a.jpg")
    with ledger.reading() as connection:
        last = events.last(connection)
        assert (last.job, events.last_reservation(connection)) == (job.id, events.BEFORE_ALL)
        assert events.has(connection, last)
        assert events.has(connection, events.BEFORE_ALL)
        for other in (
            (last.id + 1, last.at, last.job),
            (last.id, last.at + 1, last.job),
            (last.id, last.at, "another"),
        ):
            assert not events.has(connection, events.Event(*other))
    submitting(ledger, "b.jpg")
    with ledger.reading() as connection:
        assert events.last_reservation(connection) == events.last(connection)


def told(ledger: Ledger, job_id: str, kind: EventKind) -> dict[str, object]:
    with ledger.reading() as connection:
        (detail,) = events.details(connection, job_id, kind)
    found: dict[str, object] = json.loads(detail)
    return found
