"""What holds for every test: how made-up examples are made up, whose settings there are, quick ledgers, and the shop.

Examples are the same ones in every run, at any speed.

A change is judged by what it does, not by the examples that chance chose for it or by how busy the machine was. To
search for new ones: ``pytest --hypothesis-profile=search``; what it finds becomes an ``@example``.
"""

import contextlib
import gc
import itertools
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from batchbg.ledger import migrate, sqlite
from batchbg.sandbox import SandboxConfig, SandboxServer

pytest.register_assert_rewrite("tests.support")

from tests.support import quick_ledgers  # noqa: E402
from tests.support.postgres import PostgresServer, running  # noqa: E402
from tests.support.shop import BRISK, Shop  # noqa: E402 - what it asserts is explained as in a test

SLOWNESS = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("same", max_examples=50, derandomize=True, deadline=None, suppress_health_check=SLOWNESS)
settings.register_profile("search", max_examples=1000, deadline=None, suppress_health_check=SLOWNESS, print_blob=True)
settings.load_profile("same")

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4_000_000_000
"""For all that is written side by side; a container may have 64 MB there, where nothing would fit."""

# Thousands of commits wait for the disk, longest where it is busy: what is tested stands in memory where there is some.
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# Hundreds of processes would compile the package anew, each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The collector would go through all tests and modules again and again, for a tenth of the time.
gc.set_threshold(50_000, 20, 50)

_homes = itertools.count()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than cores: tests wait, too, for a server, a process or a disk."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def _all_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(scope="session", autouse=True)
def _signals_as_at_a_terminal() -> None:
    """Heed what a shell ignores for what it starts in the background, and ``nohup`` for all: so would what tests start."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_settings(_all_homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the settings of whoever runs batchbg, in the place of the one who runs the tests; not made yet."""
    home = _all_homes / str(next(_homes))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setattr("batchbg.settings.trust._home_by_name", lambda: "")
    return home / "batchbg"


@pytest.fixture(autouse=True)
def _quick_ledgers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "run_migrations", quick_ledgers.copy_or_migrate)
    monkeypatch.setattr(sqlite, "make_engine", quick_ledgers.open_engine)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Leave the log as it was, whatever a command that ran in this process has made of it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of a process; what stops it has its own."""
    with running() as server:
        yield server


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask and try again sooner than a real service would like it, so that tests are quick."""
    for module, constants in BRISK.items():
        for name, seconds in constants.items():
            monkeypatch.setattr(f"{module}.{name}", seconds)


@pytest.fixture
def sandbox(brisk: None) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(background_cutout="fast", render_s=0.02, seed=1)) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, sandbox: SandboxServer) -> Iterator[Shop]:
    with contextlib.closing(Shop(tmp_path, sandbox)) as opened:
        yield opened


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach and write to, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="batchbg-test-") as made:
        folder = Path(made)
        folder.chmod(0o777)
        yield folder
        for inner in [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]:
            inner.chmod(0o755)
