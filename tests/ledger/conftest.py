import itertools
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchbg.ledger.tables import metadata

from .support import disagreements, memory_disk, open_at


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """The bytes of a new ledger: copying them is faster than migrating."""
    path = tmp_path_factory.mktemp("ledger") / "new.db"
    open_at(path).close()
    return path.read_bytes()


@pytest.fixture
def path(empty_ledger):
    """A new ledger's file, in memory where the system has such a disk: every commit is flushed."""
    with tempfile.TemporaryDirectory(prefix="batchbg-tests-", dir=memory_disk()) as folder:
        file = Path(folder) / "batchbg.db"
        file.write_bytes(empty_ledger)
        yield file


@pytest.fixture
def ledger(path):
    """A new ledger, open."""
    opened = open_at(path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def opened():
    """A ledger that stays open: what SQLAlchemy has compiled for it stays compiled."""
    with tempfile.TemporaryDirectory(prefix="batchbg-tests-", dir=memory_disk()) as folder:
        found = open_at(Path(folder) / "batchbg.db")
        yield found
        found.close()


@pytest.fixture
def emptied(opened):
    """The ledger that stays open, without a row."""
    with opened.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))
    return opened


@pytest.fixture
def adds_up(ledger):
    """Whatever a test does, the running totals are the sums of the entries, and no job counts what is not there."""
    yield
    assert disagreements(ledger) == []


@pytest.fixture
def ticking(monkeypatch):
    """Everything happens at a second of its own."""
    seconds = itertools.count(1_700_000_000)
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
