"""A folder to write in, reached from a root step by step and through no link, and held open while its names change.

Swapping a folder for a link meanwhile gains nothing. A system without such calls (Windows) checks before it writes.
"""

import contextlib
import errno
import io
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from batchbg.disk.file_identity import Identity, identity
from batchbg.disk.reading import AT_ONCE, COMMON, NO_LINK, NotAFile
from batchbg.errors import OutputRefused

HAS_DIR_FD: Final = {os.open, os.rename, os.unlink, os.stat, os.mkdir, os.rmdir, os.link} <= os.supports_dir_fd
"""Whether names can be looked up in an open folder."""

_FOLDER: Final = getattr(os, "O_DIRECTORY", 0) | NO_LINK | COMMON
_SEARCH: Final = getattr(os, "O_PATH", os.O_RDONLY) | _FOLDER
"""A folder is opened to find names in it, for which no leave to list it is needed."""

NOT_OF_A_FOLDER: Final = frozenset(
    getattr(errno, name)
    for name in ("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF", "EISDIR", "EACCES", "EPERM", "ENOTTY")
    if hasattr(errno, name)
)
"""What file systems answer that cannot flush a folder, or may not let it be opened for that: no harm is done."""


class Folder:
    """A folder that is open, and the names in it.

    Attributes:
        path: what it was called when it was opened.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        """Take an open folder; None where this system looks up every name from the start."""
        self.path = path
        self._descriptor = descriptor

    def _at(self, name: str) -> str:
        if self._descriptor is not None:
            return name
        if os.path.islink(self.path):  # noqa: PTH114
            raise OSError(errno.ELOOP, "it is a link", str(self.path))
        return str(self.path / name)

    def found(self, name: str) -> os.stat_result | None:
        """Return what stands under a name, links not followed; None where nothing does."""
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def create(self, name: str, mode: int = 0o666) -> io.BufferedRandom:
        """Make a new file to write; there must be nothing of that name, not even a link that leads nowhere."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINK | COMMON
        return open(os.open(self._at(name), flags, mode, dir_fd=self._descriptor), "w+b")  # noqa: PTH123

    def open(self, name: str, *, write: bool = False) -> io.BufferedReader | io.BufferedRandom:
        """Open a regular file.

        Raises:
            NotAFile: something else has the name.
            OSError: it cannot be opened.
        """
        flags = (os.O_RDWR if write else os.O_RDONLY) | AT_ONCE | NO_LINK | COMMON
        found = os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise NotAFile(self.path / name, found.st_mode)
        descriptor = os.open(self._at(name), flags, dir_fd=self._descriptor)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise NotAFile(self.path / name, found.st_mode)
            return open(descriptor, "r+b") if write else open(descriptor, "rb")  # noqa: PTH123
        except BaseException:
            os.close(descriptor)
            raise

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; whatever had that name is replaced, a link by the file, not what it leads to."""
        os.replace(self._at(old), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def name_anew(self, old: str, new: str) -> None:
        """Give a file a name that nothing has.

        Raises:
            FileExistsError: something has it.
            OSError: it cannot be named so.
        """
        try:
            os.link(self._at(old), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # the latter where the system cannot do it by descriptors
            # Many disks know no second name for a file. Then it is only almost certain that nothing is replaced.
            if self.found(new) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.path / new)) from None
            self.rename(old, new)
        else:
            self.remove(old)

    def remove(self, name: str) -> None:
        """Remove a file, or a link; nothing happens where there is none."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self._descriptor)

    def make(self, name: str) -> None:
        """Make a folder."""
        os.mkdir(self._at(name), dir_fd=self._descriptor)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self._at(name), dir_fd=self._descriptor)

    def sync(self) -> None:
        """Flush the folder, or a rename in it may not outlive a power cut. Not every file system can."""
        if os.name != "posix":
            return
        try:
            descriptor = os.open(self._at("."), os.O_RDONLY | COMMON, dir_fd=self._descriptor)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in NOT_OF_A_FOLDER:
                raise


@contextlib.contextmanager
def opened(root: Path, folder: Path, originals: Collection[Identity] = (), *, make: bool = False) -> Iterator[Folder]:
    """Open a folder below ``root``, step by step; the root may be a link, for a person named it, nothing below may.

    Args:
        root: where nothing planted is feared yet.
        folder: it, or a folder below it.
        originals: folders in which nothing is written, whatever way leads there.
        make: make what is missing, the root too.

    Raises:
        OSError: there is no such folder, or the disk refuses.
        OutputRefused: the way leads through a link, or to originals.
    """
    steps = folder.relative_to(root).parts
    if make:
        root.mkdir(parents=True, exist_ok=True)
    path = root
    with contextlib.ExitStack() as held:
        here = _enter(held, root, None, originals)
        for step in steps:
            path = path / step
            if make:
                with contextlib.suppress(FileExistsError):
                    here.make(step)
            here = _enter(held, path, here, originals)
        yield here


def _enter(held: contextlib.ExitStack, path: Path, above: Folder | None, originals: Collection[Identity]) -> Folder:
    """Open a folder in the one above it; the first may be reached through links."""
    if not HAS_DIR_FD:
        found = os.stat(path, follow_symlinks=above is None)  # noqa: PTH116
        here = Folder(path, None)
    else:
        try:
            if above is None:
                descriptor = os.open(path, _SEARCH & ~NO_LINK)
            else:
                descriptor = os.open(path.name, _SEARCH, dir_fd=above._descriptor)
        except OSError as error:
            seen = above.found(path.name) if above else None
            if seen is not None and stat.S_ISLNK(seen.st_mode):
                raise _linked(path) from error
            raise
        held.callback(os.close, descriptor)
        found = os.fstat(descriptor)
        here = Folder(path, descriptor)
    if stat.S_ISLNK(found.st_mode):
        raise _linked(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if identity(found) in originals:
        raise OutputRefused(f"{path} is a folder of photos or backgrounds by another name, to which nothing is written")
    return here


def _linked(path: Path) -> OutputRefused:
    return OutputRefused(f"{path} is a link, through which nothing is written; put a folder in its place")
