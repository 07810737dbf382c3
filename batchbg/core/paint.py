"""Backgrounds that are no picture: a colour, or a linear gradient, as CSS writes them."""

import dataclasses
import functools
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from batchbg.core.colour_names import COLOUR_NAMES
from batchbg.core.model import Size
from batchbg.core.suggestion import suggestion

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """A colour of a gradient, and where on its way it stands: 0 to 100, or beyond to either side."""

    colour: Colour
    percent: float


@dataclasses.dataclass(frozen=True, slots=True)
class Paint:
    """A colour, which is one stop, or a gradient of at least two.

    Attributes:
        stops: in their order; none stands before the one that it follows.
        towards: where a gradient goes: "to right", "to top left", "30deg"; "" for a colour.
    """

    stops: tuple[Stop, ...]
    towards: str = ""

    def __str__(self) -> str:
        """Return the one way to write it, which is CSS and can be read again."""
        if len(self.stops) == 1:
            return _hex(self.stops[0].colour)
        even = _filled([None] * len(self.stops))
        is_even = all(abs(stop.percent - percent) < 1e-9 for stop, percent in zip(self.stops, even, strict=True))
        parts = [_hex(stop.colour) + ("" if is_even else f" {stop.percent:.10g}%") for stop in self.stops]
        return f"linear-gradient({', '.join([self.towards, *parts])})"

    @property
    def in_figures(self) -> str:
        """Another way to write a colour: "rgb(255, 255, 255)"."""
        return f"rgb{self.stops[0].colour}" if len(self.stops) == 1 else str(self)

    @property
    def sha256(self) -> str:
        """What stands for it in a job's key, as a file's content would: the same at every size."""
        return _key(str(self))

    def direction(self, pixels: Size) -> tuple[float, float]:
        """Return where a gradient goes at a size, as (right, down), of length 1.

        Towards a corner it goes so that the line of its middle colour runs through the two corners beside that one.
        Source: CSS Images Module Level 3, 3.1.1.
        """
        if self.towards.endswith("deg"):
            angle = math.radians(float(self.towards[:-3]))
            return math.sin(angle), -math.cos(angle)
        right = float(self.towards.endswith(" right") - self.towards.endswith(" left"))
        down = float(("bottom" in self.towards) - ("top" in self.towards))
        if not (right and down):
            return right, down
        length = math.hypot(*pixels)
        return right * pixels.height / length, down * pixels.width / length

    def at(self, way: float) -> tuple[float, float, float]:
        """Return the colour at a part of the way: 0 is the beginning, 1 the end."""
        percent = 100 * way
        after = next((number for number, stop in enumerate(self.stops) if stop.percent > percent), len(self.stops))
        if after in (0, len(self.stops)):
            return self.stops[max(0, after - 1)].colour
        low, high = self.stops[after - 1], self.stops[after]
        part = (percent - low.percent) / (high.percent - low.percent)
        (red, green, blue), (red2, green2, blue2) = low.colour, high.colour
        return red + part * (red2 - red), green + part * (green2 - green), blue + part * (blue2 - blue)


@functools.lru_cache(maxsize=256)
def _key(text: str) -> str:
    return hashlib.sha256(f"batchbg paint {text}".encode()).hexdigest()


def shown_paint(text: str) -> str:
    """Return a background's text for people: a colour that has a name with it."""
    names = [name for name, digits in COLOUR_NAMES.items() if f"#{digits}" == text] if text[:1] == "#" else []
    return f"{text} ({names[0]})" if names else text


# -- reading -----------------------------------------------------------------------------------------------------------


def looks_like_paint(text: str) -> bool:
    """Return whether a text can hardly be meant as anything but a colour or a gradient, be it a good one or not."""
    return bool(re.match(r"#[0-9a-f]+$|(rgba?|hsla?|hwb|(ok)?l(ab|ch)|(repeating-)?[a-z]+-gradient) *\(", text.lower()))


def read_paint(text: str) -> Paint:
    """Return the paint that a text means: a colour, or ``linear-gradient(...)``.

    Raises:
        ValueError: it means none; says why.
    """
    text = text.strip()
    found = re.fullmatch(r"([a-z-]+-gradient) *\((.*)\)", text, re.IGNORECASE | re.DOTALL)
    if found is None:
        return Paint((Stop(_colour(text), 0.0),))
    if found[1].lower() != "linear-gradient":
        raise ValueError("of gradients only linear-gradient(...) is known")
    return _gradient([part.strip() for part in _split(found[2])])


def paint_or_none(text: str) -> Paint | None:
    """Return the paint that a text means, or None."""
    try:
        return read_paint(text)
    except ValueError:
        return None


def _gradient(parts: Sequence[str]) -> Paint:
    towards = _towards(parts[0])
    wanted = [stop for part in parts[towards is not None :] for stop in _stops(part)]
    if len(wanted) < 2:
        raise ValueError("a gradient needs two colours")
    colours = [colour for colour, _ in wanted]
    if len(set(colours)) == 1:
        return Paint((Stop(colours[0], 0.0),))
    filled = _filled([percent for _, percent in wanted])
    return Paint(tuple(map(Stop, colours, filled)), towards or "to bottom")


_SIDES: Final = {"to top": 0.0, "to right": 90.0, "to bottom": 180.0, "to left": 270.0}


def _towards(text: str) -> str | None:
    """Return where a gradient goes, the same for the same direction; None where the text is something else."""
    words = text.lower().split()
    if words[:1] == ["to"]:
        order = [word for word in ("top", "bottom", "left", "right") if word in words]
        if len(words) != len(order) + 1 or order in (["top", "bottom"], ["left", "right"]) or not 1 <= len(order) <= 2:
            raise ValueError(f"{text!r} is no direction; write one such as 'to right', 'to top left' or '45deg'")
        return " ".join(["to", *order])
    found = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+))(deg|turn|grad|rad)", text.lower())
    if found is None:
        return None
    degrees = (
        round(float(found[1]) * {"deg": 1, "turn": 360, "grad": 0.9, "rad": 180 / math.pi}[found[2]] % 360, 3) % 360
    )
    return next((side for side, angle in _SIDES.items() if angle == degrees), f"{degrees:.10g}deg")


def _stops(text: str) -> Iterator[tuple[Colour, float | None]]:
    """Yield a colour with its place, None where it says none; twice where it says two.

    Raises:
        ValueError: it is none.
    """
    colour, *places = re.fullmatch(r"(.*?)((?:\s+\S+%)?)((?:\s+\S+%)?)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    given = [place.strip() for place in places if place.strip()]
    for place in given or [None]:
        try:
            percent = None if place is None else float(place[:-1])
        except ValueError:
            raise ValueError(f"{place!r} is no place of a colour; write it in percent, as 40%") from None
        if percent is not None and not abs(percent) < 1e6:
            raise ValueError(f"{place!r} is no place of a colour")
        yield _colour(colour.strip()), percent


def _filled(places: Sequence[float | None]) -> list[float]:
    """Return the place of every colour: those without one stand evenly between their neighbours, none goes back.

    Source: CSS Images Module Level 3, 3.4.3.
    """
    places = list(places)
    places[0] = 0.0 if places[0] is None else places[0]
    places[-1] = 100.0 if places[-1] is None else places[-1]
    known = -math.inf
    for number, place in enumerate(places):
        if place is not None:
            places[number] = known = max(known, place)
    filled: list[float] = []
    for number, place in enumerate(places):
        if place is None:
            end = next(index for index in range(number, len(places)) if places[index] is not None)
            last = places[end]
            assert last is not None
            place = filled[-1] + (last - filled[-1]) / (end - number + 1)
        filled.append(place)
    return filled


def _split(text: str) -> Iterator[str]:
    """Yield what stands between the commas that are in no brackets."""
    depth, start = 0, 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def _colour(text: str) -> Colour:
    """Return the colour that a text means.

    Raises:
        ValueError: it means none, or one through which something would be seen.
    """
    lower = text.lower()
    if lower in COLOUR_NAMES:
        return _of_digits(COLOUR_NAMES[lower])
    if re.fullmatch(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", lower):
        digits = lower[1:]
        return _of_digits(digits if len(digits) == 6 else "".join(2 * digit for digit in digits))
    opaque = {5: lower[:4], 9: lower[:7]}.get(len(lower))
    if opaque and re.fullmatch(r"#[0-9a-f]+", lower):
        raise ValueError(f"{text!r} has an alpha, and nothing is seen through a background; write {opaque}")
    if lower == "transparent":
        raise ValueError("'transparent' is no colour of a background; leave --backgrounds out for transparent results")
    found = re.fullmatch(r"rgb\(\s*(\d{1,3})\s*(?:,\s*|\s)(\d{1,3})\s*(?:,\s*|\s)(\d{1,3})\s*\)", lower)
    if found and all(int(part) <= 255 for part in found.groups()):
        red, green, blue = map(int, found.groups())
        return red, green, blue
    near = suggestion(lower, COLOUR_NAMES)
    raise ValueError(f"{text!r} is no colour such as white, #f5f5f5 or rgb(245, 245, 245){near}")


def _of_digits(digits: str) -> Colour:
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
