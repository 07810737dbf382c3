import random

import pytest

from batchbg.core.masks import Masks, within
from batchbg.core.regions import regions


def mask(*rows: str) -> tuple[bytes, int]:
    return bytes(letter == "#" for row in rows for letter in row), len(rows[0])


def naive(data: bytes, width: int, corners: bool) -> list[set[int]]:
    """Flood every cell that was not reached yet."""
    left = {cell for cell, value in enumerate(data) if value}
    found = []
    while left:
        todo, here = [left.pop()], set()
        while todo:
            cell = todo.pop()
            here.add(cell)
            row, column = divmod(cell, width)
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    if (down and right and not corners) or not 0 <= column + right < width:
                        continue
                    other = (row + down) * width + column + right
                    if other in left:
                        left.remove(other)
                        todo.append(other)
        found.append(here)
    return found


@pytest.mark.parametrize("corners", [False, True])
def test_regions_are_those_of_a_flood(corners):
    rng = random.Random(1)
    for _ in range(60):
        width, height = rng.randint(1, 14), rng.randint(1, 14)
        data = bytes(rng.random() < 0.45 for _ in range(width * height))
        found = regions(data, width, corners=corners)
        assert sorted(map(sorted, (region.cells() for region in found))) == sorted(
            map(sorted, naive(data, width, corners))
        )
        assert [region.area for region in found] == sorted((len(list(one.cells())) for one in found), reverse=True)


def test_what_touches_the_edge_is_told():
    data, width = mask(
        ".....",
        ".##..",
        ".##.#",
        ".....",
    )
    first, second = regions(data, width, corners=True)
    assert (first.area, first.at_edge) == (4, False)
    assert (second.area, second.at_edge) == (1, True)


def test_a_mask_grows_and_shrinks_by_a_cell():
    data, width = mask("......", "..##..", "..##..", "......")
    masks = Masks(width, len(data))
    grown = masks.grown(masks.marked(data, within(1, 1)))
    assert grown.bit_count() == 12
    assert masks.shrunk(grown) == masks.marked(data, within(1, 1))
    assert masks.as_bytes(masks.of([(2, 4)])) == b"\0\0\1\1" + bytes(20)
