"""What a file says of its colours outside an ICC profile, made into one: PNG's chunks, and nclx in HEIC and AVIF."""

import dataclasses
import struct
from typing import IO, Final

from PIL import Image

from batchbg.disk import isobmff

Point = tuple[float, float]
Matrix = tuple[tuple[float, float, float], ...]

_D65: Final[Point] = (0.3127, 0.3290)

_PRIMARIES: Final[dict[int, tuple[Point, Point, Point, Point]]] = {
    1: (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""White, red, green, blue by number. Source: ITU-T H.273, table 2; 5, 6, 7 and 22 differ from sRGB by less than shows."""

_CURVES: Final[dict[int, tuple[float, ...]]] = {4: (2.2,), 5: (2.8,), 8: (1.0,)}
"""Exponents by number of the transfer characteristics. Source: H.273, table 3; browsers show the others as sRGB."""

_SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

_HDR: Final = {16: "PQ", 18: "HLG"}

_BRADFORD: Final[Matrix] = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_D50: Final = (0.9642, 1.0, 0.8249)


@dataclasses.dataclass(frozen=True, slots=True)
class ColourInfo:
    """What a container says.

    Attributes:
        profile: an ICC profile that means the same, or None where it is sRGB or nothing.
        hdr: "PQ" or "HLG" where the picture is brighter than any screen's white.
        depth: bits a channel, 0 where it is not known.
        transparent: PNG's tRNS chunk, or None.
    """

    profile: bytes | None = None
    hdr: str = ""
    depth: int = 0
    transparent: bytes | None = None


def colour_info(picture: Image.Image, file: IO[bytes]) -> ColourInfo:
    """Return what the container of a picture says; the file stands where it stood."""
    at = file.tell()
    try:
        match picture.format:
            case "PNG":
                return _png(file)
            case "HEIF" | "AVIF":
                return _nclx(file)
            case "JPEG2000":
                return ColourInfo(depth=_depth_of_jp2(file))
    except (ValueError, IndexError, struct.error, OverflowError, ZeroDivisionError):
        pass  # spoilt metadata is no reason to reject a photo
    finally:
        file.seek(at)
    return ColourInfo()


def _png(file: IO[bytes]) -> ColourInfo:
    file.seek(8)
    chunks: dict[bytes, bytes] = {}
    for _ in range(10_000):
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IDAT":
            break
        if kind in (b"IHDR", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"tRNS") and length < 1 << 24:
            chunks.setdefault(kind, file.read(length) if kind != b"iCCP" else file.read(length)[:1])
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    depth = chunks[b"IHDR"][8]
    profile, hdr = None, ""
    if b"cICP" in chunks:
        primaries, transfer = chunks[b"cICP"][0], chunks[b"cICP"][1]
        profile, hdr = _coded(primaries, transfer)
    elif b"iCCP" not in chunks and b"sRGB" not in chunks and b"gAMA" in chunks:
        # Browsers use cHRM only together with gAMA.
        gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100_000
        points = _PRIMARIES[1]
        if b"cHRM" in chunks:
            numbers = [value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"])]
            white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
            points = (white, red, green, blue)
        if 0.01 <= gamma <= 10:
            # The usual 0.45455 stands for sRGB's own curve, which is near it.
            curve = _SRGB_CURVE if abs(gamma - 0.45455) < 0.02 else (1 / gamma,)
            if (curve, points) != (_SRGB_CURVE, _PRIMARIES[1]):
                profile = icc(points, curve)
    return ColourInfo(profile, hdr, depth, chunks.get(b"tRNS"))


def _nclx(file: IO[bytes]) -> ColourInfo:
    found = isobmff.read(file)
    properties = found.items[found.primary].properties if found.primary in found.items else []
    colours = [content for kind, content in properties if kind == "colr"]
    if any(content[:4] in (b"prof", b"rICC") for content in colours):
        return ColourInfo()
    for content in colours:
        if content[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            profile, hdr = _coded(primaries, transfer)
            return ColourInfo(profile, hdr)
    return ColourInfo()


def _coded(primaries: int, transfer: int) -> tuple[bytes | None, str]:
    """Return (profile, HDR's name) for colours as video has them."""
    if transfer in _HDR:
        return None, _HDR[transfer]
    points = _PRIMARIES.get(primaries, _PRIMARIES[1])
    curve = _CURVES.get(transfer, _SRGB_CURVE)
    if (points, curve) == (_PRIMARIES[1], _SRGB_CURVE):
        return None, ""
    return icc(points, curve), ""


def _depth_of_jp2(file: IO[bytes]) -> int:
    """Return the bits a channel that a JPEG 2000 codestream states."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.index(b"\xff\x4f\xff\x51")
    return (head[at + 42] & 0x7F) + 1


def icc(points: tuple[Point, Point, Point, Point], curve: tuple[float, ...]) -> bytes:
    """Return an ICC profile (version 4) of an RGB space.

    Args:
        points: white, red, green, blue as xy.
        curve: exponent, or the parameters g a b c d of ICC's parametric curve of type 3.
    """
    white, *primaries = [_xyz(point) for point in points]
    columns = tuple(zip(*primaries, strict=True))
    scale = _solve(columns, white)
    adapt = _adaptation(white)
    tags: dict[bytes, bytes] = {b"wtpt": _numbers(b"XYZ ", _D50)}
    for name, colour, factor in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, scale, strict=True):
        tags[name] = _numbers(b"XYZ ", _times(adapt, tuple(factor * value for value in colour)))
    kind = struct.pack(">4s4xHH", b"para", 3 if len(curve) > 1 else 0, 0)
    shape = kind + b"".join(struct.pack(">i", round(value * 65536)) for value in curve)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), shape)
    text = "as the file says".encode("utf-16-be")
    tags |= dict.fromkeys(
        (b"desc", b"cprt"), struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(text), 28) + text
    )
    return _profile(tags)


def _profile(tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += b"".join(struct.pack(">i", round(value * 65536)) for value in _D50)
    return head.ljust(128, b"\0") + table + body


def _numbers(kind: bytes, values: tuple[float, ...]) -> bytes:
    return kind + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(point: Point) -> tuple[float, float, float]:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _determinant(m: Matrix) -> float:
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _solve(matrix: Matrix, wanted: tuple[float, ...]) -> tuple[float, ...]:
    """Return the vector that ``matrix`` takes to ``wanted``; Cramer's rule will do for three numbers."""
    whole = _determinant(matrix)
    (a, b, c), (d, e, f), (g, h, i) = matrix
    x, y, z = wanted
    replaced = (
        ((x, b, c), (y, e, f), (z, h, i)),
        ((a, x, c), (d, y, f), (g, z, i)),
        ((a, b, x), (d, e, y), (g, h, z)),
    )
    return tuple(_determinant(one) / whole for one in replaced)


def _adaptation(white: tuple[float, ...]) -> Matrix:
    """Return the Bradford adaptation from a white to D50."""
    here, there = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    columns = []
    for unit in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        cone = _times(_BRADFORD, unit)
        columns.append(_solve(_BRADFORD, tuple(c * t / h for c, t, h in zip(cone, there, here, strict=True))))
    return tuple(zip(*columns, strict=True))
