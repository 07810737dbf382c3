"""What the contract is checked with: the published description of the API.

A test that takes the fixture ``published`` needs that description, which is no part of this project: BATCHBG_API_SPEC
says where it lies. Without the variable such tests are deselected, and the end of the output says why. Tests marked
``contract`` need the packages of the extra of that name, and are run by ``pytest -m contract``.
"""

import os
from pathlib import Path

import pytest

from tests.contract.description import VARIABLE, Description

BLIND = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)  # after what -m and -k leave
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if VARIABLE in os.environ:
        return
    blind = [item for item in items if "published" in getattr(item, "fixturenames", ())]
    if blind:
        items[:] = [item for item in items if item not in blind]
        config.hook.pytest_deselected(items=blind)
        config.stash[BLIND] = len(blind)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if BLIND in config.stash:
        terminalreporter.write_line(
            f"{config.stash[BLIND]} tests deselected: {VARIABLE} does not say where the API's description lies"
        )


@pytest.fixture(scope="session")
def published() -> Description:
    """The published description of the API."""
    return Description.read(Path(os.environ[VARIABLE]))
