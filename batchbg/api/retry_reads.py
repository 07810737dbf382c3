"""Repeating a request that only reads, outside the pool. Creates are never repeated by this."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from batchbg.core.backoff import pause_s
from batchbg.errors import ApiUnreachable

T = TypeVar("T")

RETRY_FOR_S: Final = 10.0
"""How long one question is asked again: a person, or a run that has not begun, waits for the answer."""


async def retry_read(request: Callable[[], Awaitable[T]], for_s: float = RETRY_FOR_S) -> T:
    """Return the answer to a question that costs nothing, asking again with growing pauses while there is none.

    Raises:
        ApiUnreachable: there was none within ``for_s``.
    """
    give_up_at = time.monotonic() + for_s
    for failures in itertools.count(1):
        try:
            return await request()
        except ApiUnreachable as error:
            wait_s = pause_s(failures, error.retry_after_s)
            if time.monotonic() + wait_s > give_up_at:
                raise
            await asyncio.sleep(wait_s)
    raise AssertionError("counting does not end")
