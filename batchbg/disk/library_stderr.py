"""What libraries written in C say to stderr, caught: it concerns one file and does not belong on the user's terminal."""

import os
import tempfile
from typing import Final

MOST_BYTES: Final = 10_000


class _Captured:
    """A nameless file in place of stderr; None in a process whose stderr belongs to a person."""

    descriptor: int | None = None


def capture() -> None:
    """Put a file in the place of this process's stderr for good."""
    try:
        descriptor = os.memfd_create("stderr") if hasattr(os, "memfd_create") else _nameless()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_RDWR), 2)
        return
    os.dup2(descriptor, 2)
    _Captured.descriptor = 2


def _nameless() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def clear() -> None:
    """Forget what was printed until now."""
    if _Captured.descriptor is not None:
        os.ftruncate(_Captured.descriptor, 0)
        os.lseek(_Captured.descriptor, 0, os.SEEK_SET)


def captured() -> str:
    """Return what was printed since."""
    if _Captured.descriptor is None:
        return ""
    return os.pread(_Captured.descriptor, MOST_BYTES, 0).decode("utf-8", "replace")
