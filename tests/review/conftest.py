import os
from pathlib import Path

import pytest

from tests.report.support import Shop


@pytest.fixture
def shop(tmp_path: Path):
    made = Shop(Path(os.path.realpath(tmp_path)))
    yield made
    made.ledger.close()
