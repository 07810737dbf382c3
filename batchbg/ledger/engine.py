"""Opening a ledger: its file, its schema, its mode of locking."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from batchbg.errors import ConfigError, NoLedger
from batchbg.ledger.database import Database
from batchbg.ledger.location import SERVER, sqlite_path
from batchbg.ledger.sqlite import SqliteFile
from batchbg.ledger.store import Ledger

HEAD: Final = "0003"
"""The newest migration; a test compares it with the folder, so that opening a ledger need not import Alembic."""


def database_at(url: str) -> Database:
    """Return where a ledger is; nothing is opened.

    Raises:
        ConfigError: the URL is none this version opens.
    """
    if not SERVER.match(url):
        return SqliteFile(sqlite_path(url))
    from batchbg.ledger.postgres import PostgresDatabase  # which those that have a file need not wait for

    return PostgresDatabase(url)


@contextlib.contextmanager
def held(url: str, command: str, retry_s: float = 0.0) -> Iterator[Database]:
    """Hold the ledger at ``url``, which need not be there yet; yield where it is. A crash releases it.

    Args:
        url: of the ledger.
        command: what to tell others that find it held.
        retry_s: seconds to wait for another holder to end.

    Raises:
        LedgerBusy: another process holds it.
        ConfigError, LedgerError: it cannot be held.
    """
    database = database_at(url)
    with database.hold(command, retry_s) as hold:
        database.held_by(hold)
        yield database


def open_ledger(where: str | Database, *, create: bool = True) -> Ledger:
    """Open the ledger at a URL, make it where it is missing, and bring an older one up to date.

    Raises:
        ConfigError: no such ledger and ``create`` is off; a newer batchbg or another program wrote it; or it lies
            on a network file system.
        LedgerError: it cannot be read or written.
    """
    database = database_at(where) if isinstance(where, str) else where
    is_there = database.exists()
    if not (is_there or create):
        raise _none_at(database)
    database.refuse_unfit(new=not is_there)
    ledger, version = _opened(database)
    ledger.made = version is None
    if version != HEAD:
        _upgrade(ledger)
    return ledger


def open_to_read(url: str) -> Ledger:
    """Open the ledger at ``url`` for who only looks; a copy of it where it may not be written, or is an older one.

    A run of the older version may be at work on it, and has to be able to write what it is told.

    Raises:
        ConfigError, LedgerError: see ``open_ledger``.
    """
    database = database_at(url)
    if not database.exists():
        raise _none_at(database)
    if database.may_be_opened():
        database.refuse_unfit(new=False)
        ledger, version = _opened(database)
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
    database = database_at(url)
    if not database.exists():
        raise _none_at(database)
    if not database.may_be_opened():
        raise ConfigError(f"{database.name} cannot be written by this user; make it and its folder writable")
    database.refuse_unfit(new=False)
    ledger, version = _opened(database)
    if version != HEAD:
        ledger.close()
        raise ConfigError(
            f"{database.name} is of another version of batchbg; `batchbg ledger upgrade` brings it up to date"
        )
    return ledger


def open_copy(copy: Path, of: Database) -> Ledger:
    """Open a copy of a ledger in a file, or an empty one, up to date; it goes by the ledger's name, and so do its folders.

    Raises:
        ConfigError, LedgerError: see ``open_ledger``.
    """
    ledger, version = _opened(SqliteFile(copy, copy_of=of))
    if version != HEAD:
        _upgrade(ledger)
    return ledger


def _none_at(database: Database) -> NoLedger:
    return NoLedger(f"there is no ledger at {database.name}; `batchbg run` makes one, --ledger names another")


def _opened(database: Database) -> tuple[Ledger, str | None]:
    """Return a ledger, as it is, and the migration that it is at.

    Raises:
        ConfigError: another program wrote it.
        LedgerError: it cannot be read or written.
    """
    ledger = Ledger(database)
    try:
        with ledger.reading() as connection:
            version = schema_version(connection)
            if version is None and sa.inspect(connection).get_table_names():
                raise ConfigError(f"{ledger.name} is some other program's database; name another with --ledger")
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


def _upgrade(ledger: Ledger) -> None:
    """Run the migrations that are missing, in one transaction; close the ledger where that fails.

    Raises:
        ConfigError: the ledger is from a newer version than this one.
    """
    from batchbg.ledger.migrate import is_known, run_migrations

    try:
        with ledger.begin() as connection:
            version = schema_version(connection)  # somebody else may have been first
            if version is not None and not is_known(version):
                raise ConfigError(f"{ledger.name} was written by a newer batchbg (schema {version}); update batchbg")
            if version not in (None, HEAD):
                ledger.database.put_aside(HEAD)
            run_migrations(connection)
    except BaseException:
        ledger.close()
        raise
