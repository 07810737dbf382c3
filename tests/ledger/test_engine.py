"""Opening a ledger, and what cannot be opened."""

import threading

import pytest

from batchbg.errors import ConfigError, LedgerError
from batchbg.ledger.engine import database_at, open_ledger
from batchbg.ledger.store import Ledger

from .support import open_at, url_of


def pragma(ledger: Ledger, name: str, *, reading: bool = False) -> object:
    with ledger.reading() if reading else ledger.begin() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.in_a_file
@pytest.mark.parametrize("reading", [False, True])
def test_every_connection_is_wal_full_and_patient(ledger, reading):
    """With less than FULL the last commits, and with them an intent, may be lost at a power cut."""
    assert pragma(ledger, "journal_mode", reading=reading) == "wal"
    assert pragma(ledger, "synchronous", reading=reading) == 2
    assert pragma(ledger, "busy_timeout", reading=reading) == 30_000
    assert pragma(ledger, "foreign_keys", reading=reading) == 1


def test_a_missing_ledger_is_not_made_by_who_only_reads(tmp_path):
    """And one in a missing folder by nobody."""
    url = url_of(tmp_path / "batchbg.db")
    with pytest.raises(ConfigError, match="no ledger at"):
        open_ledger(url, create=False)
    assert not database_at(url).exists()
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
