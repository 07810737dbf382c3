"""Which cases of a test belong to which tier, and how many of them are enough."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import pytest

T = TypeVar("T")

EXHAUSTIVE: Final = os.environ.get("EXHAUSTIVE", "") not in ("", "0")
"""Whether nothing is left out, however long it takes."""


def rest_slow(cases: Iterable[Any], fast: int = 1) -> list[Any]:
    """Leave the first cases of a kind in the fast tier; the others, which cost as much, go to the slow one.

    Args:
        cases: values; tuples of them where a test takes several.
        fast: so many stay.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)), marks=[pytest.mark.slow] if number >= fast else []
        )
        for number, case in enumerate(cases)
    ]


def one_in(step: int, points: Sequence[T]) -> Sequence[T]:
    """Return points that are spread evenly, the first and all of them where EXHAUSTIVE=1 is in the environment."""
    return points if EXHAUSTIVE else points[::step]
