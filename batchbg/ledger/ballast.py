"""Room on the ledger's disk that is held, and given up when the disk is full, so that a paid job's id still fits."""

import contextlib
import os
from pathlib import Path
from typing import Final

from batchbg.disk.files import create
from batchbg.errors import BatchbgError, LedgerError

BALLAST_BYTES: Final = 1 << 20
"""Enough for the answers of a wide pool: recording one takes under ten pages of 4 KiB, and several share pages."""


class Ballast:
    """A file beside the ledger that only takes up space."""

    def __init__(self, ledger: Path) -> None:
        self._path = ledger.with_name(ledger.name + ".ballast")
        self._held = False

    def take(self) -> None:
        """Take up the space.

        Raises:
            LedgerError: the disk has too little: it would be full in the middle of something paid for.
        """
        self._held = True
        try:
            with create(self._path) as file:
                file.write(bytes(BALLAST_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except (OSError, BatchbgError) as error:
            self.drop()
            reason = getattr(error, "strerror", None) or error
            raise LedgerError(f"ledger: {self._path}: {reason}; nothing was sent") from error

    def drop(self) -> bool:
        """Free the space; return False where it is free already."""
        if not self._held:
            return False
        self._held = False
        with contextlib.suppress(OSError):
            self._path.unlink()
        return True
