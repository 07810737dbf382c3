import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchbg.errors import LedgerError, LedgerGone
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import meta
from batchbg.ledger.transaction import Tx
from batchbg.ledger.writer import Writer


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
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT key FROM meta ORDER BY rowid")]
    finally:
        connection.close()


class Hold:
    """Keeps the writer's thread busy, so that what comes meanwhile shares one commit."""

    def __init__(self, writer: Writer) -> None:
        self._open = threading.Event()
        self._busy = threading.Event()
        self._task = asyncio.ensure_future(writer.do(self._wait))

    def _wait(self, _tx: Tx) -> None:
        self._busy.set()
        assert self._open.wait(100)

    async def __aenter__(self) -> None:
        await asyncio.to_thread(self._busy.wait, 100)

    async def __aexit__(self, *_: object) -> None:
        self._open.set()
        await self._task


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


async def test_everything_that_waits_goes_into_one_commit(writer, ledger, path):
    """A flush to disk takes milliseconds; hundreds of jobs must not each wait for their own."""
    commits: list[int] = []
    async with Hold(writer):
        count_commits(ledger, commits)
        waiting = [asyncio.ensure_future(writer.do(keep, f"{number}")) for number in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(commits) == 2
    assert len(on_disk(path)) == 100


async def test_a_piece_that_fails_is_rolled_back_alone(writer, path):
    """Its error comes to its caller; its neighbours in the same commit stand."""
    async with Hold(writer):
        works = (writer.do(keep, "a"), writer.do(fail, "b"), writer.do(keep, "a"), writer.do(keep, "c"))
        waiting = [asyncio.ensure_future(work) for work in works]
        await asyncio.sleep(0)
    first, failed, double, last = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, last) == ("a", "c")
    assert isinstance(failed, ArithmeticError)
    assert isinstance(double, Exception)
    assert on_disk(path) == ["a", "c"]


def fill_up(tx: Tx) -> None:
    pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def make_space(tx: Tx) -> None:
    tx.connection.exec_driver_sql("PRAGMA max_page_count = 1000000")


async def test_a_ledger_that_is_gone_refuses_the_reservation_and_keeps_the_ids_of_the_same_commit(writer, path):
    """A project that was paid for does not become unknown because the next one may not be begun."""

    def reserve(tx: Tx) -> None:
        raise LedgerGone("deleted")

    async with Hold(writer):
        pieces = [writer.do(keep, "an id"), writer.do(reserve), writer.do(keep, "another")]
        waiting = asyncio.gather(*pieces, return_exceptions=True)
        await asyncio.sleep(0)
    first, refused, last = await waiting
    assert (first, last) == ("an id", "another")
    assert isinstance(refused, LedgerGone)
    assert on_disk(path)[-2:] == ["an id", "another"]


async def test_a_full_disk_is_told_to_all_of_a_commit_and_the_writer_goes_on(writer, path):
    """None of them may believe that its intent is on disk; when there is space everything works again."""
    await writer.do(fill_up)
    async with Hold(writer):
        works = (writer.do(keep, "small"), writer.do(keep, "large", "x" * 1_000_000), writer.do(keep, "other"))
        waiting = [asyncio.ensure_future(work) for work in works]
        await asyncio.sleep(0)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [LedgerError] * 3
    assert "free some space" in str(found[0])
    assert on_disk(path) == []
    await writer.do(make_space)
    assert await writer.do(keep, "again") == "again"


async def test_a_ledger_that_is_locked_for_good_is_an_error_and_not_a_hang(writer, path, ledger):
    """Another program that holds the file makes the transaction fail; the writer lives on."""
    await writer.do(lambda tx: tx.connection.exec_driver_sql("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another program keeps it locked"):
        await writer.do(keep, "a")
    other.execute("ROLLBACK")
    other.close()
    assert await writer.do(keep, "b") == "b"


async def test_a_caller_that_is_cancelled_does_not_undo_its_work(writer, path):
    """What a create answered is on file although nobody waits for it any more."""
    async with Hold(writer):
        task = asyncio.ensure_future(writer.do(keep, "a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await writer.do(keep, "b")
    assert on_disk(path) == ["a", "b"]


async def test_a_cancellation_during_the_commit_leaves_the_writer_alive(writer, path):
    """Its work stands, and what comes after it is told of its own."""
    async with Hold(writer):
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


async def test_the_run_s_id_is_on_every_transaction(writer):
    """Events say which run wrote them."""
    assert await writer.do(lambda tx: tx.run_id) == "run"
