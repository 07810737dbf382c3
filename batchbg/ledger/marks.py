"""What a ledger last knew, told outside its file: a mark beside the results, where a copied or older ledger meets it.

A mark names its ledger and one of its events, which was committed before a create left. A ledger that has that event
knows of the create; one that has not is an older copy, another, or has lost its last commits.
"""

import contextlib
import dataclasses
import json
import os
import shlex
import stat
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.errors import ConfigError, DiskError
from batchbg.ledger.events import BEFORE_ALL, Event, has

ADOPT: Final = "`batchbg ledger adopt`"
"""How a person says that this ledger is the one."""

NAME: Final = ".batchbg-ledger"

_PART: Final = ".batchbg-ledger.part"

_RECORD_BYTES: Final = 160
"""The part that changes comes first and has one length, within one sector of any disk: it is written over in place."""

_MOST_BYTES: Final = 16_384

_ABOUT: Final = "Made by batchbg: the ledger these results are of. Leave it here, or they may be paid for twice."


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """What stands beside results.

    Attributes:
        ledger: its id; "" where the mark cannot be read.
        event: which the ledger had when the last create left.
        path: where the ledger was.
    """

    ledger: str
    event: Event = BEFORE_ALL
    path: str = ""

    def __str__(self) -> str:
        return f"ledger {self.ledger or '(unreadable)'} at {self.path or 'an unknown place'}, event {self.event.id}"


def read(folder: Path) -> Mark | None:
    """Return the mark in an output folder; None where there is none, and one without a ledger where it is spoilt.

    Raises:
        DiskError: it cannot be read.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _disk_error(folder / NAME, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DiskError(f"{folder / NAME} was not written by batchbg; move it away, then run again")
        return _parse(os.read(descriptor, _MOST_BYTES))
    except OSError as error:
        raise _disk_error(folder / NAME, error) from error
    finally:
        os.close(descriptor)


_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def _parse(raw: bytes) -> Mark:
    try:
        found: Any = json.loads(raw)
        event = Event(int(found["event"]), float(found["at"]), str(found["job"]))
        return Mark(str(found["ledger"]), event, str(found["path"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return Mark("")


def write(folder: Path, mark: Mark) -> None:
    """Put a mark into an output folder, on disk before this returns; it takes the place of one that is there.

    Raises:
        DiskError: the disk refuses.
    """
    part = folder / _PART
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
        try:
            os.write(descriptor, _record(mark.event) + _rest(mark))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(folder / NAME)
    except OSError as error:
        raise _disk_error(folder / NAME, error) from error
    _sync_folder(folder)


def _record(event: Event) -> bytes:
    text = f'{{"event": {event.id}, "at": {event.at!r}, "job": {json.dumps(event.job)},'
    return text.encode("ascii").ljust(_RECORD_BYTES - 1) + b"\n"


def _rest(mark: Mark) -> bytes:
    lines = (f'"{name}": {json.dumps(value)}' for name, value in _named(mark).items())
    return (",\n".join(lines) + "}\n").encode("ascii")


def _named(mark: Mark) -> dict[str, str]:
    return {"ledger": mark.ledger, "path": mark.path, "about": _ABOUT}


def adopt_with(folder: Path) -> str:
    """Return how a person says that a ledger is that of the results in a folder."""
    return f"`batchbg ledger adopt -o {shlex.quote(str(folder))}`"


def foreign(folder: Path, mark: Mark) -> ConfigError:
    """Return the refusal of a folder with another ledger's results."""
    if not mark.ledger:
        return ConfigError(
            f"{folder / NAME} cannot be read, so nobody knows which ledger the results beside it belong to;"
            f" if it is this one, say so: {adopt_with(folder)}"
        )
    return ConfigError(
        f"the results in {folder} are of another ledger ({mark}): name that one with --ledger, or another folder with"
        f" --output. If it is gone for good, make this one theirs: {adopt_with(folder)}"
    )


def refuse_behind(connection: sa.Connection, folder: Path, mark: Mark, name: str) -> None:
    """Refuse a ledger that lacks the event a mark names.

    Raises:
        ConfigError: it does.
    """
    if not has(connection, mark.event):
        raise ConfigError(
            f"the ledger {name} is older than {folder / NAME} beside its results, or has lost its last"
            f" entries: photos were paid for that it does not know of. Put the right file back, with its -wal beside"
            f" it. If there is none, `batchbg audit` compares it with the account, and {ADOPT} goes on with it"
        )


class OpenMark:
    """The mark of a folder that a run saves to, open, so that writing on costs no more than a few microseconds.

    What is written outlives a kill at once, and a power cut some time later. The ledger is flushed at each commit, so
    that a mark may lag behind it, but never tells of a commit that there was not.
    """

    def __init__(self, folder: Path, event: Event) -> None:
        """Open the mark that is in ``folder``, which tells of ``event``.

        Raises:
            DiskError: there is none, or it cannot be written.
        """
        self._path = folder / NAME
        self._event = event
        try:
            self._file = os.open(self._path, os.O_RDWR | _FLAGS)
        except OSError as error:
            raise _disk_error(self._path, error) from error

    def is_there(self) -> bool:
        """Return whether the file is still the one in the folder."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.lstat())
        except OSError:
            return False

    def put(self, event: Event) -> None:
        """Write another event over the last.

        Raises:
            DiskError: the disk refuses.
        """
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, _record(event))
        except OSError as error:
            raise _disk_error(self._path, error) from error
        self._event = event

    def put_again(self) -> None:
        """Write what is there once more, to see whether that can be done.

        Raises:
            DiskError: it cannot.
        """
        self.put(self._event)

    def close(self) -> None:
        """Flush the mark, and let go of it."""
        with contextlib.suppress(OSError):
            os.fsync(self._file)
        os.close(self._file)


def _sync_folder(folder: Path) -> None:
    """Flush a folder where that can be done; where it cannot, the name may be gone after a power cut."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _disk_error(path: Path, error: OSError) -> DiskError:
    return DiskError(f"{path}: {error.strerror or error}; no create leaves while it cannot be written")
