"""A person's word that a result is to be done again: for that result, once, and never while its key is in doubt."""

import pytest

from batchbg.core.failure_codes import NO_CREDITS
from batchbg.core.lifecycle import OPEN, JobState
from batchbg.core.model import KnownJob, Output
from batchbg.core.redo import CHANGED, NEWER, NO_RESULT, Anew, Answer, Before, LeftOut, answer

S = JobState


def job(name: str, state: JobState = S.DONE, generation: int = 1, **changes: object) -> KnownJob:
    values = {
        "id": name,
        "version": 1,
        "state": state,
        "photo_sha256": "photo",
        "background_sha256": "wall",
        "generation": generation,
        "output_id": 1,
        "order_id": None,
        "run_id": "run",
        "output_folder_id": 1,
        "photo_folder_id": 2,
        "photo_path": "a.jpg",
        "error": "",
        "error_code": "",
    }
    return KnownJob(**(values | changes))  # type: ignore[arg-type]


def output(saved: str | None = "old", wanted: str | None = "old") -> Output:
    return Output(1, 1, "a.png", 2, "a.jpg", wanted, saved, "photo", "digest", 9)


def of(place: Output, *jobs: KnownJob) -> Answer:
    return answer(place, sorted(jobs, key=lambda one: -one.generation))


def test_a_result_in_its_place_is_done_anew():
    """With the generation after the last of the same key; what was put on another background is another key."""
    assert of(output(), job("old")) == Anew(2)
    assert of(output(), job("old"), job("later", S.FAILED, 3)) == Anew(4)
    assert of(output(), job("old"), job("other", S.DONE, 7, background_sha256="beach")) == Anew(2)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_what_is_planned_or_under_way_is_not_planned_twice(state: JobState):
    """Whether it is for this place or for another; a job that nobody has asked for becomes a redo."""
    redo = job("new", state, 2, redo_of="old")
    assert of(output(wanted="new"), job("old"), redo) == Before("new", adopts=False)
    assert of(output(), job("old"), redo) == Before("new", adopts=False)
    assert of(output(wanted="new"), job("old"), job("new", state, 2)) == Before("new", adopts=True)
    assert of(output(wanted="new"), job("old"), job("new", state, 1, background_sha256="beach")) == Before("new", True)


def test_a_key_in_doubt_is_left_alone():
    """By whatever way it is asked for; another key is not in doubt."""
    doubt = job("new", S.UNRESOLVED, 2, redo_of="old")
    for place in (output(), output(wanted="new"), output(saved=None, wanted="new")):
        found = of(place, job("old"), doubt)
        assert isinstance(found, LeftOut)
        assert "job new for it may be paid for already" in found.reason
    assert of(output(), job("old"), job("new", S.UNRESOLVED, 2, background_sha256="beach")) == Anew(2)


def test_a_job_that_came_to_nothing_is_for_retry():
    """But for one that is planned again by itself."""
    for state in (S.FAILED, S.CANCELED):
        found = of(output(wanted="new"), job("old"), job("new", state, 2, redo_of="old"))
        assert found == LeftOut(f"job new, which was to do it again, is {state}: `batchbg retry new`")
    refunded_soon = job("new", S.FAILED, 2, redo_of="old", error_code=NO_CREDITS)
    assert of(output(wanted="new"), job("old"), refunded_soon) == Before("new", adopts=False)


def test_what_has_no_result_or_another_picture_is_told_apart():
    assert of(output(saved=None, wanted="old"), job("old", S.FAILED)) == LeftOut(NO_RESULT)
    assert of(output(saved=None, wanted=None)) == LeftOut(NO_RESULT)
    assert of(output(wanted="of another picture"), job("old")) == LeftOut(CHANGED)
    assert of(output(wanted="new"), job("old"), job("new", S.DONE, 2, redo_of="old")) == LeftOut(NEWER)
