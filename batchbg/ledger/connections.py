"""The connections of an open ledger, each used by one thread at a time and then kept for the next."""

import contextlib
import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from batchbg.ledger.database import Database


class Use(enum.Enum):
    """What a connection is for."""

    READ = "read"  # a transaction sees one state of the ledger, and keeps nobody waiting
    WRITE = "write"  # waits until nobody else writes
    WRITE_NOW = "write now"  # is refused at once where somebody else writes


KEPT: Final = (Use.WRITE, Use.WRITE_NOW, Use.READ, Use.READ, Use.READ)
"""Connections that are there for who spends: the planning, the pool and its writer use as many at once."""


class Connections:
    """Takes connections from an engine and keeps them.

    To have SQLAlchemy's pool give one out and take it back would cost as much as ten statements each time.
    """

    def __init__(self, engine: sa.Engine, database: "Database") -> None:
        self._engine = engine
        self._reading = engine.execution_options(reading=True)
        self._database = database
        self._idle: dict[Use, list[sa.Connection]] = {use: [] for use in Use}

    def open(self) -> None:
        """Open those that are to be ``kept``, should no others be had later."""
        for use in self._database.kept:
            self._idle[use].append(self._connect(use))

    @contextlib.contextmanager
    def transaction(self, use: Use) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction, which is committed at the end and rolled back on an error."""
        connection, begun = self._begin(use)
        try:
            with begun:
                yield connection
        finally:
            self._give_back(connection, use)

    @contextlib.contextmanager
    def bare(self) -> Iterator[sa.Connection]:
        """Yield a connection to read with that is in no transaction."""
        if not self._database.is_near:  # it may have hung up meanwhile, which a beginning tells before anything is read
            with self.transaction(Use.READ) as connection:
                yield connection
            return
        connection = self._take(Use.READ)
        try:
            yield connection
        finally:
            if connection.in_transaction():
                connection.rollback()  # which SQLAlchemy began by itself
            self._idle[Use.READ].append(connection)

    def _begin(self, use: Use) -> tuple[sa.Connection, sa.RootTransaction]:
        """Return a connection in a transaction. One that was kept may be dead, and is replaced by a new one."""
        while True:
            is_kept = bool(self._idle[use])
            connection = self._take(use)
            try:
                return connection, connection.begin()
            except BaseException:
                is_dead = self._database.is_dead(connection)
                self._give_back(connection, use)
                if not (is_kept and is_dead):
                    raise

    def _give_back(self, connection: sa.Connection, use: Use) -> None:
        if self._database.is_dead(connection):
            with contextlib.suppress(Exception):  # there is nobody to say goodbye to
                connection.invalidate()
            with contextlib.suppress(Exception):
                connection.close()
        else:
            self._idle[use].append(connection)

    def _take(self, use: Use) -> sa.Connection:
        try:
            return self._idle[use].pop()
        except IndexError:
            return self._connect(use)

    def _connect(self, use: Use) -> sa.Connection:
        engine = self._reading if use is Use.READ else self._engine
        connection = self._database.connected(engine.connect)
        self._database.prepare(connection, use)
        return connection

    def close(self) -> None:
        """Close all that are not in use."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
