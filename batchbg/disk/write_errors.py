"""What an error of writing means: the disk cannot take anything now, or it cannot take this."""

import errno
import os
from pathlib import Path
from typing import Final

from batchbg.errors import DiskError, OutputRefused

OF_THE_DISK: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "ENODEV", "ENXIO", "ENOTCONN"),
        *("ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""Errors that any other path would meet as well; the rest are those of a name, or of the folder it stands in."""


def write_error(root: Path, path: Path, error: OSError) -> DiskError | OutputRefused:
    """Return what an error of writing ``path`` means: that nothing can be written below ``root`` now, or not this."""
    reason = error.strerror or str(error)
    if _is_of_the_disk(root, path, error):
        return DiskError(f"{path}: {reason}; fix that and run again: nothing that is paid for is lost")
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
