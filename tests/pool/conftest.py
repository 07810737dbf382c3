import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batchbg.ledger.writer import Writer
from tests.ledger.support import memory_disk, open_at
from tests.pool.bench import RUN, Bench


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a new ledger: copying them is faster than migrating."""
    path = tmp_path_factory.mktemp("ledger") / "new.db"
    open_at(path).close()
    return path.read_bytes()


@pytest.fixture
async def bench(empty_ledger: bytes) -> AsyncIterator[Bench]:
    """A bench with a new ledger, in memory where the system has such a disk: every commit is flushed."""
    with tempfile.TemporaryDirectory(prefix="batchbg-tests-", dir=memory_disk()) as folder:
        path = Path(folder) / "batchbg.db"
        path.write_bytes(empty_ledger)
        ledger = open_at(path)
        with Writer(ledger, RUN) as writer:
            yield Bench(ledger, writer)
        ledger.close()
