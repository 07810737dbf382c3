"""Checking a result: is it a whole picture, what should a person know of it, which bytes are to be saved?"""

import io
from pathlib import Path
from typing import IO, Any, Final

from PIL import Image, ImageChops, ImageStat

from batchbg.core.model import Size
from batchbg.disk import jpeg, memory, whole_png
from batchbg.disk.encoding import encode
from batchbg.disk.input_formats import EXTENSIONS, open_picture
from batchbg.disk.normalise import miniature
from batchbg.disk.output_formats import OutputFormat
from batchbg.disk.reading import open_file
from batchbg.disk.verdict import Verdict, other_shape
from batchbg.disk.whole_png import Shown
from batchbg.errors import PhotoChanged, ResultUnusable

FREE_PIXELS: Final = 50_000_000
MOST_TIMES: Final = 16
"""A result may have this many times its photo's pixels, and any result the former number: more is nobody's render."""


def verify(part: Path, wanted: Size, photo: Path | None, form: OutputFormat) -> Verdict:
    """See that a downloaded file is whole. A PNG that is saved as it came is decoded only where it may be its photo.

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
        # Nothing that shows nowhere is decoded; what Pillow does not ask for is asked first.
        shown = whole_png.check(file) if picture.format == "PNG" else None
        is_kept = form.takes(picture)
        before = None if photo is None or (is_kept and shown and _is_cut_out(shown, pixels, photo)) else _photo(photo)
        if shown and is_kept and (before is None or _differs_at_top(shown, pixels, before)):
            remarks = [_nothing(shown, pixels)]
            converted = None
        else:
            memory.ask(_need(picture, form))
            picture.load()
            remarks = [_blank(picture), _echo(picture, before)]
            converted = None if is_kept else _converted(picture, form)
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


def _is_cut_out(shown: Shown, pixels: Size, photo: Path) -> bool:
    """Return whether so much of a result is transparent that it cannot be its photo, which is opaque."""
    if shown.clear_rows < _CUT_OUT * pixels.height:
        return False
    try:
        with open_file(photo) as file:
            return file.read(2) == jpeg.START
    except OSError:
        return True  # nothing to compare with


_CUT_OUT: Final = 0.02
"""Of all rows. Where a hundredth of a picture is transparent its miniature differs from an opaque one's by more than
``_SAME``."""


def _nothing(shown: Shown, pixels: Size) -> str:
    """Say that a picture shows nothing, or ""; as ``_blank`` does of pixels."""
    if shown.clear_rows == pixels.height:
        return _EMPTY
    return _UNIFORM if shown.is_uniform else ""


_EMPTY: Final = "the result is empty: all of it is transparent"
_UNIFORM: Final = "the result is blank: one colour all over"


def _blank(picture: Image.Image) -> str:
    """Say that a picture shows nothing, or ""."""
    shown = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
    extremes = shown.getextrema()
    bands: list[Any] = [extremes] if shown.mode == "L" else list(extremes)
    if shown.mode == "RGBA" and bands[3] == (0, 0):
        return _EMPTY
    return _UNIFORM if all(low == high for low, high in bands) else ""


def _photo(photo: Path | None) -> Image.Image | None:
    try:
        return miniature(photo) if photo else None
    except PhotoChanged:
        return None  # nothing to compare with


def _echo(picture: Image.Image, before: Image.Image | None) -> str:
    """Say that a result looks just like its photo, or ""; compared in miniature, where JPEG's losses do not show."""
    if before is None:
        return ""
    return "the result looks just like the photo" if _apart(picture, before) <= _SAME else ""


def _apart(picture: Image.Image, before: Image.Image) -> float:
    """Return by how many levels of 255, on average, a picture differs from a miniature in some channel."""
    after = picture.convert("RGBA").resize(before.size, reducing_gap=1.0)
    return max(ImageStat.Stat(ImageChops.difference(before, after)).mean)


def _differs_at_top(shown: Shown, pixels: Size, before: Image.Image) -> bool:
    """Return whether the first rows alone differ so much that, whatever follows, the whole cannot be its photo."""
    if pixels.height < _TOP_PIXELS:
        return False
    width, height = before.size
    with open_picture(io.BytesIO(shown.top())) as top:
        return _apart(top, before.crop((0, 0, width, height // 8))) > _TOP_SAME


_TOP_PIXELS: Final = 256
"""Of fewer rows an eighth is not exactly an eighth, and all of them are soon decoded."""

_TOP_SAME: Final = 20.0
"""Eight times ``_SAME``, and more, since rows are shrunk together with their neighbours."""


_SAME: Final = 2.0
"""Levels of 255, on average, by which the miniatures of one picture, saved in two ways, may differ."""


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
