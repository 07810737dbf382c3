"""What holds for every test: how made-up examples are made up, and whose settings there are.

Examples are the same ones in every run, at any speed.

A change is judged by what it does, not by the examples that chance chose for it or by how busy the machine was. To
search for new ones: ``pytest --hypothesis-profile=search``; what it finds becomes an ``@example``.
"""

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SLOWNESS = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=SLOWNESS)
settings.register_profile("search", deadline=None, suppress_health_check=SLOWNESS, print_blob=True)
settings.load_profile("same")

_homes = itertools.count()


@pytest.fixture(scope="session")
def _all_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def own_settings(_all_homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the settings of whoever runs batchbg, in the place of the one who runs the tests; not made yet."""
    home = _all_homes / str(next(_homes))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setattr("batchbg.settings.trust._home_by_name", lambda: "")
    return home / "batchbg"
