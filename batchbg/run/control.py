"""Who may end a run, and ask how it stands: signals where the command line runs it, its caller where a program does."""

import abc
import contextlib
from collections.abc import Callable

from batchbg.pool.stop import Stop


class Control(abc.ABC):
    """Ends a run in order when it is first asked to, and at once when it is asked again."""

    @abc.abstractmethod
    def throughout(self, stop: Stop, asked: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Heed who wants the run to end, or to say how it stands, from its beginning to its end.

        Args:
            stop: of the run; while no event loop is at work it may be left from any thread.
            asked: says how the run stands.
        """

    @abc.abstractmethod
    def at_work(self, stop: Stop) -> contextlib.AbstractContextManager[None]:
        """Heed who wants the current task to end, which processes the run's jobs in the event loop that is running."""
