"""Standard streams to which anybody may listen, or nobody: what is printed never decides what is done.

A closed stream leaves its number to the next file that is opened, which may be the ledger; a full disk or a reader that
has gone raises in the middle of the work; an encoding that lacks a letter does so for one photo's name. So before
anything else each stream becomes one that takes everything.
"""

import contextlib
import errno
import io
import os
import select
import sys
from typing import IO, Any, Final

_GONE: Final = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO})
"""What writing says where the reader has left: a pipe, or a terminal that was closed."""


class _Sink(io.FileIO):
    """A descriptor that takes everything; ``trouble`` is why some of it came nowhere, "" where a reader has left."""

    trouble = ""

    def write(self, data: Any) -> int:
        """Write what can be written; what cannot be is dropped."""
        try:
            while (written := super().write(data)) is None:  # whoever shares the terminal has made it non-blocking
                select.select([], [self], [])
        except OSError as error:
            if error.errno not in _GONE:
                self.trouble = error.strerror or str(error)
            return memoryview(data).nbytes
        return written


class _Text(io.TextIOWrapper):
    """Text whose letters beyond the encoding are escaped, as in ``\\xe9``."""

    def __init__(self, sink: _Sink, like: IO[str] | None) -> None:
        self._encodes = getattr(like, "encoding", None) or "utf-8"
        # What PYTHONUNBUFFERED leaves unbuffered is written line by line.
        lines = getattr(like, "line_buffering", False) or getattr(like, "write_through", False)
        super().__init__(io.BufferedWriter(sink), self._encodes, "backslashreplace", line_buffering=lines)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the name of the encoding, under which click does not look for a better one than ASCII."""
        return f"{self._encodes}, escaped" if self._encodes.lower() in ("ascii", "us-ascii", "646") else self._encodes


def settle() -> None:
    """Give this process three standard streams that fail at nothing; what stands in for them is left as it is."""
    _occupy()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if os.name == "nt" and isinstance(stream, io.TextIOWrapper):  # a console takes text by a way of its own
            stream.reconfigure(errors="backslashreplace")
        elif stream is getattr(sys, f"__{name}__") and not isinstance(stream, _Text):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.flush()
            text = _Text(_Sink(number, "wb", closefd=False), stream)
            setattr(sys, name, text)
            setattr(sys, f"__{name}__", text)


def _occupy() -> None:
    """Open what is closed of the first three descriptors, for this process and its children."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def lost() -> str:
    """Return why not everything could be printed on stdout, "" where it could or where nobody wanted it."""
    if not isinstance(sys.stdout, _Text):
        return ""
    sys.stdout.flush()
    raw = getattr(sys.stdout.buffer, "raw", None)
    return raw.trouble if isinstance(raw, _Sink) else ""
