"""Where a ledger is: its path out of its URL, and whether a file can be there."""

import os
import re
import stat
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from batchbg.disk.reading import kind_of
from batchbg.errors import ConfigError

SERVER: Final = re.compile(r"postgres(ql)?(\+\w+)?:", re.IGNORECASE)
"""How the URL of a ledger on a server begins."""


def sqlite_path(url: str) -> Path:
    """Return the real path of a SQLite ledger.

    Raises:
        ConfigError: the URL is none this version opens.
    """
    if found := re.fullmatch(r"sqlite(?:\+pysqlite)?:///(.+)", url, re.DOTALL):
        # Taken as it stands: a folder may be called "50% off?", and nobody escapes that in a path.
        name = found[1]
        if name == ":memory:":
            raise ConfigError("ledger: it must be a file, for it has to outlive the process")
        if "?" in name.rpartition("/")[2]:
            raise ConfigError(f"ledger: {url!r}: the file's name may not contain '?', and the URL takes no options")
        return Path(os.path.realpath(name))
    try:
        kind = sa.make_url(url).get_backend_name()
    except sa.exc.ArgumentError as error:
        raise ConfigError("ledger: it is not a URL such as sqlite:///batchbg.db") from error
    if kind != "sqlite":
        raise ConfigError(f"ledger: {kind} is not supported; use sqlite:///PATH, or postgresql+psycopg://HOST/DATABASE")
    raise ConfigError("ledger: it must be a file, for it has to outlive the process")


def absolute(url: str) -> str:
    """Return a URL that no change of the current folder can lead elsewhere.

    Raises:
        ConfigError: it is none that this version opens.
    """
    return url if SERVER.match(url) else f"sqlite:///{sqlite_path(url)}"


def file_exists(path: Path) -> bool:
    """Return whether the ledger's file is there already.

    Raises:
        ConfigError: the folders on the way cannot be entered.
    """
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"ledger: {path}: {error.strerror}") from error


def check_folder(path: Path) -> None:
    """Refuse a ledger whose folder is not there.

    Raises:
        ConfigError: it is not.
    """
    try:
        is_there = path.parent.is_dir()
    except OSError as error:
        raise ConfigError(f"ledger: {path.parent}: {error.strerror}") from error
    if not is_there:
        raise ConfigError(f"ledger: there is no folder {path.parent}")


BESIDE: Final = ("", "-wal", "-shm", "-journal", ".lock", ".ballast")
"""Endings of the names of a ledger's own files."""


def refuse_odd(path: Path) -> None:
    """Refuse a ledger where one of its files is something else: what it leads to would be written over, or hang.

    Raises:
        ConfigError: names what stands there.
    """
    for ending in BESIDE:
        own = path.with_name(path.name + ending)
        try:
            mode = own.lstat().st_mode
        except OSError:
            continue  # not there, or reported when it is opened
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder neither hangs nor is written over
            raise ConfigError(
                f"ledger: {own} is {kind_of(mode)}, not a file; take it away, or name another with --ledger"
            )
