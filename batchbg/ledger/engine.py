"""Opening a ledger: its file, its schema, its mode of locking."""

import contextlib
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.disk.files import create
from batchbg.errors import ConfigError, NoLedger
from batchbg.ledger.filesystem import refuse_network
from batchbg.ledger.location import check_folder, exists, refuse_odd, sqlite_path
from batchbg.ledger.presence import Presence
from batchbg.ledger.store import KEPT, Ledger, explained

HEAD: Final = "0002"
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
            raise NoLedger(f"there is no ledger at {path}; `batchbg run` makes one, --ledger names another")
        check_folder(path)
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
    ledger.path = path
    ledger.on_close(folder.cleanup)
    return ledger


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
            explained(ledger.path),
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
