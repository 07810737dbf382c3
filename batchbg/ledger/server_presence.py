"""Whether the server that answers is still the one that was spent from, and has what it was told."""

import threading
from typing import Protocol

import sqlalchemy as sa

from batchbg.errors import LedgerGone
from batchbg.ledger import events
from batchbg.ledger.database import Location
from batchbg.ledger.events import Event


class _Locating(Protocol):
    name: str

    def location(self, connection: sa.Connection) -> Location: ...


class ServerPresence:
    """One server, from the moment it is spent from.

    A standby that takes over and was not told of the last commits would have photos paid for twice. It has the same
    name, and so it is asked for the last event that the first one confirmed.

    Attributes:
        is_away: it does not answer, as far as is known.
    """

    def __init__(self, database: _Locating) -> None:
        self._database = database
        self._is_watching = False
        self._location: Location | None = None
        self._last: Event | None = None
        self._trouble = ""
        self.is_away = False
        self._leaving = threading.Event()

    @property
    def is_watching(self) -> bool:
        """Whether ``begin`` has been called."""
        return self._is_watching

    @property
    def has_trouble(self) -> bool:
        """Whether another server answers."""
        return bool(self._trouble)

    @property
    def is_leaving(self) -> bool:
        """Whether nobody waits any more for a server that is away."""
        return self._leaving.is_set()

    def begin(self) -> None:
        """Take what answers from now on for what is open."""
        self._is_watching = True

    def confirmed(self, event: Event) -> None:
        """Remember an event that is committed."""
        self._last = event

    def recognise(self, connection: sa.Connection) -> None:
        """See that a new connection leads to the same database, and that it has what was committed."""
        found = self._database.location(connection)
        if self._location is None:
            self._location = found
        if (found.inode, found.machine) != (self._location.inode, self._location.machine):
            self._trouble = "another database answers under its name"
        elif self._last is not None and not events.has(connection, self._last):
            self._trouble = (
                "the server that answers lacks the last entries: a standby that was not told of them has taken over"
            )

    def check(self) -> None:
        """Need nothing: each new connection is looked at."""

    def raise_if_lost(self) -> None:
        """Refuse to go on where another server answers; once found it stays so.

        Raises:
            LedgerGone: with what happened.
        """
        if self._trouble:
            raise LedgerGone(
                f"ledger {self._database.name}: {self._trouble}; nothing more is sent: bring the right server back, then"
                " run again"
            )

    def wait(self, seconds: float) -> None:
        """Wait, unless the run is being left."""
        self._leaving.wait(seconds)

    def leave(self) -> None:
        """Wait no more for a server that is away."""
        self._leaving.set()

    def close(self) -> None:
        """Watch no more."""
        self._is_watching = False
