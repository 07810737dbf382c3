import itertools

import pytest

from batchbg.core.lifecycle import FINAL, NEXT, PAID, JobState, advance
from batchbg.errors import ExitCode, IllegalTransition

S = JobState

ARROWS = {
    (S.PLANNED, S.SUBMITTING): "reserved and sent",
    (S.PLANNED, S.FAILED): "refused before anything was reserved",
    (S.SUBMITTING, S.RENDERING): "answered with an id",
    (S.SUBMITTING, S.UNRESOLVED): "the answer is lost",
    (S.SUBMITTING, S.PLANNED): "certainly not created",
    (S.RENDERING, S.DOWNLOADING): "complete",
    (S.RENDERING, S.FAILED): "ended in error",
    (S.RENDERING, S.CANCELED): "canceled at the service",
    (S.DOWNLOADING, S.DONE): "the result is on disk",
    (S.DOWNLOADING, S.FAILED): "the result is unusable",
    (S.DOWNLOADING, S.RENDERING): "no longer complete",
    (S.RENDERING, S.UNRESOLVED): "its project is another's",
    (S.DOWNLOADING, S.UNRESOLVED): "its project is another's",
    (S.FAILED, S.PLANNED): "retry of what is not charged",
    (S.FAILED, S.RENDERING): "retry of what is charged",
    (S.CANCELED, S.PLANNED): "retry of what is not charged",
    (S.CANCELED, S.RENDERING): "retry of what is charged",
    (S.UNRESOLVED, S.RENDERING): "resolve with its project id",
    (S.UNRESOLVED, S.FAILED): "resolve as charged",
    (S.UNRESOLVED, S.PLANNED): "resolve as not charged",
}
"""Every arrow there is, by why it is taken."""


def test_the_states_are_those_of_the_contract():
    """Scripts read these words."""
    assert [state.value for state in JobState] == [
        "planned",
        "submitting",
        "rendering",
        "downloading",
        "done",
        "failed",
        "canceled",
        "unresolved",
    ]


@pytest.mark.parametrize(("old", "new"), list(itertools.product(JobState, JobState)))
def test_every_arrow_is_known_and_no_other_exists(old, new):
    """A job moves along the table's arrows; anything else is a bug here and says so."""
    if (old, new) in ARROWS:
        assert advance(old, new) is new
    else:
        with pytest.raises(IllegalTransition, match=f"from {old} to {new}") as caught:
            advance(old, new)
        assert caught.value.exit_code is ExitCode.INTERNAL


def test_the_table_is_complete_and_cannot_be_changed():
    """It has a row for every state."""
    assert set(NEXT) == set(JobState)
    with pytest.raises(TypeError):
        NEXT[S.DONE] = frozenset()  # type: ignore[index]


def test_nothing_is_sent_for_what_is_paid_or_settled():
    """A create leaves from planned alone; what is paid is only tracked, what is final waits for a person."""
    assert [old for old, new in ARROWS if new is S.SUBMITTING] == [S.PLANNED]
    assert {S.RENDERING, S.DOWNLOADING} == PAID
    assert {S.DONE, S.FAILED, S.CANCELED, S.UNRESOLVED} == FINAL
    assert not any(S.PLANNED in NEXT[state] for state in PAID)
