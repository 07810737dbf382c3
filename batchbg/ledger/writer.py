"""Committing beside the event loop, and everything that waits in one commit."""

import asyncio
import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa

from batchbg.errors import LedgerError, LedgerGone, LedgerUnreachable, StaleJobError
from batchbg.ledger.store import Ledger, WouldWait
from batchbg.ledger.transaction import Tx, enter

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[Callable[[Tx], Any], asyncio.Future[Any]]

_Result = tuple[Any, Exception | None]


class Writer:
    """Runs transactions for coroutines, in the order in which they were handed in.

    What one turn of the event loop brings is done in the loop, in one transaction: statements take some microseconds,
    and to have a thread run them would take longer. The commit, which waits for the disk, is the thread's; what comes
    meanwhile goes into the next. Where a transaction would have to wait to begin, for the planning or for another
    program, all of it is the thread's.

    A caller goes on only when its transaction is on disk, so "committed before the request leaves" holds although
    several share a commit. One that raises is rolled back alone.
    """

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._handed_in: list[_Work] = []
        self._is_awaited = False  # by somebody who handed in
        self._is_under_way = False  # in the thread
        self._is_over = False
        self._queue: queue.SimpleQueue[tuple[Callable[[], list[_Result]], list[_Work]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._ballast = ledger.database.reserve()

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
        self._is_over = True
        self._ledger.leave()
        self._give(functools.partial(self._run, self._handed_in), self._handed_in)
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
        future = self.later(work, *args, **options)
        if not self._is_awaited:
            self._is_awaited = True
            self._loop.call_soon(self._begin)
        return await future

    def later(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **options: P.kwargs) -> asyncio.Future[T]:
        """Run ``work(tx, ...)`` in the next transaction that somebody waits for, or in the last; return what comes of it.

        For what costs little if the process ends before: it takes no commit of its own.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._handed_in.append((lambda tx: work(tx, *args, **options), future))
        return future

    def _begin(self) -> None:
        """Do all that one turn of the loop brought, or what came while a commit was under way."""
        if self._is_under_way or self._is_over or not self._is_awaited:
            return
        self._is_awaited = False
        batch, self._handed_in = self._handed_in, []
        try:
            begun, values = self._do_now(batch)
        except WouldWait:
            self._give(functools.partial(self._run, batch), batch)
        except Exception as error:
            if _is_everybodys(error, batch):
                _tell(batch, [(None, error)] * len(batch))
            else:
                self._give(functools.partial(self._run, batch), batch)
        else:
            self._give(functools.partial(_commit, begun, values), batch)

    def _do_now(self, batch: list[_Work]) -> tuple[contextlib.ExitStack, list[Any]]:
        """Return a transaction in which everything is done, still to be committed, and what came of it."""
        with contextlib.ExitStack() as begun:
            tx = enter(begun.enter_context(self._ledger.begin(wait=False)), self._run_id)
            values = [work(tx) for work, _ in batch]
            return begun.pop_all(), values

    def _give(self, task: Callable[[], list[_Result]], batch: list[_Work]) -> None:
        """Let the thread do something for those who wait for ``batch``."""
        self._is_under_way = True
        self._queue.put((task, batch))

    def _work(self) -> None:
        while (given := self._queue.get()) is not None:
            task, batch = given
            self._loop.call_soon_threadsafe(self._done, batch, task())

    def _done(self, batch: list[_Work], results: list[_Result]) -> None:
        _tell(batch, results)
        self._is_under_way = False
        self._loop.call_soon(self._begin)  # after those who were told have had their turn

    def _run(self, batch: list[_Work], *, repeats: bool = False) -> list[_Result]:
        """Do all in one commit; where one of them raises, each in its own, so that its failure is its own.

        A server that hangs up may have committed it or not: all of it is done again, and finds what is there.
        """
        give_up_at = time.monotonic() + self._ledger.database.patience_s
        while batch:
            try:
                with self._ledger.begin() as connection:
                    tx = enter(connection, self._run_id, repeats=repeats)
                    return [(work(tx), None) for work, _ in batch]
            except Exception as error:
                repeats |= isinstance(error, LedgerUnreachable)
                if isinstance(error, LedgerUnreachable) and time.monotonic() < give_up_at and not self._is_over:
                    continue
                if _is_everybodys(error, batch):
                    return [(None, error)] * len(batch)
                break
        return [result for one in batch for result in self._run([one], repeats=repeats)]


def _commit(begun: contextlib.ExitStack, values: list[Any]) -> list[_Result]:
    """Commit a transaction in which everything is done."""
    try:
        begun.close()
    except Exception as error:
        return [(None, error)] * len(values)
    return [(value, None) for value in values]


def _tell(batch: list[_Work], results: list[_Result]) -> None:
    """Let the callers of one commit go on; who does not wait any more is left out."""
    for (_, future), (value, problem) in zip(batch, results, strict=True):
        if future.done():
            continue
        if problem is None:
            future.set_result(value)
        else:
            future.set_exception(problem)


def _is_everybodys(error: Exception, batch: list[_Work]) -> bool:
    """Return whether what one piece of work raised is told to all of a commit.

    Where the disk is full or the file is gone, nothing of it is in the ledger and nothing else would be. A job may have
    moved, and a reservation may not be made where the ledger's files are not the ones that are open: the ids that are
    committed together with it are noted all the same.
    """
    by_itself = isinstance(error, LedgerError) and not isinstance(error, StaleJobError | LedgerGone)
    return len(batch) == 1 or (by_itself and not isinstance(error.__cause__, sa.exc.IntegrityError))
