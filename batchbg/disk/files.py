"""Writing files where somebody else may have put something odd: they are made anew, through no link."""

import contextlib
import io
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from batchbg.disk.file_identity import Identity
from batchbg.disk.folder import Folder, opened
from batchbg.disk.reading import NotAFile
from batchbg.disk.write_errors import write_error


def create(path: Path, *, root: Path | None = None, originals: Collection[Identity] = ()) -> io.BufferedRandom:
    """Make a new file in the place of whatever is called so, which is removed first, and open it to write.

    Args:
        path: the file; its folder is made where it is missing.
        root: the folder below which no link is followed; by default the file's own folder.
        originals: folders in which nothing is written.

    Raises:
        DiskError: nothing can be written there now.
        OutputRefused: this path cannot be written.
    """
    root = root or path.parent
    tries = 3
    while True:
        tries -= 1
        try:
            with opened(root, path.parent, originals, make=True) as folder:
                _clear(folder, path.name)
                return folder.create(path.name)
        except OSError as error:
            if tries and isinstance(error, FileNotFoundError):
                continue  # an empty folder was taken away again just now, by who had tried it out
            raise write_error(root, path, error) from error


def _clear(folder: Folder, name: str) -> None:
    """Remove a file or a link that has a name; what else there is stays.

    Raises:
        NotAFile: it is a fifo, a socket, a device or a folder.
    """
    found = folder.found(name)
    if found is not None:
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise NotAFile(folder.path / name, found.st_mode)
        folder.remove(name)


def replace(path: Path, content: bytes | memoryview, *, root: Path | None = None) -> None:
    """Put another file in the place of one; a link is replaced itself, not what it leads to.

    Raises:
        OSError: the disk refuses.
        OutputRefused: the way leads through a link.
    """
    with opened(root or path.parent, path.parent) as folder:
        _clear(folder, path.name)
        with folder.create(path.name) as file:
            file.write(content)


@contextlib.contextmanager
def whole(path: Path, encoding: str, *, newline: str = "\n") -> Iterator[IO[str]]:
    """Yield a new file beside ``path`` that takes its name at the end, or is gone.

    Raises:
        OSError: the disk refuses, or something else than a file stands in its place.
    """
    # /dev/stdout and its like are links by nature, and nobody's to plant; /dev/shm is a folder like any other.
    if path.is_relative_to("/dev") and not path.is_relative_to("/dev/shm"):
        with path.open("w", encoding=encoding, errors="replace", newline=newline) as file:
            yield file
        return
    part = f".batchbg-{secrets.token_hex(6)}.part"
    with opened(path.parent, path.parent) as folder:
        found = folder.found(path.name)
        if found is not None and not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise NotAFile(path, found.st_mode)
        try:
            with (
                folder.create(part) as raw,
                open(raw.fileno(), "w", encoding=encoding, errors="replace", newline=newline, closefd=False) as file,
            ):
                yield file
                file.flush()
                os.fsync(raw.fileno())
            folder.rename(part, path.name)
            folder.sync()
        finally:
            with contextlib.suppress(OSError):
                folder.remove(part)
