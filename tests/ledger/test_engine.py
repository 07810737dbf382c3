import multiprocessing
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from batchbg.errors import ConfigError, ExitCode, LedgerError
from batchbg.ledger import events, folders, transitions
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.events import EventKind
from batchbg.ledger.filesystem import exists, sqlite_path
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import PathText, meta

from .support import budget, entries, open_at, planned, total, url_of, use_clock

SPAWN = multiprocessing.get_context("spawn")


def pragma(ledger: Ledger, name: str, *, reading: bool = False) -> object:
    with ledger.reading() if reading else ledger.begin() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.parametrize("reading", [False, True])
def test_every_connection_is_wal_full_and_patient(ledger, reading):
    """With less than FULL the last commits, and with them an intent, may be lost at a power cut."""
    assert pragma(ledger, "journal_mode", reading=reading) == "wal"
    assert pragma(ledger, "synchronous", reading=reading) == 2
    assert pragma(ledger, "busy_timeout", reading=reading) == 30_000
    assert pragma(ledger, "foreign_keys", reading=reading) == 1


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
    monkeypatch.setattr("batchbg.ledger.engine.BUSY_TIMEOUT_MS", 1)
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


# Time


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


# Names that are no text


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "é/e\u0301.jpg", "\U0001f45f.jpg", "a\nb.jpg", "\udcff.jpg", "ok/\udc80\udcff é.jpg", " ", "a'b%_.jpg"],
)
def test_any_file_name_comes_back_as_it_was(ledger, name):
    """Bytes that are no UTF-8 are names too; they come back, and are found by a query."""
    with ledger.transaction("run") as tx:
        number = folders.id_of(tx, name)
    with ledger.transaction("run") as tx:
        assert folders.id_of(tx, name) == number
        assert folders.path_of(tx.connection, number) == name


@given(st.lists(st.integers(1, 255), min_size=1, max_size=40).map(bytes))
def test_path_text_keeps_every_byte(raw):
    """Whatever a disk calls a file is stored as text that every database takes."""
    name = os.fsdecode(raw)
    kind, dialect = PathText(), sa.create_engine("sqlite://").dialect
    stored = kind.process_bind_param(name, dialect)
    assert stored is not None
    stored.encode("utf-8")
    back = kind.process_result_value(stored, dialect)
    assert back is not None
    assert os.fsencode(back) == raw


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


# What cannot be opened


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("no url at all", "not a URL"),
        ("mysql://host/db", "mysql"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
    ],
)
def test_a_url_that_names_no_ledger_is_refused(url, said):
    """Exit code 2, and what would do."""
    with pytest.raises(ConfigError, match=said):
        sqlite_path(url)


def test_a_missing_ledger_is_not_made_by_who_only_reads(tmp_path):
    """And one in a missing folder by nobody."""
    url = url_of(tmp_path / "batchbg.db")
    with pytest.raises(ConfigError, match="no ledger at"):
        open_ledger(url, create=False)
    assert not exists(url)
    with pytest.raises(ConfigError, match="no folder"):
        open_ledger(url_of(tmp_path / "missing" / "batchbg.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_ledger_is_not_touched(tmp_path):
    """Its bytes stay, and the message says what it is."""
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, and they are no database. " * 10)
    before = file.read_bytes()
    with pytest.raises(LedgerError, match="no ledger"):
        open_at(file)
    assert file.read_bytes() == before


def test_a_folder_is_no_ledger(tmp_path):
    """It ends as temporary trouble with the path named, not as a crash."""
    with pytest.raises((ConfigError, LedgerError), match=str(tmp_path)):
        open_at(tmp_path)


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


def test_many_may_open_a_new_ledger_at_once(tmp_path):
    """Two runs that start in the same moment: one makes the tables, the other finds them."""
    file, errors, ready = tmp_path / "batchbg.db", [], threading.Barrier(4)

    def opening() -> None:
        ready.wait()
        try:
            open_at(file).close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=opening) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    open_at(file).close()


@pytest.mark.parametrize("folder", ["50% off?", "a%20b", "what?", "q?x=1&y", "über?"])
def test_a_folder_may_be_called_anything(tmp_path, folder):
    """Nothing in a path is an option or an escape."""
    (tmp_path / folder).mkdir()
    url = url_of(tmp_path / folder / "batchbg.db")
    assert sqlite_path(url) == tmp_path / folder / "batchbg.db"
    open_ledger(url).close()
    assert (tmp_path / folder / "batchbg.db").exists()


def test_options_in_a_url_are_refused_rather_than_made_part_of_a_name(tmp_path):
    with pytest.raises(ConfigError, match="no options"):
        open_ledger(url_of(tmp_path / "batchbg.db?mode=ro"))
