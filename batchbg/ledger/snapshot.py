"""A copy of a ledger as it is at one moment, to plan on, or to read where the ledger itself may not be written."""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from batchbg.errors import LedgerError
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.location import refuse_odd, sqlite_path
from batchbg.ledger.store import Ledger


def open_snapshot(url: str, folder: Path) -> Ledger:
    """Copy the ledger into ``folder`` and open the copy; an empty one where there is none yet.

    Paths in it mean the same folders as in the ledger itself.

    Raises:
        ConfigError: one of its files is none.
        LedgerError: the ledger cannot be read.
    """
    source, target = sqlite_path(url), folder / "ledger.db"
    refuse_odd(source)
    if source.exists():
        copy_to(source, target)
    ledger = open_ledger(f"sqlite:///{target}")
    ledger.path = source
    return ledger


def copy_to(source: Path, target: Path) -> None:
    """Copy a ledger, with what is still in its write-ahead log; nothing is written beside the original.

    Raises:
        LedgerError: it cannot be read.
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
