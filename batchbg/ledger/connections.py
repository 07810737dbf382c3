"""The connections of an open ledger, each used by one thread at a time and then kept for the next."""

import contextlib
import enum
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa


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

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(reading=True)
        self._idle: dict[Use, list[sa.Connection]] = {use: [] for use in Use}

    def open(self) -> None:
        """Open those that are ``KEPT``, should no others be had later."""
        for use in KEPT:
            self._idle[use].append(self._connect(use))

    @contextlib.contextmanager
    def transaction(self, use: Use) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction, which is committed at the end and rolled back on an error."""
        connection = self._take(use)
        try:
            with connection.begin():
                yield connection
        finally:
            self._idle[use].append(connection)

    @contextlib.contextmanager
    def bare(self) -> Iterator[sa.Connection]:
        """Yield a connection to read with that is in no transaction."""
        connection = self._take(Use.READ)
        try:
            yield connection
        finally:
            if connection.in_transaction():
                connection.rollback()  # which SQLAlchemy began by itself
            self._idle[Use.READ].append(connection)

    def _take(self, use: Use) -> sa.Connection:
        try:
            return self._idle[use].pop()
        except IndexError:
            return self._connect(use)

    def _connect(self, use: Use) -> sa.Connection:
        connection = (self._reading if use is Use.READ else self._engine).connect()
        if use is Use.WRITE_NOW:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout = 0")
        return connection

    def close(self) -> None:
        """Close all that are not in use."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
