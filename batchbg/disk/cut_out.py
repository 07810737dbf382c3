"""Looking a result over: its thumbnail, and the signs of a bad cut-out, from one decoding."""

import io
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from batchbg.core import suspicion, unmixing
from batchbg.core.model import Size
from batchbg.core.paint import Paint
from batchbg.core.suspicion import Kind, Look, Sign
from batchbg.disk.normalise import small
from batchbg.disk.painting import painted
from batchbg.errors import PhotoChanged

NO_ALPHA: Final = "it is not transparent, and photo and background do not tell what was cut out"
"""Why most signs cannot be told."""

NEARLY_ALL: Final = 0.93
"""Of the cells look as in the photo where nothing seems to have become of it."""


def look_over(
    result: Path, photo: Path | None, background: Path | Paint | None, cropped: bool, side: int, quality: int
) -> dict[str, Any]:
    """Return what a person is shown of a result first, as plain values.

    Args:
        result: its file.
        photo: its photo's file, where that is still the one it was made of.
        background: the file it was put on, or the paint; None for a transparent result.
        cropped: the background was cropped to the photo's shape; else it was stretched.
        side: longer side of the thumbnail, pixels.
        quality: of its WebP.

    Returns:
        ``thumb``: a WebP. ``size``: pixels (width, height) of the result, upright. ``signs``: (kind, score, words) of
        each. ``untold``: why no more could be told, or "".

    Raises:
        PhotoChanged: the result can no longer be read.
    """
    shown, size = small(result, side)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=quality, method=2)
    cells = suspicion.grid(size.width, size.height)
    signs, untold = _signs(shown.resize(cells, Image.Resampling.BOX), photo, background, cropped)
    return {
        "thumb": buffer.getvalue(),
        "size": (size.width, size.height),
        "signs": [(sign.kind.value, sign.score, sign.words) for sign in signs],
        "untold": untold,
    }


def _signs(
    shown: Image.Image, photo: Path | None, background: Path | Paint | None, cropped: bool
) -> tuple[list[Sign], str]:
    width = shown.width
    before = _cells(photo, shown.size) if photo else b""
    if shown.mode == "RGBA":
        alpha = shown.getchannel("A").tobytes()
        if background is None or min(alpha) < 255:
            return suspicion.signs(Look(width, alpha, before)), ""
    after = shown.convert("RGB").tobytes()
    under = _under(background, shown.size, cropped) if background else b""
    if before and not under and (same := unmixing.sameness(before, after)) >= NEARLY_ALL:
        return [Sign(Kind.UNTOUCHED, round(same, 3), "it looks just like the photo: nearly untouched")], ""
    between = unmixing.alpha_between(before, under, after, width) if before and under else None
    return ([], NO_ALPHA) if between is None else (suspicion.signs(Look(width, between, before)), "")


def _under(background: Path | Paint, size: tuple[int, int], cropped: bool) -> bytes:
    """Return the colours of a background as it was put behind a photo, in so many cells."""
    if isinstance(background, Path):
        return _cells(background, size, cropped=cropped)
    with Image.open(io.BytesIO(painted(background, Size(*size))[0])) as picture:
        return picture.convert("RGB").tobytes()


def _cells(path: Path, size: tuple[int, int], *, cropped: bool = False) -> bytes:
    """Return a picture's colours in so many cells, stretched or cropped to their shape; b"" where it cannot be read."""
    try:
        picture, _ = small(path, 2 * max(size))
    except PhotoChanged:
        return b""
    flat = picture
    if picture.mode == "RGBA":
        flat = Image.new("RGBA", picture.size, "white")
        flat.alpha_composite(picture)
    flat = flat.convert("RGB")
    fitted = ImageOps.fit(flat, size, Image.Resampling.BOX) if cropped else flat.resize(size, Image.Resampling.BOX)
    return fitted.tobytes()
