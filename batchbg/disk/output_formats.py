"""Results in the format and on the colour that a person asked for; PNG as it comes where nobody asked."""

import dataclasses
import io
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from batchbg.core.model import Size
from batchbg.core.naming import SUFFIXES
from batchbg.disk.appearance import orientation_of
from batchbg.disk.normalise import to_srgb

Colour = tuple[int, int, int]

WHITE: Final[Colour] = (255, 255, 255)
"""Behind what is transparent where the format knows no transparency and nobody named a colour."""

_KINDS: Final = {suffix: name.upper() for name, suffix in SUFFIXES.items()}

_PNG_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes that PNG holds as they are."""

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

    def takes(self, picture: Image.Image) -> bool:
        """Return whether a file that holds ``picture`` is in this form already, so that its bytes stay as they are."""
        return picture.format == self.kind and not (self.colour and picture.has_transparency_data)

    @property
    def colour(self) -> Colour | None:
        """What comes behind transparency; None where it stays."""
        return self.flatten or (WHITE if self.kind == "JPEG" else None)

    def encode(self, picture: Image.Image) -> bytes:
        """Return ``picture`` in this form, upright and in the colours it came in; other metadata is left behind.

        Raises:
            Exception: the format's encoder does not take it.
        """
        if orientation_of(picture) != 1:
            picture = ImageOps.exif_transpose(picture)
        profile = picture.info.get("icc_profile")
        is_lossless = self.kind == "PNG" and not (self.colour and picture.has_transparency_data)
        if not (is_lossless and picture.mode in _PNG_MODES) and not _is_plain(picture):
            picture, profile = to_srgb(picture), None
        if self.colour and picture.mode == "RGBA":
            ground = Image.new("RGB", picture.size, self.colour)
            ground.paste(picture, mask=picture)
            picture = ground
        options: dict[str, Any] = {} if self.kind == "PNG" else {"quality": self.quality}
        if self.kind == "JPEG":
            options |= {"subsampling": 0, "optimize": True}
        buffer = io.BytesIO()  # an encoder that writes to the file itself does not say that the disk is full
        picture.save(buffer, self.kind, icc_profile=profile, **options)
        return buffer.getvalue()


def _is_plain(picture: Image.Image) -> bool:
    """Return whether every format holds the picture's pixels as they are, transparency apart."""
    return picture.mode == "RGBA" or (picture.mode == "RGB" and not picture.has_transparency_data)


def kind_of(path: Path) -> str:
    """Return the format that a result's name says, as Pillow calls it."""
    return _KINDS.get(path.suffix.lower(), "PNG")


def too_large(pixels: Size, path: Path) -> str:
    """Say why a picture of this size cannot be saved under this name, or ""."""
    kind = kind_of(path)
    most = _LARGEST.get(kind)
    if most is None or max(pixels) <= most:
        return ""
    return f"{pixels} is more than {kind} holds, {most} pixels a side; plan it with --format png"
