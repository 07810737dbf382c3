import itertools
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchbg.ledger import postgres as postgres_ledger
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.tables import metadata

from .support import disagreements, memory_disk, open_at

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
"""Every promise of the ledger holds in both."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that has a ledger once with each kind, but for those that are about its file."""
    if "kept_in" in metafunc.fixturenames:
        in_a_file = next(metafunc.definition.iter_markers("in_a_file"), None)
        metafunc.parametrize("kept_in", KINDS[:1] if in_a_file else KINDS, indirect=True, scope="session")


@pytest.fixture(scope="session")
def kept_in(request):
    """What kind of database the ledger is in."""
    return request.param


@pytest.fixture(autouse=True)
def _one_clock(request, monkeypatch):
    """Let a server go by this process's clock, which tests move."""
    if "kept_in" in request.fixturenames:
        monkeypatch.setattr(postgres_ledger, "clock", lambda _connection: time.time())
        monkeypatch.setenv("XDG_STATE_HOME", "/nonexistent")  # nothing is to be put into anybody's home


@pytest.fixture(scope="session")
def template(postgres):
    """A database with a new ledger: copying it is faster than migrating."""
    url = postgres.new()
    open_ledger(url).close()
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """The bytes of a new ledger: copying them is faster than migrating."""
    path = tmp_path_factory.mktemp("ledger") / "new.db"
    open_at(path).close()
    return path.read_bytes()


@pytest.fixture
def path(request, kept_in):
    """A new ledger's file, in memory where the system has such a disk: every commit is flushed.

    Of one on a server the file holds the URL, and everything else here goes by that.
    """
    with tempfile.TemporaryDirectory(prefix="batchbg-tests-", dir=memory_disk()) as folder:
        file = Path(folder) / "batchbg.db"
        if kept_in == "sqlite":
            file.write_bytes(request.getfixturevalue("empty_ledger"))
            yield file
            return
        server = request.getfixturevalue("postgres")
        url = server.new(request.getfixturevalue("template"))
        file.write_text(url)
        yield file
        server.drop(url)


@pytest.fixture
def ledger(path):
    """A new ledger, open."""
    opened = open_at(path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def opened(request, kept_in):
    """A ledger that stays open: what SQLAlchemy has compiled for it stays compiled."""
    if kept_in == "postgres":
        found = open_ledger(request.getfixturevalue("postgres").new())
        yield found
        found.close()
        return
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
