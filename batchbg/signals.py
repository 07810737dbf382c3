"""The signals a run heeds: to end, in order or at once, and to say how it stands."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from batchbg.errors import ExitCode
from batchbg.pool.stop import Stop

log = logging.getLogger(__name__)

ENDINGS: Final = {
    signal.SIGINT: ExitCode.INTERRUPT,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HANGUP,
}


@contextlib.contextmanager
def ended_by_signals(stop: Stop) -> Iterator[None]:
    """Let the first signal end what the running task does in order, the second at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def heed(code: ExitCode) -> None:
        if stop.leaving:
            task.cancel()
            return
        stop.leave(code, "interrupted; run again to go on: nothing that is paid for is lost")
        log.warning("stopping: waiting up to 10 s for creates in the air and downloads; again to stop at once")

    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number, code in ENDINGS.items():
        loop.add_signal_handler(number, heed, code)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)  # asyncio leaves the system's, which would end the summary


@contextlib.contextmanager
def asked_by_signal(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` at every SIGUSR1; all the time, for without a handler the signal kills."""
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
