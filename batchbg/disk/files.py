"""Opening and naming files where somebody else may have put something odd: a link, a fifo, a folder of originals.

What is read is a regular file, looked at before a byte is asked for, so that nothing hangs. What is written is made
anew, in a folder that is reached from a root step by step and through no link, and held open while its names change:
whoever swaps a folder for a link meanwhile gains nothing. A system without such calls (Windows) looks before it writes.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Final

from batchbg.errors import DiskError, OutputRefused

Identity = tuple[int, int]
"""What a file or folder is, whatever it is called: numbers of its device and of its inode there."""

HAS_DIR_FD: Final = {os.open, os.rename, os.unlink, os.stat, os.mkdir, os.rmdir, os.link} <= os.supports_dir_fd
"""Whether names can be looked up in an open folder."""

_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_UNLINKED: Final = getattr(os, "O_NOFOLLOW", 0)
_COMMON: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER: Final = getattr(os, "O_DIRECTORY", 0) | _UNLINKED | _COMMON
_SEARCH: Final = getattr(os, "O_PATH", os.O_RDONLY) | _FOLDER
"""A folder is opened to find names in it, for which no leave to list it is needed."""

OF_THE_DISK: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "ENODEV", "ENXIO", "ENOTCONN"),
        *("ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""Errors that any other path would meet as well; the rest are those of a name, or of the folder it stands in."""

NOT_OF_A_FOLDER: Final = frozenset(
    getattr(errno, name)
    for name in ("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF", "EISDIR", "EACCES", "EPERM", "ENOTTY")
    if hasattr(errno, name)
)
"""What file systems answer that cannot flush a folder, or may not let it be opened for that: no harm is done."""


class NotAFile(OSError):
    """There is something else than a regular file."""

    def __init__(self, path: str | Path, mode: int) -> None:
        super().__init__(errno.EINVAL, f"it is {kind_of(mode)}, not a file", str(path))


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


def identity(found: os.stat_result) -> Identity:
    """Return what tells one file or folder from every other."""
    return found.st_dev, found.st_ino


def identity_of(path: str | Path) -> Identity | None:
    """Return what a path leads to, links followed; None where it leads nowhere, or where the system does not tell."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path costs more than the system's own work
    except (OSError, ValueError):
        return None
    return identity(found) if found.st_ino else None


def lies_in(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is ``folder`` or lies below it, by whatever name either is called.

    Paths that are not there yet are taken by what is there of them.
    """
    if path.is_relative_to(folder):
        return True
    wanted = identity_of(folder)
    return wanted is not None and any(identity_of(one) == wanted for one in (path, *path.parents))


# -- reading -------------------------------------------------------------------------------------------------------


def open_file(path: str | Path, *, follow: bool = True) -> io.BufferedReader:
    """Open a regular file to read, at once: a fifo would keep whoever opens it waiting, a device might never end.

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
    flags = os.O_RDONLY | _AT_ONCE | _COMMON | (0 if follow else _UNLINKED)
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


def read_text(path: str | Path, encoding: str = "utf-8") -> str:
    """Return the text of a file that a person named; line ends become one character.

    Raises:
        OSError: it cannot be read, or is a fifo, a socket or a device.
        UnicodeDecodeError: it is in another encoding.
    """
    return read_bytes(path).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


# -- writing -------------------------------------------------------------------------------------------------------


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
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _UNLINKED | _COMMON
        return open(os.open(self._at(name), flags, mode, dir_fd=self._descriptor), "w+b")  # noqa: PTH123

    def open(self, name: str, *, write: bool = False) -> io.BufferedReader | io.BufferedRandom:
        """Open a regular file.

        Raises:
            NotAFile: something else has the name.
            OSError: it cannot be opened.
        """
        flags = (os.O_RDWR if write else os.O_RDONLY) | _AT_ONCE | _UNLINKED | _COMMON
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
        except (OSError, NotImplementedError):
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
            descriptor = os.open(self._at("."), os.O_RDONLY | _COMMON, dir_fd=self._descriptor)
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
                descriptor = os.open(path, _SEARCH & ~_UNLINKED)
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


def trouble(root: Path, path: Path, error: OSError) -> DiskError | OutputRefused:
    """Return what an error of writing ``path`` means: that nothing can be written below ``root`` now, or not this."""
    reason = error.strerror or str(error)
    if _is_of_the_disk(root, path, error):
        return DiskError(f"{path}: {reason}; mend that and run again: nothing that is paid for is lost")
    return OutputRefused(f"{path}: {reason}; {_advice(path, error)}")


def _is_of_the_disk(root: Path, path: Path, error: OSError) -> bool:
    if error.errno == errno.EROFS:  # of one folder of many, perhaps
        return not (_is_read_only(path.parent) and not _is_read_only(root))
    if error.errno in OF_THE_DISK:
        return True
    return not root.is_dir() or not os.access(root, os.W_OK | os.X_OK)


def _is_read_only(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):
        return False


def _advice(path: Path, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"make {path.parent} writable, then run again"
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EBUSY):
        return "move away what stands in its place, then run again"
    return "the disk does not take this name: run with --portable-names, or rename the photo"


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
            raise trouble(root, path, error) from error


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


def note_in(path: Path, text: str) -> None:
    """Write a few words into a file that is there and that others may have open, and through no link.

    Raises:
        OSError: it cannot be written.
    """
    with opened(path.parent, path.parent) as folder, folder.open(path.name, write=True) as file:
        file.write(text.encode())
        file.truncate()


@contextlib.contextmanager
def whole(path: Path, encoding: str, *, newline: str = "\n") -> Iterator[IO[str]]:
    """Yield a new file beside ``path`` that takes its name at the end, or is gone.

    Raises:
        OSError: the disk refuses, or something else than a file stands in its place.
    """
    if path.is_relative_to("/dev"):  # /dev/stdout and its like are links by nature, and nobody's to plant
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
