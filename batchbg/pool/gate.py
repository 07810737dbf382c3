"""Which create may leave next."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from batchbg.core.circuit_breaker import CircuitBreaker
from batchbg.errors import ExitCode
from batchbg.pool.stop import Stop


class Gate:
    """Lets creates through as the brake, the number of files and the stop allow.

    Attributes:
        brake: what earlier creates and renders say.
        in_air: creates whose intent is committed and of which it is not settled what they did.
        let_through: creates that may have made something.
    """

    def __init__(self, stop: Stop, max_files: int | None) -> None:
        self.brake = CircuitBreaker()
        self.in_air = 0
        self.let_through = 0
        self._stop = stop
        self._max_files = max_files
        self._change = asyncio.Condition()
        self._unseen: set[str] = set()
        self._shut = 0

    async def clear(self) -> None:
        """Wait until a create might pass."""
        async with self._change:
            await self._change.wait_for(self._may_pass)

    def enter(self) -> bool:
        """Let one create pass, if it still may; every True must be followed by ``leave``."""
        self.heed()
        if self._stop.no_creates or not self._may_pass():
            return False
        if self._max_files is not None and self.let_through >= self._max_files:
            # One that is in the air may yet turn out to have made nothing.
            if not self.in_air:
                self._stop.creates(ExitCode.CAP, f"max_files: {self._max_files} new jobs were sent")
            return False
        self.in_air += 1
        self.let_through += 1
        return True

    async def leave(self, *, made_nothing: bool = False, created: str = "") -> None:
        """Count a create as settled.

        Args:
            made_nothing: it certainly made no project.
            created: the job that it made a project for. The first of a run holds up the others until the record of
                its project is seen, which may name another price than its answer did.
        """
        self.in_air -= 1
        if made_nothing:
            self.let_through -= 1
        if created and not self.brake.price_known:
            self._unseen.add(created)
        await self._changed()

    async def followed(self, job_id: str) -> None:
        """Say that a project's record has been taken in, or that nobody looks for it any more."""
        if job_id in self._unseen:
            self._unseen.discard(job_id)
            await self._changed()

    @contextlib.asynccontextmanager
    async def shut(self) -> AsyncIterator[None]:
        """Let no create pass meanwhile, whatever comes of those that are in the air."""
        self._shut += 1
        try:
            yield
        finally:
            self._shut -= 1
            await self._changed()

    async def settled(self, but: Callable[[], int]) -> None:
        """Wait until no create is in the air but so many."""
        async with self._change:
            await self._change.wait_for(lambda: self.in_air <= but())

    def heed(self) -> None:
        """Stop creates where the brake says so."""
        if (why := self.brake.tripped) and not self._stop.no_creates:
            self._stop.creates(ExitCode.TEMPORARY, f"{why}: no further create leaves in this run")

    async def _changed(self) -> None:
        self.heed()
        async with self._change:
            self._change.notify_all()

    def _may_pass(self) -> bool:
        files_left = self._max_files is None or self.let_through < self._max_files or not self.in_air
        alone = not self.in_air and not self._unseen
        return not self._shut and files_left and (alone or not self.brake.one_at_a_time)
