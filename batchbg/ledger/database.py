"""What differs between the kinds of database that a ledger can be kept in; everything else is the same code."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from batchbg.errors import LedgerError
from batchbg.ledger.connections import Use
from batchbg.ledger.events import Event


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """Where a ledger is, so that a copy of it can be told from itself.

    Attributes:
        path: real path of its file, or the URL of its database.
        inode: number of the file on its disk, or of the database on its server.
        machine: whose disk that is, or which server.
    """

    path: str
    inode: int
    machine: str

    @classmethod
    def read(cls, text: str | None) -> "Location | None":
        """Return the location that ``written`` wrote; None where that cannot be read."""
        try:
            found: Any = json.loads(text or "")
            return cls(str(found["path"]), int(found["inode"]), str(found["machine"]))
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def written(self) -> str:
        """The location as text."""
        return json.dumps(dataclasses.asdict(self))


class Presence(Protocol):
    """Whether what is open is still what stands where the ledger was opened."""

    @property
    def is_watching(self) -> bool:
        """Whether ``begin`` has been called."""

    @property
    def has_trouble(self) -> bool:
        """Whether something was found to be wrong."""

    def begin(self) -> None:
        """Take what is there now for what is open.

        Raises:
            ConfigError, LedgerError: it must not be spent from.
        """

    def check(self) -> None:
        """See whether all is as it was; to be called before anything is written."""

    def raise_if_lost(self) -> None:
        """Refuse to go on where that is not so; once found it stays so.

        Raises:
            LedgerGone: with what happened.
        """

    def confirmed(self, event: Event) -> None:
        """Remember an event that is committed."""

    def leave(self) -> None:
        """Wait no more for what is away: the run is being left."""

    def close(self) -> None:
        """Watch no more."""


class Hold(Protocol):
    """A ledger that is held by this process, as one kind of database knows it."""


class Reserve(Protocol):
    """Room that is held on the ledger's disk for what must not be lost."""

    def take(self) -> None:
        """Take up the room.

        Raises:
            LedgerError: there is too little.
        """

    def drop(self) -> bool:
        """Free the room; return False where it is free already."""


class Database(Protocol):
    """Where one ledger is, and how it is spoken with.

    Attributes:
        name: as people are told of it; a URL has no password in it.
        path: beside which the files lie that go with the ledger: its own, or one of this user's for a server.
        folder: below which folders are known by relative names; None where all have their full names.
        kept: connections that stay open while it is spent from, by what they are for.
        is_near: a statement takes some microseconds, so that an event loop may wait for it.
        patience_s: seconds for which who writes waits for a server that is away.
    """

    name: str
    folder: Path | None
    kept: Sequence[Use]
    is_near: bool
    patience_s: float

    @property
    def path(self) -> Path:
        """See above."""

    def exists(self) -> bool:
        """Return whether there is a ledger.

        Raises:
            ConfigError, LedgerError: that cannot be told.
        """

    def may_be_opened(self) -> bool:
        """Return whether this process may open it; where it may not, a copy can be read all the same."""

    def refuse_unfit(self, *, new: bool) -> None:
        """Refuse what a ledger cannot be kept in.

        Raises:
            ConfigError: says why.
        """

    def refuse_spending(self) -> None:
        """Refuse what may be read, and must not be spent from.

        Raises:
            ConfigError: says why.
        """

    def hold(self, command: str, retry_s: float) -> "contextlib.AbstractContextManager[Hold | None]":
        """Hold the ledger for this process; a crash releases it.

        Args:
            command: what to tell others that find it held.
            retry_s: seconds to wait for another holder to end.

        Raises:
            LedgerBusy: another process holds it.
            ConfigError, LedgerError: it cannot be held.
        """

    def held_by(self, hold: Hold | None) -> None:
        """Let what is opened from now on be part of a hold."""

    def engine(self) -> sa.Engine:
        """Return a new engine; a transaction on it begins as this kind of database needs it."""

    def presence(self) -> Presence:
        """Return who watches it; the same one as ``engine`` asks."""

    def reserve(self) -> Reserve:
        """Return the room to be held while it is spent from."""

    def connected(self, connect: Callable[[], sa.Connection]) -> sa.Connection:
        """Return what ``connect`` returns, once it does: who spends may have to wait for a server."""

    def prepare(self, connection: sa.Connection, use: Use) -> None:
        """Make a new connection ready for its use."""

    def is_dead(self, connection: sa.Connection) -> bool:
        """Return whether a connection is of no more use."""

    def explain(self, error: Exception) -> LedgerError:
        """Return an error of the database as ours, with the ledger's name and what to do."""

    def would_wait(self, error: BaseException | None) -> bool:
        """Return whether a transaction was refused because another program is writing."""

    def number_on(self, connection: sa.Connection) -> None:
        """Let rows to come be numbered after those that were entered with their numbers."""

    def put_aside(self, version: str) -> None:
        """Keep a copy of an older ledger before it is brought to a version."""

    def copy_to(self, target: Path) -> None:
        """Copy it, as it is at one moment, to a new SQLite file.

        Raises:
            LedgerError: it cannot be read, or there is no room.
        """

    def location(self, connection: sa.Connection) -> Location:
        """Return where it is now."""

    def refuse_copy(self, ledger_id: str, before: Location, here: Location) -> str:
        """Refuse a copy of a ledger that goes on elsewhere; return what to say of one that was moved, or "".

        Args:
            ledger_id: its own name, which a copy bears, too.
            before: where it was when it was last used.
            here: where it is now.

        Raises:
            ConfigError: it is a copy, or may be.
        """

    def goes_on_at(self, before: Location, ledger_id: str) -> bool:
        """Return whether a ledger of that name is still where this one was last used."""

    def dangers(self, connection: sa.Connection) -> list[tuple[str, str]]:
        """Return what of its server's set-up may lose what was committed, each with what to do."""

    def damage(self, connection: sa.Connection, *, quick: bool) -> list[str]:
        """Return what is wrong with the database itself, a line each; nothing where all is well."""
