"""The promises under anything that may happen, in any order."""

import pytest

from tests.e2e.walk import walk


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_walk_keeps_every_promise(tmp_path, seed: int):
    """`python -m tests.e2e.walk SECONDS SEED` goes on from here."""
    walk(seed, 30, tmp_path)
