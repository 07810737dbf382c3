import tempfile
from pathlib import Path

import pytest

from .support import memory_disk, open_at


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
