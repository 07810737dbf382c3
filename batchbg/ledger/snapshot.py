"""A copy of a ledger as it is at one moment, to plan on, or to read where the ledger itself may not be written."""

import tempfile
from pathlib import Path

from batchbg.errors import LedgerError
from batchbg.ledger.engine import database_at, open_copy
from batchbg.ledger.store import Ledger


def open_snapshot(url: str) -> Ledger:
    """Open a copy of the ledger, or an empty one where there is none yet; the copy goes when it is closed.

    Paths in it mean the same folders as in the ledger itself.

    Raises:
        ConfigError: one of its files is none.
        LedgerError: the ledger cannot be read, or not copied.
    """
    database = database_at(url)
    try:
        folder = tempfile.TemporaryDirectory(prefix="batchbg-")
    except OSError as error:
        raise LedgerError("there is no folder for temporary files that can be written; name one with TMPDIR") from error
    try:
        copy = Path(folder.name, "ledger.db")
        if database.exists():
            database.copy_to(copy)
        ledger = open_copy(copy, database)
    except BaseException:
        folder.cleanup()
        raise
    ledger.on_close(folder.cleanup)
    return ledger
