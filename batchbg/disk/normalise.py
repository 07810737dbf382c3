"""Copies that go up in place of a file: upright sRGB ones, and cover crops of backgrounds. Originals stay untouched."""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import pillow_heif
from PIL import Image, ImageChops, ImageCms, ImageMath, ImageOps

from batchbg.core.model import Size
from batchbg.disk import memory
from batchbg.disk.appearance import orientation_of
from batchbg.disk.input_formats import open_picture
from batchbg.disk.reading import open_file
from batchbg.errors import PhotoChanged

JPEG_QUALITY: Final = 95

MINIATURE: Final = (32, 32)
"""Pixels in which two pictures are compared; their shape does not matter for that."""

_SRGB: Final = ImageCms.createProfile("sRGB")

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation. Source: Exif 2.32, tag 0x0112."""


def upright_copy(path: Path, sha256: str = "") -> tuple[bytes, str]:
    """Return (bytes, extension) of an upright, 8-bit sRGB copy: PNG if it has alpha, else JPEG without subsampling.

    Args:
        path: the file.
        sha256: hex digest that the very bytes must have of which the copy is made, "" for any.

    Raises:
        PhotoChanged: it has another one, or can no longer be read.
    """
    return _encode(_read(path, sha256))


def cover_crop(path: Path, size: Size, sha256: str = "") -> tuple[bytes, str]:
    """Return (bytes, extension) of a background scaled to cover ``size`` pixels and cropped to it, centred.

    See ``upright_copy`` for the rest.
    """
    return _encode(ImageOps.fit(_read(path, sha256, crop=size), size, Image.Resampling.LANCZOS))


def miniature(path: Path) -> Image.Image:
    """Return the picture in a few pixels, upright, as RGBA; it is decoded no larger than it must be.

    Raises:
        PhotoChanged: it can no longer be read.
    """
    with _opened(path, small=True) as opened:
        turn = _TURNS.get(orientation_of(opened))
        opened.draft("RGB", (8 * MINIATURE[0], 8 * MINIATURE[1]))
        small = _few_bits(opened).convert("RGBA").resize(MINIATURE, reducing_gap=1.0)
        return small.transpose(turn) if turn is not None else small


def thumbnail(path: Path, side: int, quality: int) -> bytes:
    """Return a WebP of the picture, upright, in sRGB, its longer side ``side`` pixels or fewer.

    Raises:
        PhotoChanged: it can no longer be read.
    """
    picture, _ = small(path, side)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def small(path: Path, side: int) -> tuple[Image.Image, Size]:
    """Return the picture, upright, in sRGB, its longer side ``side`` pixels or fewer; and its full size, upright.

    Raises:
        PhotoChanged: it can no longer be read.
    """
    with _opened(path, small=True) as opened:
        orientation = orientation_of(opened)
        full = Size(*opened.size) if orientation < 5 else Size(opened.height, opened.width)
        turn = _TURNS.get(orientation)
        # JPEG is decoded at reduced size; the rest is shrunk in two steps, the first of them cheap.
        picture = _few_bits(opened)
        picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        picture = to_srgb(picture)
        return (picture.transpose(turn) if turn is not None else picture), full


def _few_bits(picture: Image.Image) -> Image.Image:
    """Return a picture that can be shrunk: one of 16 bits is made one of 8."""
    return to_srgb(picture) if picture.mode.startswith(("I", "F")) else picture


def _read(path: Path, sha256: str = "", *, crop: Size | None = None) -> Image.Image:
    """Return the picture, upright, in sRGB, as RGB or RGBA with 8 bits a channel.

    Raises:
        PhotoChanged: it can no longer be read.
    """
    with _opened(path, sha256, crop=crop) as opened:
        return upright(opened)


def upright(opened: Image.Image) -> Image.Image:
    """Return a picture that was opened, the right way up, in sRGB, as RGB or RGBA with 8 bits a channel."""
    turn = _TURNS.get(orientation_of(opened))
    picture = to_srgb(opened)
    if covered := opened.info.get("covered"):
        _clear_around(picture, covered)
    return picture.transpose(turn) if turn is not None else picture


@contextlib.contextmanager
def _opened(path: Path, sha256: str = "", *, small: bool = False, crop: Size | None = None) -> Iterator[Image.Image]:
    """Open a picture that could be decoded before; whatever happens to it now is a change.

    Args:
        path: the file.
        sha256: hex digest of the bytes that are meant, "" for any.
        small: it is shrunk at once, so that no copies of it are made.
        crop: pixels to which it is scaled and cropped, if it is.

    Raises:
        PhotoChanged: it can no longer be read.
    """
    try:
        with _content(path, sha256) as file, open_picture(file) as opened:
            turned = orientation_of(opened) != 1
            need = memory.decoding(opened) if small else memory.copying(opened, turned=turned)
            if small and need > memory.MOST_BYTES and opened.format == "HEIF":
                memory.ask(memory.decoding(opened, reduced=True))
                yield _by_rows(file, opened)
                return
            if need > memory.MOST_BYTES:
                raise PhotoChanged(f"{path.name} takes too much memory to decode; save it smaller")
            need += memory.cropping(opened, crop) if crop else 0
            if need > memory.MOST_BYTES:
                raise PhotoChanged(f"a crop of {crop} of {path.name} takes too much memory; save the photo smaller")
            memory.ask(need)
            yield opened
    except FileNotFoundError as error:
        raise PhotoChanged(f"{path.name} is gone") from error
    except PhotoChanged:
        raise
    except Exception as error:  # decoders raise anything on spoilt bytes
        raise PhotoChanged(f"{path.name} can no longer be read: {error}") from error


_SMALLER: Final = 8
"""How many times smaller a large HEIC is made, row by row, before it is copied."""


def _by_rows(file: IO[bytes], opened: Image.Image) -> Image.Image:
    """Return an eighth of a HEIC of which a copy at full size would not fit."""
    heif: Any = pillow_heif.open_heif(file, convert_hdr_to_8bit=True, remove_stride=False)
    rows = memoryview(heif.data)
    (width, height), stride = heif.size, int(heif.stride)
    small = Image.new(heif.mode, (-(-width // _SMALLER), -(-height // _SMALLER)))
    small.format = opened.format
    small.info = opened.info
    band = 16 * _SMALLER
    for top in range(0, height, band):
        some = min(band, height - top)
        part = bytes(rows[top * stride : (top + some) * stride])
        strip = Image.frombuffer(heif.mode, (width, some), part, "raw", heif.mode, stride, 1)
        small.paste(strip.reduce(_SMALLER), (0, top // _SMALLER))
    return small


def _content(path: Path, sha256: str) -> IO[bytes]:
    """Open a file; where its content has to be a certain one, its bytes are read once, and those are what is seen.

    Raises:
        PhotoChanged: its content is another.
    """
    file = open_file(path)
    if not sha256:
        return file
    with file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PhotoChanged(f"{path.name} has changed since it was checked")
    return io.BytesIO(content)


def to_srgb(picture: Image.Image) -> Image.Image:
    """Return a picture as sRGB with 8 bits a channel, RGB or with its alpha RGBA; it may be the picture itself."""
    profile = picture.info.get("icc_profile")
    described = bool(picture.info.get("described"))
    picture.load()
    alpha = None
    if picture.mode.startswith(("I", "F")):
        alpha = _level_alpha(picture)
        picture = _to_8_bit(picture)
    shown = picture.convert("RGBA") if picture.mode != "RGBA" and picture.has_transparency_data else picture
    if shown.mode == "RGBA":
        alpha = shown.getchannel("A")
    if picture.mode not in ("RGB", "CMYK", "L", "LAB") or (described and picture.mode == "L"):
        picture = shown.convert("RGB")
    picture = _through_profile(picture, profile)
    if alpha is not None:
        picture.putalpha(alpha)
    return picture


def _through_profile(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the embedded profile; by Pillow's plain formula where there is none that works."""
    if profile:
        try:
            source = ImageCms.getOpenProfile(io.BytesIO(profile))
            in_place = picture.mode == "RGB"  # a large picture is not held twice
            converted = ImageCms.profileToProfile(picture, source, _SRGB, outputMode="RGB", inPlace=in_place)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
        else:
            return converted or picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _clear_around(picture: Image.Image, covered: tuple[int, int, int, int]) -> None:
    """Make transparent what lies outside of a box (left, top, right, bottom)."""
    inside = picture.getchannel("A").crop(covered) if picture.mode == "RGBA" else 255
    alpha = Image.new("L", picture.size, 0)
    alpha.paste(inside, covered)
    picture.putalpha(alpha)


def _level_alpha(picture: Image.Image) -> Image.Image | None:
    """Return the alpha of a 16-bit grey picture of which one level is transparent, or None."""
    level = picture.info.get("transparency")
    if not isinstance(level, int) or not picture.mode.startswith("I"):
        return None
    exact = picture.convert("I")
    alpha: Image.Image = ImageMath.lambda_eval(lambda on: on["convert"]((on["exact"] != level) * 255, "L"), exact=exact)
    return alpha


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """Scale grey of 16 or 32 bits to 8; Pillow's own conversion cuts everything above 255 to white."""
    exact = picture.convert("F")
    _low, high = exact.getextrema()
    assert isinstance(high, float)  # one channel
    white = 65535.0 if picture.mode.startswith("I;16") else next((top for top in _WHITES if high <= top), high)
    grey = exact.point(lambda value: value * (255 / white) + 0.5).convert("L")
    grey.info.pop("transparency", None)  # a level of the old scale
    return ImageChops.invert(grey) if picture.info.get("white_is_zero") else grey


_WHITES: Final = (1.0, 255.0, 65535.0)
"""What 32-bit pictures count as white, whole numbers and floating ones."""


def _encode(picture: Image.Image) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(buffer, "PNG", compress_level=6)
        return buffer.getvalue(), "png"
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue(), "jpg"
