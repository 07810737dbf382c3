import datetime

import pytest

from batchbg.api.limiter import RateLimiter
from batchbg.api.throttling import Throttling
from batchbg.core.create_outcome import Answer

NOW = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(10.0, clock)


@pytest.fixture
def throttling(limiter: RateLimiter) -> Throttling:
    return Throttling(limiter)


def busy(seconds: float, status: int = 429) -> Answer:
    """An answer that asks to come back in ``seconds``."""
    return Answer(status, {"retry-after": str(seconds)}, b"")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_pauses_every_request(throttling: Throttling, limiter: RateLimiter, status: int):
    """For as long as it asks for."""
    throttling.notice(busy(40, status), NOW)
    assert limiter.paused_s == 40


@pytest.mark.parametrize("status", [200, 402, 404, 500, 502])
def test_any_other_answer_pauses_nothing(throttling: Throttling, limiter: RateLimiter, status: int):
    throttling.notice(busy(40, status), NOW)
    assert limiter.paused_s == 0


def test_refusals_in_a_row_pause_longer_each_time(throttling: Throttling, limiter: RateLimiter, clock: Clock):
    """Where the service does not say how long; the least of one pause is the most of the one before."""
    pauses = []
    for _ in range(4):
        throttling.notice(Answer(429, {}, b""), NOW)
        pauses.append(limiter.paused_s)
        clock.now_s += limiter.paused_s + 1
    assert pauses == sorted(pauses)
    assert [low <= pause <= 2 * low for pause, low in zip(pauses, (0.5, 1, 2, 4), strict=True)] == [True] * 4


def test_an_answer_in_between_begins_anew(throttling: Throttling, limiter: RateLimiter, clock: Clock):
    for _ in range(5):
        throttling.notice(Answer(429, {}, b""), NOW)
        clock.now_s += limiter.paused_s + 1
    throttling.notice(Answer(200, {}, b""), NOW)
    throttling.notice(Answer(429, {}, b""), NOW)
    assert limiter.paused_s <= 1


def test_several_refused_together_count_once(throttling: Throttling, limiter: RateLimiter, clock: Clock):
    """They were under way when the first of them paused the rest; only a longer Retry-After changes the pause."""
    for _ in range(20):
        throttling.notice(Answer(429, {}, b""), NOW)
    assert limiter.paused_s <= 1
    throttling.notice(busy(7), NOW)
    assert limiter.paused_s == 7
    clock.now_s += 7
    throttling.notice(Answer(429, {}, b""), NOW)
    assert 1 <= limiter.paused_s <= 2
