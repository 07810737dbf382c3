"""Colours and gradients as pictures, a few rows at a time: a quarter of a gigapixel takes no more memory than a stamp."""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageChops

from batchbg.core.model import Size
from batchbg.core.paint import Paint

_ROWS: Final = 64
"""Of a band."""

_MOST_STEPS: Final = 1 << 15
"""Of a gradient's way; between them it is interpolated."""

_EDGE: Final = 2
"""Steps beyond either end, for the interpolation of the outermost pixels."""


def painted(paint: Paint, pixels: Size) -> tuple[bytes, str]:
    """Return (bytes, extension) of a picture that a paint covers: a PNG of 8 bits a channel, RGB."""
    # Runs of zeros are all that is left of a colour, and found in half the time by who looks for nothing else.
    strategy = zlib.Z_RLE if len(paint.stops) == 1 else zlib.Z_DEFAULT_STRATEGY
    header = struct.pack(">IIBBBBB", *pixels, 8, 2, 0, 0, 0)
    content = b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"sRGB", b"\0"),
            _chunk(b"IDAT", b"".join(_deflated(_bands(paint, pixels), pixels.width, strategy))),
            _chunk(b"IEND", b""),
        ]
    )
    return content, "png"


def swatch(paint: Paint, pixels: Size, quality: int) -> bytes:
    """Return a small WebP of a paint."""
    buffer = io.BytesIO()
    with Image.new("RGB", pixels) as picture:
        for number, band in enumerate(_bands(paint, pixels)):
            picture.paste(band, (0, number * _ROWS))
        picture.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def _bands(paint: Paint, pixels: Size) -> Iterator[Image.Image]:
    """Yield the picture from its top, some rows at a time."""
    tops = range(0, pixels.height, _ROWS)
    heights = (min(_ROWS, pixels.height - top) for top in tops)
    if len(paint.stops) == 1:
        yield from (Image.new("RGB", (pixels.width, height), paint.stops[0].colour) for height in heights)
        return
    right, down = paint.direction(pixels)
    length = abs(right) * pixels.width + abs(down) * pixels.height  # of the way, from corner to corner
    steps = min(max(2, math.ceil(length)), _MOST_STEPS)
    ramp = _ramp(paint, steps)
    across, along = steps * right / length, steps * down / length
    start = _EDGE + steps / 2 - (across * pixels.width + along * pixels.height) / 2
    for top, height in zip(tops, heights, strict=True):
        how = (across, along, start + along * top, 0.0, 0.0, ramp.height / 2)
        yield ramp.transform((pixels.width, height), Image.Transform.AFFINE, how, Image.Resampling.BILINEAR)


def _ramp(paint: Paint, steps: int) -> Image.Image:
    """Return the way of a gradient from its left to its right, a few equal rows high."""
    ways = ((min(max(number, 0), steps - 1) + 0.5) / steps for number in range(-_EDGE, steps + _EDGE))
    row = bytes(round(part) for way in ways for part in paint.at(way))
    return Image.frombytes("RGB", (steps + 2 * _EDGE, 3), 3 * row)


def _deflated(bands: Iterator[Image.Image], width: int, strategy: int) -> Iterator[bytes]:
    """Yield the compressed rows, each as its difference from the one above it: what changes slowly is mostly zeros."""
    deflater = zlib.compressobj(6, strategy=strategy)
    stride = 3 * width
    above = Image.new("RGB", (width, 1))
    for band in bands:
        before = Image.new("RGB", band.size)
        before.paste(above, (0, 0))
        before.paste(band.crop((0, 0, width, band.height - 1)), (0, 1))
        rows = ImageChops.subtract_modulo(band, before).tobytes()
        for start in range(0, len(rows), stride):
            yield deflater.compress(_UP + rows[start : start + stride])
        above = band.crop((0, band.height - 1, width, band.height))
    yield deflater.flush()


_UP: Final = b"\2"
"""The filter that takes the row above from each row. Source: PNG specification, third edition, 9.2."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
