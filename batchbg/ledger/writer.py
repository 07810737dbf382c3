"""Committing beside the event loop: one thread, and everything that waits goes into one commit."""

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa

from batchbg.ledger.ballast import Ballast
from batchbg.ledger.engine import Ledger, Tx, enter

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[Callable[[Tx], Any], concurrent.futures.Future[Any]]


class Writer:
    """Runs transactions for coroutines, in the order in which they were handed in.

    A caller goes on only when its transaction is on disk, so "committed before the request leaves" holds although
    several share a commit. One that raises is rolled back alone.
    """

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._ballast = Ballast(ledger.path)

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            LedgerError: the disk has no room for what is to come.
        """
        self._ballast.take()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._queue.put(None)
        self._thread.join()
        self._ballast.drop()

    def drop_ballast(self) -> bool:
        """Make room on a full disk for what must not be lost; False where that was done before."""
        return self._ballast.drop()

    async def do(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Run ``work(tx, ...)`` in a transaction and return its value once that is committed.

        A caller that is cancelled meanwhile does not undo it.

        Raises:
            LedgerError: it could not be committed. Whatever ``work`` raises comes through.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._queue.put((lambda tx: work(tx, *args, **options), future))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            last = False
            while not last:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                else:
                    batch.append(more)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Work]) -> None:
        results: list[tuple[Any, Exception | None]]
        # From here on a caller that is cancelled no longer cancels the future: its result finds it as it is.
        wanted = {future: future.set_running_or_notify_cancel() for _, future in batch}
        try:
            with self._ledger.begin() as connection:
                tx = enter(connection, self._run_id)
                results = [self._one(tx, work) for work, _ in batch]
        except Exception as error:  # the disk is full, the file is gone: nothing of the batch is in the ledger
            results = [(None, error)] * len(batch)
        for (_, future), (value, problem) in zip(batch, results, strict=True):
            if not wanted[future]:
                continue
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)

    @staticmethod
    def _one(tx: Tx, work: Callable[[Tx], Any]) -> tuple[Any, Exception | None]:
        """Run one piece of work inside a savepoint, so that its failure is its own."""
        savepoint = tx.connection.begin_nested()
        try:
            value = work(tx)
            savepoint.commit()
        except Exception as error:
            if isinstance(error, sa.exc.DBAPIError) and not isinstance(error, sa.exc.IntegrityError):
                raise  # the database itself fails: the whole commit is lost, and the savepoint with it
            savepoint.rollback()
            return None, error
        return value, None
