import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batchbg.ledger.writer import Writer
from tests.ledger.support import memory_disk, open_at
from tests.pool.bench import RUN, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A bench with a new ledger, in memory where the system has such a disk: every commit is flushed."""
    with tempfile.TemporaryDirectory(prefix="batchbg-tests-", dir=memory_disk()) as folder:
        ledger = open_at(Path(folder) / "batchbg.db")
        with Writer(ledger, RUN) as writer:
            yield Bench(ledger, writer)
        ledger.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask and try again at once: nothing here is about how long that takes."""
    for name in ("BLIND_FIRST_S", "BLIND_GAP_S", "SHORTEST_GAP_S"):
        monkeypatch.setattr(f"batchbg.core.poll_schedule.{name}", 0.001)
    monkeypatch.setattr("batchbg.core.backoff.FIRST_S", 0.001)
