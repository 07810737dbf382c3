"""A ledger on a PostgreSQL server, for machines that come and go, or that must not keep it.

Every transaction that writes takes one advisory lock first, and so comes after the last one: totals, caps and guards are
read as they are. Who may spend holds another, that of its session; the server gives it up with the connection.
"""

import asyncio
import contextlib
import hashlib
import itertools
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.errors import ConfigError, LedgerBusy, LedgerError, LedgerUnreachable
from batchbg.ledger.connections import Use
from batchbg.ledger.database import Hold, Location
from batchbg.ledger.marks import ADOPT
from batchbg.ledger.postgres_errors import explained
from batchbg.ledger.server_presence import ServerPresence
from batchbg.ledger.sql import CURSOR
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import metadata
from batchbg.ledger.transaction import CLOCK

log = logging.getLogger(__name__)

OLDEST: Final = 150_000
"""PostgreSQL 15, as its server_version_num says it."""

CONNECT_S: Final = 10
LOCK_S: Final = 30
"""Seconds for which another's transaction is waited for."""

IDLE_S: Final = 30
"""Seconds after which the server ends a transaction in which nothing is done: it would hold up all others."""

PATIENCE_S: Final = 120.0
"""Seconds for which who spends waits for a server that is away: a restart takes less, as does a takeover."""

PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 3.0

AGAIN_S: Final = 0.1
"""Seconds between two tries to hold the ledger."""

_WRITING: Final = 0x62617463
_HOLDING: Final = 0x62617464
"""The first keys of the two locks; the second is that of the schema, so that a database may hold several ledgers."""

_OF_SCHEMA: Final = "hashtext(coalesce(current_schema(), ''))"

_SESSION: Final = "; ".join(
    (
        "SET synchronous_commit = on",  # whatever the server's own setting: an intent that is told must be on disk
        f"SET lock_timeout = '{LOCK_S}s'",
        f"SET idle_in_transaction_session_timeout = '{IDLE_S}s'",
        "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3",
        "SET client_min_messages = warning; SET timezone = 'UTC'",
    )
)


class PostgresDatabase:
    """A ledger's database; see ``database.Database``."""

    is_near = False
    folder: Path | None = None
    kept: Sequence[Use] = (Use.WRITE, Use.READ, Use.READ, Use.READ)
    patience_s = PATIENCE_S

    def __init__(self, url: str) -> None:
        """Take the URL of the database.

        Raises:
            ConfigError: it is none, or the driver is not installed.
        """
        self._url = _checked(url)
        self.name = shown(self._url)
        self._hold: SessionLock | None = None
        self._presence = ServerPresence(self)

    @property
    def path(self) -> Path:
        """Beside which this user's files lie that go with the ledger."""
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state", "batchbg")
        return state / hashlib.sha256(self.name.encode()).hexdigest()[:16]

    # -- before it is opened

    def exists(self) -> bool:
        """Return whether there are tables of a ledger."""
        with self._once() as connection:
            return bool(connection.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL")))

    def may_be_opened(self) -> bool:
        """Return True: who may only read is told so when something is to be written."""
        return True

    def refuse_unfit(self, *, new: bool) -> None:
        """Need nothing more: each connection looks at its server."""

    def refuse_spending(self) -> None:
        """Refuse a standby."""
        with self._once() as connection:
            if connection.scalar(
                sa.text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool")
            ):
                raise ConfigError(f"ledger {self.name}: it can only be read there (a standby); name the primary server")

    @contextlib.contextmanager
    def _once(self) -> Iterator[sa.Connection]:
        """Yield a connection for one question.

        Raises:
            ConfigError, LedgerError: there is none, or the question was refused.
        """
        engine = self.engine()
        try:
            with engine.connect() as connection:
                yield connection
        except (sa.exc.DatabaseError, engine.dialect.loaded_dbapi.Error) as error:
            raise self.explain(error) from error
        finally:
            engine.dispose()

    # -- holding it

    @contextlib.contextmanager
    def hold(self, command: str, retry_s: float) -> Iterator[Hold | None]:
        """Take an advisory lock for as long as a connection of its own is there."""
        lock = SessionLock(self, command)
        give_up_at = time.monotonic() + retry_s
        try:
            while not lock.take():
                if time.monotonic() >= give_up_at:
                    raise LedgerBusy(f"another run holds {self.name}: {lock.holder()}")
                time.sleep(AGAIN_S)
            yield lock
        finally:
            lock.close()

    def held_by(self, hold: Hold | None) -> None:
        """Let every transaction that writes see first that the lock is still held."""
        self._hold = hold if isinstance(hold, SessionLock) else None

    # -- speaking with it

    def engine(self, program: str = "batchbg") -> sa.Engine:
        """Return an engine whose transactions begin with the lock of those that write."""
        engine = sa.create_engine(
            self._url,
            poolclass=sa.NullPool,
            execution_options={CLOCK: lambda connection: clock(connection), CURSOR: cursor_at_server},
            connect_args={
                "autocommit": True,  # BEGIN is sent by hand, below
                "prepare_threshold": None,  # a pooler may give each transaction another session
                "connect_timeout": CONNECT_S,
                "application_name": program,
                "client_encoding": "utf8",
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )

        @sa.event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            refuse_server(connection, self.name)
            if connection.execute("SELECT pg_backend_pid()").fetchone()[0] == connection.info.backend_pid:
                connection.execute(_SESSION)  # behind a pooler the session is somebody else's, too

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            driver: Any = connection.connection.driver_connection
            if connection.get_execution_options().get("reading"):
                driver.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                return
            # A statement of its own after the lock sees all that was committed before it. SERIALIZABLE would refuse.
            driver.execute(
                f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({_WRITING}, {_OF_SCHEMA})"
            )
            if self._hold is not None:
                self._hold.check(driver)

        return engine

    def presence(self) -> ServerPresence:
        """Return who sees whether the server that answers is still the same."""
        return self._presence

    def reserve(self) -> "Nothing":
        """Return no room: the server's disk is not this machine's to fill."""
        return Nothing()

    def prepare(self, connection: sa.Connection, use: Use) -> None:
        """See that it is the same server as before."""
        self._presence.recognise(connection)

    def is_dead(self, connection: sa.Connection) -> bool:
        """Return whether the connection is broken, the server has ended it, or a beginning was left half done."""
        if connection.closed or connection.invalidated:
            return True
        driver: Any = connection.connection.driver_connection
        return driver is None or bool(driver.closed) or driver.info.transaction_status != _IDLE

    def connected(self, connect: Callable[[], sa.Connection]) -> sa.Connection:
        """Return what ``connect`` returns; who spends waits for a server that is away, and says so once.

        Raises:
            ConfigError, LedgerError: there is no connection to be had.
        """
        presence = self._presence
        may_wait = presence.is_watching and not _is_in_loop()
        if presence.is_away and not may_wait:
            raise LedgerUnreachable(f"ledger {self.name}: its server does not answer")
        give_up_at, pause_s = time.monotonic() + PATIENCE_S, PAUSE_S
        while True:
            try:
                connection = connect()
            except (sa.exc.DatabaseError, sa.exc.InterfaceError) as error:
                ours = self.explain(error)
                if not isinstance(ours, LedgerUnreachable):
                    raise
                if presence.is_watching and not presence.is_away:
                    presence.is_away = True
                    log.warning("%s Waiting for it, for up to %.0f s; no create leaves meanwhile", ours, PATIENCE_S)
                if not may_wait or time.monotonic() >= give_up_at or presence.is_leaving:
                    raise
                presence.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if presence.is_away:
                    presence.is_away = False
                    log.warning("ledger %s: its server is back", self.name)
                return connection

    def explain(self, error: Exception) -> LedgerError:
        """Return an error of the server's in a person's words."""
        return explained(error, self.name)

    def would_wait(self, error: BaseException | None) -> bool:
        """Return False: nothing is done here that must not wait."""
        return False

    # -- what it is

    def number_on(self, connection: sa.Connection) -> None:
        """Let every sequence go on after the highest number that is taken."""
        for table in metadata.sorted_tables:
            numbers = [column.name for column in table.primary_key if isinstance(column.type, sa.Integer)]
            if numbers == [table.primary_key.columns[0].name] and not table.primary_key.columns[0].foreign_keys:
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{numbers[0]}'),"
                    f" coalesce((SELECT max({numbers[0]}) FROM {table.name}), 0) + 1, false)"
                )

    def put_aside(self, version: str) -> None:
        """Say how to keep a copy: what a server holds is its keeper's to copy."""
        log.warning("ledger %s: brought to schema %s; pg_dump makes copies of it", self.name, version)

    def copy_to(self, target: Path) -> None:
        """Copy all rows into a file."""
        from batchbg.ledger.copying import copy_rows
        from batchbg.ledger.engine import open_copy

        with (
            contextlib.closing(Ledger(self)) as source,
            contextlib.closing(open_copy(target, self)) as copy,
            source.reading() as original,
            copy.begin() as connection,
        ):
            copy_rows(source, original, copy, connection)

    def location(self, connection: sa.Connection) -> Location:
        """Return the database's number on its server, and the server's own."""
        return location(connection, self.name)

    def refuse_copy(self, ledger_id: str, before: Location, here: Location) -> str:
        """Refuse what was restored from a dump, or taken along to another server: the first may go on."""
        if (before.inode, before.machine) == (here.inode, here.machine):
            return ""
        raise ConfigError(
            f"the ledger {self.name} was {before.path} before, on another server or in another database: if that one"
            f" goes on, too, the same photos are paid for twice. If this is the only one now, say so: {ADOPT}"
        )

    def goes_on_at(self, before: Location, ledger_id: str) -> bool:
        """Return False: no other server is asked."""
        return False

    def dangers(self, connection: sa.Connection) -> list[tuple[str, str]]:
        """Return what of the server's set-up may lose what was committed."""
        from batchbg.ledger.server_care import dangers

        return dangers(connection)

    def damage(self, connection: sa.Connection, *, quick: bool) -> list[str]:
        """Return nothing: the server looks after its pages, and at foreign keys as they are written."""
        return []


class SessionLock:
    """The lock of who may spend, on a connection of its own."""

    def __init__(self, database: PostgresDatabase, command: str) -> None:
        """Take the ledger's database, and what to tell others that find it held."""
        self._database = database
        self._mine = f"batchbg {command} {os.getpid()}@{socket.gethostname()}"[:60].encode("ascii", "replace").decode()
        self._engine = database.engine(self._mine)
        self._connection: sa.Connection | None = None
        self._pid = 0
        self._turn = threading.Lock()

    def take(self) -> bool:
        """Take the lock; return False where another session has it.

        Raises:
            ConfigError: a pooler stands between, with which no session is one's own.
            LedgerError: the server cannot be spoken with.
        """
        try:
            connection = self._connection or self._engine.connect()
            self._connection = connection
            driver: Any = connection.connection.driver_connection
            self._pid = driver.execute("SELECT pg_backend_pid()").fetchone()[0]
            if self._pid != driver.info.backend_pid:
                raise ConfigError(
                    f"ledger {self._database.name}: a pooler such as pgbouncer stands between, which gives each"
                    " transaction another session; a run needs one of its own to hold the ledger: name the server itself"
                )
            query = f"SELECT pg_try_advisory_lock({_HOLDING}, {_OF_SCHEMA})"
            return bool(driver.execute(query).fetchone()[0])
        except (sa.exc.DatabaseError, self._engine.dialect.loaded_dbapi.Error) as error:
            raise self._database.explain(error) from error

    def holder(self) -> str:
        """Say who holds the lock."""
        row = self._ask(f"{_WHO} AND l.granted LIMIT 1")
        if row is None:
            return "it has just ended"
        program, address, since = row
        return f"`{program}`{f' from {address}' if address else ''}, since {since}"

    def _ask(self, query: str) -> Any:
        assert self._connection is not None
        driver: Any = self._connection.connection.driver_connection
        return driver.execute(query).fetchone()

    def check(self, driver: Any) -> None:
        """See, in a transaction that is about to write, that the lock is held; take it again where its session ended.

        Raises:
            LedgerBusy: another run has it.
            LedgerError: the server cannot be spoken with.
        """
        if driver.execute(_IS_HELD, {"pid": self._pid}).fetchone()[0]:
            return
        with self._turn:
            self.close()
            driver.execute(_END_MINE, {"mine": self._mine})  # the server may not have heard that it is gone
            for _ in range(20):
                if self.take():
                    return
                time.sleep(AGAIN_S)
            raise LedgerBusy(
                f"ledger {self._database.name}: its server ended this run's session, and another run holds it now:"
                f" {self.holder()}"
            )

    def close(self) -> None:
        """Give the lock up."""
        if self._connection is not None:
            with contextlib.suppress(Exception):  # there may be nobody to tell
                self._connection.invalidate()
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None
            self._engine.dispose()


_MINE_IN_LOCKS: Final = (
    f"l.locktype = 'advisory' AND l.classid = {_HOLDING} AND l.objid = {_OF_SCHEMA}::oid"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_IS_HELD: Final = f"SELECT EXISTS (SELECT FROM pg_locks l WHERE {_MINE_IN_LOCKS} AND l.granted AND l.pid = %(pid)s)"
_WHO: Final = (
    "SELECT a.application_name, host(a.client_addr), to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')"
    f" FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE {_MINE_IN_LOCKS}"
)
_END_MINE: Final = (
    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    f" WHERE {_MINE_IN_LOCKS} AND a.application_name = %(mine)s"
)


class Nothing:
    """No room, where none can be held."""

    def take(self) -> None:
        """Take nothing."""

    def drop(self) -> bool:
        """Free nothing."""
        return False


def cursor_at_server(driver: Any) -> Any:
    """Return a cursor that fetches rows as they are asked for, however many there are."""
    return driver.cursor(name=f"batchbg_{next(_numbers)}")


_numbers = itertools.count()

_IDLE: Final = 0
"""Of a session that is in no transaction. Source: libpq, PQtransactionStatus."""


def _is_in_loop() -> bool:
    """Return whether an event loop would wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def refuse_server(connection: Any, name: str) -> None:
    """Refuse a server that is too old, or a database that cannot hold every name.

    Raises:
        ConfigError: it is one.
    """
    version = connection.info.server_version
    if version < OLDEST:
        raise ConfigError(
            f"ledger {name}: the server is PostgreSQL {version // 10_000}; it has to be {OLDEST // 10_000} or newer"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ConfigError(
            f"ledger {name}: the database is in {encoding}, which has no place for every file's name; make one"
            " with `createdb -E UTF8 -T template0`"
        )


def clock(connection: sa.Connection) -> float:
    """Return the server's time, seconds since 1970: all machines go by the same one."""
    driver: Any = connection.connection.driver_connection
    found: float = driver.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()[0]
    return found


def location(connection: sa.Connection, name: str) -> Location:
    """Return which database on which server a connection leads to."""
    driver: Any = connection.connection.driver_connection
    query = (
        "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::int8,"
        " (SELECT system_identifier FROM pg_control_system())::text, coalesce(current_schema(), '')"
    )
    number, server, schema = driver.execute(query).fetchone()
    return Location(name, number, f"{server} {schema}")


def _checked(url: str) -> sa.URL:
    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError(
            "ledger: it is not a URL such as postgresql+psycopg://USER@HOST/DATABASE; letters like @ : / # in a"
            " password are written as %40 %3A %2F %23"
        ) from error
    if found.drivername not in ("postgresql", "postgresql+psycopg", "postgres"):
        raise ConfigError(f"ledger: {found.drivername} is not supported; use postgresql+psycopg://HOST/DATABASE")
    if not found.database:
        raise ConfigError("ledger: the URL names no database; postgresql+psycopg://HOST/DATABASE does")
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "ledger: PostgreSQL needs the extra: pip install 'batchbg[postgres]'"
            f" ({re.sub(chr(10) + '.*', '', str(error), flags=re.DOTALL)})"
        ) from error
    return found.set(drivername="postgresql+psycopg")


def shown(url: sa.URL) -> str:
    """Return a URL as people and logs are told of it: without a password, wherever it stands."""
    public = {name: value for name, value in url.query.items() if "password" not in name.lower()}
    return sa.URL.create(
        url.drivername, url.username, host=url.host, port=url.port, database=url.database, query=public
    ).render_as_string()
