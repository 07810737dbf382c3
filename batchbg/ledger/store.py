"""An open ledger: its transactions, whether its file is still the one that is open, and its errors in our words."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from batchbg.errors import DiskError, LedgerDamaged, LedgerError
from batchbg.ledger import events, marks
from batchbg.ledger.connections import Connections, Use
from batchbg.ledger.database import Database
from batchbg.ledger.transaction import Tx, enter, last_entry_at

Connection = sa.Connection
"""What ``Ledger.reading`` and ``Ledger.begin`` yield."""


class WouldWait(Exception):
    """What was to be done at once could not be done without waiting."""


class Ledger:
    """An open ledger. Reading commands share it; who may spend holds its lock as well.

    Attributes:
        database: where it is kept.
        engine: SQLAlchemy's; a transaction on it begins as the database needs it.
        name: as people are told of it; a URL has no password in it.
        path: beside which the files lie that go with it: its own, symbolic links resolved, unless it is on a server.
        id: its own name, which stands beside its results; "" where that is not checked.
        made: whether it was made just now.
        projects: those that this process was told of, by job, should the file be taken away.
    """

    def __init__(self, database: Database) -> None:
        self.id = ""
        self.made = False
        self.projects: dict[str, str] = {}
        self.database = database
        self.engine = database.engine()
        self.name = database.name
        self.path = database.path
        self._connections = Connections(self.engine, database)
        self._turn = threading.Lock()
        self._presence = database.presence()
        self._is_damaged = False
        self._may_wait = True
        self._marks: dict[str, marks.OpenMark] = {}
        self._due: set[str] = set()
        self._last = contextlib.ExitStack()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one state of the ledger and keeps no writer waiting.

        Raises:
            LedgerError: the database refused, with its reason.
        """
        with self._explained(), self._connections.transaction(Use.READ) as connection:
            yield connection

    @contextlib.contextmanager
    def looking(self) -> Iterator[sa.Connection]:
        """Yield a connection for a single statement, which sees one state of the ledger without a transaction.

        Raises:
            LedgerError: the database refused, with its reason.
        """
        with self._explained(), self._connections.bare() as connection:
            yield connection

    @contextlib.contextmanager
    def begin(self, *, wait: bool = True) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction that is committed at the end, rolled back on an error.

        Threads of this process take turns: SQLite lets who waits look again now and then, so that a thread that writes
        transaction after transaction would keep the others out until they give up. One thread may begin a transaction,
        and another end it.

        Args:
            wait: for another thread, another program or a disk; only the end of the transaction waits in any case.

        Raises:
            WouldWait: the transaction is none, and what was to be done in it has to be done by who may wait.
            LedgerError: the database refused, with its reason.
        """
        if not (wait or self.database.is_near) or not self._turn.acquire(blocking=wait):
            raise WouldWait
        try:
            self._due.clear()
            self._may_wait = wait
            with self._explained():
                with self._connections.transaction(Use.WRITE if wait else Use.WRITE_NOW) as connection:
                    self._presence.check()
                    yield connection
                    event = events.last(connection) if self._due else None
                if event is not None:
                    self._presence.confirmed(event)
                    self._mark(event)
        except LedgerError as error:
            if not wait and self.database.would_wait(error.__cause__):
                raise WouldWait from error
            raise
        finally:
            self._turn.release()

    @contextlib.contextmanager
    def transaction(self, run_id: str = "") -> Iterator[Tx]:
        """Yield a transaction at the ledger's time; see ``begin``."""
        with self.begin() as connection:
            yield enter(connection, run_id)

    def leave(self) -> None:
        """Wait no more for a server that is away: the run is being left."""
        self._presence.leave()

    def relative(self, folder: Path) -> str:
        """Return the name under which a folder stands in the ledger: a tree that is moved as a whole keeps it."""
        real, own = Path(os.path.realpath(folder)), self.database.folder
        return os.path.relpath(real, own) if own and real.is_relative_to(own) else str(real)

    def absolute(self, name: str) -> Path:
        """Return the folder that ``relative`` named."""
        return Path(os.path.normpath((self.database.folder or Path("/")) / name))

    def watch(self) -> None:
        """Begin to watch whether this ledger's files stay where they are: for who is about to spend.

        Raises:
            ConfigError: it must not be spent from, such as a file with two names.
            LedgerError: its files are not there.
        """
        if self._presence.is_watching:
            return
        with self._explained():
            self.database.refuse_spending()
            # They stay open, so that neither the files' numbers nor the log are given up meanwhile, and are there for
            # what is still to be collected should the files be taken away.
            self._connections.open()
            with self._connections.bare() as connection:
                last_entry_at(connection)
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
        self._presence.check()
        self._presence.raise_if_lost()
        if output is not None and self.id:
            held = self._marks.get(output)
            if held is None or not held.is_there():
                if not self._may_wait:
                    raise WouldWait  # for the disk, on which the mark is flushed
                if held is not None:
                    self._marks.pop(output).close()
                held = self._marks[output] = self._open_mark(self.absolute(output))
            held.put_again()
            self._due.add(output)

    def _open_mark(self, folder: Path) -> marks.OpenMark:
        with self.reading() as connection:
            event, mark = events.last_reservation(connection), marks.read(folder)
            if mark is not None and mark.ledger != self.id:
                raise marks.foreign(folder, mark)
            if mark is not None:
                marks.refuse_behind(connection, folder, mark, self.name)
        if mark is None:
            marks.write(folder, marks.Mark(self.id, event, self.name))
        return marks.OpenMark(folder, event)

    def _mark(self, event: events.Event) -> None:
        """Tell of what was just committed beside the results it is for."""
        try:
            for output in self._due:
                self._marks[output].put(event)
        except DiskError as error:
            raise LedgerError(str(error)) from error

    @property
    def is_lost(self) -> bool:
        """Whether what is written to this ledger now may not be found again."""
        self._presence.check()
        return self._is_damaged or self._presence.has_trouble

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the database's errors into ours.

        Raises:
            LedgerDamaged: its file is not whole.
            LedgerError: for anything else that the database itself refuses.
        """
        try:
            yield
        except (sa.exc.DatabaseError, self.engine.dialect.loaded_dbapi.Error) as error:
            ours = self.database.explain(error)
            self._is_damaged |= isinstance(ours, LedgerDamaged)
            raise ours from error

    def close(self) -> None:
        """Close every connection."""
        for held in self._marks.values():
            held.close()
        self._marks.clear()
        self._connections.close()
        self.engine.dispose()
        self._presence.close()
        self._last.close()

    def on_close(self, action: Callable[[], object]) -> None:
        """Let something be done when every connection is closed."""
        self._last.callback(action)
