"""Showing how a run stands: to the reporter now and then, and by signal at any time."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from batchbg.core.progress import Progress
from batchbg.errors import LedgerError
from batchbg.run.reporter import Reporter

TICK_S: Final = 0.5
"""Seconds between two updates."""


class RunDisplay:
    """Shows the progress of the run while the pool is at work; before and after there is none."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._shown: tuple[asyncio.AbstractEventLoop, Callable[[], Progress]] | None = None

    @contextlib.contextmanager
    def showing(self, progress: Callable[[], Progress]) -> Iterator[None]:
        """Show what ``progress`` returns, from the event loop that is running, until the block is left."""
        self._shown = (asyncio.get_running_loop(), progress)
        ticking = asyncio.create_task(self._tick(progress)) if self._reporter.live else None
        try:
            yield
        finally:
            self._shown = None
            if ticking is not None:
                ticking.cancel()

    async def _tick(self, progress: Callable[[], Progress]) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with contextlib.suppress(LedgerError):
                self._reporter.tick(progress())

    def asked(self) -> None:
        """Show how the run stands now, as asked by a signal."""
        if self._shown is None:
            self._reporter.status(None)
        else:
            # What the event loop is in the middle of must not be entered a second time from here.
            self._shown[0].call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        with contextlib.suppress(LedgerError):
            self._reporter.status(self._shown[1]() if self._shown else None)
