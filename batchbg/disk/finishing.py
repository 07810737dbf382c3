"""Making a finished picture of a result: cut to the product, shrunk, put on its canvas, encoded, and measured again.

All of it in sRGB with 8 bits a channel. Colours are weighted by their alpha wherever pixels are mixed, so that what
lies hidden behind transparency, often black, never shows as a halo. What is made of one master by one profile is the
same to the byte every time.
"""

import hashlib
import io
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops, ImageFilter, ImageOps

from batchbg.core.finishing import FORMATS, Layout, Profile, arrange, qualities, smaller
from batchbg.core.marketplaces import Facts
from batchbg.core.model import Size
from batchbg.disk import memory, whole_png
from batchbg.disk.finished import Finished
from batchbg.disk.input_formats import open_picture
from batchbg.disk.normalise import upright
from batchbg.disk.output_formats import WHITE
from batchbg.disk.reading import open_file
from batchbg.errors import ResultUnusable

EMPTY: Final = "nothing can be seen in it"
OPAQUE: Final = "no transparency: not cut to a product, only scaled and padded"
CUT: Final = "the product reaches the edge of the photo, and may be cut off there"
CHANGED: Final = "the result is not the file that was saved; finished as it is now"

_ENCODED_PIXEL_BYTES: Final = 20.0
"""Memory that a pixel of the canvas takes: product, canvas, shadow, encoder, and the file decoded again."""


def finish(master: Path, profile: Profile, sha256: str) -> Finished:
    """Return the finished picture of a result.

    Args:
        master: the result's file.
        profile: how it is to be finished.
        sha256: hex digest of the file as it was saved.

    Raises:
        ResultUnusable: it is no whole picture, shows nothing, or cannot be made small enough.
        OSError: it cannot be read.
    """
    with open_file(master, follow=False) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        try:
            with open_picture(file) as opened:
                _ask_memory(opened, profile)
                if found != sha256 and opened.format == "PNG":
                    whole_png.check(file)
                picture = upright(opened)
        except Exception as error:  # decoders raise anything on spoilt bytes
            raise ResultUnusable(f"it is damaged: {_short(error)}") from error
    remarks = [] if found == sha256 else [CHANGED]
    product, is_cut_out = _product(picture, profile, remarks)
    del picture
    return _within_bytes(product, profile, remarks, is_cut_out=is_cut_out)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _ask_memory(opened: Image.Image, profile: Profile) -> None:
    """Ask for the memory that this takes at most: where all of the picture is product."""
    canvas = arrange(Size(*opened.size), profile).canvas
    need = memory.copying(opened, turned=True) + _ENCODED_PIXEL_BYTES * canvas.width * canvas.height
    if need > memory.MOST_BYTES:
        raise ResultUnusable(f"{Size(*opened.size)} on a canvas of {canvas} takes too much memory; give it a `longest`")
    memory.ask(need)


def _product(picture: Image.Image, profile: Profile, remarks: list[str]) -> tuple[Image.Image, bool]:
    """Return what is put on the canvas, and whether it is a product that was cut out; what is to be told goes along.

    Raises:
        ResultUnusable: nothing can be seen in it.
    """
    if picture.mode != "RGBA" or picture.getchannel("A").getextrema() == (255, 255):
        remarks.append(OPAQUE)
        return picture.convert("RGB"), False
    threshold = profile.threshold
    seen = picture.getchannel("A").point(lambda alpha: 255 if alpha > threshold else 0)
    box = seen.getbbox()
    if box is None:
        raise ResultUnusable(EMPTY)
    if box[0] == 0 or box[1] == 0 or box[2] == picture.width or box[3] == picture.height:
        remarks.append(CUT)
    return (picture.crop(box) if profile.trim else picture), True


# -- within a limit of bytes -------------------------------------------------------------------------------------------


def _within_bytes(product: Image.Image, profile: Profile, remarks: list[str], *, is_cut_out: bool) -> Finished:
    """Return the picture at the highest quality, then size, at which its file has few enough bytes.

    Raises:
        ResultUnusable: there is none.
    """
    longest = None
    while True:
        layout = arrange(Size(*product.size), profile, trimmed=is_cut_out, longest=longest)
        picture = _compose(product, profile, layout, is_cut_out=is_cut_out)
        for quality in qualities(profile):
            data = _encode(picture, profile.format, quality)
            if profile.max_bytes is None or len(data) <= profile.max_bytes:
                remarks += [f"enlarged {layout.scale:.2f} times"] if layout.scale > 1.005 else []
                remarks += [f"quality {quality}, to keep to max_bytes"] if quality != profile.quality else []
                remarks += [f"{layout.canvas}, to keep to max_bytes"] if longest is not None else []
                return Finished(data, _measure(data, profile, layout, is_cut_out=is_cut_out), tuple(remarks))
        assert profile.max_bytes is not None
        longest = smaller(layout.canvas, len(data), profile.max_bytes)
        if not longest:
            raise ResultUnusable(f"it cannot be made as small as {profile.max_bytes} bytes: raise max_bytes")


def _encode(picture: Image.Image, form: str, quality: int) -> bytes:
    options: dict[str, Any] = {
        "png": {"compress_level": 6},
        "jpeg": {"quality": quality, "subsampling": 0, "optimize": True},
        "webp": {"quality": quality, "method": 4},
    }[form]
    buffer = io.BytesIO()
    try:
        picture.save(buffer, FORMATS[form][1], **options)
    except Exception as error:  # encoders have limits of their own
        raise ResultUnusable(f"{Size(*picture.size)} cannot be saved as {form}: {_short(error)}") from error
    return buffer.getvalue()


# -- the picture -------------------------------------------------------------------------------------------------------


def _compose(product: Image.Image, profile: Profile, layout: Layout, *, is_cut_out: bool) -> Image.Image:
    """Return the canvas with the product, and its shadow, on it."""
    # Pillow weights colours by alpha where it resizes RGBA.
    placed = product if product.size == layout.product else product.resize(layout.product, Image.Resampling.LANCZOS)
    at = (layout.left, layout.top)
    shadow = _shadow(placed, layout, profile.shadow) if profile.shadow and is_cut_out else None
    if profile.background is None:
        canvas = Image.new("RGBA", layout.canvas)
        if shadow:
            canvas.putalpha(shadow)  # black, as dark as it is opaque
            canvas.alpha_composite(placed.convert("RGBA"), at)
        else:
            canvas.paste(placed, at)
        return canvas.convert("RGBa").convert("RGBA")  # forgets the colours of what cannot be seen
    canvas = Image.new("RGB", layout.canvas, profile.background)
    if shadow:
        canvas.paste((0, 0, 0), (0, 0), shadow)
    canvas.paste(placed, at, placed if placed.mode == "RGBA" else None)
    return canvas


_FOOT: Final = 0.07
"""Of the product's height: what is so near its lowest point is taken to touch the ground."""

_FLAT: Final = 0.35
"""Of the margin: how high the shadow is before it is blurred, seen from a little above."""


def _shadow(placed: Image.Image, layout: Layout, darkness: float) -> Image.Image:
    """Return how dark a soft shadow of a product is, 0 to 255, all over the canvas; it stays within the margin."""
    width, height = layout.product
    foot = max(1, round(height * _FOOT))
    flat = max(2, min(round(layout.margin * _FLAT), round(width * 0.08), round(height * 0.3)))
    # The shadow of each column is as dark as the lowest part of the product is opaque there.
    band = placed.getchannel("A").crop((0, height - foot, width, height))
    band = band.resize((width, 1), Image.Resampling.BOX).point(lambda alpha: min(255, alpha * 2))
    mask = Image.new("L", layout.canvas)
    top = layout.top + height - flat // 2
    mask.paste(band.resize((width, flat)), (layout.left, top))
    below = layout.canvas.height - (top + flat)
    blur = max(1.0, min(flat * 0.9, min(layout.margin, below) / 3))
    soft = mask.filter(ImageFilter.GaussianBlur(blur))
    return soft.point(lambda level: round(level * darkness / 100))


# -- measured ----------------------------------------------------------------------------------------------------------


def _measure(data: bytes, profile: Profile, layout: Layout, *, is_cut_out: bool) -> Facts:
    """Return what the file itself shows, decoded again."""
    with open_picture(io.BytesIO(data)) as picture:
        opaque = "A" not in picture.getbands() or picture.getchannel("A").getextrema() == (255, 255)
        white = _has_white_edges(picture.convert("RGB")) if opaque else False
        fill = layout.fill if is_cut_out and profile.trim else _fill(picture, profile)
    return Facts(
        format=profile.format,
        pixels=layout.canvas,
        size=len(data),
        opaque=opaque,
        white=white and not (profile.shadow and is_cut_out),
        fill=round(fill, 4),
        wanted=round(layout.wanted, 3),
    )


def _has_white_edges(picture: Image.Image) -> bool:
    width, height = picture.size
    edges = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    return all(picture.crop(edge).getextrema() == ((255, 255),) * 3 for edge in edges)


_SEEN: Final = 12
"""Levels of 255 by which a pixel differs from the background in whose losses it would otherwise be lost."""


def _fill(picture: Image.Image, profile: Profile) -> float:
    """Return the part of the frame in which a picture differs from its background, in its longer direction."""
    ground = Image.new("RGB", picture.size, profile.background or WHITE)
    shown = ground.copy()
    shown.paste(picture.convert("RGB"), mask=picture if picture.mode == "RGBA" else None)
    apart = ImageOps.grayscale(ImageChops.difference(shown, ground)).point(lambda level: 255 * (level > _SEEN))
    box = apart.getbbox()
    return max((box[2] - box[0]) / picture.width, (box[3] - box[1]) / picture.height) if box else 0.0
