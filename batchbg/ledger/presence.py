"""Whether the files at a ledger's path are still the ones that are open, and still what was written to them."""

import contextlib
import os
import struct
import time
from pathlib import Path
from typing import Final

from batchbg.errors import ConfigError, LedgerError, LedgerGone
from batchbg.ledger.events import Event

WAL_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
"""Source: sqlite.org, "Database File Format", section 4.1 and 4.2."""

_INDEX_HEADER: Final = struct.Struct("=14xHI")
"""Page size and frames in use. Source: sqlite.org, "WAL-mode File Format", section 2.1."""

_CHECKPOINTS: Final = ((32, 8), (96, 4))
"""Where the index tells of checkpoints, and in how many bytes: the log's salts, which change as it begins anew, and how
many of its frames are in the database."""

CONFIRM: Final = 10
CONFIRM_S: Final = 0.02
"""Looks, and seconds between them, until a change of the database counts as nobody's: a checkpoint writes into it
before it says so."""

RENUMBERED: Final = "its disk gives files other numbers (inodes) while they are open, so that none can be told apart"

_ADVICE: Final = {RENUMBERED: "name a file on another disk with --ledger"}

_File = tuple[int, int]  # device, inode

_DATABASE, _LOG, _INDEX = range(3)


class Presence:
    """The files of one open ledger: database, write-ahead log, and the log's index.

    SQLite does not ask whether its files are still there: a deleted one goes on taking commits until it is closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"))
        self._seen: list[_File] = []
        self._stamp: tuple[int, int] | None = None
        self._checkpoints = b""
        self._index: int | None = None
        self._trouble = ""

    @property
    def is_watching(self) -> bool:
        """Whether ``begin`` has been called."""
        return bool(self._seen)

    @property
    def has_trouble(self) -> bool:
        """Whether something was found to be wrong."""
        return bool(self._trouble)

    def is_at_its_path(self) -> bool:
        """Return whether a new connection would open the file that is watched; true before any is."""
        try:
            return not self._seen or _file(self._path.stat()) == self._seen[0]
        except OSError:
            return False

    def begin(self) -> None:
        """Take what is at the path now for what is open; some connection must be open, and have read.

        Raises:
            LedgerError: a file is missing, or has another name besides.
        """
        try:
            self._seen = [_file(path.stat()) for path in self._files]
            if hasattr(os, "pread"):  # elsewhere files that are open are neither replaced nor deleted
                self._index = os.open(self._files[_INDEX], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise LedgerError(f"ledger {error.filename}: {error.strerror}; nothing was sent") from error
        self.check()
        self.raise_if_lost()

    def check(self) -> None:
        """See whether all is as it was; to be called before anything is written."""
        if self._seen and not self._trouble:
            self._trouble = self._find()

    def raise_if_lost(self) -> None:
        """Refuse to go on where that is not so; once found it stays so.

        Raises:
            LedgerGone: with what happened to which file.
        """
        if self._trouble:
            advice = _ADVICE.get(self._trouble, "put the right file back, then run again")
            raise LedgerGone(f"ledger {self._path}: {self._trouble}; nothing more is sent: {advice}")

    def confirmed(self, event: Event) -> None:
        """Need nothing: a file that is the same has what was written to it."""

    def leave(self) -> None:
        """Need nothing: a file is not waited for."""

    def close(self) -> None:
        """Let go of the index, once no connection is open: closing it sooner would give up SQLite's locks on it."""
        if self._index is not None:
            os.close(self._index)
            self._index = None
        self._seen = []

    def _find(self) -> str:
        if self._index is not None and _file(os.fstat(self._index)) != self._seen[_INDEX]:
            return RENUMBERED
        for number, path in enumerate(self._files):
            try:
                if what := self._what_happened_to(number, path):
                    return f"{path.name} {what}"
            except FileNotFoundError:
                return f"{path.name} was deleted or moved away while it was in use"
            except OSError as error:
                return f"{path.name} can no longer be accessed: {error.strerror}"
        return ""

    def _what_happened_to(self, number: int, path: Path) -> str:
        """Return what has become of one file; "" where it is as it was."""
        least = self._least_log() if number == _LOG else 0
        found = path.stat()
        if _file(found) != self._seen[number]:
            return "was replaced by another file while it was in use"
        if number == _DATABASE:
            if found.st_nlink > 1:
                return f"has {found.st_nlink} names (hard links); only one of them may stay"
            if self._is_overwritten():
                return "was overwritten by another program while it was in use"
        return "was cut short while it was in use" if found.st_size < least else ""

    def _least_log(self) -> int:
        """Return the bytes that the log must have for the frames that its index counts."""
        if self._index is None:
            return 0
        read = os.pread(self._index, _INDEX_HEADER.size, 0)
        if len(read) < _INDEX_HEADER.size:
            return 0
        page, frames = _INDEX_HEADER.unpack(read)
        return WAL_HEADER_BYTES + frames * (page + FRAME_HEADER_BYTES) if frames else 0

    def _is_overwritten(self) -> bool:
        """Return whether the database has changed without a checkpoint: nothing else may write into it."""
        for attempt in range(CONFIRM if self._index is not None else 0):
            told = self._told_checkpoints()
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if self._stamp in (None, stamp) or told != self._checkpoints:
                self._stamp, self._checkpoints = stamp, told
                return False
            if attempt < CONFIRM - 1:
                time.sleep(CONFIRM_S)
        return self._index is not None

    def _told_checkpoints(self) -> bytes:
        if self._index is None:
            return b""
        return b"".join(os.pread(self._index, length, at) for at, length in _CHECKPOINTS)


def _file(found: os.stat_result) -> _File:
    return found.st_dev, found.st_ino


def refuse_links(path: Path) -> None:
    """Refuse a ledger that has two names: a log stands beside each, and neither knows of the other's.

    Raises:
        ConfigError: it has.
    """
    with contextlib.suppress(FileNotFoundError):
        names = path.stat().st_nlink
        if names > 1:
            raise ConfigError(
                f"ledger {path} has {names} names (hard links), under which it would be spent from twice;"
                f" `find -samefile {path}` finds them: leave one, then run again"
            )
