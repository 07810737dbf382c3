"""Results in the format and on the colour that a person asked for; PNG as it comes where nobody asked."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchbg.core.model import Size
from batchbg.core.naming import SUFFIXES

if TYPE_CHECKING:
    from PIL import Image

Colour = tuple[int, int, int]

WHITE: Final[Colour] = (255, 255, 255)
"""Behind what is transparent where the format knows no transparency and nobody named a colour."""

_KINDS: Final = {suffix: name.upper() for name, suffix in SUFFIXES.items()}

_LARGEST: Final = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 32_768}
"""Pixels on the longer side. Source: libjpeg's JPEG_MAX_DIMENSION, the WebP container, libavif's limit for reading."""


@dataclasses.dataclass(frozen=True, slots=True)
class OutputFormat:
    """The form in which a result is saved.

    Attributes:
        kind: Pillow's name of the format.
        quality: of the formats that lose something, 1 to 100.
        flatten: colour to put behind what is transparent; None keeps it so where the format can.
        received: where the bytes are kept as they came, but for the suffix, if they are not saved so anyway.
        root: the output folder, below which no link is followed; None for the folder of the file itself.
    """

    kind: str = "PNG"
    quality: int = 90
    flatten: Colour | None = None
    received: Path | None = None
    root: Path | None = None

    def takes(self, picture: "Image.Image") -> bool:
        """Return whether a file that holds ``picture`` is in this form already, so that its bytes stay as they are."""
        return picture.format == self.kind and not (self.colour and picture.has_transparency_data)

    @property
    def colour(self) -> Colour | None:
        """What comes behind transparency; None where it stays."""
        return self.flatten or (WHITE if self.kind == "JPEG" else None)


def kind_of(path: Path) -> str:
    """Return the format that a result's name says, as Pillow calls it."""
    return _KINDS.get(path.suffix.lower(), "PNG")


def can_become(kind: str, other: str) -> bool:
    """Return whether a result in one format can be copied in another: only PNG has lost nothing."""
    return kind in (other, "PNG")


def too_large(pixels: Size, path: Path) -> str:
    """Say why a picture of this size cannot be saved under this name, or ""."""
    kind = kind_of(path)
    most = _LARGEST.get(kind)
    if most is None or max(pixels) <= most:
        return ""
    return f"{pixels} is more than {kind} holds, {most} pixels a side; plan it with --format png"
