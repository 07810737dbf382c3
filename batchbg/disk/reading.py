"""Opening files to read where somebody else may have put something odd: a link, a fifo, a device.

Only regular files are read. That is checked before a byte is asked for, so nothing hangs.
"""

import codecs
import errno
import io
import os
import stat
from pathlib import Path
from typing import Final

AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
COMMON: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class NotAFile(OSError):
    """There is something else than a regular file."""

    def __init__(self, path: str | Path, mode: int) -> None:
        super().__init__(errno.EINVAL, f"it is {kind_of(mode)}, not a file", str(path))


class NotText(OSError):
    """A file is in an encoding that cannot be told."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(errno.EILSEQ, "its letters cannot be read; save it as UTF-8", str(path))


def kind_of(mode: int) -> str:
    """Return what stands at a path, by its mode."""
    kinds = (
        (stat.S_ISFIFO, "a fifo"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISLNK, "a link"),
    )
    return next((name for is_one, name in kinds if is_one(mode)), "something odd")


def open_waiting_for_nobody(path: str | Path, flags: int) -> int:
    """Open a file, or a fifo that took its place and that nobody writes to; an opener of ``open``."""
    return os.open(path, flags | AT_ONCE)


def open_file(path: str | Path, *, follow: bool = True) -> io.BufferedReader:
    """Open a regular file to read, without waiting: a fifo would block, a device might never end.

    Args:
        path: the file.
        follow: whether the path's last part may be a link.

    Raises:
        NotAFile: it is something else.
        OSError: it cannot be opened.
    """
    # A socket or a device may answer anything to being opened: what it is, is asked first, and again once it is open.
    found = os.stat(path, follow_symlinks=follow)  # noqa: PTH116
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(path, found.st_mode)
    flags = os.O_RDONLY | AT_ONCE | COMMON | (0 if follow else NO_LINK)
    descriptor = os.open(path, flags)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotAFile(path, found.st_mode)
        return open(descriptor, "rb")  # noqa: PTH123 - of a descriptor
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: str | Path) -> bytes:
    """Return what is in a file that a person named; a shell's ``<(command)`` is one as well.

    Raises:
        OSError: it cannot be read, or is a fifo, a socket or a device.
    """
    text = os.fspath(path)
    if text.startswith(("/dev/fd/", "/proc/self/fd/")) and stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
        with open(path, "rb") as pipe:  # noqa: PTH123
            return pipe.read()
    with open_file(path) as file:
        return file.read()


def read_text(path: str | Path) -> str:
    """Return the text of a file that a person named, in UTF-8 or as a mark at its start says; line ends become one.

    Raises:
        NotText: it is in another encoding.
        OSError: it cannot be read, or is a fifo, a socket or a device.
    """
    data = read_bytes(path)
    is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotText(path) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
