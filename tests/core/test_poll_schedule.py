import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.backoff import LONGEST_S, pause_s
from batchbg.core.circuit_breaker import MAX_DOUBTS, MAX_ERRORS, MAX_STRANGERS, CircuitBreaker
from batchbg.core.poll_schedule import PollSchedule

# backoff


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (5, 8, 16), (6, 15, 30), (10**6, 15, 30)]
)
def test_pauses_double_up_to_half_a_minute(failures, least, most):
    """With jitter over the upper half, so that workers do not come back together."""
    assert pause_s(failures, draw=0.0) == least
    assert pause_s(failures, draw=1.0) == most
    assert least <= pause_s(failures) <= most


@given(st.integers(1, 50), st.none() | st.floats(0, 3600))
def test_what_the_server_asks_for_is_the_least(failures, asked):
    """A Retry-After is never undercut, and nothing waits beyond both."""
    pause = pause_s(failures, asked)
    assert pause >= (asked or 0)
    assert pause <= max(LONGEST_S, asked or 0)


# brake


def test_the_first_create_of_a_run_goes_alone():
    """Until the record of its project has told the price: its answer may understate."""
    brake = CircuitBreaker()
    assert brake.one_at_a_time
    brake.created()
    assert brake.one_at_a_time
    brake.recorded(of_this_run=False)
    assert brake.one_at_a_time
    brake.recorded()
    assert not brake.one_at_a_time


def test_after_an_answer_in_doubt_one_create_is_in_the_air():
    """Until one yields an id; the record of an earlier one, or its end, is no such thing."""
    brake = CircuitBreaker(price_known=True)
    brake.doubted()
    for heard in (CircuitBreaker.recorded, CircuitBreaker.rendered, CircuitBreaker.failed):
        heard(brake)
        assert brake.one_at_a_time
    brake.created()
    assert not brake.one_at_a_time


def test_three_answers_in_doubt_in_a_row_stop_the_run():
    """An id between them starts the count anew."""
    brake = CircuitBreaker(price_known=True)
    brake.doubted()
    brake.doubted()
    brake.created()
    brake.doubted()
    brake.doubted()
    assert not brake.tripped
    brake.doubted()
    assert "3 creates in a row" in brake.tripped
    assert MAX_DOUBTS == 3


def test_three_strangers_in_a_row_stop_the_run():
    """Each create yields an id, and each id is another's: what they made is not known."""
    brake = CircuitBreaker(price_known=True)
    for _ in range(2):
        brake.created()
        brake.mistaken()
        assert brake.one_at_a_time
    brake.recorded()
    assert not brake.one_at_a_time
    for _ in range(3):
        assert not brake.tripped
        brake.created()
        brake.mistaken()
    assert "another name" in brake.tripped
    assert MAX_STRANGERS == 3


def test_ten_errors_in_a_row_stop_the_run():
    """A render that succeeds between them starts the count anew; creates that are answered do not."""
    brake = CircuitBreaker()
    for _ in range(9):
        brake.failed()
        brake.created()
    brake.rendered()
    for _ in range(9):
        brake.failed()
    assert not brake.tripped
    brake.failed()
    assert "10 jobs in a row" in brake.tripped
    assert MAX_ERRORS == 10


# cadence


def test_nothing_is_known_before_the_first_render():
    """It is asked early, then every half second or less often."""
    cadence = PollSchedule()
    assert cadence.median_s is None
    assert cadence.first_s() == 0.25
    assert cadence.gap_s(1) == 0.5


def test_the_first_question_comes_while_most_renders_are_under_way():
    """Well before the median of what was seen lately."""
    cadence = PollSchedule()
    for seconds in (4.0, 2.0, 60.0):
        cadence.learn(seconds, seconds)
    assert cadence.median_s == 4.0
    assert cadence.first_s() == pytest.approx(2.8)
    for _ in range(200):
        cadence.learn(1.0, 1.0)
    assert cadence.median_s == 1.0


def test_a_render_ended_somewhere_between_two_questions():
    """Its time is not the one at which it was asked about: the next question would come later and later."""
    cadence = PollSchedule()
    cadence.learn(1.0, 2.0)
    assert cadence.median_s == 1.5


def test_renders_that_are_over_when_first_asked_about_are_asked_about_earlier():
    """Until the question no longer costs anything."""
    cadence = PollSchedule()
    for _ in range(1000):
        cadence.learn(0.0, cadence.first_s())
    assert cadence.first_s() < 0.001


@given(st.lists(st.floats(0, 3600), max_size=20), st.integers(1, 10**9))
def test_gaps_grow_and_stay_within_bounds(times, asked):
    """Never closer than 0.25 s or a tenth of a render, never further apart than 10 s or a seventh of one."""
    cadence = PollSchedule()
    for seconds in times:
        cadence.learn(seconds / 2, seconds)
    gap = cadence.gap_s(asked)
    assert max(0.25, (cadence.median_s or 0) / 10) <= gap <= max(10.0, (cadence.median_s or 0) / 7)
    assert cadence.gap_s(asked + 1) >= gap
    assert math.isfinite(cadence.first_s())
