"""Cheap signs that a cut-out went wrong, so that a person sees the worst of thousands first.

A sign is no verdict. Each says what was seen, in a shop's words, and how sure it is; pictures are put in the order of
their surest sign. What is looked at is small: about ``CELLS`` cells of the picture, whatever its size. Where the photo
is known, it decides between what a product has (a ring's hole, a second part) and what went wrong: a hole is bad where
the photo shows the product in it, a stray island where the photo shows the background.
"""

import dataclasses
import enum
import functools
import math
import operator
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from batchbg.core.masks import Masks, within
from batchbg.core.regions import Region, regions

CELLS: Final = 24_000
"""Of a picture that is looked at: 155 x 155 of a square one. Finer sees no more of what a shop minds."""

LONGEST: Final = 1_000
"""Cells of the longer side at most, of a picture that is very long."""

VERSION: Final = 1
"""Of what is looked for; what was found by another version is looked for anew."""

Colour = tuple[int, int, int]

_SHADE: Final = 0.72
"""What a soft shadow leaves of the light, at least."""


class Kind(enum.StrEnum):
    """What went wrong, perhaps."""

    HOLE = "hole"
    ISLAND = "island"
    CUT = "cut"
    HALO = "halo"
    EMPTY = "empty"
    UNTOUCHED = "untouched"


@dataclasses.dataclass(frozen=True, slots=True)
class Sign:
    """One sign.

    Attributes:
        score: 0 to 1; how sure it is that a person would mind.
        words: the reason, for people.
    """

    kind: Kind
    score: float
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A result in few cells, row by row.

    Attributes:
        width: cells of a row.
        alpha: a byte a cell; 255 is all product.
        photo: three bytes a cell, sRGB: the photo at the same place; empty where it is not known.
    """

    width: int
    alpha: bytes
    photo: bytes = b""

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.alpha) // self.width


SHOWN: Final = 0.15
"""Signs that are less sure are not told."""

_SURE: Final = 0.4
"""Signs that are less sure are told as a guess."""

_CLEAR: Final = 48
_SOLID: Final = 176
"""Alpha below the first shows nothing that a person sees; above the second it is product."""

_RIM: Final = 80
"""From which alpha on the old background is seen against a new one."""

_CLEAR_TABLE: Final = bytes(alpha < _CLEAR for alpha in range(256))
_SEEN_TABLE: Final = bytes(alpha >= _CLEAR for alpha in range(256))


def grid(width: int, height: int) -> tuple[int, int]:
    """Return the cells (width, height) in which a picture of so many pixels is looked at; never more than it has."""
    scale = min(1.0, math.sqrt(CELLS / (width * height)), LONGEST / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def signs(look: Look) -> list[Sign]:
    """Return the signs of a bad cut-out that are worth telling, the surest first."""
    found = [sign for sign in _all(look) if sign.score >= SHOWN]
    hedged = [
        sign if sign.score >= _SURE else dataclasses.replace(sign, words=f"perhaps {sign.words}") for sign in found
    ]
    return sorted(hedged, key=lambda sign: -sign.score)


def score(found: Iterable[Sign]) -> float:
    """Return how suspicious a picture is: its surest sign, and a little for each further one."""
    rest = 1.0
    best = 0.0
    for sign in found:
        best = max(best, sign.score)
        rest *= 1 - 0.1 * sign.score
    return round(min(1.0, best + (1 - best) * (1 - rest)), 4)


def _all(look: Look) -> Iterator[Sign]:
    total = len(look.alpha)
    covered = sum(look.alpha) / 255 / total
    yield from _empty(covered)
    if covered >= _FULL:
        yield Sign(
            Kind.UNTOUCHED, _ramp(covered, _FULL, 0.985) * 0.95, "nothing was cut out: the picture is nearly untouched"
        )
        return
    parts = regions(look.alpha.translate(_SEEN_TABLE), look.width, corners=True)
    if not parts:
        return
    gaps = regions(look.alpha.translate(_CLEAR_TABLE), look.width, corners=False)
    masks = Masks(look.width, total)
    outside = masks.of([run for region in gaps if region.at_edge for run in region.runs])
    colours = _Colours(look, masks, outside)
    yield from _holes(look, gaps, colours)
    yield from _missing(look, masks, colours)
    yield from _islands(look, parts, colours)
    yield from _cut(look)
    yield from _halo(look, masks, gaps, colours)


# -- how much there is -----------------------------------------------------------------------------------------------

_FULL: Final = 0.955
"""Of the picture; a product that fills more of it is rare."""


def _empty(covered: float) -> Iterator[Sign]:
    if covered < 0.0005:
        yield Sign(Kind.EMPTY, 1.0, "the picture is empty")
    elif covered < 0.02:
        yield Sign(
            Kind.EMPTY, 0.97 * (1 - _ramp(covered, 0.004, 0.02)), f"nearly empty: {covered:.1%} of it is product"
        )


# -- what the photo shows --------------------------------------------------------------------------------------------


class _Colours:
    """What the photo shows where the result shows nothing, and how far a colour is from that."""

    def __init__(self, look: Look, masks: Masks, outside: int) -> None:
        self._photo = look.photo
        self.background: Colour | None = None
        self.spread = 0.0
        if not look.photo:
            return
        around = _near_product(masks, outside)
        if len(around) >= 0.02 * len(look.alpha):
            some = around[:: max(len(around) // 1_500, 1)]
            self.background = self.of(some)
            self.spread = statistics.fmean(_apart(self.at(cell), self.background) for cell in some)

    def at(self, cell: int) -> Colour:
        """Return the photo's colour at a cell."""
        red, green, blue = self._photo[3 * cell : 3 * cell + 3]
        return red, green, blue

    def of(self, cells: Sequence[int]) -> Colour:
        """Return the colour in the middle of those of some cells."""
        some = cells[:: max(len(cells) // 400, 1)]
        colours = [self.at(cell) for cell in some]
        red, green, blue = (round(statistics.median(channel)) for channel in zip(*colours, strict=True))
        return red, green, blue

    def is_told(self) -> bool:
        """Return whether the photo's background is so even that a colour can be told from it."""
        return self.background is not None and self.spread <= 30

    def background_cells(self, masks: Masks, near: float = 10.0, shade: float = _SHADE) -> int:
        """Return the cells where the photo shows its background, also with no more than so much of the light."""
        assert self.background is not None
        found = -1
        for channel, level in enumerate(self.background):
            reach = max(near, 1.5 * self.spread)
            table = within(max(round(level * shade - reach), 0), round(level + reach))
            found &= masks.marked(self._photo[channel::3], table)
        return found

    def product_likeness(self, cells: Sequence[int], near: Sequence[int]) -> float:
        """Return how much more some cells look like the product near them than like the background: 0 to 1.

        0.5 where that cannot be told: there is no photo, its background is a jumble, or product and background look
        the same.
        """
        if not self.is_told() or not cells or not near:
            return 0.5
        assert self.background is not None
        here, product = self.of(cells), self.of(near)
        to_background, to_product = _from_shade(here, self.background), _apart(here, product)
        if _apart(product, self.background) < 12 + self.spread:
            return 0.5
        certain = _ramp(max(to_background, to_product), 4.0, 16.0)
        return 0.5 + certain * (to_background / (to_background + to_product + 1e-6) - 0.5)


def _near_product(masks: Masks, outside: int) -> list[int]:
    """Return cells outside, a few steps from the product: light falls off towards the corners of a photo."""
    inside = masks.all & ~outside
    close = far = inside
    for step in range(16):
        far = masks.grown(far)
        close = far if step < 3 else close
    for cells in (far & ~close & outside, outside):
        data = masks.as_bytes(cells)
        found = [cell for run in re.finditer(rb"\x01+", data) for cell in range(*run.span())]
        if len(found) >= 0.02 * len(data):
            break
    return found


def _apart(one: Colour, other: Colour) -> float:
    """Return how far two colours are apart, in levels of 255."""
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]), abs(one[2] - other[2]))


def _from_shade(colour: Colour, background: Colour) -> float:
    """Return how far a colour is from the background, or from the background in a soft shadow."""
    shade = min(1.0, max(_SHADE, sum(colour) / max(sum(background), 1)))
    return _apart(colour, (round(background[0] * shade), round(background[1] * shade), round(background[2] * shade)))


# -- holes, islands --------------------------------------------------------------------------------------------------


def _holes(look: Look, gaps: Sequence[Region], colours: _Colours) -> Iterator[Sign]:
    """Look for clear cells inside the product where the photo shows the product."""
    inner = [region for region in gaps if not region.at_edge and region.area >= 2]
    best, bad = 0.0, 0
    for region in inner[:40]:
        likeness = colours.product_likeness(list(region.cells()), _around(look, region))
        size = _ramp(math.sqrt(region.area / len(look.alpha)), 0.004, 0.025)
        sure = size * _ramp(likeness, 0.52, 0.8) if likeness != 0.5 else 0.3 * size
        bad += sure >= SHOWN
        best = max(best, sure)
    words = "a hole in the product" if bad < 2 else f"{bad} holes in the product"
    unsure = "" if colours.is_told() else ", unless it belongs there"
    yield Sign(Kind.HOLE, 0.98 * best, words + unsure)


def _missing(look: Look, masks: Masks, colours: _Colours) -> Iterator[Sign]:
    """Look for clear cells where the photo shows the product: a hole that is part of a larger opening, or of the outside."""
    if not colours.is_told():
        return
    clear = masks.marked(look.alpha, _CLEAR_TABLE)
    lost = masks.shrunk(clear & ~colours.background_cells(masks, near=40.0))
    best = 0.0
    for region in regions(masks.as_bytes(lost), look.width, corners=True)[:10]:
        likeness = colours.product_likeness(list(region.cells()), _around(look, region))
        best = max(best, _ramp(math.sqrt(region.area / len(look.alpha)), 0.008, 0.03) * _ramp(likeness, 0.6, 0.85))
    yield Sign(Kind.HOLE, 0.96 * best, "a piece of the product is missing")


def _islands(look: Look, parts: Sequence[Region], colours: _Colours) -> Iterator[Sign]:
    """Look for small pieces away from the product, most of all where the photo shows its background."""
    largest = parts[0]
    near = _some_of(look, largest)
    best, stray = 0.0, 0
    for region in parts[1:41]:
        share = region.area / largest.area
        if share > 0.2 or region.area < 2:
            continue
        cells = list(region.cells())
        strength = statistics.fmean(look.alpha[cell] for cell in cells) / 255
        likeness = colours.product_likeness(cells, near)
        size = _ramp(math.sqrt(region.area / len(look.alpha)), 0.008, 0.03) * (1 - 0.7 * _ramp(share, 0.06, 0.2))
        away = 0.62 if likeness == 0.5 else 0.12 + 0.83 * (1 - _ramp(likeness, 0.35, 0.75))
        sure = size * away * _ramp(strength, 0.1, 0.5)
        stray += sure >= SHOWN
        best = max(best, sure)
    yield Sign(
        Kind.ISLAND,
        best,
        "a stray piece beside the product" if stray < 2 else f"{stray} stray pieces beside the product",
    )


def _around(look: Look, region: Region) -> list[int]:
    """Return product cells next to a region, a few cells deep."""
    width, alpha = look.width, look.alpha
    found = set()
    for first, end in region.runs:
        row_start = first - first % width
        for step in range(1, 4):
            for cell in (first - step, end - 1 + step):
                if row_start <= cell < row_start + width and alpha[cell] >= _SOLID:
                    found.add(cell)
            for cell in range(first, end, max((end - first) // 8, 1)):
                for other in (cell - step * width, cell + step * width):
                    if 0 <= other < len(alpha) and alpha[other] >= _SOLID:
                        found.add(other)
    return sorted(found)


def _some_of(look: Look, region: Region) -> list[int]:
    cells = [cell for cell in region.cells() if look.alpha[cell] >= _SOLID]
    return cells[:: max(len(cells) // 800, 1)]


# -- edges -----------------------------------------------------------------------------------------------------------


def _cut(look: Look) -> Iterator[Sign]:
    """Look whether the product runs out of the picture."""
    width, height, alpha = look.width, look.height, look.alpha
    last = (height - 1) * width
    sides = {
        "top": alpha[:width],
        "bottom": alpha[last:],
        "left": alpha[::width],
        "right": alpha[width - 1 :: width],
    }
    extents = _extents(look)
    touched: list[str] = []
    best = 0.0
    for name, line in sides.items():
        run = max((len(run) for run in _solid_runs(line)), default=0)
        extent = extents[name in ("left", "right")]
        share = run / max(extent, 1)
        sure = _ramp(run / math.sqrt(len(alpha)), 0.01, 0.05) * (0.75 + 0.2 * _ramp(share, 0.05, 0.4))
        if sure >= SHOWN:
            touched.append(name)
        best = max(best, sure)
    yield Sign(Kind.CUT, best, f"the product is cut off at the {' and '.join(touched)}")


def _solid_runs(line: bytes) -> list[bytes]:
    return bytes(alpha >= _RIM for alpha in line).split(b"\x00")


def _extents(look: Look) -> tuple[int, int]:
    """Return over how many (columns, rows) the product reaches."""
    rows = [look.alpha[start : start + look.width] for start in range(0, len(look.alpha), look.width)]
    tall = sum(max(row) >= _RIM for row in rows)
    wide = sum(max(look.alpha[column :: look.width]) >= _RIM for column in range(look.width))
    return wide, tall


def _halo(look: Look, masks: Masks, gaps: Sequence[Region], colours: _Colours) -> Iterator[Sign]:
    """Look for a rim of the old background: half transparent beside a solid product, or where the photo shows it."""
    rings = _rings(masks, gaps)
    soft = _soft_rim(look, masks, rings)
    # Fur is as soft as a halo; that the photo shows the bare background in a rim is said of a halo only.
    sure = max(0.3 * soft, _background_rim(look, masks, rings, colours)) if colours.is_told() else 0.5 * soft
    yield Sign(Kind.HALO, sure, "a halo: a rim of the old background around the product")


_DEPTH: Final = 9
"""Rings around the product that are looked at, from the outside inwards; about a sixteenth of the picture."""


def _rings(masks: Masks, gaps: Sequence[Region]) -> list[int]:
    """Return the cells that are 1, 2, 3... steps away from the outside."""
    reached = masks.of([run for region in gaps if region.area >= 4 for run in region.runs])
    found = []
    for _ in range(_DEPTH):
        grown = masks.grown(reached)
        found.append(grown & ~reached)
        reached = grown
    return found


def _soft_rim(look: Look, masks: Masks, rings: Sequence[int]) -> float:
    """Return how sure a half transparent rim is."""
    thin = masks.marked(look.alpha, within(0, 214))
    body = len(look.alpha) - look.alpha.translate(_CLEAR_TABLE).count(1)
    solid = look.alpha.translate(within(230, 255)).count(1) / max(body, 1)
    # Glass and lace are half transparent all over: a rim is one only beside what is not.
    return 0.93 * _ramp(_share(thin, rings[1:3]) - _share(thin, rings[6:]), 0.3, 0.75) * _ramp(solid, 0.35, 0.6)


def _background_rim(look: Look, masks: Masks, rings: Sequence[int], colours: _Colours) -> float:
    """Return how sure it is that the photo shows background in the rim of what was kept, and not behind it."""
    kept = masks.marked(look.alpha, within(_RIM, 255))
    rim = [ring & kept for ring in rings[1:3]]
    if sum(ring.bit_count() for ring in rim) < 12:
        return 0.0
    around = functools.reduce(operator.or_, rings[:7])
    inner = [kept & ~around] if (kept & ~around).bit_count() >= 12 else [kept & ring for ring in rings[3:]]

    def beyond(alike: int) -> float:
        return max(_share(alike, rim[:1]), _share(alike, rim)) - _share(alike, inner)

    # A grey product is a shadow's colour; a halo in a shadow is not the background's.
    found = max(beyond(colours.background_cells(masks)), beyond(colours.background_cells(masks, shade=1.0)))
    return 0.93 * _ramp(found, 0.3, 0.65)


def _share(mask: int, rings: Sequence[int]) -> float:
    """Return how many of some rings' cells a mask has, 0 to 1."""
    total = sum(ring.bit_count() for ring in rings)
    return sum((ring & mask).bit_count() for ring in rings) / total if total else 0.0


def _ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to ``low``, 1 from ``high`` on, and in between what lies between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
