"""What a decoder's process may meet, as functions that can be asked for from outside."""

import contextlib
import os
import re
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from batchbg.disk import memory


def who() -> tuple[int, dict[str, str]]:
    return os.getpid(), dict(os.environ)


def echo(value: int) -> int:
    return value


def die(how: int) -> None:
    signal.signal(how, signal.SIG_DFL) if how != signal.SIGKILL else None
    os.kill(os.getpid(), how)


def die_once(mark: str) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def take(size: int) -> str:
    try:
        return "taken" if bytearray(size) else ""
    except MemoryError:
        return "MemoryError"


def spin() -> None:
    """Hold on to the interpreter: no other thread and no handler gets a turn."""
    sys.setswitchinterval(1000)
    while True:
        pow(3, 10**6)


def sleep_busily() -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        pass


def large(need: int) -> tuple[float, float]:
    memory.ask(need)
    start = time.monotonic()
    time.sleep(0.1)
    return start, time.monotonic()


def talk() -> str:
    os.write(1, b"to stdout")
    os.write(2, b"to stderr")
    print("printed")
    return "said"


class _Call:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def answer_with_a_call(path: str) -> Any:
    return _Call(path)


def write(path: str) -> int:
    with contextlib.suppress(OSError):
        Path(path).write_bytes(bytes(3 << 20))
    return Path(path).stat().st_size


def core_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_CORE)[0]


def most_memory() -> int:
    """Return the most bytes that this process has held; what getrusage tells starts with its parent's."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
