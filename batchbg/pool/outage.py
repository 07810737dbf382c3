"""Retrying what costs nothing: how often, how long, and when the API counts as down."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from batchbg.core.backoff import pause_s
from batchbg.core.words import duration
from batchbg.errors import ApiUnreachable, ExitCode
from batchbg.pool.stop import Stop

T = TypeVar("T")

log = logging.getLogger(__name__)


class Outage:
    """Repeats requests that cost nothing until they are answered or the API counts as down.

    Attributes:
        gave_up: whether the API has been down for too long in this run.
    """

    def __init__(self, stop: Stop, give_up_after_s: float) -> None:
        self._stop = stop
        self._give_up_after_s: Final = give_up_after_s
        self._down_since: float | None = None
        self.gave_up = False

    @property
    def over(self) -> bool:
        """Whether nothing is to be asked again: the API counts as down, or the run is being left."""
        return self.gave_up or self._stop.leaving

    def answered(self) -> None:
        """Something was answered: the API is there."""
        self._down_since = None

    def unanswered(self, why: str) -> None:
        """Something was not answered; after ``give_up_after`` of nothing else the run stops."""
        now = time.monotonic()
        if self._down_since is None:
            self._down_since = now
            log.warning("%s; trying again for %s", why, duration(self._give_up_after_s))
        elif now - self._down_since >= self._give_up_after_s and not self.gave_up:
            self.gave_up = True
            self._stop.creates(
                ExitCode.TEMPORARY,
                f"the API has given no useful answer for {duration(now - self._down_since)} ({why}); run again later",
            )

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return the answer, asking again with growing pauses while there is none.

        Raises:
            ApiUnreachable: the API counts as down, or the run is being left.
        """
        failures = 0
        while True:
            try:
                answer = await request()
            except ApiUnreachable as error:
                failures += 1
                self.unanswered(str(error))
                if not self.over:
                    await self.pause(failures, error)
                if self.over:
                    raise
            else:
                self.answered()
                return answer

    async def pause(self, failures: int, error: Exception) -> None:
        """Wait before the next try; shorter where the run is being left."""
        wanted = error.retry_after_s if isinstance(error, ApiUnreachable) else None
        await self._stop.before_leaving(self.wait(failures, wanted))

    async def wait(self, failures: int, at_least_s: float | None) -> None:
        """Wait as after ``failures`` failures in a row, and no longer than the API may be down."""
        await asyncio.sleep(min(pause_s(failures, at_least_s), max(self._give_up_after_s, 0.1)))
