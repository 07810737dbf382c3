"""Opening a ledger: its file, its schema, its mode of locking, and who may hold it."""

import contextlib
import dataclasses
import datetime
import json
import os
import re
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.disk.files import create, read_text
from batchbg.errors import ConfigError, DiskError, LedgerBusy, LedgerError
from batchbg.ledger import marks
from batchbg.ledger.filesystem import refuse_network, refuse_odd
from batchbg.ledger.lock import NoLock, locked
from batchbg.ledger.presence import Presence, refuse_links
from batchbg.ledger.tables import events

Connection = sa.Connection
"""What ``Ledger.reading`` and ``Ledger.begin`` yield."""

HEAD: Final = "0002"
"""The newest migration; a test compares it with the folder, so that opening a ledger need not import Alembic."""

BUSY_TIMEOUT_MS: Final = 30_000

CACHE_KIB: Final = 32_768
"""Pages kept in memory: a ledger of 100,000 photos is asked for all of them every night."""

KEPT: Final = 5
"""Connections that a ledger keeps for who spends: the planning, the pool and its writer use three at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tx:
    """One transaction on the ledger.

    Attributes:
        connection: SQLAlchemy's.
        at: the ledger's time, seconds since 1970; never less than that of any earlier transaction.
        run_id: the run that writes, for the events.
    """

    connection: sa.Connection
    at: float
    run_id: str


def enter(connection: sa.Connection, run_id: str) -> Tx:
    """Return the transaction that ``connection`` has open, at the ledger's time.

    The clock of the machine may jump back; the ledger's does not, or a day's budget could be spent twice.
    """
    last = connection.scalar(_LAST_EVENT_AT)
    return Tx(connection, max(time.time(), last or 0.0), run_id)


_LAST_EVENT_AT: Final = sa.select(events.c.at).order_by(events.c.id.desc()).limit(1)


class Ledger:
    """An open ledger. Reading commands share it; who may spend holds its lock as well.

    Attributes:
        engine: SQLAlchemy's; a transaction on it begins with BEGIN IMMEDIATE.
        path: the file, symbolic links resolved.
        id: its own name, which stands beside its results; "" where that is not looked at.
        made: whether it was made just now.
        copied: the folder of the copy that is open in the ledger's place, or None.
        projects: those that this process was told of, by job, should the file be taken away.
    """

    def __init__(self, engine: sa.Engine, path: Path, presence: Presence) -> None:
        self.id = ""
        self.made = False
        self.projects: dict[str, str] = {}
        self.copied: tempfile.TemporaryDirectory[str] | None = None
        self.engine = engine
        self.path = path
        self._reader = engine.execution_options(reading=True)
        self._turn = threading.Lock()
        self._presence = presence
        self._anchor: sa.Connection | None = None
        self._marks: dict[str, marks.Held] = {}
        self._due: set[str] = set()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one state of the ledger and keeps no writer waiting.

        Raises:
            LedgerError: the database refused, with its reason.
        """
        with _explained(self.path), self._reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction that is committed at the end, rolled back on an error.

        Threads of this process take turns: SQLite lets who waits look again now and then, so that a thread that writes
        transaction after transaction would keep the others out until they give up.

        Raises:
            LedgerError: the database refused, with its reason.
        """
        with self._turn, _explained(self.path):
            self._due.clear()
            with self.engine.begin() as connection:
                self._presence.look()
                yield connection
                event = marks.last_event(connection) if self._due else None
            if event is not None:
                self._mark(event)

    @contextlib.contextmanager
    def transaction(self, run_id: str = "") -> Iterator[Tx]:
        """Yield a transaction at the ledger's time; see ``begin``."""
        with self.begin() as connection:
            yield enter(connection, run_id)

    def relative(self, folder: Path) -> str:
        """Return the name under which a folder stands in the ledger: a tree that is moved as a whole keeps it."""
        real = Path(os.path.realpath(folder))
        return os.path.relpath(real, self.path.parent) if real.is_relative_to(self.path.parent) else str(real)

    def absolute(self, name: str) -> Path:
        """Return the folder that ``relative`` named."""
        return Path(os.path.normpath(self.path.parent / name))

    def watch(self) -> None:
        """Begin to watch whether this ledger's files stay where they are: for who is about to spend.

        Raises:
            ConfigError: the ledger has two names.
            LedgerError: its files are not there.
        """
        if self._presence.is_watching:
            return
        refuse_links(self.path)
        with _explained(self.path):
            # One connection stays open, so that neither the files' numbers nor the log are given up meanwhile. Some
            # more are there for what is still to be collected should the files be taken away.
            self._anchor, *others = [self._reader.connect() for _ in range(KEPT)]
            for one in others:
                one.close()
            with self._anchor.begin():
                self._anchor.execute(_LAST_EVENT_AT)
        self._presence.begin()

    def check_still_there(self, output: str | None = None) -> None:
        """Refuse to go on where the files at the ledger's path are no longer the ones that are open.

        To be called inside the transaction of every reservation: no create may leave for a reservation that nobody
        will find again. It costs some stats. When the transaction is committed, the mark in the output folder tells
        of it, before ``begin`` returns.

        Args:
            output: the folder of the result, by the name it has in the ledger.

        Raises:
            LedgerError: deleted, replaced, overwritten or hard-linked meanwhile.
            DiskError: the mark cannot be written.
            ConfigError: the folder holds another ledger's results.
        """
        self.watch()
        self._presence.look()
        self._presence.refuse()
        if output is not None and self.id:
            held = self._marks.get(output)
            if held is None or not held.is_there():
                if held is not None:
                    self._marks.pop(output).close()
                held = self._marks[output] = self._open_mark(self.absolute(output))
            held.put_again()
            self._due.add(output)

    def _open_mark(self, folder: Path) -> marks.Held:
        with self.reading() as connection:
            event, mark = marks.last_reservation(connection), marks.read(folder)
            if mark is not None and mark.ledger != self.id:
                raise marks.foreign(folder, mark)
            if mark is not None:
                marks.refuse_behind(connection, folder, mark, self.path)
        if mark is None:
            marks.write(folder, marks.Mark(self.id, event, str(self.path)))
        return marks.Held(folder, event)

    def _mark(self, event: marks.Event) -> None:
        """Tell of what was just committed beside the results it is for."""
        try:
            for output in self._due:
                self._marks[output].put(event)
        except DiskError as error:
            raise LedgerError(str(error)) from error

    @property
    def is_lost(self) -> bool:
        """Whether what is written to this ledger now may not be found again."""
        self._presence.look()
        return self._presence.has_trouble

    def close(self) -> None:
        """Close every connection."""
        for held in self._marks.values():
            held.close()
        self._marks.clear()
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None
        self.engine.dispose()
        self._presence.close()
        if self.copied is not None:
            self.copied.cleanup()


def sqlite_path(url: str) -> Path:
    """Return the real path of a SQLite ledger.

    Raises:
        ConfigError: the URL is none this version opens.
    """
    if found := re.fullmatch(r"sqlite(?:\+pysqlite)?:///(.+)", url, re.DOTALL):
        # Taken as it stands: a folder may be called "50% off?", and nobody escapes that in a path.
        name = found[1]
        if name == ":memory:":
            raise ConfigError("ledger: it must be a file, for it has to outlive the process")
        if "?" in name.rpartition("/")[2]:
            raise ConfigError(f"ledger: {url!r}: the file's name may not have a ?, and no options are taken")
        return Path(os.path.realpath(name))
    try:
        kind = sa.make_url(url).get_backend_name()
    except sa.exc.ArgumentError as error:
        raise ConfigError(f"ledger: {url!r} is not a URL such as sqlite:///batchbg.db") from error
    if kind != "sqlite":
        raise ConfigError(f"ledger: {kind} is not supported; use sqlite:///PATH")
    raise ConfigError("ledger: it must be a file, for it has to outlive the process")


def exists(url: str) -> bool:
    """Tell whether the ledger is there already.

    Raises:
        ConfigError: the way there is barred.
    """
    path = sqlite_path(url)
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"ledger: {path}: {error.strerror}") from error


def open_ledger(url: str, *, create: bool = True) -> Ledger:
    """Open the ledger at ``url``, make it where it is missing, and bring an older one up to date.

    Raises:
        ConfigError: no such ledger and ``create`` is off; a newer batchbg or another program wrote it; or it lies
            on a network file system.
        LedgerError: it cannot be read or written.
    """
    path = sqlite_path(url)
    if not exists(url):
        if not create:
            raise ConfigError(f"there is no ledger at {path}; `batchbg run` makes one, --ledger names another")
        _check_folder(path)
    refuse_network(path)
    refuse_odd(path)
    presence = Presence(path)
    ledger = Ledger(_engine(path, presence), path, presence)
    try:
        with ledger.reading() as connection:
            version = schema_version(connection)
            if version is None and sa.inspect(connection).get_table_names():
                raise ConfigError(f"{path} is some other program's database; name another file with --ledger")
        ledger.made = version is None
        if version != HEAD:
            upgrade(ledger, version)
    except BaseException:
        ledger.close()
        raise
    return ledger


def open_to_read(url: str) -> Ledger:
    """Open the ledger at ``url`` for who only looks; a copy of it where it may not be written.

    Raises:
        ConfigError, LedgerError: see ``open_ledger``.
    """
    path = sqlite_path(url)
    if not exists(url) or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        return open_ledger(url, create=False)
    from batchbg.ledger.snapshot import copy_to

    folder = tempfile.TemporaryDirectory(prefix="batchbg-read-")
    try:
        copy = Path(folder.name) / "ledger.db"
        copy_to(path, copy)
        ledger = open_ledger(f"sqlite:///{copy}", create=False)
    except BaseException:
        folder.cleanup()
        raise
    ledger.path, ledger.copied = path, folder
    return ledger


def _check_folder(path: Path) -> None:
    try:
        is_there = path.parent.is_dir()
    except OSError as error:
        raise ConfigError(f"ledger: {path.parent}: {error.strerror}") from error
    if not is_there:
        raise ConfigError(f"ledger: there is no folder {path.parent}")


def schema_version(connection: sa.Connection) -> str | None:
    """Return the migration the ledger is at; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return version


def upgrade(ledger: Ledger, version: str | None) -> None:
    """Run the migrations that are missing, in one transaction, after a copy of an older ledger was put aside.

    Raises:
        ConfigError: the ledger is from a newer version than this one.
    """
    from batchbg.ledger.migrate import is_known, run_migrations

    if version is not None:
        if not is_known(version):
            raise ConfigError(f"{ledger.path} was written by a newer batchbg (schema {version}); update batchbg")
        backup = ledger.path.with_name(f"{ledger.path.name}.before-{HEAD}")
        create(backup).close()  # anew: it may be a link, through which nothing is written
        with (
            _explained(ledger.path),
            contextlib.closing(sqlite3.connect(ledger.path)) as source,
            contextlib.closing(sqlite3.connect(backup)) as target,
        ):
            source.backup(target)  # what is still in the write-ahead log comes along
    with ledger.begin() as connection:
        run_migrations(connection)


def _engine(path: Path, presence: Presence) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        pool_size=KEPT,
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
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN DEFERRED" if reading else "BEGIN IMMEDIATE")

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


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the database's errors into ours, with the file and what to do.

    Raises:
        LedgerError: for anything the database itself refuses.
    """
    try:
        yield
    except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        reason = str(getattr(error, "orig", error))
        advice = {
            "database or disk is full": "free some space and run again; nothing further was sent",
            "attempt to write a readonly database": "make the file and its folder writable and run again",
            "unable to open database file": "its folder must be there and writable",
            "database is locked": "another program keeps it locked; run again when it has finished",
            "file is not a database": "it is no ledger; --ledger names another",
            "disk I/O error": "the disk reports an error; is it full, or on a network?",
        }.get(reason, "run again when that is mended")
        raise LedgerError(f"ledger {path}: {reason}; {advice}") from error


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a ledger."""

    pid: int
    host: str
    since: str
    command: str

    def __str__(self) -> str:
        return f"`batchbg {self.command}`, pid {self.pid} on {self.host}, since {self.since}"


@contextlib.contextmanager
def held(url: str, command: str, retry_s: float = 0.0) -> Iterator[None]:
    """Hold the ledger by the operating system's lock on its real path; a crash releases it.

    Args:
        url: of the ledger, which need not be there yet.
        command: what to tell others that find it held.
        retry_s: seconds to wait for another holder to end.

    Raises:
        LedgerBusy: another process holds it.
        LedgerError: the lock file cannot be made.
    """
    path = sqlite_path(url)
    _check_folder(path)
    refuse_odd(path)
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    note = json.dumps(dataclasses.asdict(Holder(os.getpid(), socket.gethostname(), now, command)))
    lock_path = path.with_name(path.name + ".lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(lock_path, note, retry_s))
        except BlockingIOError as error:
            raise LedgerBusy(f"another run holds {path}: {_holder(lock_path)}") from error
        except NoLock as error:
            raise ConfigError(
                f"ledger: {path} lies where the system has no locks ({error.strerror}), so that two runs could spend at"
                " once; name a file on a local disk with --ledger"
            ) from error
        except OSError as error:
            raise LedgerError(f"cannot lock {path}: {error.strerror or error}; its folder must be writable") from error
        yield


def _holder(lock_path: Path) -> str:
    """Say who holds a lock; the note may be about to be written."""
    for _ in range(3):
        try:
            return str(Holder(**json.loads(read_text(lock_path))))
        except (OSError, ValueError, TypeError):
            time.sleep(0.05)
    return "its holder left no note"
