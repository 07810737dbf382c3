import asyncio
import time

import pytest

from batchbg.api import deadline
from batchbg.api.deadline import RunningDeadline, sleep_running


class Clock:
    """The clock that deadlines read, which a test can let jump."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(deadline, "time", made)
    monkeypatch.setattr(deadline, "TICK_S", 0.01)
    monkeypatch.setattr(deadline, "LAST_READ_S", 0.01)
    return made


async def test_what_makes_no_progress_is_cut_off(clock):
    with pytest.raises(TimeoutError):
        async with RunningDeadline(0.05, 100.0, lambda: 0):
            await asyncio.sleep(100)


async def test_what_takes_too_long_in_all_is_cut_off_although_it_makes_progress(clock):
    async with asyncio.timeout(100):
        with pytest.raises(TimeoutError):
            async with RunningDeadline(100.0, 0.1, lambda: time.monotonic_ns()):
                await asyncio.sleep(200)


async def test_time_in_which_the_process_slept_does_not_count(clock):
    """An hour passes between two looks, as after Ctrl-Z: the answer that comes now is awaited."""
    async with RunningDeadline(30.0, 30.0, lambda: 0):
        await asyncio.sleep(0.02)
        clock.ahead_s += 3600
        await asyncio.sleep(0.05)


async def test_progress_at_the_last_moment_is_seen(clock):
    """What has arrived when the deadline is over is read before it is believed."""
    progress = 0

    def count() -> int:
        return progress

    async with RunningDeadline(0.05, 100.0, count) as running:
        while running._idle_left_s > 0:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        progress = 1
        await asyncio.sleep(0.03)


async def test_a_block_that_ends_in_time_is_left_alone(clock):
    async with RunningDeadline(5.0, 5.0, lambda: 0):
        await asyncio.sleep(0)
    await asyncio.sleep(0.03)


async def test_a_sleep_counts_the_time_that_was_run(clock):
    """A jump of the clock does not end it."""
    sleeping = asyncio.ensure_future(sleep_running(0.2))
    await asyncio.sleep(0.02)
    clock.ahead_s += 3600
    await asyncio.sleep(0.03)
    assert not sleeping.done()
    await asyncio.wait_for(sleeping, 100)
