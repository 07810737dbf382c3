import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.event_flow import LEAST_LOST, LOST_AT_FIRST, EventFlow
from batchbg.core.poll_schedule import BLIND_FIRST_S, BLIND_TOLD_S, PollSchedule


def flow_of(*ends: bool) -> EventFlow:
    """Return what is learnt where an event told of these ends, or did not."""
    flow = EventFlow()
    flow.received = True
    for told in ends:
        flow.told() if told else flow.missed()
    return flow


def after(flow: EventFlow, *, told: int, missed: int) -> EventFlow:
    for _ in range(told):
        flow.told()
    for _ in range(missed):
        flow.missed()
    return flow


def test_where_nobody_receives_them_no_events_come():
    """Whatever was learnt."""
    flow = flow_of(True, True)
    flow.received = False
    assert (flow.comes, flow.lost) == (False, 1.0)


def test_where_somebody_receives_them_they_are_expected():
    assert (flow_of().comes, flow_of().lost) == (True, LOST_AT_FIRST)


def test_one_end_that_no_event_told_of_is_enough_at_first():
    """A receiver whose address nobody has registered; from then on it is asked as without one."""
    flow = flow_of(False)
    assert (flow.comes, flow.lost) == (False, 1.0)


def test_events_that_stop_are_noticed_and_so_is_that_they_come_again():
    """A single one that is lost changes little."""
    flow = flow_of(*[True] * 50, False)
    assert flow.comes
    assert not after(flow, told=0, missed=7).comes
    assert after(flow, told=10, missed=0).comes


@given(st.lists(st.booleans(), max_size=200))
def test_it_is_a_share(ends):
    flow = flow_of(*ends)
    assert LEAST_LOST <= flow.lost <= 1.0
    assert flow.comes is (flow.lost <= 0.5)


def test_before_the_first_end_is_known_it_is_waited_for():
    assert PollSchedule(flow_of()).first_s() == BLIND_TOLD_S
    assert PollSchedule(flow_of(False)).first_s() == BLIND_FIRST_S


def met(spread: float, lost: float, number: int = 800) -> tuple[float, float]:
    """Return questions a render, that for its record included, and idle time by render time, for lognormal times."""
    draw, flow = random.Random(1), flow_of()
    schedule, questions, idle = PollSchedule(flow), [], []
    for _ in range(number):
        render_s, is_told = 4.0 * math.exp(draw.gauss(0, spread)), draw.random() >= lost
        age_s, asked = schedule.first_s(), 0
        while age_s < render_s:
            asked += 1
            age_s += schedule.gap_s(age_s, asked)
        flow.told() if is_told else flow.missed()
        end_s = render_s if is_told else age_s
        schedule.learn(render_s, end_s)
        questions.append(asked + 1)
        idle.append(end_s - render_s)
    settled = slice(number // 5, None)  # once it has learned
    return statistics.fmean(questions[settled]), statistics.fmean(idle[settled]) / 4.0


@pytest.mark.parametrize(
    ("spread", "lost", "most_questions", "most_idle"),
    [(0.1, 0.0, 1.05, 0.0), (0.4, 0.0, 1.1, 0.0), (0.4, 0.02, 1.2, 0.03), (0.4, 0.1, 1.6, 0.06), (0.4, 1.0, 4.1, 0.2)],
)
def test_the_fewer_events_are_lost_the_fewer_questions_are_asked(spread, lost, most_questions, most_idle):
    """With events one a render, without them as ever; and those of which no event told are not waited for long."""
    questions, idle = met(spread, lost)
    assert questions <= most_questions
    assert idle <= most_idle
