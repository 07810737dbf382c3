"""An open ledger: transactions, the time in them, and names of folders."""

import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batchbg.errors import ExitCode, LedgerError
from batchbg.ledger import events, folders, jobs, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.tables import meta

from .support import budget, entries, open_at, planned, total, use_clock

SPAWN = multiprocessing.get_context("spawn")


def bump(connection: sa.Connection) -> None:
    """Read a number, think, write the next: what loses updates where a transaction begins deferred."""
    number = int(connection.scalar(sa.select(meta.c.value).where(meta.c.key == "n")) or 0)
    time.sleep(0.0005)
    connection.execute(sa.update(meta).where(meta.c.key == "n").values(value=str(number + 1)))


def bump_often(path: Path, times: int) -> None:
    ledger = open_at(path)
    for _ in range(times):
        with ledger.begin() as connection:
            bump(connection)
    ledger.close()


@pytest.mark.slow
def test_two_processes_and_two_threads_lose_no_update(ledger, path):
    """Every writing transaction begins IMMEDIATE, so that what it has read is still true when it writes."""
    with ledger.begin() as connection:
        connection.execute(sa.insert(meta).values(key="n", value="0"))
    workers: list[Any] = [SPAWN.Process(target=bump_often, args=(path, 15)) for _ in range(2)]
    workers += [threading.Thread(target=bump_often, args=(path, 15)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with ledger.reading() as connection:
        assert connection.scalar(sa.select(meta.c.value)) == "60"


def test_threads_of_one_process_take_turns_however_long_one_takes(path, monkeypatch):
    """Planning writes transaction after transaction beside the pool, whose creates must not be told that it is locked."""
    monkeypatch.setattr("batchbg.ledger.sqlite.BUSY_TIMEOUT_MS", 1)
    ledger = open_at(path)
    begun = threading.Event()

    def plan() -> None:
        with ledger.begin():
            begun.set()
            time.sleep(0.1)

    planning = threading.Thread(target=plan)
    planning.start()
    begun.wait()
    with ledger.transaction("run") as tx:
        folders.id_of(tx, "photos")
    planning.join()
    ledger.close()


def test_a_reader_keeps_no_writer_waiting_and_sees_one_state(ledger):
    """`status` beside a run: neither disturbs the other."""
    with ledger.reading() as connection:
        count = sa.text("SELECT count(*) FROM jobs")
        assert connection.scalar(count) == 0
        planned(ledger, "a.jpg")
        assert connection.scalar(count) == 0


def test_a_look_is_over_when_it_is_over(ledger):
    """What comes later is seen by the next, whichever kind of statement looked; nothing keeps an old state open."""
    for looks in (lambda connection: connection.scalar(sa.text("SELECT count(*) FROM jobs")), jobs.counts):
        with ledger.looking() as connection:
            before = looks(connection)
        planned(ledger, f"{before}.jpg")
        with ledger.looking() as same:
            assert same is connection
            assert looks(same) != before


def test_connections_are_kept_and_never_shared(ledger):
    """One inside another has its own; the next gets what the last gave back."""
    with ledger.reading() as outer:
        with ledger.reading() as inner:
            assert inner is not outer
        with ledger.reading() as again:
            assert again is inner
    with ledger.begin() as writing, ledger.reading() as reading:
        assert writing is not reading


def test_an_error_rolls_the_transaction_back(ledger):
    """Half a change is none."""

    def half() -> None:
        with ledger.transaction("run") as tx:
            folders.id_of(tx, "photos")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with ledger.reading() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM folders")) == 0


def test_time_never_runs_backwards(ledger, monkeypatch):
    """The machine's clock jumps back a year; the ledger's stands still, and goes on when it is caught up with."""
    clock = use_clock(monkeypatch)
    planned(ledger, "a.jpg")
    seen = []
    for at in (1_700_000_000.0, 1_668_000_000.0, 0.0, 1_700_000_000.5, 1_700_000_100.0):
        clock.at = at
        with ledger.transaction("run") as tx:
            seen.append(tx.at)
            events.note(tx, None, EventKind.RUN_BEGUN)
    assert seen == sorted(seen)
    assert seen[-1] == 1_700_000_100.0
    assert seen[2] == 1_700_000_000.0


def test_a_day_s_budget_cannot_be_spent_twice_by_setting_the_clock_back(ledger, monkeypatch):
    """A reservation after a jump back belongs to the later day."""
    clock = use_clock(monkeypatch, 1_700_000_000.0)  # 2023-11-14 22:13 UTC
    first, second, third = planned(ledger, "a.jpg", "b.jpg", "c.jpg")
    days = []
    for job, at in ((first, 1_700_000_000.0), (second, 1_700_000_000.0 - 86_400), (third, 1_700_000_000.0 + 86_400)):
        clock.at = at
        with ledger.transaction("run") as tx:
            days.append(transitions.reserve(tx, job, budget(day=10)).budget_day)
    assert days == ["2023-11-14", "2023-11-14", "2023-11-15"]


@pytest.mark.in_a_file
def test_folders_are_known_relative_to_the_ledger(ledger):
    """A tree that is moved as a whole is not paid for again; a folder elsewhere keeps its full name."""
    tmp_path = ledger.path.parent
    (tmp_path / "shop" / "photos").mkdir(parents=True)
    assert ledger.relative(tmp_path / "shop" / "photos") == "shop/photos"
    assert ledger.relative(tmp_path) == "."
    assert ledger.relative(Path("/")) == "/"
    for folder in (tmp_path / "shop" / "photos", tmp_path, Path("/")):
        assert ledger.absolute(ledger.relative(folder)) == folder
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    assert ledger.relative(tmp_path / "link" / "photos") == "shop/photos"


@pytest.mark.in_a_file
def test_a_full_disk_is_said_and_nothing_is_half_written(ledger):
    """Exit code 5; what was there stays, and works again when there is space."""
    job, other = planned(ledger, "a.jpg", "b.jpg")

    def fill_up() -> None:
        with ledger.transaction("run") as tx:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            transitions.reserve(tx, job, budget())
            events.note(tx, other.id, EventKind.SAVING, detail="x" * 1_000_000)

    with pytest.raises(LedgerError, match="free some space") as caught:
        fill_up()
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert entries(ledger) == []
    with ledger.transaction("run") as tx:
        tx.connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        transitions.reserve(tx, job, budget())
    assert total(ledger).reserved == 5
