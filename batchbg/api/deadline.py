"""Deadlines that count the time in which this process ran, and let what has arrived be read first.

A process that is stopped (Ctrl-Z, a laptop asleep) finds every ordinary timeout expired when it goes on, although the
answers it waits for have long arrived.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

TICK_S: Final = 0.5
"""Seconds between two looks; time beyond twice this between two of them has not been spent running."""

LAST_READ_S: Final = 0.1
"""Seconds for which the event loop turns once more before a deadline is believed."""


class RunningDeadline:
    """Ends a block that makes no progress for a time, or takes too long in all, counted while the process runs.

    Used as ``async with``; raises TimeoutError at the end of the block that was cut off.
    """

    def __init__(self, idle_s: float, total_s: float, progress: Callable[[], int]) -> None:
        """Take the seconds without progress, the seconds in all, and a count that rises with progress."""
        self._idle_s = idle_s
        self._total_s = total_s
        self._progress = progress
        self._timeout = asyncio.timeout(None)
        self._seen = -1
        self._idle_left_s = idle_s
        self._total_left_s = total_s

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._ticked_at = time.monotonic()
        self._handle = self._loop.call_later(min(TICK_S, self._idle_s, self._total_s), self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._handle.cancel()
        await self._timeout.__aexit__(kind, error, at)

    def _tick(self) -> None:
        now = time.monotonic()
        ran_s, self._ticked_at = min(now - self._ticked_at, 2 * TICK_S), now
        if (seen := self._progress()) != self._seen:
            self._seen, self._idle_left_s = seen, self._idle_s
        else:
            self._idle_left_s -= ran_s
        self._total_left_s -= ran_s
        left_s = min(self._idle_left_s, self._total_left_s)
        if left_s > 0:
            self._handle = self._loop.call_later(min(TICK_S, left_s), self._tick)
        else:
            self._handle = self._loop.call_later(LAST_READ_S, self._end, seen)

    def _end(self, seen: int) -> None:
        if self._total_left_s > 0 and self._progress() != seen:
            self._tick()
        elif not self._timeout.expired():
            self._timeout.reschedule(self._loop.time())


async def sleep_running(seconds: float) -> None:
    """Sleep for ``seconds`` in which this process runs."""
    left_s, before = seconds, time.monotonic()
    while left_s > 0:
        await asyncio.sleep(min(TICK_S, left_s))
        now = time.monotonic()
        left_s -= min(now - before, 2 * TICK_S)
        before = now
