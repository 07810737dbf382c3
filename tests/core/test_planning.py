import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.lifecycle import JobState
from batchbg.core.model import KnownJob, Output
from batchbg.core.planning import (
    DONE_BEFORE,
    FAILED_BEFORE,
    LOST,
    UNKNOWN_FILE,
    UNRESOLVED,
    Action,
    Decision,
    Facts,
    decide,
)

S = JobState
UNDER_WAY = (S.SUBMITTING, S.RENDERING, S.DOWNLOADING)
MINE, OTHERS = 1, 2
RUN, EARLIER = "this run", "an earlier run"
ORDER = "this order"


def job(state: JobState, *, name: str = "j1", background: str = "bg", output: int = MINE, **more: Any) -> KnownJob:
    values: dict[str, Any] = {
        "version": 1,
        "photo_sha256": "photo",
        "generation": 1,
        "order_id": None,
        "run_id": EARLIER,
        "output_folder_id": 1,
        "photo_folder_id": 1,
        "photo_path": "a.jpg",
        "error": "",
        "error_code": "",
    }
    return KnownJob(id=name, state=state, background_sha256=background, output_id=output, **{**values, **more})


def owned(
    wanted: str | None = None, saved: str | None = None, content: str | None = None, number: int = MINE
) -> Output:
    return Output(number, 1, "a.png", 1, "a.jpg", wanted, saved, content, "r" if saved else None, 1 if saved else None)


def facts(*jobs: KnownJob, **more: Any) -> Facts:
    values: dict[str, Any] = {
        "contents": ("photo",),
        "background_sha256": "bg",
        "output": None,
        "here": (),
        "jobs": jobs,
        "planned_for_output": "",
        "taken": False,
        "force": False,
        "order_id": ORDER if more.get("force") else None,
        "run_id": RUN,
    }
    return Facts(**{**values, **more})


def new(generation: int = 1, *, drop: tuple[str, ...] = (), replace: bool = False) -> Decision:
    return Decision(Action.NEW, generation=generation, drop=drop, replace=replace)


def skip(reason: str, drop: tuple[str, ...] = ()) -> Decision:
    return Decision(Action.SKIP, reason=reason, drop=drop)


# New work and what is done


def test_a_photo_nobody_knows_is_new_work():
    """The first generation of its key."""
    assert decide(facts()) == new()


def test_a_photo_with_a_result_is_done_whatever_pairing_would_choose_today():
    """A new or edited background makes no new work; neither does a job of another background."""
    done = owned("j1", "j1", "photo")
    assert decide(facts(job(S.DONE), output=done)) == skip(DONE_BEFORE)
    assert decide(facts(job(S.DONE), output=done, background_sha256="new")) == skip(DONE_BEFORE)
    assert decide(facts(job(S.DONE), output=done, taken=True)) == skip(DONE_BEFORE)


def test_a_changed_photo_is_new_work():
    """The output holds the result of the photo's former bytes."""
    assert decide(facts(output=owned("j0", "j0", "former bytes"))) == new()


def test_a_photo_that_went_back_to_its_former_bytes_gets_the_former_result():
    """What is paid for is not paid again; the output wants another job's result at present."""
    facts_then = facts(job(S.DONE), output=owned("j9", "j9", "other bytes"))
    assert decide(facts_then) == Decision(Action.COPY, "j1")


def test_a_second_path_with_the_same_content_gets_a_copy():
    """A result of this content stands in this output folder, on whatever background."""
    there = owned("j1", "j1", "photo", OTHERS)
    assert decide(facts(job(S.DONE, output=OTHERS), here=(there,))) == Decision(Action.COPY, "j1")
    assert decide(facts(job(S.DONE), here=(there,), background_sha256="new")) == Decision(Action.COPY, "j1")


def test_another_output_folder_gets_a_copy_of_the_same_key():
    """A key is paid for once, however many output folders want it."""
    assert decide(facts(job(S.DONE, output=OTHERS, output_folder_id=9))) == Decision(Action.COPY, "j1")


def test_another_output_folder_on_another_background_is_new_work():
    """There the key is another one."""
    assert decide(facts(job(S.DONE, output=OTHERS, output_folder_id=9), background_sha256="new")) == new()


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"here": (owned("j1", "j1", "photo", OTHERS),)},
        {"output": owned("j9", "j9", "other bytes")},
        {},
    ],
    ids=["in this folder", "formerly its own", "in another folder"],
)
def test_a_result_that_is_lost_is_neither_copied_nor_paid_again_unasked(elsewhere):
    """It was deleted at the service, and its file is gone; --force is a person's word."""
    known = job(S.DONE, output=OTHERS)
    assert decide(facts(known, **elsewhere)) == Decision(Action.COPY, "j1")
    assert decide(facts(known, lost=frozenset({"j1"}), **elsewhere)) == skip(LOST)
    assert decide(facts(known, lost=frozenset({"j1"}), force=True, **elsewhere)) == new(2, replace=True)


def test_of_two_results_of_one_content_the_one_that_is_there_is_copied():
    """On another background, from another run."""
    here = (owned("j1", "j1", "photo", OTHERS), owned("j2", "j2", "photo", 3))
    found = facts(job(S.DONE, output=OTHERS), job(S.DONE, name="j2", output=3), here=here, lost=frozenset({"j1"}))
    assert decide(found) == Decision(Action.COPY, "j2")


# What is under way


@pytest.mark.parametrize("state", UNDER_WAY)
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("background", ["bg", "new"])
def test_what_is_under_way_goes_on(state, force, background):
    """Neither --force nor another background starts a second create beside it."""
    found = decide(facts(job(state), output=owned("j1"), force=force, background_sha256=background))
    assert found == Decision(Action.TAKE_UP, "j1")


@pytest.mark.parametrize("state", [*UNDER_WAY, S.PLANNED])
@pytest.mark.parametrize("force", [False, True])
def test_what_is_under_way_for_another_path_is_waited_for(state, force):
    """The same key is sent once; this path gets a copy."""
    assert decide(facts(job(state, output=OTHERS), force=force)) == Decision(Action.COPY, "j1")


def test_a_leftover_planned_job_is_kept_where_the_same_pair_is_wanted():
    """A run that ended early left it; this one takes it up."""
    found = decide(facts(job(S.PLANNED), output=owned("j1"), planned_for_output="j1"))
    assert found == Decision(Action.TAKE_UP, "j1")


def test_a_leftover_planned_job_is_dropped_where_another_pair_is_wanted():
    """Nothing was sent for it."""
    found = decide(facts(job(S.PLANNED), output=owned("j1"), planned_for_output="j1", background_sha256="new"))
    assert found == new(drop=("j1",))


def test_a_leftover_planned_job_is_dropped_where_the_photo_has_changed():
    """Its photo is no more."""
    former = job(S.PLANNED, photo_sha256="former")
    assert decide(facts(output=owned(former.id), planned_for_output=former.id)) == new(drop=("j1",))


def test_a_leftover_planned_job_is_dropped_where_the_photo_is_done():
    """Put back to bytes that have a result here."""
    found = decide(facts(output=owned("j1", "j0", "photo"), planned_for_output="j1"))
    assert found == skip(DONE_BEFORE, drop=("j1",))


def test_a_planned_job_whose_photo_is_gone_is_handed_over():
    """A renamed photo is the same key: one job, under its new path."""
    found = decide(facts(job(S.PLANNED, output=OTHERS), gone=frozenset({"j1"})))
    assert found == new(1, drop=("j1",))


@pytest.mark.parametrize("state", [*UNDER_WAY, S.DONE])
def test_a_paid_job_whose_photo_is_gone_serves_the_new_path(state):
    """Only planned jobs are dropped."""
    assert decide(facts(job(state, output=OTHERS))) == Decision(Action.COPY, "j1")


# What only a person settles


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("output", [MINE, OTHERS])
@pytest.mark.parametrize("wanted", [None, "j1"])
@pytest.mark.parametrize("taken", [False, True])
def test_an_unresolved_key_is_left_alone(force, output, wanted, taken):
    """It may be paid for already; --force changes nothing about that."""
    own = owned(wanted) if wanted else None
    found = decide(facts(job(S.UNRESOLVED, output=output), output=own, force=force, taken=taken))
    assert found == skip(UNRESOLVED)


@pytest.mark.parametrize("newer", [S.FAILED, S.CANCELED, S.DONE, S.PLANNED])
@pytest.mark.parametrize("force", [False, True])
def test_an_older_unresolved_generation_bars_the_key_too(newer, force):
    """`retry` of an older job may leave it unresolved while a newer one is settled."""
    both = (job(newer, name="j2", generation=2), job(S.UNRESOLVED, generation=1))
    assert decide(facts(*both, force=force)).action is not Action.NEW
    assert decide(facts(*both, output=owned("j2"), force=force)).action is not Action.NEW
    if newer is S.PLANNED:
        assert decide(facts(*both, force=force, gone=frozenset({"j2"}))).action is not Action.NEW


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELED])
@pytest.mark.parametrize("own", [True, False])
def test_what_failed_is_left_for_retry(state, own):
    """No run pays again by itself for what failed."""
    found = decide(facts(job(state, output=MINE if own else OTHERS), output=owned("j1") if own else None))
    assert found == skip(FAILED_BEFORE)


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELED])
def test_what_failed_does_not_bar_other_content(state):
    """A changed photo is new work although its former bytes failed."""
    former = job(state, photo_sha256="former")
    assert decide(facts(output=owned(former.id))) == new()


# A file the ledger does not know


def test_a_file_that_is_not_ours_bars_its_name():
    """Nothing is paid for where the result could not be put."""
    assert decide(facts(taken=True)) == skip(UNKNOWN_FILE)
    found = decide(facts(job(S.PLANNED), output=owned("j1"), planned_for_output="j1", taken=True))
    assert (found.action, found.reason) == (Action.SKIP, UNKNOWN_FILE)


def test_force_pays_and_replaces_a_file_that_is_not_ours():
    """A person said so."""
    assert decide(facts(taken=True, force=True)) == new(replace=True)


# --force


def test_force_makes_a_new_generation_of_what_is_done():
    """Each --force is one more payment for the same key."""
    found = decide(facts(job(S.DONE, generation=3), output=owned("j1", "j1", "photo"), force=True))
    assert found == new(4, replace=True)


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELED])
def test_force_tries_again_what_failed(state):
    """As a new generation: the failed one may still be charged."""
    assert decide(facts(job(state), output=owned("j1"), force=True)) == new(2, replace=True)


def test_force_pays_once_for_one_key_in_one_run():
    """The second path with the same content shares the job that the first one made in this run."""
    mine = job(S.PLANNED, name="j2", generation=2, run_id=RUN, order_id=ORDER, output=OTHERS)
    older = job(S.DONE, generation=1)
    assert decide(facts(mine, older, output=owned("j1", "j1", "photo"), force=True)) == Decision(Action.COPY, "j2")
    done = dataclasses.replace(mine, state=S.DONE)
    assert decide(facts(done, older, output=owned("j1", "j1", "photo"), force=True)) == Decision(Action.COPY, "j2")


def test_force_takes_up_a_job_it_planned_before():
    """A forced run that was killed goes on; it does not pay a second time."""
    forced = job(S.PLANNED, generation=2)
    found = decide(facts(forced, output=owned("j1", "j0", "photo"), planned_for_output="j1", force=True))
    assert found == Decision(Action.TAKE_UP, "j1")


def test_an_order_is_carried_out_once():
    """A forced run that was killed, or stopped by a cap, goes on with what is left; what it has done is done."""
    forced = job(S.DONE, generation=2, order_id=ORDER, run_id=EARLIER)
    assert decide(facts(forced, output=owned("j1", "j1", "photo"), force=True)) == skip(DONE_BEFORE)
    not_saved = owned("j1", "j0", "photo")
    assert decide(facts(forced, output=not_saved, force=True)) == Decision(Action.COPY, "j1")
    failed = dataclasses.replace(forced, state=S.FAILED)
    assert decide(facts(failed, output=not_saved, force=True)) == skip(FAILED_BEFORE)
    another = dataclasses.replace(forced, order_id="an earlier order")
    assert decide(facts(another, output=owned("j1", "j1", "photo"), force=True)) == new(3, replace=True)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("code", ["insufficient_credits", "invalid_image_path"])
def test_what_waits_for_its_refund_goes_on(force, code):
    """The fault was not the photo's: it is planned again as soon as the service has given the credits back."""
    waiting = job(S.FAILED, error_code=code)
    assert decide(facts(waiting, output=owned("j1"), force=force)) == Decision(Action.TAKE_UP, "j1")
    assert decide(facts(dataclasses.replace(waiting, output_id=OTHERS), force=force)) == Decision(Action.COPY, "j1")


# Every combination


def everything() -> st.SearchStrategy[Facts]:
    jobs = st.lists(
        st.builds(
            job,
            st.sampled_from(list(JobState)),
            background=st.sampled_from(["bg", "new", ""]),
            output=st.sampled_from([MINE, OTHERS]),
            run_id=st.sampled_from([RUN, EARLIER]),
            order_id=st.sampled_from([ORDER, None]),
            error_code=st.sampled_from(["", "insufficient_credits"]),
        ),
        max_size=4,
    ).map(number)
    return jobs.flatmap(facts_about)


def number(jobs: list[KnownJob]) -> list[KnownJob]:
    """Give every job a name and its generation among those of its key, newest first."""
    older: dict[str, itertools.count[int]] = {}
    named = []
    for place, one in enumerate(jobs):
        generation = next(older.setdefault(one.background_sha256, itertools.count(1)))
        named.append(dataclasses.replace(one, id=f"j{place}", generation=generation))
    return sorted(named, key=lambda one: -one.generation)


def facts_about(jobs: list[KnownJob]) -> st.SearchStrategy[Facts]:
    ids = st.sampled_from(["", *(one.id for one in jobs)])
    names = ids.map(lambda name: name or None)
    contents = st.sampled_from(["photo", "former", None])
    planned = [one.id for one in jobs if one.state is S.PLANNED]
    return st.builds(
        facts,
        *map(st.just, jobs),
        background_sha256=st.sampled_from(["bg", "new"]),
        output=st.none() | st.builds(owned, names, names, contents),
        here=st.just(()) | st.builds(owned, names, names, st.just("photo"), st.just(OTHERS)).map(lambda one: (one,)),
        planned_for_output=st.sampled_from(["", *planned]),
        taken=st.booleans(),
        force=st.booleans(),
        gone=st.sets(st.sampled_from(planned)).map(frozenset) if planned else st.just(frozenset()),
    )


@given(everything())
def test_no_decision_pays_for_a_key_that_is_not_settled(known):
    """New work never goes beside an unresolved or running job of its key, and never onto a generation that exists."""
    found = decide(known)
    same_key = [one for one in known.jobs if one.background_sha256 == known.background_sha256]
    if found.action is Action.NEW:
        unsettled = [one for one in same_key if one.state in (*UNDER_WAY, S.UNRESOLVED)]
        assert not unsettled
        assert all(one.generation != found.generation for one in same_key if one.id not in found.drop)
        assert known.force or known.output is None or known.output.saved_photo_sha256 not in known.contents
        assert known.force or not known.taken or found.drop
        assert found.replace is known.force


@given(everything())
def test_only_planned_jobs_are_dropped_and_never_the_one_that_is_wanted(known):
    """A job that was sent is never taken out of the ledger."""
    found = decide(known)
    planned = {one.id for one in known.jobs if one.state is S.PLANNED} | {known.planned_for_output}
    assert set(found.drop) <= planned
    assert found.job_id not in found.drop
    assert (found.action in (Action.TAKE_UP, Action.COPY)) or found.job_id == ""
    assert bool(found.reason) is (found.action is Action.SKIP)


# What the pool has seen to while the plan was made


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("state", [S.DONE, S.FAILED, S.CANCELED, S.UNRESOLVED])
def test_what_this_run_brought_to_an_end_before_the_plan_came_to_it_is_this_run_s(state, force):
    """Neither done nor failed before, nor paid for a second time."""
    mine = job(state, run_id=RUN)
    met = facts(mine, output=owned("j1", "j1" if state is S.DONE else None, "photo"), awaited=True, force=force)
    assert decide(met) == Decision(Action.TAKE_UP, "j1")


def test_what_an_earlier_run_brought_to_an_end_was_done_before():
    """Also where the output was empty when this one began, and where it was not and the job is this run's."""
    held = owned("j1", "j1", "photo")
    assert decide(facts(job(S.DONE), output=held, awaited=True)) == skip(DONE_BEFORE)
    assert decide(facts(job(S.DONE, run_id=RUN), output=held)) == skip(DONE_BEFORE)


def test_a_copy_that_came_while_the_plan_was_made_is_a_copy():
    """Of another path's job; one that did not come yet is one to be made."""
    others = job(S.DONE, output=OTHERS, run_id=RUN)
    assert decide(facts(others, output=owned("j1", "j1", "photo"), awaited=True)) == Decision(Action.COPY, "j1")
    forced = facts(others, output=owned("j1", "j1", "photo"), awaited=True, force=True)
    assert decide(forced) == Decision(Action.COPY, "j1")
    assert decide(facts(others, output=owned("j1"), awaited=True, force=True)).action is Action.NEW


def test_a_failed_job_of_the_same_order_is_not_begun_again_by_it():
    """The order has had its try; a person's `retry` is another."""
    tried = job(S.FAILED, order_id=ORDER)
    assert decide(facts(tried, output=owned("j1"), force=True)) == skip(FAILED_BEFORE)
    assert decide(facts(job(S.FAILED), output=owned("j1"), force=True)).action is Action.NEW


# -- what a person wants done again ---------------------------------------------------------------------------------


def redo(state: JobState, **more: Any) -> KnownJob:
    return job(state, name="new", redo_of="old", generation=2, **more)


def held(wanted: str = "new") -> Output:
    return owned(wanted, "old", "photo")


@pytest.mark.parametrize("background", ["bg", "another"])
def test_a_redo_goes_on_whatever_pairing_would_choose(background: str):
    """The old result is in its place, and yet the photo is not done; a copy of it waits for the new one."""
    for state in (S.PLANNED, *UNDER_WAY):
        known = (redo(state, background=background), job(S.DONE, name="old"))
        planned = "new" if state is S.PLANNED else ""
        assert decide(facts(*known, output=held(), planned_for_output=planned)) == Decision(Action.TAKE_UP, "new")
        copied = dataclasses.replace(held(), id=OTHERS)
        assert decide(facts(*known, output=copied)) == Decision(Action.COPY, "new")


def test_a_job_that_nobody_asked_for_does_not():
    """What --force planned and did not create is dropped without it, as before."""
    known = (job(S.PLANNED, name="new", generation=2), job(S.DONE, name="old"))
    decided = decide(facts(*known, output=held(), planned_for_output="new"))
    assert decided == Decision(Action.SKIP, reason=DONE_BEFORE, drop=("new",))


def test_a_redo_that_is_over_leaves_the_photo_done():
    """With the old result, where it came to nothing; one that may be paid for waits for a person's word."""
    old = job(S.DONE, name="old")
    for state in (S.FAILED, S.CANCELED):
        assert decide(facts(redo(state), old, output=held())) == Decision(Action.SKIP, reason=DONE_BEFORE)
    assert decide(facts(redo(S.UNRESOLVED), old, output=held())) == Decision(Action.SKIP, reason=UNRESOLVED)
    assert decide(facts(redo(S.DONE), old, output=owned("new", "new", "photo"))).reason == DONE_BEFORE
    waiting = dataclasses.replace(held(), id=OTHERS)
    assert decide(facts(redo(S.DONE), old, output=waiting)) == Decision(Action.COPY, "new")


def test_force_takes_a_redo_up_and_overrules_it_with_another_background():
    """One render serves both words where it can; else the later one counts."""
    old = job(S.DONE, name="old")
    forced: dict[str, Any] = {"output": held(), "planned_for_output": "new", "force": True, "order_id": ORDER}
    assert decide(facts(redo(S.PLANNED), old, **forced)) == Decision(Action.TAKE_UP, "new")
    decided = decide(facts(redo(S.PLANNED, background="another"), old, **forced))
    assert (decided.action, decided.drop) == (Action.NEW, ("new",))
