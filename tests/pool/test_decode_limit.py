import asyncio
import contextlib

import pytest

from batchbg.core.model import Size
from batchbg.pool.decode_limit import DecodeLimit

SMALL = Size(10, 10)
LARGE = Size(100, 100)


class Work:
    """Holds pictures open until told to close them."""

    def __init__(self, limit: DecodeLimit) -> None:
        self.limit = limit
        self.open: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, size: Size) -> None:
        self.tasks[name] = asyncio.create_task(self._hold(name, size))
        await asyncio.sleep(0)

    async def _hold(self, name: str, size: Size) -> None:
        async with self.limit.open(size):
            self.open.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.open.remove(name)

    async def end(self, name: str) -> None:
        task = self.tasks.pop(name)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)


@pytest.fixture
def work() -> Work:
    return Work(DecodeLimit(at_once=2, most_pixels=5_000))


async def test_so_many_at_once(work: Work):
    """The third begins when one ends."""
    for name in "abc":
        await work.begin(name, SMALL)
    assert work.open == ["a", "b"]
    await work.end("a")
    assert work.open == ["b", "c"]


async def test_a_picture_larger_than_all_that_is_allowed_goes_alone(work: Work):
    """Neither is it left out, nor does it begin beside another."""
    await work.begin("small", SMALL)
    await work.begin("large", LARGE)
    assert work.open == ["small"]
    await work.end("small")
    assert work.open == ["large"]
    await work.begin("next", SMALL)
    assert work.open == ["large"]
    await work.end("large")
    assert work.open == ["next"]


async def test_a_large_one_is_not_overtaken_for_ever(work: Work):
    """Small ones that come later wait behind it."""
    await work.begin("first", SMALL)
    await work.begin("large", LARGE)
    await work.begin("later", SMALL)
    assert work.open == ["first"]


async def test_who_gives_up_waiting_takes_no_room(work: Work):
    """Cancelled before its turn, and in the very moment of it."""
    for name in "abc":
        await work.begin(name, SMALL)
    await work.end("c")
    await work.begin("d", SMALL)
    work.tasks["a"].cancel()  # d's turn comes with this
    work.tasks["d"].cancel()
    await asyncio.wait(work.tasks.values(), timeout=0.1)
    await work.begin("e", SMALL)
    assert work.open == ["b", "e"]
