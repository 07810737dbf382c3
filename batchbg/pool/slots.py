"""How many jobs may be between their create and their seen end."""

import asyncio
from typing import Final

GROW_AFTER: Final = 10
"""Creates answered well in a row after which a lowered width rises by one."""


class Slots:
    """Places for jobs in flight. A refusal lowers the width to what is in flight, success lets it creep back.

    Attributes:
        width: places there are now.
        widest: places there are at most.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.widest = width
        self._held: set[str] = set()
        self._good = 0
        self._change = asyncio.Condition()

    @property
    def held(self) -> int:
        """Jobs in flight."""
        return len(self._held)

    async def take(self, job_id: str) -> None:
        """Wait for a place; a job that has one keeps it."""
        if job_id in self._held:
            return
        async with self._change:
            await self._change.wait_for(lambda: len(self._held) < self.width)
            self._held.add(job_id)

    def occupy(self, job_id: str) -> None:
        """Count a job that an earlier run left in flight, whether or not there is a place."""
        self._held.add(job_id)

    async def free(self, job_id: str) -> None:
        """Give a job's place back; does nothing where it has none."""
        if job_id in self._held:
            self._held.discard(job_id)
            async with self._change:
                self._change.notify_all()

    def refused(self) -> None:
        """The service refuses one more than there are: go on with those. Of many refused at once the last one tells."""
        self.width = max(1, min(self.width, self.held))
        self._good = 0

    async def accepted(self) -> None:
        """The service took one: after some of these, try one place more."""
        self._good += 1
        if self.width < self.widest and self._good >= GROW_AFTER:
            self.width += 1
            self._good = 0
            async with self._change:
                self._change.notify_all()
