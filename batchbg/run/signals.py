"""The signals that a process handles: to end, in order or at once, and to say how it stands.

The first of SIGINT, SIGTERM and SIGHUP ends what runs in order; the second ends the process at once, whatever hangs.
Python handles a signal only between two steps of its main thread, and the next step may never come. So a thread of its
own, which the system itself wakes, takes care of the second.
"""

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

from batchbg.errors import ExitCode

if TYPE_CHECKING:
    from batchbg.pool.stop import Stop

log = logging.getLogger(__name__)

ENDINGS: Final = {
    getattr(signal, name): code
    for name, code in (
        ("SIGINT", ExitCode.INTERRUPT),
        ("SIGTERM", ExitCode.TERMINATED),
        ("SIGHUP", ExitCode.HANGUP),
    )
    if hasattr(signal, name)
}

ENDED: Final = "interrupted; run again to continue: nothing that is paid for is lost"
"""Why a run ends that somebody has ended in order."""

AT_ONCE_S: Final = 2.0
"""Seconds after the second signal in which creates in the air may still be noted in the ledger."""

HANGS_AFTER_S: Final = 10.0
"""Seconds after the grace time of a first signal in which what was begun is to be at its end."""


class _SignalWatcher:
    """Makes sure, from outside the main thread, that signals end the process.

    Attributes:
        on_signal: how the run that is at work ends in order, and then at once; None where an exception does it.
        running: whether a command is at work.
        on_hangup: what SIGHUP does in the place of ending anything; None where it ends, as the others do.
    """

    def __init__(self) -> None:
        self.on_signal: Callable[[ExitCode], None] | None = None
        self.running = False
        self.on_hangup: Callable[[], None] | None = None
        self._seen = 0
        self._code = ExitCode.INTERRUPT
        self._end_at: float | None = None
        self._owner = 0
        self._wakes = (-1, -1)

    def begin(self) -> None:
        """Watch from here on; signals that were ignored when the process started stay ignored."""
        self.on_signal, self.running, self._seen, self._end_at = None, True, 0, None
        if threading.current_thread() is not threading.main_thread():
            return
        for number in ENDINGS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        if os.name != "posix":  # nothing wakes a thread there; the first signal ends a run in order all the same
            return
        if self._owner != os.getpid():  # a fork has no thread but the one that forked
            self._owner = os.getpid()
            self._wakes = os.pipe()
            os.set_blocking(self._wakes[1], False)
            threading.Thread(target=self._watch_signals, args=(self._wakes[0],), daemon=True, name="signals").start()
        signal.set_wakeup_fd(self._wakes[1], warn_on_full_buffer=False)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal in the main thread."""
        if self._is_for_hangup(number):
            assert self.on_hangup is not None
            self.on_hangup()
            return
        code = ENDINGS[signal.Signals(number)]
        if self.on_signal is not None:
            self.on_signal(code)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(int(code))

    def _is_for_hangup(self, number: int) -> bool:
        return self.on_hangup is not None and number == getattr(signal, "SIGHUP", None)

    def _watch_signals(self, wakes: int) -> None:
        while True:
            left = None if self._end_at is None else max(self._end_at - time.monotonic(), 0.0)
            ready, _, _ = select.select([wakes], [], [], left)
            if not ready:
                end_at = self._end_at
                if end_at is not None and time.monotonic() >= end_at:
                    if self.running:
                        os._exit(self._code)
                    self._end_at = None  # it ended in time
                continue
            for number in os.read(wakes, 64):
                if number in ENDINGS and not self._is_for_hangup(number):
                    self._count(ENDINGS[signal.Signals(number)])

    def _count(self, code: ExitCode) -> None:
        """Count a signal, and set the time by which the process has to end."""
        self._seen += 1
        if self._seen == 1:
            self._code = code
            self._end_at = time.monotonic() + (_grace_s() if self.on_signal else 0.0) + HANGS_AFTER_S
        elif self._seen == 2:
            self.running = True  # also where the command is over, and only threads of its keep the process alive
            self._end_at = time.monotonic() + AT_ONCE_S
        else:
            os._exit(self._code)


def _grace_s() -> float:
    """Return the seconds that ending in order may take: the pool's, where there is one at work."""
    pool = sys.modules.get("batchbg.pool.pool")  # not imported for this: a run with nothing to do needs none
    return float(pool.GRACE_S) if pool else 0.0


_watcher: Final = _SignalWatcher()


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Let signals end the process while a command is at work: the first by an exception, the second whatever hangs."""
    _watcher.begin()
    try:
        yield
    finally:
        _watcher.running = False


@contextlib.contextmanager
def ended_by_signals(stop: "Stop") -> Iterator[None]:
    """Let the first signal end what the running task does in order, the second at once."""
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def end(code: ExitCode) -> None:
        if stop.leaving:
            task.cancel()
            return
        stop.leave(code, ENDED)
        log.warning("stopping: waiting up to 10 s for creates in the air and downloads; again to stop at once")

    def on_signal(code: ExitCode) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(end, code)

    before = _watcher.on_signal
    _watcher.on_signal = on_signal
    try:
        yield
    finally:
        _watcher.on_signal = before


@contextlib.contextmanager
def status_on_signal(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` at every SIGUSR1, from the beginning to the end: without a handler the signal kills."""
    if not hasattr(signal, "SIGUSR1"):
        yield
        return

    def handler(_number: int, _frame: FrameType | None) -> None:
        tell()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextlib.contextmanager
def told_on_hangup(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` at every SIGHUP, which ends nothing as long as the block lasts; in the main thread, at any moment."""
    _watcher.on_hangup = tell
    try:
        yield
    finally:
        _watcher.on_hangup = None
