import asyncio
import itertools
import random
import selectors
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from batchbg.api.limiter import RateLimiter, Urgency


class LeapingSelector(selectors.DefaultSelector):
    """Lets the time that a loop would sleep pass at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is its own: hours pass in milliseconds."""

    def __init__(self) -> None:
        self.selector = LeapingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(work)


def now() -> float:
    return asyncio.get_running_loop().time()


def most_in_a_second(starts: list[float]) -> int:
    """The largest number of starts in any window of one second."""
    starts = sorted(starts)
    return max(sum(first <= start < first + 1.0 for start in starts[number:]) for number, first in enumerate(starts))


async def take(limiter: RateLimiter, starts: list[float], urgency: Urgency = Urgency.CREATE) -> None:
    await limiter.acquire(urgency)
    starts.append(now())


@pytest.mark.parametrize("rate", [0.5, 1, 2.5, 3, 10, 50])
def test_no_second_holds_more_than_the_rate(rate):
    """However many wait at once, and whenever more arrive."""

    async def work() -> list[float]:
        limiter, draws = RateLimiter(rate), random.Random(1)
        starts: list[float] = []
        tasks = []
        for _ in range(60):
            tasks += [asyncio.create_task(take(limiter, starts)) for _ in range(draws.choice([1, 1, 2, 7]))]
            await asyncio.sleep(draws.choice([0.0, 0.01, 0.3, 1.5]))
        await asyncio.gather(*tasks)
        return starts

    starts = run(work())
    assert most_in_a_second(starts) <= max(1, rate)
    if rate < 1:
        assert all(later - earlier >= 1 / rate for earlier, later in itertools.pairwise(starts))


@pytest.mark.parametrize("rate", [1, 10, 50])
def test_the_rate_is_used(rate):
    """Under load starts come evenly, at nearly the full rate."""

    async def work() -> list[float]:
        limiter = RateLimiter(rate)
        starts: list[float] = []
        await asyncio.gather(*(take(limiter, starts) for _ in range(rate * 10 + 1)))
        return starts

    starts = run(work())
    assert rate * 10 / (starts[-1] - starts[0]) > 0.95 * rate
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert max(gaps) < 2.0 / rate


def test_late_wake_ups_do_not_squeeze_starts_together():
    """A loop that was busy for a while makes up for nothing beyond the rate."""

    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LeapingLoop)
        limiter = RateLimiter(10)
        starts: list[float] = []
        tasks = [asyncio.create_task(take(limiter, starts)) for _ in range(60)]
        for stall in (0.35, 0.9, 0.05, 3.0, 0.5):
            await asyncio.sleep(0.7)
            loop.selector.now += stall
        await asyncio.gather(*tasks)
        return starts

    starts = run(work())
    assert len(starts) == 60
    assert most_in_a_second(starts) <= 10


def test_a_pause_holds_everything_back():
    """Also what comes during it; the longest pause counts."""

    async def work() -> tuple[list[float], float]:
        limiter = RateLimiter(10)
        starts: list[float] = []
        await take(limiter, starts)
        limiter.pause(30)
        limiter.pause(5)
        left = limiter.paused_s
        waiting = [asyncio.create_task(take(limiter, starts)) for _ in range(3)]
        await asyncio.sleep(20)
        waiting.append(asyncio.create_task(take(limiter, starts)))
        await asyncio.gather(*waiting)
        return starts, left

    starts, left = run(work())
    assert left == pytest.approx(30)
    assert starts[0] == 0.0
    assert all(start >= 30 for start in starts[1:])
    assert starts[-1] < 31


def test_a_pause_that_is_prolonged_while_it_is_waited_for_is_kept():
    """A second 429 comes in before the first pause is over."""

    async def work() -> list[float]:
        limiter = RateLimiter(10)
        starts: list[float] = []
        limiter.pause(10)
        task = asyncio.create_task(take(limiter, starts))
        await asyncio.sleep(9)
        limiter.pause(10)
        await task
        return starts

    assert run(work())[0] >= 19


def test_the_urgent_go_first():
    """A create before an upload before a question, deletions last; among equals the first that came."""

    async def work() -> list[str]:
        limiter, order = RateLimiter(10), []

        async def one(name: str, urgency: Urgency) -> None:
            await limiter.acquire(urgency)
            order.append(name)

        await limiter.acquire(Urgency.STATUS)
        names = [
            ("d1", Urgency.DELETE),
            ("s1", Urgency.STATUS),
            ("u1", Urgency.UPLOAD),
            ("c1", Urgency.CREATE),
            ("s2", Urgency.STATUS),
        ]
        names += [("c2", Urgency.CREATE), ("u2", Urgency.UPLOAD)]
        await asyncio.gather(*(one(name, urgency) for name, urgency in names))
        return order

    assert run(work()) == ["c1", "c2", "u1", "u2", "s1", "s2", "d1"]


def test_a_create_that_comes_late_overtakes_the_questions_that_wait():
    """The decision falls when the start is free, not when it was asked for."""

    async def work() -> list[str]:
        limiter, order = RateLimiter(1), []

        async def one(name: str, urgency: Urgency) -> None:
            await limiter.acquire(urgency)
            order.append(name)

        await limiter.acquire(Urgency.STATUS)
        tasks = [asyncio.create_task(one(f"s{number}", Urgency.STATUS)) for number in range(3)]
        await asyncio.sleep(0.5)
        tasks.append(asyncio.create_task(one("c", Urgency.CREATE)))
        await asyncio.gather(*tasks)
        return order

    assert run(work()) == ["c", "s0", "s1", "s2"]


def test_who_is_cancelled_takes_no_start():
    """Neither its own nor anybody else's turn is lost, whoever of them it was."""

    async def work() -> list[float]:
        limiter = RateLimiter(10)
        starts: list[float] = []
        tasks = [asyncio.create_task(take(limiter, starts)) for _ in range(21)]
        await asyncio.sleep(0.05)
        for task in tasks[1:20:2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return starts

    starts = run(work())
    assert len(starts) == 11
    assert starts[-1] < 1.2


def test_when_all_are_cancelled_the_next_one_is_served():
    """No waiting is left behind that would hold it up."""

    async def work() -> float:
        limiter = RateLimiter(10)
        limiter.pause(5)
        tasks = [asyncio.create_task(limiter.acquire(Urgency.CREATE)) for _ in range(5)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await limiter.acquire(Urgency.STATUS)
        return now()

    assert 5.0 <= run(work()) <= 5.5


def test_a_free_start_is_granted_at_once():
    """One who comes alone does not wait."""

    async def work() -> list[float]:
        limiter = RateLimiter(2)
        starts: list[float] = []
        for _ in range(3):
            await take(limiter, starts)
            await asyncio.sleep(5)
        return starts

    assert run(work()) == [0.0, 5.0, 10.0]


@pytest.mark.slow
async def test_on_a_real_clock_no_second_holds_more_than_the_rate():
    """The same on the loop that runs in earnest: however late each wakes up, number 41 is a second after the first."""
    limiter = RateLimiter(40)
    starts: list[float] = []
    began = time.monotonic()

    async def one() -> None:
        await limiter.acquire(Urgency.CREATE)
        starts.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(50)))
    starts.sort()
    assert all(starts[number] - began > number / 40 - 0.05 for number in (40, 45, 49))
