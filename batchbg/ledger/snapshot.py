"""A copy of a ledger as it is at one moment, to plan on."""

import contextlib
import sqlite3
from pathlib import Path

from batchbg.errors import LedgerError
from batchbg.ledger.engine import Ledger, open_ledger, sqlite_path
from batchbg.ledger.place import refuse_odd


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
        try:
            with (
                contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as original,
                contextlib.closing(sqlite3.connect(target)) as copy,
            ):
                original.backup(copy)
        except sqlite3.Error as error:
            raise LedgerError(f"ledger {source}: {error}; it cannot be read") from error
    ledger = open_ledger(f"sqlite:///{target}")
    ledger.path = source
    return ledger
