"""What runs in a process that decodes: questions come on stdin, answers go to stdout, and it ends with its caller."""

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from batchbg.disk import library_stderr, memory
from batchbg.disk.decoder_pool import HEAD
from batchbg.errors import BatchbgError, DecoderDied


def main() -> None:
    """Do what is asked until nobody asks any more."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _let_go_of_the_streams()
    _write_nothing()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the end of the run is the end of this process, and no sooner
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread waits for the other end to close, so that this process ends also in the middle of a picture.
    threading.Thread(target=_listen, args=(questions, asked), daemon=True).start()
    start = _addresses()
    while True:
        function, args, kwargs, need, cpu_s = pickle.loads(asked.get())
        memory.grant(need)
        with _limited(start + need + memory.SLACK_BYTES if start else 0, cpu_s):
            answer = _answer(function, args, kwargs)
        pickle.dump(answer, answers)
        answers.flush()


def _let_go_of_the_streams() -> None:
    """Let whatever a library prints go nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    library_stderr.capture()


def _write_nothing() -> None:
    """Leave no trace on any disk: no core of a process that broke down, no file of a library's."""
    if sys.platform != "win32":
        import resource  # which Windows has not

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def _listen(questions: IO[bytes], asked: "queue.SimpleQueue[bytes]") -> None:
    while len(head := questions.read(HEAD.size)) == HEAD.size:
        asked.put(questions.read(HEAD.unpack(head)[0]))
    os._exit(0)


def _answer(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Any]:
    try:
        return "returned", function(*args, **kwargs)
    except memory.NeedsMemory as needs:
        return "needs", needs.need
    except (BatchbgError, OSError) as error:
        return "raised", error
    except Exception as error:  # nobody has foreseen it; it is this file's all the same
        return "raised", DecoderDied(f"{type(error).__name__} in its decoder")


def _addresses() -> int:
    """Return how many bytes of addresses this process has, 0 where nobody tells."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@contextlib.contextmanager
def _limited(addresses: int, cpu_s: int) -> Iterator[None]:
    """Let memory end with an error, and time with the process: what hangs in a library hears nothing else."""
    if sys.platform == "win32":
        yield
        return
    import resource  # which Windows has not

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if addresses and (hard == resource.RLIM_INFINITY or addresses <= hard):
        resource.setrlimit(resource.RLIMIT_AS, (addresses, hard))
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
