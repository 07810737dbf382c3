"""How much is decoded at once: pictures are large in memory, and there are few cores."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from batchbg.core.model import Size
from batchbg.disk import decoder_pool

AT_ONCE: Final = decoder_pool.AT_ONCE
"""Pictures worked on at once, however small: one a core."""

MOST_PIXELS: Final = 64_000_000
"""Of all of them together; 4 bytes each, and as much again for a copy in other colours. A larger one goes alone."""


class DecodeLimit:
    """Lets work on pictures begin in the order in which it comes, as far as there is memory for it."""

    def __init__(self, at_once: int = AT_ONCE, most_pixels: int = MOST_PIXELS) -> None:
        self._at_once = at_once
        self._most_pixels = most_pixels
        self._open: list[int] = []
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()

    @contextlib.asynccontextmanager
    async def open(self, size: Size) -> AsyncIterator[None]:
        """Wait until a picture of ``size`` may be decoded; it counts until the block is left."""
        pixels = size.width * size.height
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((pixels, granted))
        self._grant()
        try:
            await granted
            yield
        finally:
            if granted.done() and not granted.cancelled():
                self._open.remove(pixels)
                self._grant()

    def _grant(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            pixels, granted = self._waiting.popleft()
            if not granted.done():
                self._open.append(pixels)
                granted.set_result(None)

    def _fits(self, pixels: int) -> bool:
        fits = not self._open or sum(self._open) + pixels <= self._most_pixels
        return fits and len(self._open) < self._at_once
