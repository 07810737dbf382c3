from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.ledger.spool import Spool
from batchbg.webhook.receiver import Receiver
from tests.webhook.support import SECRET, Sender


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "batchbg.db")


@pytest.fixture
def receiver(spool: Spool) -> Iterator[Receiver]:
    with spool.receiving() as writer:
        yield Receiver(SECRET, writer)


@pytest.fixture
def sender(receiver: Receiver) -> Sender:
    return Sender(receiver)
