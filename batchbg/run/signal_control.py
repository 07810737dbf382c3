"""A run of the command line: signals end it, and make it say how it stands."""

import contextlib
from collections.abc import Callable

from batchbg.pool.stop import Stop
from batchbg.run.control import Control
from batchbg.run.signals import ended_by_signals, status_on_signal


class SignalControl(Control):
    """SIGINT, SIGTERM and SIGHUP end a run, and SIGUSR1 asks how it stands."""

    def throughout(self, stop: Stop, asked: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Let SIGUSR1 ask. Before the work and after it an exception ends the run: the first signal raises one."""
        return status_on_signal(asked)

    def at_work(self, stop: Stop) -> contextlib.AbstractContextManager[None]:
        """Let the first signal end the task in order, the second at once."""
        return ended_by_signals(stop)
