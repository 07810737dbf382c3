"""Opening a ledger: its file, its schema, its mode of locking."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.disk.files import create
from batchbg.errors import ConfigError, NoLedger
from batchbg.ledger.filesystem import refuse_network
from batchbg.ledger.location import check_folder, exists, refuse_odd, sqlite_path
from batchbg.ledger.presence import Presence
from batchbg.ledger.store import Ledger

HEAD: Final = "0003"
"""The newest migration; a test compares it with the folder, so that opening a ledger need not import Alembic."""


BUSY_TIMEOUT_MS: Final = 30_000
CACHE_KIB: Final = 32_768
"""Pages kept in memory: a ledger of 100,000 photos is asked for all of them every night."""


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
            raise _none_at(path)
        check_folder(path)
    refuse_network(path)
    ledger, version = _opened(path)
    ledger.made = version is None
    if version != HEAD:
        _upgrade(ledger, aside=path.with_name(f"{path.name}.before-{HEAD}"))
    return ledger


def open_to_read(url: str) -> Ledger:
    """Open the ledger at ``url`` for who only looks; a copy of it where it may not be written, or is an older one.

    A run of the older version may be at work on it, and has to be able to write what it is told.

    Raises:
        ConfigError, LedgerError: see ``open_ledger``.
    """
    path = sqlite_path(url)
    if not exists(url):
        raise _none_at(path)
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK):
        refuse_network(path)
        ledger, version = _opened(path)
        if version == HEAD:
            return ledger
        ledger.close()
    from batchbg.ledger.snapshot import open_snapshot

    return open_snapshot(url)


def open_current(url: str) -> Ledger:
    """Open the ledger at ``url`` for who reads it, and writes a word into it now and then beside a run; never a copy.

    Raises:
        ConfigError: no such ledger, one that may not be written, or an older one.
        LedgerError: it cannot be read.
    """
    path = sqlite_path(url)
    if not exists(url):
        raise _none_at(path)
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        raise ConfigError(f"{path} cannot be written by this user; make it and its folder writable")
    refuse_network(path)
    ledger, version = _opened(path)
    if version != HEAD:
        ledger.close()
        raise ConfigError(f"{path} is of another version of batchbg; `batchbg ledger upgrade` brings it up to date")
    return ledger


def open_copy(copy: Path, path: Path) -> Ledger:
    """Open a copy of the ledger at ``path``, or an empty one, up to date; it goes by that path, and so do its folders.

    Raises:
        ConfigError, LedgerError: see ``open_ledger``.
    """
    ledger, version = _opened(copy)
    ledger.path = path
    if version != HEAD:
        _upgrade(ledger)
    return ledger


def _none_at(path: Path) -> NoLedger:
    return NoLedger(f"there is no ledger at {path}; `batchbg run` makes one, --ledger names another")


def _opened(path: Path) -> tuple[Ledger, str | None]:
    """Return the ledger in a file, as it is, and the migration that it is at.

    Raises:
        ConfigError: another program wrote it.
        LedgerError: it cannot be read or written.
    """
    refuse_odd(path)
    presence = Presence(path)
    ledger = Ledger(_engine(path, presence), path, presence)
    try:
        with ledger.reading() as connection:
            version = schema_version(connection)
            if version is None and sa.inspect(connection).get_table_names():
                raise ConfigError(f"{path} is some other program's database; name another file with --ledger")
    except BaseException:
        ledger.close()
        raise
    return ledger, version


def schema_version(connection: sa.Connection) -> str | None:
    """Return the migration the ledger is at; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return version


def _upgrade(ledger: Ledger, aside: Path | None = None) -> None:
    """Run the migrations that are missing, in one transaction; close the ledger where that fails.

    Args:
        ledger: open.
        aside: where a copy of an older one is put first; None for none.

    Raises:
        ConfigError: the ledger is from a newer version than this one.
    """
    from batchbg.ledger.migrate import is_known, run_migrations

    try:
        with ledger.begin() as connection:
            version = schema_version(connection)  # somebody else may have been first
            if version is not None and not is_known(version):
                raise ConfigError(f"{ledger.path} was written by a newer batchbg (schema {version}); update batchbg")
            if version not in (None, HEAD) and aside is not None:
                _put_aside(ledger.path, aside)
            run_migrations(connection)
    except BaseException:
        ledger.close()
        raise


def _put_aside(path: Path, backup: Path) -> None:
    create(backup).close()  # anew: it may be a link, through which nothing is written
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)  # what is still in the write-ahead log comes along


def _engine(path: Path, presence: Presence) -> sa.Engine:
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
