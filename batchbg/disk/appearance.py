"""How a picture is to be shown: which way up, and in which colours; and where the API would show it otherwise."""

import functools
import io
from typing import Final

from PIL import ExifTags, Image, ImageChops, ImageCms, TiffImagePlugin

from batchbg.core.model import Size
from batchbg.disk.input_formats import EXTENSIONS


def orientation_of(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, that is still to be applied: Pillow turns TIFF by itself, pillow_heif HEIC."""
    if picture.format in ("TIFF", "HEIF"):
        return 1
    found = _exif_orientation(picture)
    return found if found in range(2, 9) else 1


def _exif_orientation(picture: Image.Image) -> int:
    """Return the orientation by EXIF alone; no program that shows pictures uses what XMP says of it."""
    try:
        if isinstance(picture, TiffImagePlugin.TiffImageFile):
            found: object = picture.tag_v2.get(ExifTags.Base.Orientation, 1)
        else:
            exif = Image.Exif()
            exif.load(_exif_of(picture))
            found = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # spoilt metadata is no reason to reject a photo
        return 1
    return found if isinstance(found, int) else 1


def _exif_of(picture: Image.Image) -> bytes:
    data = picture.info.get("exif")
    if isinstance(data, bytes):
        return data
    written = picture.info.get("Raw profile type exif")  # in a PNG's text, as ImageMagick writes it
    return bytes.fromhex("".join(written.split("\n")[3:])) if isinstance(written, str) else b""


def upright_size(picture: Image.Image) -> Size:
    """Return a picture's size as a person sees it."""
    width, height = picture.size
    return Size(height, width) if orientation_of(picture) >= 5 else Size(width, height)


def is_over_8_bits(picture: Image.Image) -> bool:
    """Return whether a picture that is not decoded yet has more than 8 bits a channel.

    Pillow opens 16-bit RGB as RGB; how it is going to unpack it gives it away, or the file's header.
    """
    if picture.format == "JPEG2000" and picture.info["depth"] > 8:
        return True
    return picture.mode.startswith(("I", "F")) or ";16" in repr(getattr(picture, "tile", ""))


@functools.lru_cache(maxsize=64)
def is_wide_gamut(profile: bytes) -> bool:
    """Return whether an RGB profile shows colours otherwise than sRGB does; its name may say anything."""
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != "RGB":
            return False
        shown = ImageCms.profileToProfile(_SWATCH, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    assert shown is not None  # only a conversion in place returns None
    return max(high for _, high in ImageChops.difference(_SWATCH, shown).getextrema()) > _VISIBLE  # type: ignore[misc]


_VISIBLE: Final = 6
"""Levels of 255 below which two renderings of sRGB itself differ by rounding."""

_SWATCH: Final = Image.frombytes("RGB", (4, 1), bytes((160, 80, 80, 80, 160, 80, 80, 80, 160, 128, 128, 128)))


def why_normalise(picture: Image.Image, *, is_deep: bool) -> str:
    """Return why the API would show the picture otherwise than a person sees it, or ""."""
    turned = picture.info.get("original_orientation") if picture.format == "HEIF" else _exif_orientation(picture)
    if turned in range(2, 9):
        return f"EXIF orientation {turned}"
    if picture.format not in EXTENSIONS:
        return f"{picture.format} is not taken"
    if picture.mode in ("CMYK", "YCCK", "LAB", "HSV"):
        return picture.mode
    if is_deep:
        return "more than 8 bits"
    if picture.mode in ("P", "PA") and "transparency" in picture.info:
        return "palette with transparency"
    profile = picture.info.get("icc_profile")
    if not isinstance(profile, bytes) or not is_wide_gamut(profile):
        return ""
    return "colours other than sRGB" if picture.info.get("described") else "wide-gamut profile"
