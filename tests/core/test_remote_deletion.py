import itertools

import pytest

from batchbg.core.lifecycle import JobState
from batchbg.core.remote_deletion import Facts, Found, Kept, why_kept

SAME, CHANGED, MISSING = Found.SAME, Found.CHANGED, Found.MISSING


@pytest.mark.parametrize("found", [(SAME,), (SAME, SAME, SAME)], ids=len)
def test_what_is_on_disk_as_it_was_saved_may_go(found: tuple[Found, ...]):
    """The result, and every copy of it."""
    assert why_kept(Facts(JobState.DONE, shared=False, awaited=False, found=found)) is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ((), Kept.REPLACED),
        ((MISSING,), Kept.MISSING),
        ((CHANGED,), Kept.CHANGED),
        ((SAME, CHANGED), Kept.CHANGED),
        ((SAME, CHANGED, MISSING), Kept.MISSING),
    ],
    ids=str,
)
def test_one_place_that_is_not_as_it_was_saved_keeps_it(found: tuple[Found, ...], why: Kept):
    """A person may want it fetched again."""
    assert why_kept(Facts(JobState.DONE, shared=False, awaited=False, found=found)) is why


def test_nothing_goes_but_what_nobody_needs():
    """Whatever comes together: only of a done job, with no copy to come, no other job and no file that differs."""
    places = [(), (SAME,), (CHANGED,), (MISSING,), (SAME, SAME), (SAME, CHANGED), (SAME, MISSING)]
    goes = []
    for state, shared, awaited, found in itertools.product(JobState, (False, True), (False, True), places):
        facts = Facts(state, shared=shared, awaited=awaited, found=found)
        if why_kept(facts) is None:
            goes.append(facts)
    assert goes == [Facts(JobState.DONE, False, False, (SAME,)), Facts(JobState.DONE, False, False, (SAME, SAME))]
