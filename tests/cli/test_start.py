"""What a command imports before it knows that it needs it: a start costs time at every press of Enter, and at night."""

import subprocess
import sys

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow

NOT_NEEDED = ("sqlalchemy", "httpx", "PIL", "alembic", "asyncio", "tqdm", "jinja2", "starlette", "zoneinfo")


def imported(shop: Shop, *arguments: str) -> set[str]:
    """Return the modules that a command has imported at its end."""
    program = "import sys\nfrom batchbg.cli import main\ntry: main()\nfinally: print('\\n', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=shop.folder,
        env=shop.environ(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments", rest_slow(["run --help", "--version", "--help", "plan --help", "status --help", "init new"], 2)
)
def test_help_opens_nothing(shop: Shop, arguments: str):
    """Databases, the network and pictures are for commands that do something."""
    assert imported(shop, *arguments.split()).isdisjoint(NOT_NEEDED)


@pytest.mark.slow
def test_a_run_with_nothing_to_do_needs_no_service(shop: Shop):
    """It opens the ledger, and looks at the folder."""
    shop.some_photos(2)
    assert shop.run().code == 0
    found = imported(shop, *shop.arguments("run", "--yes"))
    assert "sqlalchemy" in found
    assert found.isdisjoint(
        {
            "sqlalchemy.dialects.postgresql",
            "httpx",
            "batchbg.pool.pool",
            "tqdm",
            "alembic",
            "jinja2",
            "starlette",
            "cv2",
        }
    )
