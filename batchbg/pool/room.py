"""Waiting for room under a cap: credits that are given back are used in the same run."""

import asyncio
from collections.abc import Callable

from batchbg.pool.stop import Stop


class Room:
    """Where jobs wait that found no room, until some is given back or none can be any more.

    Attributes:
        changes: how often room was given back, or something that might have given some has ended.
    """

    def __init__(self, stop: Stop, may_give_back: Callable[[], int]) -> None:
        """Take a function that counts what may yet give credits back: creates, renders, refunds asked for."""
        self._stop = stop
        self._may_give_back = may_give_back
        self._change = asyncio.Event()
        self.changes = 0

    def changed(self) -> None:
        """Say that room was given back, or that something that might have given some has ended."""
        self.changes += 1
        self._change.set()
        self._change = asyncio.Event()

    async def wait(self, since: int) -> bool:
        """Return True when it is worth trying again, False where nothing is left that could give room.

        Args:
            since: ``changes`` as it was before room was looked for: what changed meanwhile must not be slept through.
        """
        if self.changes != since:
            return True
        if not self._may_give_back():
            return False
        await self._stop.before_creates_stop(self._change.wait())
        return True
