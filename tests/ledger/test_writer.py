import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import Price
from batchbg.errors import LedgerError, LedgerGone, StaleJobError
from batchbg.ledger import transitions
from batchbg.ledger import writer as writer_module
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import meta
from batchbg.ledger.transaction import Tx
from batchbg.ledger.writer import Writer

from .support import disagreements, entries, open_at, other_program, stored, submitting


@pytest.fixture
async def writer(ledger):
    with Writer(ledger, "run") as opened:
        yield opened


def keep(tx: Tx, key: str, value: str = "") -> str:
    tx.connection.execute(sa.insert(meta).values(key=key, value=value))
    return key


def fail(tx: Tx, key: str) -> None:
    keep(tx, key)
    raise ArithmeticError(key)


def on_disk(path: Path) -> list[str]:
    """What another program sees: only what is committed."""
    with other_program(path) as connection:
        order = "rowid" if connection.dialect.name == "sqlite" else "ctid"
        return list(connection.scalars(sa.text(f"SELECT key FROM meta ORDER BY {order}")))


class Hold:
    """Holds the ledger as planning does, in a thread of its own: what comes meanwhile shares one commit."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._over = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self._ledger.begin():
            self._begun.set()
            assert self._over.wait(100)

    async def __aenter__(self) -> None:
        self._thread.start()
        assert await asyncio.to_thread(self._begun.wait, 100)

    async def __aexit__(self, *_: object) -> None:
        for _turn in range(3):
            await asyncio.sleep(0)  # what was handed in has found that it would have to wait
        self._over.set()
        await asyncio.to_thread(self._thread.join, 100)


@pytest.fixture(params=["in the loop", "in the thread"])
def held(request, ledger):
    """What is handed in meanwhile is done together: at once in the loop, or by who waits for the planning to end."""
    return Hold(ledger) if request.param == "in the thread" else contextlib.nullcontext()


class SlowDisk:
    """Holds up every commit until it is let go."""

    def __init__(self, ledger: Ledger) -> None:
        self.commits = 0
        self._begun = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        sa.event.listen(ledger.engine, "commit", self._wait)

    def _wait(self, connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reading"):
            self.commits += 1
            self._begun.release()
            assert self._go.acquire(timeout=100)

    async def commit(self) -> None:
        """Return when one is held up, with the loop going on."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=100)

    def go(self, times: int = 1) -> None:
        self._go.release(times)


def thread(tx: Tx) -> str:
    """Where work is done."""
    return threading.current_thread().name


def count_commits(ledger: Ledger, counted: list[int]) -> None:
    sa.event.listen(ledger.engine, "commit", lambda _connection: counted.append(1))


async def test_what_is_awaited_is_committed(writer, path):
    """An intent is on disk before its create leaves: another program sees it at once."""
    for number in range(20):
        assert await writer.do(keep, f"{number}", value="x") == f"{number}"
        assert on_disk(path)[-1] == f"{number}"


async def test_work_is_done_in_the_order_in_which_it_was_handed_in(writer, path):
    """Also where it shares commits."""
    await asyncio.gather(*(writer.do(keep, f"{number}") for number in range(200)))
    assert on_disk(path) == [f"{number}" for number in range(200)]


async def test_everything_that_waits_goes_into_one_commit(writer, ledger, path, held):
    """A flush to disk takes milliseconds; hundreds of jobs must not each wait for their own."""
    commits: list[int] = []
    async with held:
        waiting = [asyncio.ensure_future(writer.do(keep, f"{number}")) for number in range(100)]
        count_commits(ledger, commits)
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(commits) == (2 if isinstance(held, Hold) else 1)  # the planning's is one, too
    assert len(on_disk(path)) == 100


async def test_what_comes_during_a_commit_goes_into_the_next(writer, ledger, path):
    """And nobody is told before it is on disk."""
    disk = SlowDisk(ledger)
    first = asyncio.ensure_future(writer.do(keep, "a"))
    await disk.commit()
    others = [asyncio.ensure_future(writer.do(keep, f"{number}")) for number in range(100)]
    await asyncio.sleep(0.01)
    assert not first.done()
    assert on_disk(path) == []
    disk.go()
    assert await first == "a"
    await disk.commit()
    assert disk.commits == 2
    assert not any(one.done() for one in others)
    assert on_disk(path) == ["a"]
    disk.go()
    await asyncio.gather(*others)
    assert disk.commits == 2


async def test_what_nobody_waits_for_takes_no_commit_of_its_own(writer, ledger, path):
    """It goes into the next there is, in the order in which it was handed in."""
    commits: list[int] = []
    count_commits(ledger, commits)
    kept = writer.later(keep, "a")
    await asyncio.sleep(0.01)
    assert (kept.done(), on_disk(path)) == (False, [])
    assert await writer.do(keep, "b") == "b"
    assert kept.result() == "a"
    assert on_disk(path) == ["a", "b"]
    writer.later(keep, "c")
    await asyncio.sleep(0.01)
    assert len(commits) == 1


async def test_what_nobody_waits_for_is_in_the_last_commit(ledger, path):
    """Nothing is left of what was handed in."""
    with Writer(ledger, "run") as writer:
        writer.later(keep, "a")
    assert on_disk(path) == ["a"]


@pytest.mark.in_a_file
async def test_work_is_done_in_the_loop_and_the_disk_is_waited_for_in_the_thread(writer, ledger):
    """Statements take microseconds, and a thread that wants the interpreter for them takes longer to get it."""
    flushed: list[str] = []
    sa.event.listen(ledger.engine, "commit", lambda _connection: flushed.append(threading.current_thread().name))
    assert await writer.do(thread) == threading.main_thread().name
    assert flushed == ["ledger-writer"]


@pytest.mark.in_a_file
async def test_work_that_has_to_wait_for_the_planning_is_the_thread_s(writer, ledger):
    """The loop goes on meanwhile."""
    async with Hold(ledger):
        waiting = asyncio.ensure_future(writer.do(thread))
        await asyncio.sleep(0.01)
        assert not waiting.done()
    assert await waiting == "ledger-writer"
    assert await writer.do(thread) == threading.main_thread().name


@pytest.mark.in_a_file
async def test_work_that_has_to_wait_for_another_program_is_the_thread_s(writer, path):
    """It may keep the file for half a minute; polls and downloads do not wait for it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(writer.do(thread))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        other.execute("ROLLBACK")
        assert await waiting == "ledger-writer"


@pytest.mark.in_a_file
async def test_a_mark_that_is_new_is_the_thread_s(writer, ledger, path):
    """It is flushed to a disk of its own. Afterwards it is written over in place."""
    ledger.id = "id"
    (path.parent / "output").mkdir()

    def check(tx: Tx) -> str:
        ledger.check_still_there("output")
        return thread(tx)

    assert await writer.do(check) == "ledger-writer"
    assert await writer.do(check) == threading.main_thread().name
    (path.parent / "output" / ".batchbg-ledger").unlink()
    assert await writer.do(check) == "ledger-writer"


async def test_a_piece_that_fails_is_rolled_back_alone(writer, path, held):
    """Its error comes to its caller; its neighbours in the same commit stand."""
    async with held:
        works = (writer.do(keep, "a"), writer.do(fail, "b"), writer.do(keep, "a"), writer.do(keep, "c"))
        waiting = [asyncio.ensure_future(work) for work in works]
        await asyncio.sleep(0)
    first, failed, double, last = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, last) == ("a", "c")
    assert isinstance(failed, ArithmeticError)
    assert isinstance(double, Exception)
    assert on_disk(path) == ["a", "c"]


async def test_a_stale_job_costs_its_neighbours_nothing(writer, ledger, held):
    """The id of another job, paid for, is in the same commit: one that has moved must not take it along."""
    moved, paid = submitting(ledger, "a.jpg"), submitting(ledger, "b.jpg")
    with ledger.transaction("another run") as tx:
        transitions.lost(tx, moved, "the run was killed")
    async with held:
        pieces = [
            writer.do(transitions.created, paid, "project of b", Price(5)),
            writer.do(transitions.created, moved, "project of a", Price(5)),
            writer.do(keep, "c"),
        ]
        waiting = asyncio.gather(*pieces, return_exceptions=True)
        await asyncio.sleep(0)
    created, stale, kept = await waiting
    assert isinstance(stale, StaleJobError)
    assert (created, kept) == (stored(ledger, paid), "c")
    assert isinstance(created, Job)
    assert (created.state, created.project_id) == (JobState.RENDERING, "project of b")
    assert disagreements(ledger) == []


@pytest.mark.in_a_file
async def test_an_id_whose_commit_nobody_confirmed_is_no_stale_job(writer, ledger, monkeypatch):
    """The disk has it, and says that it has not: done again it has succeeded, and is counted once."""
    job = submitting(ledger)
    commit = writer_module._commit

    def commit_without_a_word(*args: Any) -> Any:
        commit(*args)
        monkeypatch.undo()
        return [(None, LedgerError("disk I/O error"))]

    monkeypatch.setattr(writer_module, "_commit", commit_without_a_word)
    with pytest.raises(LedgerError, match="I/O"):
        await writer.do(transitions.created, job, "p", Price(5))
    assert await writer.do(transitions.created, job, "p", Price(5)) == stored(ledger, job)
    assert entries(ledger) == [("reserved", 5), ("reserved", -5), ("charged", 5)]


def fill_up(tx: Tx) -> None:
    pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def make_space(tx: Tx) -> None:
    tx.connection.exec_driver_sql("PRAGMA max_page_count = 1000000")


async def on_every_connection(writer: Writer, ledger: Ledger, work: Callable[[Tx], None]) -> None:
    """Of those that write: the loop's, and that of who may wait."""
    await writer.do(work)
    with ledger.transaction() as tx:
        work(tx)


async def test_a_ledger_that_is_gone_refuses_the_reservation_and_keeps_the_ids_of_the_same_commit(writer, path, held):
    """A project that was paid for does not become unknown because the next one may not be begun."""

    def reserve(tx: Tx) -> None:
        raise LedgerGone("deleted")

    async with held:
        pieces = [writer.do(keep, "an id"), writer.do(reserve), writer.do(keep, "another")]
        waiting = asyncio.gather(*pieces, return_exceptions=True)
        await asyncio.sleep(0)
    first, refused, last = await waiting
    assert (first, last) == ("an id", "another")
    assert isinstance(refused, LedgerGone)
    assert on_disk(path)[-2:] == ["an id", "another"]


@pytest.mark.in_a_file
async def test_a_full_disk_is_told_to_all_of_a_commit_and_the_writer_goes_on(writer, ledger, path, held):
    """None of them may believe that its intent is on disk; when there is space everything works again."""
    await on_every_connection(writer, ledger, fill_up)
    async with held:
        works = (writer.do(keep, "small"), writer.do(keep, "large", "x" * 1_000_000), writer.do(keep, "other"))
        waiting = [asyncio.ensure_future(work) for work in works]
        await asyncio.sleep(0)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [LedgerError] * 3
    assert "free some space" in str(found[0])
    assert on_disk(path) == []
    await on_every_connection(writer, ledger, make_space)
    assert await writer.do(keep, "again") == "again"


@pytest.mark.in_a_file
async def test_a_ledger_that_is_locked_for_good_is_an_error_and_not_a_hang(path, monkeypatch):
    """Another program that holds the file makes the transaction fail; the writer lives on."""
    monkeypatch.setattr("batchbg.ledger.sqlite.BUSY_TIMEOUT_MS", 10)
    with (
        contextlib.closing(open_at(path)) as ledger,
        Writer(ledger, "run") as writer,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program keeps it locked"):
            await writer.do(keep, "a")
        other.execute("ROLLBACK")
        assert await writer.do(keep, "b") == "b"


async def test_a_caller_that_is_cancelled_does_not_undo_its_work(writer, path, held):
    """What a create answered is on file although nobody waits for it any more."""
    async with held:
        task = asyncio.ensure_future(writer.do(keep, "a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await writer.do(keep, "b")
    assert on_disk(path) == ["a", "b"]


async def test_a_cancellation_during_the_commit_leaves_the_writer_alive(writer, path, held):
    """Its work stands, and what comes after it is told of its own."""
    async with held:
        first, second = (asyncio.ensure_future(writer.do(keep, key)) for key in "ab")
        await asyncio.sleep(0)
        first.cancel()  # while its commit is held up, so that it cannot be over before
        await asyncio.sleep(0)
    assert await asyncio.wait_for(second, 100) == "b"
    assert first.cancelled()
    assert on_disk(path) == ["a", "b"]


async def test_the_end_waits_for_everything_handed_in(ledger, path):
    """Leaving the block is the last commit."""
    with Writer(ledger, "run") as writer:
        waiting = [asyncio.ensure_future(writer.do(keep, f"{number}")) for number in range(50)]
        await asyncio.sleep(0)
    assert len(on_disk(path)) == 50
    await asyncio.gather(*waiting)


async def test_the_end_waits_for_a_commit_and_for_what_came_meanwhile(ledger, path):
    """Nothing is left of what somebody has handed in."""
    with Writer(ledger, "run") as writer:
        disk = SlowDisk(ledger)
        waiting = [asyncio.ensure_future(writer.do(keep, "a"))]
        await disk.commit()
        waiting += [asyncio.ensure_future(writer.do(keep, f"{number}")) for number in range(50)]
        await asyncio.sleep(0)
        disk.go(2)
    assert len(on_disk(path)) == 51
    await asyncio.gather(*waiting)


async def test_the_run_s_id_is_on_every_transaction(writer):
    """Events say which run wrote them."""
    assert await writer.do(lambda tx: tx.run_id) == "run"
