"""Every arrow, with its money: whatever becomes of a job, the books tell it to the credit."""

import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa

from batchbg.core.budget import Credits, Scope
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import (
    IllegalTransition,
    KeyInDoubt,
    StaleJobError,
)
from batchbg.ledger import jobs, outputs, transitions
from batchbg.ledger.store import Ledger

from .support import (
    ACCOUNT,
    budget,
    entries,
    history,
    job_of,
    move,
    plan_one,
    planned,
    rendering,
    stored,
    submitting,
    total,
)

S = JobState

pytestmark = pytest.mark.usefixtures("adds_up")


@pytest.fixture
def ledger(emptied):
    """One ledger for all tests here: what SQLAlchemy has compiled stays compiled."""
    return emptied


def test_planning_moves_no_credits(ledger):
    """A plan is paper; its output wants the job from now on."""
    (job,) = planned(ledger, "a.jpg")
    assert entries(ledger) == []
    assert (job.state, job.credits, job.attempt, job.project_id) == (S.PLANNED, 0, 0, None)
    assert history(ledger, job.id) == [("planned", None, "planned")]
    with ledger.reading() as connection:
        assert outputs.get(connection, job.output_id).wanted_job == job.id


def test_a_reservation_is_on_file_before_the_create(ledger):
    """State, attempt, price and period in one commit."""
    job = submitting(ledger)
    assert entries(ledger) == [("reserved", 5)]
    assert (job.state, job.credits, job.attempt, job.account) == (S.SUBMITTING, 5, 1, ACCOUNT)
    assert stored(ledger, job) == job
    assert total(ledger) == Credits(reserved=5)
    assert total(ledger, Scope.RUN, "run") == total(ledger, Scope.DAY, job.budget_day) == Credits(reserved=5)
    assert total(ledger, Scope.MONTH, job.budget_day[:7]) == Credits(reserved=5)
    assert history(ledger, job.id)[-1] == ("reserved", "planned", "submitting")


@pytest.mark.parametrize(
    ("answered", "moves"),
    [
        (None, [("reserved", -5), ("charged", 5)]),
        (5, [("reserved", -5), ("charged", 5)]),
        (7, [("reserved", -5), ("charged", 7)]),
        (3, [("reserved", -3), ("charged", 3)]),
        (0, []),
    ],
)
def test_an_id_turns_the_reservation_into_a_charge(ledger, answered, moves):
    """As far as the answer says that it took some, which may understate: the rest stays held."""
    job = rendering(ledger, price=answered)
    assert entries(ledger) == [("reserved", 5), *moves]
    assert (job.state, job.credits, job.project_id) == (S.RENDERING, max(answered or 0, 5), "project-a.jpg")
    assert stored(ledger, job) == job


@pytest.mark.parametrize(("answered", "recorded", "counted"), [(0, 5, 5), (5, 7, 7), (0, 0, 0), (3, 3, 3), (7, 5, 7)])
def test_the_record_of_a_complete_render_settles_what_was_held(ledger, answered, recorded, counted):
    """What the answer understated is charged; what was held in vain is given up; what was charged stays."""
    job = move(ledger, transitions.complete, rendering(ledger, price=answered), Price(recorded))
    assert (job.credits, job.charged) == (counted, counted)
    assert total(ledger) == Credits(charged=counted)


def test_a_record_that_names_more_while_it_waits_counts_at_once(ledger):
    """Other creates are about to be reserved; one that names less gives nothing back yet."""
    job = move(ledger, transitions.priced, rendering(ledger, price=0), Price(9))
    assert (job.state, job.credits, job.charged) == (S.RENDERING, 9, 9)
    assert move(ledger, transitions.priced, job, Price(5)) == job
    assert total(ledger) == Credits(charged=9)


def test_a_job_whose_project_is_anothers_counts_as_lost(ledger):
    """What its own create made, and charged, nobody knows; a person's word settles it."""
    job = move(ledger, transitions.misattributed, rendering(ledger), "its name is another's")
    assert (job.state, job.project_id, job.credits) == (S.UNRESOLVED, None, 5)
    assert total(ledger).spent == total(ledger).unresolved == 5
    assert move(ledger, transitions.resolve_not_charged, job).state is S.PLANNED
    assert total(ledger).spent == 0


@pytest.mark.parametrize("code", ["insufficient_credits", "invalid_image_path"])
def test_a_job_that_is_not_to_blame_is_planned_again_once_its_refund_is_seen(ledger, code):
    """At once, or whenever the record says so; a lost upload is made good once."""
    at_once = move(ledger, transitions.ended, rendering(ledger), S.FAILED, "x", Price(0), code)
    assert (at_once.state, at_once.credits, at_once.project_id) == (S.PLANNED, 0, None)
    later = move(ledger, transitions.ended, rendering(ledger, "b.jpg"), S.FAILED, "x", Price(5), code)
    assert later.state is S.FAILED
    assert move(ledger, transitions.refunded, later, Price(0)).state is S.PLANNED
    sent = move(ledger, transitions.created, move(ledger, transitions.reserve, at_once, budget()), "again", Price(5))
    twice = move(ledger, transitions.ended, sent, S.FAILED, "x", Price(0), code)
    assert twice.state is (S.FAILED if code == "invalid_image_path" else S.PLANNED)
    assert total(ledger).spent == 0


def test_any_other_failure_waits_for_a_person(ledger):
    """Nobody pays again by himself for what the service could not render."""
    for code in ("", "content_policy_violation", "unknown_error"):
        job = move(ledger, transitions.ended, rendering(ledger, f"{code}.jpg"), S.FAILED, "x", Price(0), code)
        assert (job.state, job.credits) == (S.FAILED, 0)


def test_a_project_that_another_job_has_is_not_taken_at_its_word(ledger):
    """A server that answers two creates with one id: one photo would get the other's picture."""
    rendering(ledger, "a.jpg")
    job = move(ledger, transitions.created, submitting(ledger, "b.jpg"), "project-a.jpg", Price(5))
    assert (job.state, job.credits, job.project_id) == (S.UNRESOLVED, 5, None)
    assert total(ledger) == Credits(charged=5, unresolved=5)


def test_a_create_that_made_nothing_releases_its_credits(ledger):
    """In the transaction that puts the job back; the next attempt is another one."""
    job = submitting(ledger)
    job = move(ledger, transitions.not_created, job, "429")
    assert entries(ledger) == [("reserved", 5), ("reserved", -5)]
    assert total(ledger).spent == 0
    assert (job.state, job.credits) == (S.PLANNED, 0)
    again = move(ledger, transitions.reserve, job, budget())
    assert again.attempt == 2
    assert again.name != job.name


def test_a_lost_answer_counts_as_spent(ledger):
    """And the job is parked with the reason."""
    job = move(ledger, transitions.lost, submitting(ledger), "ReadTimeout")
    assert entries(ledger) == [("reserved", 5), ("reserved", -5), ("unresolved", 5)]
    assert (job.state, job.credits, job.error) == (S.UNRESOLVED, 5, "ReadTimeout")
    assert total(ledger).spent == 5


def test_a_refusal_before_the_reservation_costs_nothing(ledger):
    """The upload was refused: no entry, and the reason on the job."""
    (job,) = planned(ledger, "a.jpg")
    job = move(ledger, transitions.refused, job, "415 of upload-urls")
    assert entries(ledger) == []
    assert (job.state, job.error, job.credits) == (S.FAILED, "415 of upload-urls", 0)


def test_a_complete_render_moves_no_credits(ledger):
    """Unless it turns out to have cost more than the create said, which is what the next one is reserved at."""
    job = move(ledger, transitions.complete, rendering(ledger), Price(5))
    assert entries(ledger)[3:] == []
    assert job.state is S.DOWNLOADING
    dearer = move(ledger, transitions.complete, rendering(ledger, "b.jpg"), Price(8))
    assert entries(ledger)[-1] == ("charged", 3)
    assert dearer.credits == 8
    assert submitting(ledger, "d.jpg").credits == 8
    silent = move(ledger, transitions.complete, rendering(ledger, "c.jpg", price=None), Price(None))
    assert silent.credits == 8


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELED])
@pytest.mark.parametrize(
    ("reported", "moves"),
    [(None, []), (5, []), (9, [("charged", 4)]), (2, [("refunded", 3)]), (0, [("refunded", 5)])],
)
def test_a_render_in_vain_counts_what_its_record_says(ledger, state, reported, moves):
    """Until a refund is seen it counts in full, and more where the service took more than it answered."""
    job = move(ledger, transitions.ended, rendering(ledger), state, "no product found", Price(reported))
    counted = 5 if reported is None else reported
    assert entries(ledger)[3:] == moves
    assert (job.state, job.credits, job.error) == (state, counted, "no product found")
    assert total(ledger).spent == counted


def test_a_refund_that_comes_later_is_booked_once(ledger):
    """In parts, too; asking again changes nothing; the job stays in its state."""
    job = move(ledger, transitions.ended, rendering(ledger), S.FAILED, "error", Price(5))
    job = move(ledger, transitions.refunded, job, Price(3))
    assert (job.credits, job.state) == (3, S.FAILED)
    job = move(ledger, transitions.refunded, job, Price(3))
    job = move(ledger, transitions.refunded, job, Price(None))
    job = move(ledger, transitions.refunded, job, Price(0))
    assert job.credits == 0
    assert entries(ledger)[3:] == [("refunded", 2), ("refunded", 3)]
    assert stored(ledger, job) == job
    assert total(ledger) == Credits(charged=5, refunded=5)


def test_delivery_moves_no_credits(ledger):
    """Done with a remark, or unusable with a reason; the project id stays for `rescue`."""
    done = move(ledger, transitions.complete, rendering(ledger), Price(5))
    done = move(ledger, transitions.done, done, "smaller than the photo")
    bad = move(ledger, transitions.complete, rendering(ledger, "b.jpg"), Price(5))
    bad = move(ledger, transitions.unusable, bad, "no whole picture")
    assert (done.state, done.remark, bad.state, bad.error) == (
        S.DONE,
        "smaller than the photo",
        S.FAILED,
        "no whole picture",
    )
    assert bad.project_id == "project-b.jpg"
    assert total(ledger) == Credits(charged=10)


def test_resolved_as_charged_is_failed_and_charged(ledger):
    """A person's word: it was taken, and nothing can be had for it."""
    job = move(ledger, transitions.lost, submitting(ledger), "timeout")
    job = move(ledger, transitions.resolve_charged, job)
    assert entries(ledger)[3:] == [("unresolved", -5), ("charged", 5)]
    assert (job.state, job.credits) == (S.FAILED, 5)


def test_resolved_as_not_charged_is_planned_again(ledger):
    """A person's word: it made nothing; its credits are free again."""
    job = move(ledger, transitions.lost, submitting(ledger), "timeout")
    job = move(ledger, transitions.resolve_not_charged, job)
    assert entries(ledger)[3:] == [("unresolved", -5)]
    assert (job.state, job.credits, job.error) == (S.PLANNED, 0, "")
    assert total(ledger).spent == 0


@pytest.mark.parametrize(
    ("reported", "moves"),
    [
        (None, [("charged", 5)]),
        (5, [("charged", 5)]),
        (7, [("charged", 7)]),
        (0, [("reserved", 5)]),
    ],
)
def test_resolved_with_its_project_goes_on(ledger, reported, moves):
    """The id is attached; what the record says is charged, and no less is held than before: a refund is seen later."""
    job = move(ledger, transitions.lost, submitting(ledger), "timeout")
    job = move(ledger, transitions.resolve_project, job, "found", Price(reported))
    assert entries(ledger)[3:] == [("unresolved", -5), *moves]
    assert (job.state, job.project_id, job.credits) == (S.RENDERING, "found", max(reported or 0, 5))


def test_a_dropped_job_leaves_its_history(ledger):
    """Its output wants what it holds."""
    (job,) = planned(ledger, "a.jpg")
    move(ledger, transitions.drop, job, "another plan for the same photo")
    with ledger.reading() as connection:
        assert jobs.get(connection, job.id) is None
        assert outputs.get(connection, job.output_id).wanted_job is None
    assert history(ledger, job.id)[-1] == ("dropped", "planned", None)


def test_a_job_that_was_sent_cannot_be_dropped(ledger):
    """Neither by its present self nor by an old copy from when it was planned."""
    (job,) = planned(ledger, "a.jpg")
    sent = move(ledger, transitions.reserve, job, budget())
    for copy in (job, sent):
        with pytest.raises(StaleJobError):
            move(ledger, transitions.drop, copy, "no reason")
    assert stored(ledger, job).state is S.SUBMITTING


MOVES: dict[str, tuple[JobState, Any, tuple[Any, ...]]] = {
    "reserve": (S.PLANNED, transitions.reserve, (budget(),)),
    "refused": (S.PLANNED, transitions.refused, ("x",)),
    "created": (S.SUBMITTING, transitions.created, ("p", Price(5))),
    "not_created": (S.SUBMITTING, transitions.not_created, ("x",)),
    "lost": (S.SUBMITTING, transitions.lost, ("x",)),
    "complete": (S.RENDERING, transitions.complete, (Price(9),)),
    "ended": (S.RENDERING, transitions.ended, (S.FAILED, "x", Price(0))),
    "done": (S.DOWNLOADING, transitions.done, ()),
    "unusable": (S.DOWNLOADING, transitions.unusable, ("x",)),
    "refunded": (S.FAILED, transitions.refunded, (Price(0),)),
    "resolve_charged": (S.UNRESOLVED, transitions.resolve_charged, ()),
    "resolve_not_charged": (S.UNRESOLVED, transitions.resolve_not_charged, ()),
    "resolve_project": (S.UNRESOLVED, transitions.resolve_project, ("p", Price(5))),
}


def job_in(ledger: Ledger, state: JobState) -> Job:
    match state:
        case S.PLANNED:
            return planned(ledger, "a.jpg")[0]
        case S.SUBMITTING:
            return submitting(ledger)
        case S.RENDERING:
            return rendering(ledger)
        case S.DOWNLOADING:
            return move(ledger, transitions.complete, rendering(ledger), Price(5))
        case S.FAILED:
            return move(ledger, transitions.ended, rendering(ledger), S.FAILED, "x", Price(5))
        case _:
            return move(ledger, transitions.lost, submitting(ledger), "x")


@pytest.mark.parametrize("name", MOVES)
def test_a_stale_copy_of_a_job_moves_nothing(ledger, name):
    """Somebody else moved it since: the guarded UPDATE finds no row, and neither credits nor events are written."""
    state, function, args = MOVES[name]
    job = job_in(ledger, state)
    stale = dataclasses.replace(job, version=job.version - 1)
    before = entries(ledger), history(ledger, job.id)
    with pytest.raises(StaleJobError):
        move(ledger, function, stale, *args)
    assert (entries(ledger), history(ledger, job.id)) == before
    assert stored(ledger, job) == job


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_made_once(ledger, name):
    """The second of two workers with the same copy is refused."""
    state, function, args = MOVES[name]
    job = job_in(ledger, state)
    moved = move(ledger, function, job, *args)
    assert (moved.version, stored(ledger, job)) == (job.version + 1, moved)
    before = entries(ledger)
    if name == "created":  # no other create was answered with that id: whoever brings it once more has it on file
        args = ("another", Price(5))
    with pytest.raises(StaleJobError):
        move(ledger, function, job, *args)
    assert entries(ledger) == before


@pytest.mark.parametrize("name", MOVES)
def test_a_move_whose_commit_nobody_confirmed_is_found_and_not_made_again(ledger, name):
    """A commit may be on disk although its word was lost: its work, done again, has succeeded, and costs nothing more."""
    state, function, args = MOVES[name]
    job = job_in(ledger, state)
    moved = move(ledger, function, job, *args)
    before = entries(ledger), history(ledger, job.id)
    assert again(ledger, function, job, *args) == moved
    assert (entries(ledger), history(ledger, job.id)) == before


def again(ledger: Ledger, function: Any, *args: Any, run_id: str = "run") -> Any:
    """Do in a transaction what may have been committed before."""
    with ledger.transaction(run_id) as tx:
        return function(dataclasses.replace(tx, repeats=True), *args)


@pytest.mark.parametrize("name", MOVES)
def test_what_another_run_has_moved_is_not_ones_own(ledger, name):
    """Nor is it when a transaction is repeated: a worker that slept must not send what another has sent."""
    state, function, args = MOVES[name]
    job = job_in(ledger, state)
    move(ledger, function, job, *args, run_id="another")
    if name == "created":
        args = ("its own", Price(5))
    with pytest.raises(StaleJobError):
        again(ledger, function, job, *args)


def test_a_reservation_that_nobody_confirmed_is_not_held_against_the_cap_twice(ledger):
    (job,) = planned(ledger, "a.jpg")
    reserved = move(ledger, transitions.reserve, job, budget(run=5))
    assert again(ledger, transitions.reserve, job, budget(run=5)) == reserved
    assert total(ledger).reserved == 5


def test_a_render_that_is_planned_again_in_one_transaction_is_found_as_it_is(ledger):
    """Its end and its new beginning are two moves of one commit."""
    job = rendering(ledger)
    end = (job, S.FAILED, "no credits", Price(0), "insufficient_credits")
    ended = move(ledger, transitions.ended, *end)
    assert again(ledger, transitions.ended, *end) == stored(ledger, job)
    assert (ended.state, ended.version) == (S.PLANNED, job.version + 2)


def test_an_id_that_is_on_file_is_success_wherever_its_job_has_got_to(ledger):
    """An event may have taken the job further before its worker hears of the commit."""
    job = submitting(ledger)
    created = move(ledger, transitions.created, job, "p", Price(5))
    complete = move(ledger, transitions.complete, created, Price(5))
    assert move(ledger, transitions.created, job, "p", Price(5)) == complete
    assert entries(ledger) == [("reserved", 5), ("reserved", -5), ("charged", 5)]


def test_a_drop_that_nobody_confirmed_is_found(ledger):
    (job,) = planned(ledger, "a.jpg")
    move(ledger, transitions.drop, job, "gone")
    before = history(ledger, job.id)
    again(ledger, transitions.drop, job, "gone")
    assert history(ledger, job.id) == before


@pytest.mark.parametrize("name", [name for name in MOVES if name not in ("refunded", "complete")])
def test_a_move_along_no_arrow_is_a_bug_and_changes_nothing(ledger, name):
    """From done nothing but a rescue leads away."""
    job = move(ledger, transitions.done, job_in(ledger, S.DOWNLOADING))
    _, function, args = MOVES[name]
    before = entries(ledger)
    with pytest.raises((IllegalTransition, StaleJobError)):
        move(ledger, function, job, *args)
    assert entries(ledger) == before


@pytest.mark.parametrize("text", ["half a pair \ud800", "\udcff.jpg is gone", "\x00", "é" * 5000])
@pytest.mark.parametrize("name", ["refused", "not_created", "lost", "ended", "unusable"])
def test_any_text_can_be_a_reason(ledger, name, text):
    """A server's message and a file's name may hold what is no character; the job ends all the same."""
    state, function, args = MOVES[name]
    reason = [text if one == "x" else one for one in args]
    job = job_in(ledger, state)
    assert move(ledger, function, job, *reason).version == job.version + 1
    assert len(stored(ledger, job).error) <= transitions.MAX_TEXT


def test_any_name_can_be_the_reason_of_a_drop(ledger):
    """A photo whose name is no text may be gone when it is its turn."""
    (job,) = planned(ledger, "\udcff.jpg")
    move(ledger, transitions.drop, job, "\udcff.jpg is gone")
    with ledger.reading() as connection:
        assert jobs.get(connection, job.id) is None


@pytest.mark.parametrize("state", [S.SUBMITTING, S.RENDERING, S.DOWNLOADING, S.UNRESOLVED])
def test_no_create_leaves_for_a_key_that_is_not_settled(ledger, state):
    """Another generation of the same photo and background waits, even a forced one."""
    job_in(ledger, state)
    with ledger.transaction("run") as tx:
        other = job_of(tx.connection, plan_one(tx, "b.jpg", content="a.jpg", generation=2))
    before = entries(ledger)
    with pytest.raises(KeyInDoubt):
        move(ledger, transitions.reserve, other, budget())
    assert entries(ledger) == before
    assert stored(ledger, other) == other


def test_a_key_that_is_settled_may_be_paid_again(ledger):
    """--force after a result, or after a failure."""
    move(ledger, transitions.done, job_in(ledger, S.DOWNLOADING))
    with ledger.transaction("run") as tx:
        other = job_of(tx.connection, plan_one(tx, "a.jpg", generation=2))
    assert move(ledger, transitions.reserve, other, budget()).state is S.SUBMITTING


def test_one_key_has_one_job_a_generation(ledger):
    """The database itself refuses a second one."""
    planned(ledger, "a.jpg")
    with pytest.raises(sa.exc.DBAPIError), ledger.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO jobs (id, state, photo_sha256, background_sha256, output_id, treatment, width, height,"
                " run_id, created_at, updated_at) SELECT 'other', state, photo_sha256, background_sha256, output_id,"
                " treatment, width, height, run_id, created_at, updated_at FROM jobs"
            )
        )


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


def test_projects_are_told_apart_by_account(ledger):
    """Two accounts may number theirs alike."""
    rendering(ledger, "a.jpg")
    (job,) = planned(ledger, "b.jpg")
    theirs = move(ledger, transitions.reserve, job, dataclasses.replace(budget(), account="another"))
    assert move(ledger, transitions.created, theirs, "project-a.jpg", Price(5)).state is JobState.RENDERING


def test_the_same_photo_on_another_background_is_another_key(ledger):
    """One in doubt bars its own key alone."""
    move(ledger, transitions.lost, submitting(ledger, "a.jpg"), "timeout")
    with ledger.transaction("run") as tx:
        other = job_of(tx.connection, plan_one(tx, "b.jpg", content="a.jpg", background="ab" * 32))
    assert move(ledger, transitions.reserve, other, budget()).state is JobState.SUBMITTING


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
