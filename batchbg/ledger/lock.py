"""The operating system's lock on a file, or none: what is left behind by a crash must hold nobody up."""

import contextlib
import dataclasses
import datetime
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from batchbg.disk.reading import read_text
from batchbg.errors import ConfigError, LedgerBusy, LedgerError
from batchbg.ledger.location import check_folder, refuse_odd

AGAIN_S: Final = 0.1
"""Seconds between two tries."""


class NoLock(OSError):
    """The file system, or the system, has no lock for files."""


@contextlib.contextmanager
def locked(path: Path, note: str, retry_s: float = 0.0) -> Iterator[None]:
    """Hold the lock on ``path``, which is made where it is missing, and leave a note in it for who finds it held.

    Raises:
        BlockingIOError: somebody holds it, and has for ``retry_s`` seconds.
        NoLock: there is no such thing there.
        OSError: the file cannot be made.
    """
    give_up_at = time.monotonic() + retry_s
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
        try:
            _take(descriptor)
            # Whoever held it may have removed the file, and somebody else have made and locked another.
            if not os.path.samestat(os.fstat(descriptor), path.lstat()):
                raise FileNotFoundError(errno.ENOENT, "removed", str(path))
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(AGAIN_S)
            continue
        except BaseException:
            os.close(descriptor)
            raise
        break
    try:
        with contextlib.suppress(OSError):  # the lock holds without the note
            os.ftruncate(descriptor, 0)
            os.write(descriptor, note.encode())
        yield
    finally:
        os.close(descriptor)


_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)

_NONE: Final = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}
"""What flock says where it is not supported: Lustre without its option, Android, mounts of containers."""

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        try:
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # beside the note, which others may read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno in _NONE:
                raise NoLock(error.errno, error.strerror) from error
            raise


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a ledger."""

    pid: int
    host: str
    since: str
    command: str

    def __str__(self) -> str:
        return f"`batchbg {self.command}`, pid {self.pid} on {self.host}, since {self.since}"


@contextlib.contextmanager
def held_file(path: Path, command: str, retry_s: float = 0.0) -> Iterator[None]:
    """Hold the ledger by the operating system's lock on its real path; a crash releases it.

    Args:
        path: of the ledger, which need not be there yet.
        command: what to tell others that find it held.
        retry_s: seconds to wait for another holder to end.

    Raises:
        LedgerBusy: another process holds it.
        LedgerError: the lock file cannot be made.
    """
    check_folder(path)
    refuse_odd(path)
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    note = json.dumps(dataclasses.asdict(Holder(os.getpid(), socket.gethostname(), now, command)))
    lock_path = path.with_name(path.name + ".lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(lock_path, note, retry_s))
        except BlockingIOError as error:
            raise LedgerBusy(f"another run holds {path}: {_holder(lock_path)}") from error
        except NoLock as error:
            raise ConfigError(
                f"ledger: {path} lies where the system has no locks ({error.strerror}), so that two runs could spend at"
                " once; name a file on a local disk with --ledger"
            ) from error
        except OSError as error:
            raise LedgerError(f"cannot lock {path}: {error.strerror or error}; its folder must be writable") from error
        yield


def _holder(lock_path: Path) -> str:
    """Say who holds a lock; the note may be about to be written."""
    for _ in range(3):
        try:
            return str(Holder(**json.loads(read_text(lock_path))))
        except (OSError, ValueError, TypeError):
            time.sleep(0.05)
    return "its holder left no note"
