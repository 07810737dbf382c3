"""Encoding a result in the form in which it is to be saved."""

import io
from typing import Any, Final

from PIL import Image, ImageOps

from batchbg.disk.appearance import orientation_of
from batchbg.disk.normalise import to_srgb
from batchbg.disk.output_formats import OutputFormat

_PNG_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes that PNG holds as they are."""


def encode(picture: Image.Image, form: OutputFormat) -> bytes:
    """Return ``picture`` in a form, upright and in the colours it came in; other metadata is left behind.

    Raises:
        Exception: the format's encoder does not take it.
    """
    if orientation_of(picture) != 1:
        picture = ImageOps.exif_transpose(picture)
    profile = picture.info.get("icc_profile")
    is_lossless = form.kind == "PNG" and not (form.colour and picture.has_transparency_data)
    if not (is_lossless and picture.mode in _PNG_MODES) and not _is_plain(picture):
        picture, profile = to_srgb(picture), None
    if form.colour and picture.mode == "RGBA":
        ground = Image.new("RGB", picture.size, form.colour)
        ground.paste(picture, mask=picture)
        picture = ground
    options: dict[str, Any] = {} if form.kind == "PNG" else {"quality": form.quality}
    if form.kind == "JPEG":
        options |= {"subsampling": 0, "optimize": True}
    buffer = io.BytesIO()  # an encoder that writes to the file itself does not say that the disk is full
    picture.save(buffer, form.kind, icc_profile=profile, **options)
    return buffer.getvalue()


def _is_plain(picture: Image.Image) -> bool:
    """Return whether every format holds the picture's pixels as they are, transparency apart."""
    return picture.mode == "RGBA" or (picture.mode == "RGB" and not picture.has_transparency_data)
