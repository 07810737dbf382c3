"""Decoding a result: is it a whole picture, what should a person know of it, which bytes are to be saved?"""

import os
from pathlib import Path
from typing import IO, Any, Final

from PIL import Image, ImageChops, ImageStat

from batchbg.core.model import Size
from batchbg.disk import memory
from batchbg.disk.encoding import encode
from batchbg.disk.input_formats import EXTENSIONS, open_picture
from batchbg.disk.normalise import MINIATURE, miniature
from batchbg.disk.output_formats import OutputFormat
from batchbg.disk.verdict import Verdict, other_shape
from batchbg.errors import PhotoChanged, ResultUnusable

FREE_PIXELS: Final = 50_000_000
MOST_TIMES: Final = 16
"""A result may have this many times its photo's pixels, and any result the former number: more is nobody's render."""


def verify(part: Path, wanted: Size, photo: Path | None, form: OutputFormat) -> Verdict:
    """Decode a downloaded file completely.

    Args:
        part: the file.
        wanted: pixels of the upright photo.
        photo: its file, to see whether anything has become of it.
        form: in which it is to be saved; PNG is made without loss of what comes otherwise.

    Raises:
        ResultUnusable: it is not a whole picture.
        OSError: it cannot be read.
    """
    with part.open("rb") as file:
        try:
            return _verify(file, wanted, photo, form)
        except ResultUnusable:
            raise
        except Exception as error:  # decoders raise anything on spoilt bytes
            while file.read(1 << 20):  # where the disk refuses, it refuses again
                pass
            raise ResultUnusable(f"the result is not a whole picture: {_short(error)}") from error


def _verify(file: IO[bytes], wanted: Size, photo: Path | None, form: OutputFormat) -> Verdict:
    with open_picture(file) as picture:
        pixels = Size(*picture.size)
        _check_claimed_size(pixels, wanted)
        memory.ask(_need(picture, form))
        before = _photo(photo)
        picture.load()
        remarks = [_blank(picture), _echo(picture, before)]
        if picture.format == "PNG" and not _has_end(file):
            raise ResultUnusable("the result is a PNG without its end")
        converted = None if form.takes(picture) else _converted(picture, form)
        came = picture.format or ""
    if came not in ("PNG", form.kind):
        remarks.append(f"came as {came}, saved as {form.kind}")
    remarks.append(other_shape(pixels, wanted))
    return Verdict(pixels, EXTENSIONS.get(came, came.lower()), tuple(filter(None, remarks)), converted)


def _check_claimed_size(pixels: Size, wanted: Size) -> None:
    """Refuse what a few bytes may claim and no render of this photo can be, before memory is taken for it."""
    number = pixels.width * pixels.height
    if number > memory.MAX_PIXELS or number > max(FREE_PIXELS, MOST_TIMES * wanted.width * wanted.height):
        raise ResultUnusable(f"the result claims {pixels} pixels, where the photo has {wanted}")


def _need(picture: Image.Image, form: OutputFormat) -> float:
    """Return the bytes that decoding takes, and a copy where another form is to be made."""
    copies = 0 if picture.format == form.kind and not form.colour else 2
    need = memory.decoding(picture) + copies * 4 * picture.width * picture.height
    if need > memory.MOST_BYTES:
        raise ResultUnusable(f"the result, {Size(*picture.size)} as {picture.format}, takes too much memory to decode")
    return need


def _converted(picture: Image.Image, form: OutputFormat) -> bytes:
    try:
        return encode(picture, form)
    except Exception as error:  # encoders have limits of their own
        raise ResultUnusable(f"the result, {Size(*picture.size)}, cannot be saved as {form.kind}: {error}") from error


_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"


def _has_end(file: IO[bytes]) -> bool:
    """Return whether a PNG is there to its last chunk, which Pillow does not ask for; something may follow it."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - (1 << 16)))
    return _PNG_END in file.read()


def _blank(picture: Image.Image) -> str:
    """Say that a picture shows nothing, or ""."""
    shown = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
    extremes = shown.getextrema()
    bands: list[Any] = [extremes] if shown.mode == "L" else list(extremes)
    if shown.mode == "RGBA" and bands[3] == (0, 0):
        return "the result is empty: all of it is transparent"
    return "the result is blank: one colour all over" if all(low == high for low, high in bands) else ""


def _photo(photo: Path | None) -> Image.Image | None:
    try:
        return miniature(photo) if photo else None
    except PhotoChanged:
        return None  # nothing to compare with


def _echo(picture: Image.Image, before: Image.Image | None) -> str:
    """Say that a result looks just like its photo, or ""; compared in miniature, where JPEG's losses do not show."""
    if before is None:
        return ""
    after = picture.convert("RGBA").resize(MINIATURE, reducing_gap=1.0)
    apart = ImageStat.Stat(ImageChops.difference(before, after)).mean
    return "the result looks just like the photo" if max(apart) <= _SAME else ""


_SAME: Final = 2.0
"""Levels of 255, on average, by which the miniatures of one picture, saved in two ways, may differ."""


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
