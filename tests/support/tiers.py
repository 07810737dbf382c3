"""Which cases of a test belong to which tier."""

from collections.abc import Iterable
from typing import Any

import pytest


def rest_slow(cases: Iterable[Any], fast: int = 1) -> list[Any]:
    """Leave the first cases of a kind in the fast tier; the others, which cost as much, go to the slow one.

    Args:
        cases: values, tuples of them where a test takes several, or ``pytest.param``.
        fast: so many stay.
    """
    marked = []
    for number, case in enumerate(cases):
        param = (
            case
            if isinstance(case, type(pytest.param()))
            else pytest.param(*case)
            if isinstance(case, tuple)
            else pytest.param(case)
        )
        marked.append(
            param if number < fast else pytest.param(*param.values, marks=[*param.marks, pytest.mark.slow], id=param.id)
        )
    return marked
