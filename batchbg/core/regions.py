"""Connected regions of a small mask, found row by row."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Final

_RUN: Final = re.compile(rb"\x01+")


@dataclasses.dataclass(slots=True)
class Region:
    """Cells that hang together, also by their corners where that was asked for.

    Attributes:
        runs: (first, end) of cells side by side, as offsets into the mask.
        area: cells.
        at_edge: whether it reaches the edge of the mask.
    """

    runs: list[tuple[int, int]]
    area: int = 0
    at_edge: bool = False

    def cells(self) -> Iterator[int]:
        """Yield the offset of every cell."""
        for first, end in self.runs:
            yield from range(first, end)


def regions(mask: bytes, width: int, *, corners: bool) -> list[Region]:
    """Return the regions of a mask, the largest first.

    Args:
        mask: a byte a cell, row by row: 1 in a region, 0 outside of all.
        width: cells of a row.
        corners: whether cells that meet only at a corner hang together.
    """
    height = len(mask) // width
    runs: list[tuple[int, int]] = []
    parents: list[int] = []
    above: list[int] = []
    reach = 1 if corners else 0
    for row in range(height):
        here: list[int] = []
        for found in _RUN.finditer(mask, row * width, (row + 1) * width):
            number = len(runs)
            runs.append(found.span())
            parents.append(number)
            here.append(number)
        _join(runs, parents, (above, here), width, reach)
        above = here
    return _gathered(runs, parents, width, height)


def _join(
    runs: list[tuple[int, int]], parents: list[int], rows: tuple[list[int], list[int]], width: int, reach: int
) -> None:
    """Join the runs of two neighbouring rows that touch."""
    above, here = rows
    at = 0
    for number in here:
        first, end = runs[number][0] - width - reach, runs[number][1] - width + reach
        while at < len(above) and runs[above[at]][1] <= first:
            at += 1
        look = at
        while look < len(above) and runs[above[look]][0] < end:
            one, other = _root(parents, number), _root(parents, above[look])
            parents[max(one, other)] = min(one, other)
            look += 1


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _gathered(runs: list[tuple[int, int]], parents: list[int], width: int, height: int) -> list[Region]:
    found: dict[int, Region] = {}
    last_row = (height - 1) * width
    for number, (first, end) in enumerate(runs):
        region = found.setdefault(_root(parents, number), Region([]))
        region.runs.append((first, end))
        region.area += end - first
        region.at_edge |= first < width or first >= last_row or first % width == 0 or end % width == 0
    return sorted(found.values(), key=lambda region: -region.area)
