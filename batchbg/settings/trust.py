"""Whose word counts: this user's own folder of settings, and the config.toml files that this user trusts.

Whoever writes a config.toml that lies in the current folder says where the API key is sent. So a file that somebody
else may have put there (an archive, a share, a checkout) says nothing of the kind, until its user has said once that
it may. What was said is kept in ``~/.config/batchbg/trusted``, one record a file that only this user can write.
"""

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from batchbg.disk.reading import kind_of
from batchbg.errors import ConfigError, DiskError

SHARED: Final = stat.S_IWGRP | stat.S_IWOTH
"""Permission bits with which others may write."""


def own_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of this user's own settings, by the XDG rules; None where the user has no home."""
    named = environ.get("XDG_CONFIG_HOME", "")
    if named.startswith("/"):  # others are to be ignored, says the specification
        return Path(named, "batchbg")
    home = environ.get("HOME") or _home_by_name()
    return Path(home, ".config", "batchbg") if home and Path(home).is_absolute() else None


def _home_by_name() -> str:
    """Return the home folder that the system's own list has; services are often started without HOME."""
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    return ""


def read_regular(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result, int]:
    """Return a regular file's content, what is known of it, and the flags of its file system.

    A pipe or a device is not waited for: who put it there may never write into it.

    Raises:
        OSError: it cannot be read, is no regular file, or is longer than that.
    """
    _expect_regular(path.stat().st_mode)  # a socket cannot even be opened
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        _expect_regular(found.st_mode)
        content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise OSError(errno.EFBIG, "it is far too long")
        flags = os.fstatvfs(number).f_flag if hasattr(os, "fstatvfs") else 0
    return content, found, flags


def _expect_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"is {kind_of(mode)}, not a file")


def is_own(found: os.stat_result) -> bool:
    """Return whether a file is this user's or the system's, and others cannot write it."""
    if os.name != "posix":
        return True
    return found.st_uid in (os.geteuid(), 0) and not found.st_mode & SHARED


def trusts(path: Path, content: bytes, environ: Mapping[str, str]) -> bool:
    """Return whether this user trusts the file at ``path`` with this content."""
    folder = own_folder(environ)
    if folder is None:
        return False
    known = _record(folder, path)
    if known is None:
        return False
    if known.get("made"):
        # What init wrote is there to be edited: it stays its user's, as long as nobody else can write it.
        with contextlib.suppress(OSError):
            found = path.lstat()
            return stat.S_ISREG(found.st_mode) and is_own(found)
    return known.get("sha256") == _digest(content)


def was_trusted(path: Path, environ: Mapping[str, str]) -> bool:
    """Return whether this user has ever trusted what was at ``path``."""
    folder = own_folder(environ)
    return folder is not None and _record(folder, path) is not None


def trust(path: Path, content: bytes, environ: Mapping[str, str], *, made: bool = False) -> None:
    """Remember that this user trusts the file at ``path``.

    Args:
        path: of a config.toml.
        content: what was read of it, which is what is trusted.
        environ: the environment.
        made: batchbg has just written it for this user, whose later edits need no word of their own.

    Raises:
        ConfigError: this user has no folder of settings.
        DiskError: it cannot be written.
    """
    folder = own_folder(environ)
    if folder is None:
        raise ConfigError("there is no home folder to remember it in: set HOME or XDG_CONFIG_HOME, or use --config")
    record = {"path": str(_place(path)), "sha256": _digest(content), "made": made}
    target = _record_path(folder, path)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Under a name that nobody can foresee, made exclusively and with mode 0600; renamed, so that it is whole.
        number, part = tempfile.mkstemp(prefix=".", dir=target.parent)
        try:
            with os.fdopen(number, "w", encoding="ascii") as file:
                json.dump(record, file)
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DiskError(f"{target.parent}: {error.strerror or error}; nothing is trusted") from error


def _record(folder: Path, path: Path) -> dict[str, object] | None:
    """Return what is known of a file; None without a record that only this user can have written."""
    target = _record_path(folder, path)
    try:
        if target.is_symlink():
            return None
        content, found, _ = read_regular(target, 1 << 16)
        record = json.loads(content)
    except (OSError, ValueError):
        return None
    if os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & SHARED):
        return None
    return record if isinstance(record, dict) and record.get("path") == str(_place(path)) else None


def _record_path(folder: Path, path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(_place(path))).hexdigest()
    return folder / "trusted" / f"{name}.json"


def _place(path: Path) -> Path:
    """Return where a file is, whatever links lead to its folder. A file that is a link itself is where the link is."""
    return Path(os.path.realpath(path.parent), path.name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
