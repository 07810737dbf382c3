"""A folder in portions, so that memory stays flat however large it is."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 1000
"""Photos probed, or decided, between two commits: what a crash costs, and what memory holds of a folder."""


def portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield ``values`` some at a time."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
