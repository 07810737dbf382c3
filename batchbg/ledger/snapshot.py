"""A copy of a ledger as it is at one moment, to plan on, or to read where the ledger itself may not be written."""

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from batchbg.errors import LedgerError
from batchbg.ledger.engine import open_copy
from batchbg.ledger.location import refuse_odd, sqlite_path
from batchbg.ledger.store import Ledger


def open_snapshot(url: str) -> Ledger:
    """Open a copy of the ledger, or an empty one where there is none yet; the copy goes when it is closed.

    Paths in it mean the same folders as in the ledger itself.

    Raises:
        ConfigError: one of its files is none.
        LedgerError: the ledger cannot be read, or not copied.
    """
    source = sqlite_path(url)
    refuse_odd(source)
    try:
        folder = tempfile.TemporaryDirectory(prefix="batchbg-")
    except OSError as error:
        raise LedgerError("there is no folder for temporary files that can be written; name one with TMPDIR") from error
    try:
        copy = Path(folder.name, "ledger.db")
        if source.exists():
            copy_to(source, copy)
        ledger = open_copy(copy, source)
    except BaseException:
        folder.cleanup()
        raise
    ledger.on_close(folder.cleanup)
    return ledger


def copy_to(source: Path, target: Path) -> None:
    """Copy a ledger, with what is still in its write-ahead log; nothing is written beside the original.

    Raises:
        LedgerError: it cannot be read, or there is no room for the copy.
    """
    try:
        try:
            _back_up(source, target)
        except sqlite3.OperationalError:
            # A log whose index is not there can be read only where an index can be made: beside the copy.
            with contextlib.suppress(FileNotFoundError):
                target.unlink()
            shutil.copyfile(source, target)
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(_log(source), _log(target))
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise LedgerError(
                f"{target.parent}: no room for a copy of the ledger; make some, or name another folder with TMPDIR"
            ) from error
        raise LedgerError(f"ledger {source}: {error}; it cannot be read") from error


def _back_up(source: Path, target: Path) -> None:
    log = _log(source)
    is_closed = not log.exists() or not log.stat().st_size
    alone = is_closed and not os.access(source.parent, os.W_OK)  # nobody who could write, so that no log is needed
    options = "mode=ro&immutable=1" if alone else "mode=ro"
    with (
        contextlib.closing(sqlite3.connect(f"{source.as_uri()}?{options}", uri=True)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
