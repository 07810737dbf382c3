"""Memory for one picture: how much its decoding takes is said from its header, before anything is allocated.

Where pictures are decoded in processes of their own, more than is usual has to be asked for first, so that large ones
wait for each other and the machine is never filled because of one file.
"""

from typing import TYPE_CHECKING, Final

from batchbg.core.model import Size

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES: Final = 1_250_000_000
"""What one picture may take, and all that are decoded at the same time together."""

USUAL_BYTES: Final = 160_000_000
"""What a picture may take without asking: 12 megapixels in every format, and a copy of them."""

SLACK_BYTES: Final = 256_000_000
"""On top of what was asked for, since that is an estimate."""

PIXEL_BYTES: Final = {
    "PNG": 4.5,
    "JPEG": 4.5,
    "MPO": 4.5,
    "WEBP": 16.5,
    "TIFF": 5.5,
    "BMP": 4.5,
    "GIF": 5.5,
    "JPEG2000": 20.0,
    "AVIF": 9.5,
    "HEIF": 7.0,
}
"""Memory that a decoder takes for a pixel, the picture itself (4 bytes) included. Measured with Pillow 13.0 and
pillow-heif 1.8 on 48 megapixels; in WebP the canvas and the frame before are held, in JPEG 2000 four bytes a sample,
twice."""

ROWS_PIXEL_BYTES: Final = 5.0
"""The same for a HEIC that is decoded and not copied into a picture of Pillow's."""


MAX_PIXELS: Final = 250_000_000
"""Larger pictures are refused from their header, before anything is allocated; 250 MP decode to 1 GB."""

DEEP_HEIF_PIXEL_BYTES: Final = 8.5
"""The same for a HEIC of more than 8 bits a channel, copied or not: 8.25 were measured with 100 megapixels."""


class NeedsMemory(BaseException):
    """A picture takes more memory than was granted; to be asked again with ``need`` bytes."""

    def __init__(self, need: int) -> None:
        super().__init__(need)
        self.need = need


class _Grant:
    """How much the work at hand may take; without limit where nobody guards it."""

    limit: int | None = None


def grant(limit: int | None) -> None:
    """Say how much memory, in bytes, the work that follows may take."""
    _Grant.limit = limit


def ask(need: float) -> None:
    """Go on where ``need`` bytes are granted.

    Raises:
        NeedsMemory: they are not.
    """
    if _Grant.limit is not None and need > _Grant.limit:
        raise NeedsMemory(int(need))


def decoding(picture: "Image.Image", *, reduced: bool = False) -> float:
    """Return how many bytes the decoding of a picture takes that was opened and not yet decoded.

    Args:
        picture: as it was opened.
        reduced: at an eighth of its size where the format allows that, or without a copy of Pillow's.
    """
    pixels = picture.width * picture.height
    if picture.format in ("JPEG", "MPO"):
        coefficients = 6.0 if picture.info.get("progressive") else 0.0  # two bytes a sample, all at once
        return pixels * (coefficients + (0.1 if reduced else PIXEL_BYTES["JPEG"]))
    if picture.format == "HEIF" and picture.info.get("bit_depth", 8) > 8:
        return pixels * DEEP_HEIF_PIXEL_BYTES
    if picture.format == "HEIF" and reduced:
        return pixels * ROWS_PIXEL_BYTES
    return pixels * PIXEL_BYTES.get(picture.format or "", 5.5)


def too_many_pixels(pixels: int, kind: str, pixel_bytes: float) -> str:
    """Return why a picture is too large to be read, or "".

    Args:
        pixels: how many it has.
        kind: Pillow's name of its format.
        pixel_bytes: memory that its decoder takes for each.
    """
    most = min(MAX_PIXELS, MOST_BYTES / pixel_bytes)
    if pixels <= most:
        return ""
    of_its_kind = f" as {kind}" if most < MAX_PIXELS else ""
    return f"{pixels / 1e6:.0f} megapixels{of_its_kind}; at most {int(most / 1e6)}: save it smaller"


def copying(picture: "Image.Image", *, turned: bool) -> float:
    """Return how many bytes an upright sRGB copy of a picture takes, its decoding included."""
    plain = picture.mode in ("RGB", "RGBA")
    has_alpha = picture.has_transparency_data or "covered" in picture.info
    copies = turned + (not plain) + 2 * has_alpha
    return decoding(picture) + 4.0 * copies * picture.width * picture.height


def cropping(picture: "Image.Image", size: Size) -> float:
    """Return how many bytes the resizing of a picture, upright by then, to cover ``size`` pixels takes beside itself."""
    results = 1 + picture.has_transparency_data
    between = size.width * max(picture.size)  # resized in one direction, and not yet in the other
    return 4.0 * (results * size.width * size.height + between)
