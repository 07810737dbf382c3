"""Pictures of every kind that a folder may hold, drawn in memory."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageCms

from batchbg.core.model import PhotoInfo, Stamp
from batchbg.disk.probe import probe
from batchbg.disk.probe_limits import USUAL, ProbeLimits
from batchbg.disk.scan import stamp_of

Save = Callable[..., Path]
"""Saves a picture, ``two_halves`` unless another is given, under a name; see the fixture ``save``."""

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ABOVE, BELOW = (200, 30, 30), (30, 30, 200)
"""The colours of ``two_halves``."""


def quarters(width: int = 40, height: int = 24) -> Image.Image:
    """A picture whose four corners differ: red green / blue white."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(WHITE, (width // 2, height // 2, width, height))
    return picture


def two_halves(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """One colour above, another below: turned or mirrored it shows."""
    picture = Image.new("RGB", size, ABOVE)
    picture.paste(BELOW, (0, size[1] // 2, *size))
    return picture


def noise(width: int = 200, height: int = 150) -> Image.Image:
    """A picture that does not compress, so that a cut goes through its pixels."""
    return Image.effect_noise((width, height), 80).convert("RGB")


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(picture: Image.Image, orientation: int, kind: str = "JPEG", **options: Any) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encoded(picture, kind, exif=exif, **options)


def animated(kind: str) -> bytes:
    return encoded(
        Image.new("RGB", (20, 20), RED), kind, save_all=True, append_images=[Image.new("RGB", (20, 20), BLUE)]
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def checked_again(data: bytes) -> bytes:
    """Make the checks of the chunks right, so that what is in them is seen."""
    made, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        made += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return made + data[at:]


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand: depth and colour type as in its header, rows with their filter bytes."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + data + chunk(b"IEND", b"")


def png_16_bit(channels: int, width: int = 8, height: int = 8) -> bytes:
    """A 16-bit PNG of one to four channels, of one colour."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    row = b"\0" + struct.pack(f">{width * channels}H", *([30_000] * width * channels))
    return png((width, height), 16, colour_type, row * height)


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG whose header claims more pixels than any memory holds."""
    return png((width, height), 8, 2, b"\0" * 100)


DISPLAY_P3 = {"r": (0.5151, 0.2412, -0.0011), "g": (0.2920, 0.6922, 0.0419), "b": (0.1571, 0.0666, 0.7841)}
"""XYZ of the primaries, adapted to D50. Source: Apple's Display P3 profile."""


def wide_gamut_profile(called: str = "P3XY") -> bytes:
    """The profile of sRGB with the primaries of Display P3, under a name of four letters."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (tags,) = struct.unpack_from(">I", profile, 128)
    for number in range(tags):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if name.endswith(b"XYZ") and name[:1] in b"rgb":
            values = [round(value * 65536) for value in DISPLAY_P3[name[:1].decode()]]
            struct.pack_into(">3i", profile, offset + 8, *values)
    return (
        bytes(profile).replace("sRGB".encode("utf-16-be"), called.encode("utf-16-be")).replace(b"sRGB", called.encode())
    )


def stamp(path: Path) -> Stamp:
    found = stamp_of(path.stat())
    assert found is not None
    return found


def probed(path: Path, content: bytes | None = None, limits: ProbeLimits = USUAL) -> PhotoInfo:
    """Probe a file as a scan does; with ``content`` it is written first."""
    if content is not None:
        path.write_bytes(content)
    return probe(path, stamp(path), limits)
