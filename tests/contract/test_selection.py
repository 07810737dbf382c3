"""Which of these tests run, where the API's description is not at hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.description import VARIABLE


@pytest.mark.slow
def test_without_the_description_its_tests_are_deselected_and_it_is_said_why():
    """Neither failed nor passed over in silence; the others stay."""
    collect = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-m",
        "contract or not contract",
        "tests/contract",
    ]
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    asked = subprocess.run(collect, cwd=Path(__file__).parents[2], env=environ, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stdout
    assert f"tests deselected: {VARIABLE} does not say where the API's description lies" in asked.stdout
    assert "test_openapi.py::" not in asked.stdout
    assert "test_cassettes.py::" in asked.stdout
