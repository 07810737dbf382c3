"""Committing beside the event loop: one thread, and everything that waits goes into one commit."""

import asyncio
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa

from batchbg.errors import LedgerError, LedgerGone, StaleJobError
from batchbg.ledger.ballast import Ballast
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx, enter

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[Callable[[Tx], Any], asyncio.Future[Any]]

_Result = tuple[Any, Exception | None]


class Writer:
    """Runs transactions for coroutines, in the order in which they were handed in.

    A caller goes on only when its transaction is on disk, so "committed before the request leaves" holds although
    several share a commit. One that raises is rolled back alone.
    """

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._handed_in: list[_Work] = []
        self._queue: queue.SimpleQueue[list[_Work] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._ballast = Ballast(ledger.path)

    def __enter__(self) -> Self:
        """Begin, for callers in the event loop that is running.

        Raises:
            LedgerError: the disk has no space for what is to come.
        """
        self._ballast.take()
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hand_over()
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
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._handed_in:
            self._loop.call_soon(self._hand_over)
        self._handed_in.append((lambda tx: work(tx, *args, **options), future))
        return await future

    def _hand_over(self) -> None:
        """Wake the thread once for all that one turn of the loop brought."""
        if self._handed_in:
            self._queue.put(self._handed_in)
            self._handed_in = []

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = first
            last = False
            while not last:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                else:
                    batch += more
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Work]) -> None:
        results = self._run([work for work, _ in batch])
        self._loop.call_soon_threadsafe(_tell, [future for _, future in batch], results)

    def _run(self, works: list[Callable[[Tx], Any]]) -> list[_Result]:
        """Do all in one commit; where one of them raises, each in its own, so that its failure is its own."""
        try:
            with self._ledger.begin() as connection:
                tx = enter(connection, self._run_id)
                return [(work(tx), None) for work in works]
        except Exception as error:
            # Where the disk is full or the file is gone, nothing of this is in the ledger and nothing else would be.
            if len(works) == 1 or _is_of_the_database(error):
                return [(None, error)] * len(works)
        return [result for work in works for result in self._run([work])]


def _tell(futures: list[asyncio.Future[Any]], results: list[_Result]) -> None:
    """Let the callers of one commit go on, in the loop's own thread; who does not wait any more is left out."""
    for future, (value, problem) in zip(futures, results, strict=True):
        if future.done():
            continue
        if problem is None:
            future.set_result(value)
        else:
            future.set_exception(problem)


def _is_of_the_database(error: Exception) -> bool:
    """Return whether the database refuses, and not one piece of work.

    A job may have moved, and a reservation may not be made where the ledger's files are not the ones that are open: the
    ids that are committed together with it are noted all the same.
    """
    by_itself = isinstance(error, LedgerError) and not isinstance(error, StaleJobError | LedgerGone)
    return by_itself and not isinstance(error.__cause__, sa.exc.IntegrityError)
