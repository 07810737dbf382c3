"""Room on the ledger's disk that is held, and given up when the disk is full, so that a paid job's id still fits."""

import contextlib
import os
from pathlib import Path
from typing import Final

from batchbg.errors import LedgerError

BALLAST_BYTES: Final = 1 << 20
"""Enough for the answers of a wide pool: recording one takes under ten pages of 4 KiB, and several share pages."""


class Ballast:
    """A file beside the ledger that holds nothing but room."""

    def __init__(self, ledger: Path) -> None:
        self._path = ledger.with_name(ledger.name + ".ballast")
        self._held = False

    def take(self) -> None:
        """Hold the room.

        Raises:
            LedgerError: the disk has not that much: it would be full in the middle of something paid for.
        """
        self._held = True
        try:
            with self._path.open("wb") as file:
                file.write(bytes(BALLAST_BYTES))
                os.fsync(file.fileno())
        except OSError as error:
            self.drop()
            raise LedgerError(f"ledger: {self._path}: {error.strerror or error}; nothing was sent") from error

    def drop(self) -> bool:
        """Give the room up; False where it is given up already."""
        if not self._held:
            return False
        self._held = False
        with contextlib.suppress(OSError):
            self._path.unlink()
        return True
