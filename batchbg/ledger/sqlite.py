"""A ledger in a file: SQLite, its write-ahead log, and the operating system's lock."""

import contextlib
import errno
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.disk.files import create
from batchbg.errors import ConfigError, LedgerDamaged, LedgerError
from batchbg.ledger.ballast import Ballast
from batchbg.ledger.connections import KEPT, Use
from batchbg.ledger.database import Database, Hold, Location
from batchbg.ledger.filesystem import refuse_network
from batchbg.ledger.location import check_folder, file_exists, refuse_odd
from batchbg.ledger.lock import held_file
from batchbg.ledger.marks import ADOPT
from batchbg.ledger.meta import ID
from batchbg.ledger.presence import Presence, refuse_links

BUSY_TIMEOUT_MS: Final = 30_000
CACHE_KIB: Final = 32_768
"""Pages kept in memory: a ledger of 100,000 photos is asked for all of them every night."""

DAMAGED: Final = ("database disk image is malformed", "file is not a database")
"""What SQLite says of a file that is no whole database. Source: sqlite3ErrStr in its main.c."""


class SqliteFile:
    """A ledger's file; see ``database.Database``."""

    is_near = True
    patience_s = 0.0
    kept: Sequence[Use] = KEPT

    def __init__(self, file: Path, *, copy_of: Database | None = None) -> None:
        """Take the real path of a ledger's file; a copy of another goes by that one's name, and so do its folders."""
        self.path = copy_of.path if copy_of else file
        self.name = copy_of.name if copy_of else str(file)
        self.folder = copy_of.folder if copy_of else file.parent
        self._file = file
        self._presence = Presence(self._file)

    def exists(self) -> bool:
        """Return whether the file is there."""
        return file_exists(self._file)

    def may_be_opened(self) -> bool:
        """Return whether this process may write the file, and beside it: reading it needs that, too."""
        return os.access(self._file, os.W_OK) and os.access(self._file.parent, os.W_OK | os.X_OK)

    def refuse_unfit(self, *, new: bool) -> None:
        """Refuse a folder that is not there, and a network file system."""
        if new:
            check_folder(self._file)
        refuse_network(self._file)

    def refuse_spending(self) -> None:
        """Refuse a file that has two names."""
        refuse_links(self._file)

    def hold(self, command: str, retry_s: float) -> contextlib.AbstractContextManager[Hold | None]:
        """Take the operating system's lock on the file's real path."""
        return held_file(self.path, command, retry_s)

    def held_by(self, hold: Hold | None) -> None:
        """Need nothing: the lock is the process's."""

    def engine(self) -> sa.Engine:
        """Return an engine whose transactions begin with BEGIN IMMEDIATE."""
        refuse_odd(self._file)
        return make_engine(self._file, self._presence)

    def presence(self) -> Presence:
        """Return who watches the files."""
        return self._presence

    def reserve(self) -> Ballast:
        """Return the room beside the file."""
        return Ballast(self.path)

    def connected(self, connect: Callable[[], sa.Connection]) -> sa.Connection:
        """Return what ``connect`` returns: a file is there or not."""
        return connect()

    def prepare(self, connection: sa.Connection, use: Use) -> None:
        """Let who must not wait be refused at once."""
        if use is Use.WRITE_NOW:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout = 0")

    def is_dead(self, connection: sa.Connection) -> bool:
        """Return False: a file does not hang up."""
        return False

    def explain(self, error: Exception) -> LedgerError:
        """Return an error of SQLite's with the file and what to do."""
        reason = str(getattr(error, "orig", error))
        advice = {
            "database or disk is full": "free some space and run again; nothing further was sent",
            "attempt to write a readonly database": "make the file and its folder writable and run again",
            "unable to open database file": "its folder must be there and writable",
            "database is locked": "another program keeps it locked; run again when it has finished",
            "file is not a database": "it is no ledger; name another with --ledger",
            "disk I/O error": "the disk reports an error; is it full, or on a network?",
        }.get(reason, "run again when that is fixed")
        kind = LedgerDamaged if reason in DAMAGED else LedgerError
        return kind(f"ledger {self.name}: {reason}; {advice}")

    def would_wait(self, error: BaseException | None) -> bool:
        """Return whether another program keeps the database locked."""
        code = getattr(getattr(error, "orig", error), "sqlite_errorcode", sqlite3.SQLITE_OK)
        return bool(code & 0xFF == sqlite3.SQLITE_BUSY)  # the rest says why

    def number_on(self, connection: sa.Connection) -> None:
        """Need nothing: SQLite takes the number after the highest."""

    def put_aside(self, version: str) -> None:
        """Copy the file to one beside it."""
        if self._file != self.path:
            return  # it is a copy itself
        backup = self.path.with_name(f"{self.path.name}.before-{version}")
        create(backup).close()  # anew: it may be a link, through which nothing is written
        with (
            contextlib.closing(sqlite3.connect(self.path)) as source,
            contextlib.closing(sqlite3.connect(backup)) as target,
        ):
            source.backup(target)  # what is still in the write-ahead log comes along

    def copy_to(self, target: Path) -> None:
        """Copy the file as it is at one moment."""
        refuse_odd(self.path)
        copy_to(self.path, target)

    def location(self, connection: sa.Connection) -> Location:
        """Return path, number of the file on its disk, and the machine."""
        return Location(str(self.path), self.path.stat().st_ino, _machine())

    def refuse_copy(self, ledger_id: str, before: Location, here: Location) -> str:
        """Refuse a second file of the same name that goes on, or may; say so where it was moved."""
        if before.path == here.path:
            return ""
        path, there = self.path, Path(before.path)
        try:
            found = there.stat()
        except OSError:
            if here.inode == before.inode:
                return ""  # moved on its disk
            if before.machine == here.machine:
                return f"the ledger {path} was at {there} before; should that come back, only one of the two may go on"
            raise ConfigError(
                f"the ledger {path} comes from another machine, where it was {there}: if it goes on there too, the same"
                f" photos are paid for twice. If this is the only one now, say so: {ADOPT}"
            ) from None
        if (found.st_dev, found.st_ino) == (path.stat().st_dev, here.inode):
            return ""  # one folder, seen at two places
        if found.st_ino == before.inode or id_at(there) == ledger_id:
            raise ConfigError(
                f"the ledger {path} is a second copy of {there}, and both would pay for the same photos: go on with that"
                f" one, or remove it. If both are to go on, each with photos of its own, say so: {ADOPT}"
            )
        return ""

    def goes_on_at(self, before: Location, ledger_id: str) -> bool:
        """Return whether another file has the same name of its own."""
        return before.path != str(self.path) and id_at(Path(before.path)) == ledger_id

    def dangers(self, connection: sa.Connection) -> list[tuple[str, str]]:
        """Return nothing: what a file needs is asked for at each opening."""
        return []

    def damage(self, connection: sa.Connection, *, quick: bool) -> list[str]:
        """Let SQLite look at its pages, and at its foreign keys."""
        if quick:
            found = [str(line) for line in connection.scalars(sa.text("PRAGMA quick_check(5)"))]
            return [] if found == ["ok"] else found
        pages = connection.exec_driver_sql("PRAGMA integrity_check")
        found = [f"database: {row[0]}" for row in pages if row[0] != "ok"]
        return found + [f"database: {tuple(row)}" for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]


def _machine() -> str:
    for file in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with contextlib.suppress(OSError):
            if text := file.read_text(encoding="ascii", errors="replace").strip():
                return text
    return socket.gethostname()


def id_at(path: Path) -> str | None:
    """Return the id of the ledger at a path, as far as it can be told without touching it."""
    quiet = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    with (
        contextlib.suppress(sqlite3.Error, OSError),
        contextlib.closing(sqlite3.connect(f"{path.as_uri()}?{quiet}", uri=True)) as other,
    ):
        row = other.execute("SELECT value FROM meta WHERE key = ?", (ID,)).fetchone()
        return str(row[0]) if row else None
    return None


def make_engine(path: Path, presence: Presence) -> sa.Engine:
    """Return an engine for a file, as long as it is the one that is watched."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=sa.NullPool,
        paramstyle="named",
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False, "isolation_level": None},
    )

    @sa.event.listens_for(engine, "do_connect")
    def _refuse_another(*_: Any) -> None:
        if not presence.is_at_its_path():
            raise sqlite3.OperationalError("the file is not the one that is open")

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        _use_wal(cursor)
        # FULL: in WAL mode anything less may lose the last commits at a power cut, and with them an intent.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin_immediate(connection: sa.Connection) -> None:
        # Deferred, the default, lets two processes read the same total before either writes: updates are lost.
        driver: Any = connection.connection.driver_connection  # SQLAlchemy would take ten times as long
        driver.execute("BEGIN DEFERRED" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")

    return engine


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch a new file to WAL. Two that switch at once find it locked, whatever the busy timeout says."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
        time.sleep(0.02)


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
