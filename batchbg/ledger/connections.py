"""The connections of an open ledger, each used by one thread at a time and then kept for the next."""

import contextlib
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

KEPT: Final = 5
"""Connections that are there for who spends: the planning, the pool and its writer use three at once."""


class Connections:
    """Takes connections from an engine and keeps them.

    To have SQLAlchemy's pool give one out and take it back would cost as much as ten statements each time.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engines = {False: engine, True: engine.execution_options(reading=True)}
        self._idle: dict[bool, list[sa.Connection]] = {False: [], True: []}

    def open(self) -> None:
        """Open ``KEPT`` connections, should no other be had later: one to write, the others to read."""
        for reading in (False, *[True] * (KEPT - 1)):
            self._idle[reading].append(self._engines[reading].connect())

    @contextlib.contextmanager
    def transaction(self, *, reading: bool = False) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction, which is committed at the end and rolled back on an error."""
        connection = self._take(reading=reading)
        try:
            with connection.begin():
                yield connection
        finally:
            self._idle[reading].append(connection)

    @contextlib.contextmanager
    def bare(self) -> Iterator[sa.Connection]:
        """Yield a connection to read with in no transaction."""
        connection = self._take(reading=True)
        try:
            yield connection
        finally:
            if connection.in_transaction():
                connection.rollback()  # which SQLAlchemy began by itself
            self._idle[True].append(connection)

    def _take(self, *, reading: bool) -> sa.Connection:
        try:
            return self._idle[reading].pop()
        except IndexError:
            return self._engines[reading].connect()

    def close(self) -> None:
        """Close all that are not in use."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
