"""When the next request to the API host may leave: one place for all workers."""

import asyncio
import collections
import enum
import heapq
import itertools
from collections.abc import Callable
from typing import Final

MARGIN: Final = 1.02
"""The window is kept this much longer than a second, so that the network's jitter does not squeeze a request into it."""


class Urgency(enum.IntEnum):
    """Who goes first when several wait: a create keeps a place rendering, a poll only learns, a deletion has time."""

    CREATE = 0
    UPLOAD = 1
    STATUS = 2
    DELETE = 3


class RateLimiter:
    """Grants starts evenly, never more than ``rate`` of them in any second.

    Starts are spaced by 1/rate, and besides no window of a second holds more than ``rate``, however late the event
    loop woke some of them. ``pause`` holds all of them back together.
    """

    def __init__(self, rate: float, clock: Callable[[], float] | None = None) -> None:
        """Take the rate in starts a second, and a clock in seconds in place of the event loop's."""
        self._spacing_s = MARGIN / rate
        self._recent: collections.deque[float] = collections.deque(maxlen=max(1, int(rate)))
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._next_s = 0.0
        self._paused_until_s = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._granting: asyncio.Task[None] | None = None

    async def acquire(self, urgency: Urgency) -> None:
        """Return when this request may leave; it has to leave at once."""
        if not self._waiting and self._delay_s() <= 0:
            self._take()
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), granted))
        if self._granting is None or self._granting.done():
            self._granting = asyncio.create_task(self._grant())
        await granted

    def pause(self, seconds: float) -> None:
        """Let nothing leave for ``seconds``; a longer pause that is under way stays."""
        self._paused_until_s = max(self._paused_until_s, self._clock() + seconds)

    @property
    def paused_s(self) -> float:
        """Seconds for which nothing will leave."""
        return max(0.0, self._paused_until_s - self._clock())

    def _delay_s(self) -> float:
        allowed = max(self._next_s, self._paused_until_s)
        if len(self._recent) == self._recent.maxlen:
            allowed = max(allowed, self._recent[0] + MARGIN)
        return allowed - self._clock()

    def _take(self) -> None:
        now = self._clock()
        # From the planned time, not from now: a late wake-up must not slow everything after it.
        self._next_s = max(self._next_s, now - self._spacing_s) + self._spacing_s
        self._recent.append(now)

    async def _grant(self) -> None:
        while self._waiting:
            while (delay_s := self._delay_s()) > 0:  # noqa: ASYNC110 - a time is waited for, not an event
                await asyncio.sleep(delay_s)
            granted = heapq.heappop(self._waiting)[2]
            if not granted.done():
                self._take()
                granted.set_result(None)
                await asyncio.sleep(0)  # the request that was let go leaves before the next is
