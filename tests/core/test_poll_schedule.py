import itertools
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.backoff import LONGEST_S, pause_s
from batchbg.core.circuit_breaker import MAX_DOUBTS, MAX_ERRORS, MAX_STRANGERS, CircuitBreaker
from batchbg.core.poll_schedule import STEPS, PollSchedule, best_ages_s
from tests.support.tiers import rest_slow

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


# when to ask


def asked_about(schedule: PollSchedule, render_s: float) -> tuple[int, float]:
    """Follow a render to its end, and learn from it; return the number of questions and the idle seconds."""
    age_s, last_s, asked = schedule.first_s(), 0.0, 1
    while age_s < render_s:
        last_s, age_s = age_s, age_s + schedule.gap_s(age_s, asked)
        asked += 1
    schedule.learn(last_s, age_s)
    return asked, age_s - render_s


def over_many(spread: float, median_s: float = 4.0, number: int = 1500) -> tuple[float, float]:
    """Return questions a render and the share of time that a place is not idle, for lognormal render times."""
    draw = random.Random(1)
    schedule = PollSchedule()
    renders_s = [median_s * math.exp(draw.gauss(0, spread)) for _ in range(number)]
    met = [asked_about(schedule, render_s) for render_s in renders_s]
    settled = slice(number // 5, None)  # once it has learned
    busy_s, idle_s = sum(renders_s[settled]), sum(idle for _, idle in met[settled])
    return statistics.fmean(asked for asked, _ in met[settled]), busy_s / (busy_s + idle_s)


@pytest.mark.parametrize(
    ("spread", "most_questions", "least_busy"),
    rest_slow([(0.1, 2.8, 0.94), (0.4, 4.1, 0.905), (0.02, 2.4, 0.96), (0.2, 3.3, 0.925), (0.6, 4.7, 0.89)], 2),
)
def test_the_less_render_times_spread_the_fewer_questions_and_the_less_idle_time(spread, most_questions, least_busy):
    questions, busy = over_many(spread)
    assert questions <= most_questions
    assert busy >= least_busy


def test_a_service_that_got_quicker_is_asked_earlier():
    """Renders that are over at the first question say only that they were quicker than that."""
    schedule = PollSchedule()
    for render_s in [60.0] * 20 + [0.5] * 1000:
        asked_about(schedule, render_s)
    assert schedule.first_s() < 0.75
    assert schedule.median_s == pytest.approx(0.5, rel=0.5)


def test_two_kinds_of_renders_are_asked_about_when_each_of_them_ends():
    """Small photos after 2 s, large ones after 60: nothing between is worth a question a second."""
    schedule = PollSchedule()
    met = [asked_about(schedule, render_s) for render_s in [2.0, 60.0] * 400][200:]
    assert statistics.fmean(asked for asked, _ in met) < 7
    assert statistics.fmean(idle for _, idle in met) < 4


def test_nothing_is_known_before_the_first_render():
    """It is asked early, then every half second or less often."""
    schedule = PollSchedule()
    assert schedule.median_s is None
    assert schedule.first_s() == 0.25
    assert schedule.gap_s(0.25, 1) == 0.5
    assert schedule.gap_s(1e9, 10**9) == 10.0


def test_a_render_ended_somewhere_between_two_questions():
    """Its time is not the one at which it was asked about: the next question would come later and later."""
    schedule = PollSchedule()
    schedule.learn(1.0, 2.0)
    assert schedule.median_s == 1.5


@pytest.mark.slow
def test_renders_that_are_over_when_first_asked_about_are_asked_about_earlier():
    """Until the question no longer costs anything."""
    schedule = PollSchedule()
    for _ in range(10_000):
        schedule.learn(0.0, schedule.first_s())
    assert schedule.first_s() < 0.1


@given(
    st.lists(st.tuples(st.floats(0, 3600), st.floats(0, 3600)), max_size=40),
    st.floats(0, 10_000),
    st.integers(1, 10**9),
)
def test_it_never_asks_more_often_than_it_may_nor_stops_asking(renders, age_s, asked):
    """Never closer than 0.25 s; past all that was seen within 10 s or a seventh of the longest render."""
    schedule = PollSchedule()
    for one, other in renders:
        schedule.learn(min(one, other), max(one, other))
    longest_s = max((max(render) for render in renders), default=0.0)
    assert 0 <= schedule.first_s() <= max(0.25, longest_s * 1.01)
    gap_s = schedule.gap_s(age_s, asked)
    assert 0.25 <= gap_s <= max(10.0, longest_s * 1.01)
    if age_s > longest_s:
        assert gap_s <= max(10.0, longest_s / 7)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 100)), min_size=1, max_size=30), st.floats(0.001, 10))
def test_the_ages_at_which_it_asks_are_the_best_there_are(renders, cost_s):
    """No age left out, added or moved would make it cheaper."""
    ended = [(min(render), max(render)) for render in renders]
    ages = best_ages_s(ended, cost_s)
    assert ages == sorted(set(ages))
    assert ages[-1] >= max(seen for _, seen in ended) * 0.999
    cheapest = expected_cost_s(ages, ended, cost_s)
    latest = ages[-1]
    for number in range(len(ages) - 1):
        assert expected_cost_s(ages[:number] + ages[number + 1 :], ended, cost_s) >= cheapest - 1e-6 * latest
    more = sorted({*ages, latest / 2})
    # A question between two steps of the grid may save what a step is worth.
    assert expected_cost_s(more, ended, cost_s) >= cheapest - latest / STEPS


def expected_cost_s(ages: list[float], ended: list[tuple[float, float]], cost_s: float) -> float:
    """Return what asking at these ages costs a render that ends as one of these did: its questions and its idle time."""
    total = 0.0
    for start, end in ended:
        for number, (earlier, age) in enumerate(itertools.pairwise([0.0, *ages]), start=1):
            first, last = max(start, earlier), min(end, age)
            if start == end:
                if earlier < start <= age or (number == 1 and start == 0):
                    total += number * cost_s + age - start
            elif first < last:
                share = (last - first) / (end - start)
                total += share * (number * cost_s + age - (first + last) / 2)
    return total / len(ended)
