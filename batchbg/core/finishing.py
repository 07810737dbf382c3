"""Where the product stands in a finished picture, and how it is made smaller where its file is too large.

A finished picture is made of a result (its master), free and as often as wanted: cut to the product, on a canvas of
another shape, with a margin, in another format. Everything here is arithmetic; ``disk/finishing.py`` does the pictures.
"""

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Final

from batchbg.core.marketplaces import Rule
from batchbg.core.model import Size

MOST_SIDE: Final = 8_000
"""Pixels a side of what is made: 64 megapixels are what one decoder's memory holds, and more than marketplaces take."""

MOST_MARGIN: Final = 40.0
"""Percent; at 50 nothing would be left for the product."""

LEAST_QUALITY: Final = 60
"""Below this losses are seen at first sight; a smaller picture is then the better one."""

QUALITY_STEP: Final = 5

SMALLER: Final = 0.85
"""Of the longer side, from one try to the next, where quality alone does not do."""

LEAST_SIDE: Final = 100
"""Pixels of the longer side below which no picture is made to keep a limit of bytes."""

FORM: Final = 1
"""Counts up when the same profile comes to mean other pictures: then all are made anew."""

Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Canvas:
    """The shape of a finished picture: a ratio, as 1:1, or exact pixels, as 2000x2000."""

    width: int
    height: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.width}{'x' if self.exact else ':'}{self.height}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How results are finished.

    Attributes:
        name: by which it is asked for.
        trim: cut to the product, by its alpha.
        threshold: alpha, of 255, up to which a pixel is a stray one and none of the product's.
        margin: on every side of the product at least, percent of the canvas's shorter side.
        canvas: None where the picture is the product with its margin.
        longest: pixels of the longer side at most.
        at_least: pixels of the longer side to be reached by enlarging, within ``enlarge``.
        enlarge: how many times the product may be enlarged; 1 is never.
        background: colour behind the product; None keeps it transparent.
        shadow: darkness of a soft shadow where the product stands, percent; 0 is none.
        format: one of ``FORMATS``.
        quality: of JPEG and WebP, 1 to 100.
        max_bytes: of the file at most.
        names: pattern of file names without their suffix, see ``core/finish_names.py``.
        output: folder for the finished pictures; None for the usual one.
        rule: of the marketplace that it is for.
    """

    name: str
    trim: bool = True
    threshold: int = 8
    margin: float = 5.0
    canvas: Canvas | None = None
    longest: int | None = None
    at_least: int | None = None
    enlarge: float = 1.0
    background: Colour | None = (255, 255, 255)
    shadow: float = 0.0
    format: str = "jpeg"
    quality: int = 90
    max_bytes: int | None = None
    names: str = "{stem}"
    output: Path | None = None
    rule: Rule | None = None

    @property
    def digest(self) -> str:
        """Hex digest of all that decides how a picture looks: not of names, folders and rules."""
        values = dataclasses.asdict(self)
        shown = {name: values[name] for name in values if name not in ("name", "names", "output", "rule")}
        return hashlib.sha256(json.dumps([FORM, shown], sort_keys=True).encode()).hexdigest()[:16]


FORMATS: Final = {"png": (".png", "PNG"), "jpeg": (".jpg", "JPEG"), "webp": (".webp", "WEBP")}
"""What a profile may ask for: the suffix of its files and Pillow's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where the product stands.

    Attributes:
        canvas: pixels of the finished picture.
        left, top: of the product in it.
        product: its pixels there.
        margin: pixels that are free on every side, at least.
        scale: how many times larger the product is there than in its photo.
        wanted: the same, if it were to fill what the margin leaves.
    """

    canvas: Size
    left: int
    top: int
    product: Size
    margin: int
    scale: float
    wanted: float

    @property
    def fill(self) -> float:
        """Part of the canvas that the product takes, in the direction in which it takes more."""
        return max(self.product.width / self.canvas.width, self.product.height / self.canvas.height)


def arrange(product: Size, profile: Profile, *, trimmed: bool = True, longest: int | None = None) -> Layout:
    """Return where a product stands in its finished picture: never distorted, in the middle, its margin kept.

    Args:
        product: pixels of the product, or of the whole picture.
        profile: how it is to be finished.
        trimmed: it is a product, cut out; a picture with a background of its own gets no margin.
        longest: pixels of the longer side at most, besides those of the profile.
    """
    part = profile.margin / 100 if trimmed else 0.0
    limits = [one for one in (profile.longest, longest, MOST_SIDE) if one is not None]
    most = min(limits)
    if profile.canvas is not None and profile.canvas.exact:
        canvas = _within(Size(profile.canvas.width, profile.canvas.height), most)
        return _placed(product, canvas, part, profile.enlarge)
    natural = _natural(product, profile.canvas, part)
    side = max(natural)
    if side > most:
        return _placed(product, _shaped(natural, profile.canvas, most), part, 1.0)
    aim = min(profile.at_least or 0, most, math.floor(side * profile.enlarge))
    if side < aim:
        return _placed(product, _shaped(natural, profile.canvas, aim), part, profile.enlarge)
    return _placed(product, natural, part, 1.0)


def _natural(product: Size, canvas: Canvas | None, part: float) -> Size:
    """Return the smallest canvas that holds the product, as large as it is, and its margin."""
    if canvas is None:
        margin = math.ceil(part * min(product) / (1 - 2 * part))
        while margin < part * (min(product) + 2 * margin):
            margin += 1
        return Size(product.width + 2 * margin, product.height + 2 * margin)
    wide, high = max(1.0, canvas.width / canvas.height), max(1.0, canvas.height / canvas.width)
    shorter = max(product.width / (wide - 2 * part), product.height / (high - 2 * part))
    longer = math.ceil(shorter * max(wide, high))
    while True:  # whole pixels may take one or two more
        found = _of_ratio(canvas, longer)
        margin = _margin(found, part)
        if found.width - 2 * margin >= product.width and found.height - 2 * margin >= product.height:
            return found
        longer += 1


def _shaped(natural: Size, canvas: Canvas | None, longer: int) -> Size:
    """Return the canvas of a shape whose longer side has so many pixels."""
    if canvas is not None:
        return _of_ratio(canvas, longer)
    scale = longer / max(natural)
    return Size(*(longer if side == max(natural) else max(1, round(side * scale)) for side in natural))


def _of_ratio(canvas: Canvas, longer: int) -> Size:
    if canvas.width >= canvas.height:
        return Size(longer, max(1, round(longer * canvas.height / canvas.width)))
    return Size(max(1, round(longer * canvas.width / canvas.height)), longer)


def _within(size: Size, most: int) -> Size:
    """Return a size of the same shape whose longer side has at most so many pixels."""
    if max(size) <= most:
        return size
    return Size(*(max(1, round(side * most / max(size))) for side in size))


def _margin(canvas: Size, part: float) -> int:
    """Return the pixels of a margin; a canvas of a few pixels leaves one to the product."""
    return min(math.ceil(part * min(canvas)), (min(canvas) - 1) // 2)


def _placed(product: Size, canvas: Size, part: float, enlarge: float) -> Layout:
    margin = _margin(canvas, part)
    inner = Size(canvas.width - 2 * margin, canvas.height - 2 * margin)
    wanted = min(inner.width / product.width, inner.height / product.height)
    scale = min(wanted, enlarge)
    width, height = (max(1, min(room, round(side * scale))) for room, side in zip(inner, product, strict=True))
    left, top = (canvas.width - width) // 2, (canvas.height - height) // 2
    return Layout(canvas, left, top, Size(width, height), margin, scale, wanted)


def qualities(profile: Profile) -> tuple[int, ...]:
    """Return the qualities to try, one after the other, where a file must not have too many bytes."""
    if profile.format == "png":
        return (profile.quality,)
    if profile.max_bytes is None:
        return (profile.quality,)
    lower = range(profile.quality - QUALITY_STEP, LEAST_QUALITY - 1, -QUALITY_STEP)
    return (profile.quality, *lower)


def smaller(canvas: Size, size: int, most: int) -> int:
    """Return the pixels of the longer side to try next; 0 where a smaller picture would be none.

    Args:
        canvas: pixels of the picture that was too large.
        size: bytes of its file, at the lowest quality.
        most: bytes that it may have.
    """
    # Bytes go with the area; a little less than that is aimed at, so that the first try mostly does.
    factor = min(SMALLER, 0.97 * math.sqrt(most / size))
    longer = math.floor(max(canvas) * factor)
    return longer if longer >= LEAST_SIDE else 0
