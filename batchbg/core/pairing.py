"""Which background serves which photo.

The API stretches a background to the photo's size. So a background serves well when its aspect ratio is close to the
photo's (no distortion) and it is not much smaller (no blur); a larger one costs nothing but bytes.
"""

import bisect
import dataclasses
import hashlib
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from batchbg.core.model import Size
from batchbg.core.words import times


@dataclasses.dataclass(frozen=True, slots=True)
class Background:
    """A background a photo can be put on.

    Attributes:
        path: below the background folder; how a paint is written.
        sha256: of its content, or what stands for a paint.
        pixels: after EXIF orientation; of a paint the photo's.
        is_paint: it is no file, and made for the photo.
    """

    path: str
    sha256: str
    pixels: Size
    is_paint: bool = False


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Misfit:
    """How badly a background serves a photo, in thousandths of a natural logarithm: 693 is a factor of two."""

    distortion: int
    blur: int
    excess: int

    def __str__(self) -> str:
        return f"distortion {self.distortion / 1000:.3f}, blur {self.blur / 1000:.3f}, excess {self.excess / 1000:.3f}"

    def in_words(self, *, cropped: bool) -> str:
        """Return what becomes of the background, for people: "fits", "cropped 6 %, enlarged 1.4 times".

        Args:
            cropped: it is cut to the photo's shape; else it is sent as it is, and stretched.
        """
        percent = round(100 * abs(math.expm1(self.distortion / (-1000 if cropped else 1000))))
        # What is cropped is scaled until its shorter side covers the photo's: by half of the distortion more.
        scale = (self.blur - self.excess + (self.distortion / 2 if cropped else 0)) / 1000
        parts = [f"{'cropped' if cropped else 'stretched'} {percent} %"] if percent else []
        parts += [f"enlarged {grown}"] if (grown := times(max(1.0, math.exp(scale)))) else []
        return ", ".join(parts) or "fits"


@dataclasses.dataclass(frozen=True, slots=True)
class Tolerance:
    """What still counts as similar; natural logarithms."""

    max_distortion: float = 0.05
    max_blur: float = 0.4

    def allows(self, misfit: Misfit) -> bool:
        """Return whether a background with this misfit may be sent as it is."""
        return misfit.distortion / 1000 <= self.max_distortion and misfit.blur / 1000 <= self.max_blur


def misfit(photo: Size, background: Size) -> Misfit:
    """Return how badly ``background`` serves ``photo``; all zeros is a perfect fit.

    Args:
        photo: pixels, after EXIF orientation.
        background: pixels, after EXIF orientation.
    """
    aspect = math.log((background.width / background.height) / (photo.width / photo.height))
    scale = math.log(math.sqrt((photo.width * photo.height) / (background.width * background.height)))
    return Misfit(_thousandths(abs(aspect)), _thousandths(max(0.0, scale)), _thousandths(max(0.0, -scale)))


def _thousandths(value: float) -> int:
    return round(round(value, 3) * 1000)


def order_of(background: Background, found: Misfit) -> tuple[int, int, bytes]:
    """Return the key by which `best` sorts: least distortion and blur, least excess, the path."""
    return found.distortion + found.blur, found.excess, path_key(background.path)


def path_key(path: str) -> bytes:
    """Return the bytes by which relative paths are compared: NFC, so that a copy made on another system sorts alike."""
    return unicodedata.normalize("NFC", path).encode("utf-8", "surrogateescape")


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A background, how well it fits, and whether that is similar enough to send it as it is."""

    background: Background
    misfit: Misfit
    similar: bool


class Pairing:
    """Chooses a background for a photo, by the policy `best`, `spread` or one background's name.

    The choice depends on the photo's size alone (with `spread` also on its content), so it is worked out once for
    each distinct size, and from a list that is sorted by aspect ratio, from the photo's own ratio outwards.

    Attributes:
        by_size: photos of one size go on one background.
    """

    def __init__(self, backgrounds: Sequence[Background], tolerance: Tolerance, policy: str = "best") -> None:
        """Take at least one background.

        Raises:
            LookupError: the policy names a background that is not there.
        """
        self.by_size = policy != "spread"
        self._tolerance = tolerance
        self._named = {path_key(one.path): one for one in backgrounds}
        if policy not in ("best", "spread"):
            backgrounds = [self.named(policy)]
        self._best = _Shelf(_first_of_each_size(backgrounds))
        self._all = _Shelf(sorted(backgrounds, key=lambda one: path_key(one.path)))
        self._by_size: dict[Size, Choice] = {}
        self._similar: dict[Size, _Draws] = {}

    def named(self, path: str) -> Background:
        """Return the background at ``path`` below the background folder.

        Raises:
            LookupError: there is none.
        """
        try:
            return self._named[path_key(path)]
        except KeyError:
            raise LookupError(path) from None

    def choose(self, pixels: Size, sha256: str) -> Choice:
        """Return the choice for a photo of this size and content."""
        if not self.by_size and (drawn := self._draws(pixels).draw(sha256)):
            return self._rate(pixels, drawn)
        best = self._by_size.get(pixels)
        if best is None:
            best = self._by_size[pixels] = self._rate(pixels, self._best.best_for(pixels))
        return best

    def fixed(self, pixels: Size, path: str) -> Choice:
        """Return the choice where a background map names the background.

        Raises:
            LookupError: there is no such background.
        """
        return self._rate(pixels, self.named(path))

    def _draws(self, pixels: Size) -> "_Draws":
        draws = self._similar.get(pixels)
        if draws is None:
            allows = self._tolerance.allows
            near = self._all.within(pixels, self._tolerance.max_distortion)
            draws = _Draws([one for one in near if allows(misfit(pixels, one.pixels))])
            if sum(map(len, self._similar.values())) > _MOST_KEPT:
                self._similar.clear()
            self._similar[pixels] = draws
        return draws

    def _rate(self, pixels: Size, background: Background) -> Choice:
        found = misfit(pixels, background.pixels)
        return Choice(background, found, self._tolerance.allows(found))


_MOST_KEPT: Final = 1_000_000
"""Similar backgrounds remembered for all sizes together, so that memory stays flat."""


def _first_of_each_size(backgrounds: Iterable[Background]) -> list[Background]:
    """Return one background of each size, the one that `best` would take."""
    first: dict[Size, Background] = {}
    for one in sorted(backgrounds, key=lambda one: path_key(one.path)):
        first.setdefault(one.pixels, one)
    return list(first.values())


class _Shelf:
    """Backgrounds in the order of their aspect ratios."""

    def __init__(self, backgrounds: Iterable[Background]) -> None:
        rows = sorted((*_logs(one.pixels), index, one) for index, one in enumerate(backgrounds))
        self._aspects = [row[0] for row in rows]
        self._areas = [row[1] for row in rows]
        self._backgrounds = [row[3] for row in rows]
        self._largest = max(self._areas)

    def within(self, pixels: Size, distortion: float) -> list[Background]:
        """Return at least all backgrounds that are distorted by no more than this."""
        aspect, _ = _logs(pixels)
        low = bisect.bisect_left(self._aspects, aspect - distortion - _ROUNDING)
        return self._backgrounds[low : bisect.bisect_right(self._aspects, aspect + distortion + _ROUNDING)]

    def best_for(self, pixels: Size) -> Background:
        """Return the background with the least ``order_of``.

        Going away from the photo's aspect ratio the distortion only grows: once it alone, with the least blur that any
        background has, is more than the best sum so far, nothing better can come. Whether a background comes into
        question is estimated first, within what rounding may do; only then it is rated exactly.
        """
        aspect, area = _logs(pixels)
        least_blur = max(0.0, area - self._largest)
        best: tuple[tuple[int, int, bytes], Background] | None = None
        limit = math.inf
        for index in self._outwards(aspect):
            distortion = abs(self._aspects[index] - aspect)
            if distortion + least_blur > limit:
                break
            if distortion + max(0.0, area - self._areas[index]) > limit:
                continue
            one = self._backgrounds[index]
            rated = order_of(one, misfit(pixels, one.pixels)), one
            if best is None or rated[0] < best[0]:
                best = rated
                limit = rated[0][0] / 1000 + _ROUNDING
        assert best is not None
        return best[1]

    def _outwards(self, aspect: float) -> Iterator[int]:
        """Yield the positions of all backgrounds, those with the nearest aspect ratios first."""
        aspects = self._aspects
        right = bisect.bisect_left(aspects, aspect)
        left = right - 1
        while left >= 0 or right < len(aspects):
            if right == len(aspects) or (left >= 0 and aspect - aspects[left] < aspects[right] - aspect):
                yield left
                left -= 1
            else:
                yield right
                right += 1


_ROUNDING: Final = 0.0011
"""More than rounding to thousandths, twice, and the last digits of logarithms can make of a difference."""


def _logs(pixels: Size) -> tuple[float, float]:
    """Return the logarithms of aspect ratio and of the area's square root: misfits are differences of these."""
    width, height = math.log(pixels.width), math.log(pixels.height)
    return width - height, (width + height) / 2


class _Draws:
    """A rendezvous of photos with backgrounds: adding either moves as few pairs as possible.

    Every pair draws the product of their contents modulo a prime; the photo goes where it draws highest.
    """

    def __init__(self, backgrounds: Sequence[Background]) -> None:
        self._by_content = sorted(backgrounds, key=lambda one: (_number(one.sha256), path_key(one.path)))
        self._numbers = [_number(one.sha256) for one in self._by_content]

    def __len__(self) -> int:
        return len(self._numbers)

    def draw(self, sha256: str) -> Background | None:
        """Return the background on which a photo of this content goes; None where there is none."""
        if not self._numbers:
            return None
        photo = _number(sha256)
        drawn = [photo * number % _PRIME for number in self._numbers]
        return self._by_content[drawn.index(max(drawn))]


_PRIME: Final = (1 << 61) - 1


def _number(sha256: str) -> int:
    """Return a number from 1 to ``_PRIME`` - 1 that stands for a content."""
    return int(hashlib.sha256(sha256.encode()).hexdigest(), 16) % (_PRIME - 1) + 1
