"""A run that its caller may end, from any thread: first in order, then at once."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

from batchbg.errors import ExitCode
from batchbg.pool.stop import Stop
from batchbg.run.control import Control
from batchbg.run.signals import ENDED


class Cancellation(Control):
    """What Ctrl-C is on the command line."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._wanted = threading.Event()
        self._number = 0
        self._stop: Stop | None = None
        self._work: tuple[asyncio.AbstractEventLoop, asyncio.Task[object]] | None = None

    def cancel(self) -> None:
        """End the run in order; at once where that was asked for before."""
        with self._turn:
            self._number += 1
            self._wanted.set()
            if self._work is not None:
                with contextlib.suppress(RuntimeError):  # the loop has just been closed
                    self._work[0].call_soon_threadsafe(self._end)
            else:
                self._leave()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the run is to end; return whether it is."""
        return self._wanted.wait(seconds)

    @contextlib.contextmanager
    def throughout(self, stop: Stop, asked: Callable[[], None]) -> Iterator[None]:
        """Let the run end before there is a loop, too. Nobody asks how it stands: events tell."""
        with self._turn:
            self._stop = stop
            self._leave()
        yield

    @contextlib.contextmanager
    def at_work(self, stop: Stop) -> Iterator[None]:
        """Let the first call end the task in order, the second at once."""
        task = asyncio.current_task()
        assert task is not None
        with self._turn:
            self._work = (asyncio.get_running_loop(), task)
            if self._number > 1:
                task.cancel()
        try:
            yield
        finally:
            with self._turn:
                self._work = None

    def _leave(self) -> None:
        """End the run in order while no event loop is at work: nothing waits that would have to be woken."""
        if self._number and self._stop is not None and not self._stop.leaving:
            self._stop.leave(ExitCode.INTERRUPT, ENDED)

    def _end(self) -> None:
        """Do in the loop what was asked for."""
        if self._work is None or self._stop is None:
            return
        if not self._stop.leaving:
            self._stop.leave(ExitCode.INTERRUPT, ENDED)
        elif self._number > 1:
            self._work[1].cancel()
