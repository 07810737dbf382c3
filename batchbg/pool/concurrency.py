"""How many jobs may be between their create and their seen end."""

import asyncio
import collections
from typing import Final

GROW_AFTER: Final = 10
"""Creates answered well in a row after which a lowered width rises by one."""


class ConcurrencyLimit:
    """Places for jobs in flight. A refusal lowers the width to what is in flight, success lets it creep back.

    Who comes first is served first, and each place that comes free wakes one job alone.

    Attributes:
        width: places there are now.
        widest: places there are at most.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.widest = width
        self._held: set[str] = set()
        self._good = 0
        self._waiting: collections.deque[tuple[str, asyncio.Future[None]]] = collections.deque()

    @property
    def held(self) -> int:
        """Jobs in flight."""
        return len(self._held)

    async def take(self, job_id: str) -> None:
        """Wait for a place; a job that has one keeps it."""
        if job_id in self._held:
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((job_id, granted))
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():  # the place came and the cancellation with it
                self.free(job_id)
            raise

    def occupy(self, job_id: str) -> None:
        """Count a job that an earlier run left in flight, whether or not there is a place."""
        self._held.add(job_id)

    def free(self, job_id: str) -> None:
        """Give a job's place back; does nothing where it has none."""
        if job_id in self._held:
            self._held.discard(job_id)
            self._grant()

    def refused(self, job_id: str) -> None:
        """The service refuses this one beside the others: its place goes. Of many refused at once the last one tells."""
        self._held.discard(job_id)
        self.width = max(1, min(self.width, self.held))
        self._good = 0
        self._grant()

    def accepted(self) -> None:
        """The service took one: after some of these, try one place more."""
        self._good += 1
        if self.width < self.widest and self._good >= GROW_AFTER:
            self.width += 1
            self._good = 0
            self._grant()

    def _grant(self) -> None:
        while self._waiting and len(self._held) < self.width:
            job_id, granted = self._waiting.popleft()
            if not granted.done():
                self._held.add(job_id)
                granted.set_result(None)
