"""Webhook events beside a ledger, one file each, from who receives them to who works on the jobs.

Whoever receives an event need not wait for the ledger, which a run holds. A file is whole and on disk before the event is
acknowledged, and is called by the digest of what is in it: the same event again is the same file. What stands in it is a
hint and no more, so that a folder which others can write to costs no more than free questions.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import logging
import os
import re
import secrets
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from batchbg.core.webhook_event import Event, as_line, read_event
from batchbg.disk.folder import Folder, opened
from batchbg.errors import DiskError, LedgerBusy, OutputRefused
from batchbg.ledger.location import check_folder
from batchbg.ledger.lock import locked

log = logging.getLogger(__name__)

ENDING: Final = ".webhooks"
"""Of the folder's name, behind the ledger's."""

MOST_EVENTS: Final = 20_000
"""Files in the folder; beyond that nothing is acknowledged until a run has taken some."""

MOST_BYTES: Final = 20_000
"""Of a file; the longest id and the longest name, each character escaped, are shorter."""

HINT_S: Final = 3_600.0
"""Seconds for which an event without a name is kept, should there be no room: it can only wake who waits for it now."""

KEPT_S: Final = 30 * 86_400.0
"""Seconds for which any event is kept."""

RETRY_S: Final = 5.0
"""Seconds for which a receiver tries to be the only one: a run may be looking just then whether there is one."""

_NAME: Final = re.compile(r"[0-9a-f]{32}\.(json|hint)")
_PART: Final = re.compile(r"\.[0-9a-f]{12}\.part")
_LOCK: Final = ".receiver"


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """An event that was received.

    Attributes:
        name: of its file.
        event: what it says.
        at: when it came, seconds since 1970.
    """

    name: str
    event: Event
    at: float


class Spool:
    """The folder of events beside a ledger; read by whoever holds the ledger.

    Attributes:
        path: of the folder, which need not be there yet.
    """

    def __init__(self, ledger: Path) -> None:
        """Take the real path of the ledger."""
        self.path = ledger.with_name(ledger.name + ENDING)
        self._ledger = ledger
        self._odd: set[str] = set()

    def fresh(self, known: Container[str] = (), limit: int = MOST_EVENTS) -> list[Stored]:
        """Return events that were received, but for those whose names are ``known``.

        A file that holds no event is removed; what is no file, or cannot be read, was not put there by this program.

        Raises:
            DiskError: the folder cannot be read.
        """
        if not self.path.exists():
            return []
        found = []
        with self.opened() as folder:
            names = (name for name in self.names() if name not in known and name not in self._odd)
            for name in list(itertools.islice(names, limit)):
                try:
                    stored = _read(folder, name)
                    if stored is None:
                        folder.remove(name)
                    else:
                        found.append(stored)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    self._odd.add(name)
                    log.warning("%s: %s; left as it is", self.path / name, error.strerror or error)
        return found

    def remove(self, names: Iterable[str]) -> None:
        """Remove events that are settled.

        Raises:
            DiskError: they cannot be removed.
        """
        with self.opened() as folder:
            for name in names:
                folder.remove(name)

    def has_receiver(self) -> bool:
        """Return whether some process receives events for this ledger now."""
        lock = self.path / _LOCK
        try:
            if lock.exists():
                with locked(lock, ""):
                    pass
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    @contextlib.contextmanager
    def receiving(self) -> Iterator["SpoolWriter"]:
        """Be the one process that receives events for this ledger.

        Raises:
            ConfigError: the ledger's folder is not there.
            LedgerBusy: another process is.
            DiskError: the folder cannot be written.
        """
        check_folder(self._ledger)
        with contextlib.ExitStack() as stack:
            with self.opened(make=True) as folder:
                try:
                    stack.enter_context(locked(self.path / _LOCK, str(os.getpid()), RETRY_S))
                except BlockingIOError as error:
                    raise LedgerBusy(f"another process receives events for {self._ledger}, into {self.path}") from error
                for path in self.path.iterdir():
                    if _PART.fullmatch(path.name):
                        folder.remove(path.name)
                writer = SpoolWriter(self)
            yield writer

    def names(self) -> Iterator[str]:
        """Yield the names of all events."""
        with os.scandir(self.path) as entries:
            yield from (entry.name for entry in entries if _NAME.fullmatch(entry.name))

    @contextlib.contextmanager
    def opened(self, *, make: bool = False) -> Iterator[Folder]:
        """Open the folder, through no link.

        Raises:
            DiskError: for any error of the disk in here.
        """
        try:
            with opened(self.path.parent, self.path, make=make) as folder:
                yield folder
        except OutputRefused as error:
            raise DiskError(str(error)) from error
        except OSError as error:
            raise DiskError(f"{self.path}: {error.strerror or error}") from error


class SpoolWriter:
    """Stores events. Not for several threads at once."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._count = sum(1 for _ in spool.names())

    def put(self, events: Sequence[Event]) -> None:
        """Store events, all on disk before this returns; one that is there already stays.

        Raises:
            DiskError: not all are stored.
        """
        if self._count + len(events) > MOST_EVENTS:
            self._make_room(len(events))
        with self._spool.opened() as folder:
            for event in events:
                line = as_line(event)
                part = f".{secrets.token_hex(6)}.part"
                try:
                    with folder.create(part) as file:
                        file.write(line)
                        file.flush()
                        os.fsync(file.fileno())
                    folder.rename(part, _name_of(event, line))
                except BaseException:
                    with contextlib.suppress(OSError):
                        folder.remove(part)
                    raise
                self._count += 1
            folder.sync()

    def _make_room(self, wanted: int) -> None:
        """Give up what nobody waits for any more, and count what is there, of which a run may have taken some.

        Raises:
            DiskError: there is no room.
        """
        now = time.time()
        with self._spool.opened() as folder:
            self._count = 0
            for name in list(self._spool.names()):
                found = folder.found(name)
                if found is None:
                    continue
                age_s = now - found.st_mtime
                if age_s > KEPT_S or (age_s > HINT_S and name.endswith(".hint")):
                    folder.remove(name)
                else:
                    self._count += 1
        if self._count + wanted > MOST_EVENTS:
            raise DiskError(f"{self._spool.path} holds {self._count} events; `batchbg resume` takes them")


def _name_of(event: Event, line: bytes) -> str:
    digest = hashlib.sha256(line).hexdigest()[:32]
    return f"{digest}.{'json' if event.name else 'hint'}"


def _read(folder: Folder, name: str) -> Stored | None:
    """Return the event in a file; None where it holds something else than its name says.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    with folder.open(name) as file:
        found = os.fstat(file.fileno())
        line = file.read(MOST_BYTES + 1)
    event = read_event(line)
    if not isinstance(event, Event) or _name_of(event, line) != name:
        return None
    return Stored(name, event, found.st_mtime)
