import asyncio

import pytest

from batchbg.errors import ExitCode
from batchbg.pool.stop import Stop


async def answer(value: str) -> str:
    return value


async def test_what_is_awaited_comes_through():
    """Its value, and its own errors: a time-out of its own is none of ours."""
    stop = Stop()
    assert await stop.before_creates_stop(answer("a")) == "a"
    with pytest.raises(TimeoutError):
        await stop.before_creates_stop(asyncio.wait_for(asyncio.Event().wait(), 0))


async def test_a_stop_ends_every_wait_for_it_and_no_other():
    """Whoever waits for renders goes on waiting when creates stop."""
    stop = Stop()
    creating = [asyncio.create_task(stop.before_creates_stop(asyncio.Event().wait())) for _ in range(3)]
    tracking = asyncio.create_task(stop.before_leaving(asyncio.Event().wait()))
    await asyncio.sleep(0)
    stop.creates(ExitCode.CAP, "the cap")
    assert await asyncio.gather(*creating) == [None] * 3
    assert not tracking.done()
    stop.leave(ExitCode.INTERRUPT, "Ctrl-C")
    assert await tracking is None


async def test_what_comes_after_a_stop_is_not_begun():
    """And warns of nothing that was never awaited."""
    stop = Stop()
    stop.creates(ExitCode.CAP, "the cap")
    assert await stop.before_creates_stop(answer("a")) is None


async def test_a_cancellation_from_outside_stays_one():
    """Even where the stop comes in the same turn of the loop."""
    stop = Stop()
    waiting = asyncio.create_task(stop.before_creates_stop(asyncio.Event().wait()))
    await asyncio.sleep(0)
    waiting.cancel()
    stop.creates(ExitCode.CAP, "the cap")
    with pytest.raises(asyncio.CancelledError):
        await waiting
