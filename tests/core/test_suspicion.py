"""Signs of a bad cut-out, each on the smallest picture that has it; tests/disk/test_cut_out.py measures them on many."""

import math
from collections.abc import Callable

import pytest

from batchbg.core import suspicion
from batchbg.core.suspicion import CELLS, LONGEST, Kind, Look, grid, score, signs

SIDE = 120

Inside = Callable[[int, int], int]
"""How much of a cell is product: True all of it, or its alpha."""


def look(
    inside: Inside, colour: suspicion.Colour = (200, 40, 40), *, photo: Inside | None = None, alpha: int = 255
) -> Look:
    """Return a product where ``inside`` says so; the photo shows it on grey, or what ``photo`` says where."""
    shown = bytearray()
    levels = bytearray()
    for y in range(SIDE):
        for x in range(SIDE):
            here = inside(x, y)
            levels.append(alpha if here is True else here or 0)
            shown += bytes(colour if (photo or inside)(x, y) else (220, 220, 220))
    return Look(SIDE, bytes(levels), bytes(shown))


def disc(x: int, y: int, radius: float = 36, at: tuple[int, int] = (60, 60)) -> bool:
    return math.hypot(x - at[0], y - at[1]) <= radius


def kinds(found: list[suspicion.Sign]) -> list[Kind]:
    return [sign.kind for sign in found if sign.score >= 0.4]


def test_a_whole_product_has_no_sign():
    assert signs(look(disc)) == []
    assert score([]) == 0


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        (Kind.HOLE, look(lambda x, y: disc(x, y) and not disc(x, y, 6, (50, 55)), photo=disc)),
        (Kind.HOLE, look(lambda x, y: disc(x, y) and not disc(x, y, 9, (96, 60)), photo=disc)),
        (Kind.ISLAND, look(lambda x, y: disc(x, y) or disc(x, y, 4, (12, 12)), photo=disc)),
        (Kind.CUT, look(lambda x, y: disc(x, y, 36, (10, 60)))),
        (Kind.HALO, look(lambda x, y: disc(x, y, 41), photo=disc)),
        (Kind.HALO, look(lambda x, y: True if disc(x, y) else 140 if disc(x, y, 41) else 0, photo=disc)),
        (Kind.EMPTY, look(lambda x, y: False, photo=disc)),
        (Kind.EMPTY, look(lambda x, y: disc(x, y, 4), photo=disc)),
        (Kind.UNTOUCHED, look(lambda x, y: True, photo=disc)),
    ],
)
def test_each_fault_has_its_sign_first(kind, made):
    found = signs(made)
    assert found[0].kind is kind
    assert found[0].score >= 0.6
    assert found[0].words


def test_what_belongs_to_a_product_is_no_fault():
    """The photo shows the background in a ring, and the product in its second part."""
    ring = look(lambda x, y: disc(x, y) and not disc(x, y, 20))
    pair = look(lambda x, y: disc(x, y, 20, (35, 60)) or disc(x, y, 20, (85, 60)))
    screw = look(lambda x, y: disc(x, y, 30, (60, 50)) or disc(x, y, 5, (60, 95)))
    glass = look(disc, (190, 200, 205), alpha=120)
    assert [kinds(signs(one)) for one in (ring, pair, screw, glass)] == [[], [], [], []]


def test_without_the_photo_a_hole_is_a_guess():
    made = look(lambda x, y: disc(x, y) and not disc(x, y, 6, (50, 55)), photo=disc)
    (sign,) = signs(Look(SIDE, made.alpha))
    assert sign.kind is Kind.HOLE
    assert sign.words == "perhaps a hole in the product, unless it belongs there"


def test_more_signs_are_more_suspicious():
    hole = signs(look(lambda x, y: disc(x, y) and not disc(x, y, 6, (50, 55)), photo=disc))
    assert score(hole) < score([*hole, *hole]) <= 1


def test_a_picture_of_any_shape_is_looked_at_in_few_cells():
    for size in ((1, 1), (4000, 3000), (20_000, 1000), (90_000, 1), (30, 20)):
        width, height = grid(*size)
        assert 1 <= width <= min(size[0], LONGEST)
        assert 1 <= height <= size[1]
        assert width * height <= CELLS * 1.1
    assert suspicion.signs(Look(1, b"\xff")) != []
    assert suspicion.signs(Look(1, b"\x00", b"abc")) != []
    assert suspicion.signs(Look(2, b"\x00\xff")) is not None
