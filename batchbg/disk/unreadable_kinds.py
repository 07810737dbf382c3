"""Pictures of kinds that no decoder here knows, read without one: copying such a file again would not help."""

import struct
from typing import IO, Final

from batchbg.disk import isobmff, memory, tiff_tags


def unreadable_kind(file: IO[bytes]) -> str:
    """Return why a picture cannot be read that a decoder has refused, or "" where it is of a usual kind.

    Raises:
        OSError: the disk refuses.
    """
    file.seek(0)
    start = file.read(12)
    if kind := tiff_tags.kind_of(tiff_tags.directories(file)):
        return a_tiff_of(kind)
    try:
        if start[:2] == b"BM" and (kind := _bmp(file)):
            return _of("a BMP", kind, "PNG")
        if start[:3] == b"\xff\xd8\xff" and (kind := _jpeg(file)):
            return _of("a JPEG", kind, "PNG")
        if start[4:8] == b"ftyp":
            return _heif(file)
    except (ValueError, IndexError, struct.error):
        pass  # it is damaged
    return ""


def a_tiff_of(kind: str) -> str:
    """Say that a TIFF is of a kind that no decoder here knows."""
    return _of("a TIFF", kind, "8- or 16-bit RGB")


def _of(what: str, kind: str, instead: str) -> str:
    return f"{what} of a kind that cannot be read here ({kind}); save it as {instead}"


_BMP_HEADERS: Final = (12, 40, 52, 56, 64, 108, 124)
_BMP_SHORT_HEADERS: Final = range(16, 40)
_BMP_MASKS: Final = (3, 6)
_BMP_INSIDE: Final = {4: "JPEG inside", 5: "PNG inside"}
"""Compressions. Source: BITMAPINFOHEADER; OS/2 gives 3 and 4 another meaning, in headers of 64 bytes."""


def _bmp(file: IO[bytes]) -> str:
    file.seek(14)
    head = file.read(40)
    (size,) = struct.unpack_from("<I", head)
    if size in _BMP_SHORT_HEADERS:
        return f"header of {size} bytes"
    if size not in _BMP_HEADERS:
        return ""
    if size == 12:
        bits, compression, colours = struct.unpack_from("<H", head, 10)[0], 0, 0
    else:
        bits, compression, colours = struct.unpack_from("<HI12xI", head, 14)
    if size != 64 and compression in _BMP_INSIDE:
        return _BMP_INSIDE[compression]
    if bits in (2, 64):
        return f"{bits} bits a pixel"
    if size != 64 and compression in _BMP_MASKS:
        return "colour masks"
    return f"palette of {colours} colours" if bits <= 8 and 1 << bits < colours <= 1 << 16 else ""


_LOSSLESS: Final = (0xC3, 0xCB)
_HIERARCHICAL: Final = (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
_TABLES: Final = (0xC4, 0xC8, 0xCC)
"""Markers between those of frames that are none. Source: ITU-T T.81, table B.1."""


def _jpeg(file: IO[bytes]) -> str:
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], int.from_bytes(head[2:], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _TABLES:
            return "lossless" if marker in _LOSSLESS else "hierarchical" if marker in _HIERARCHICAL else ""
        if marker in (0xFF, 0xD9, 0xDA):
            break
        file.seek(length - 2, 1)
    return ""


_CODINGS: Final = {
    "unci": "uncompressed",
    "avc1": "H.264",
    "vvc1": "H.266",
    "evc1": "EVC",
    "jpeg": "JPEG inside",
    "j2k1": "JPEG 2000 inside",
}
"""Of the items of HEIF that are no HEVC. Source: ISO/IEC 23008-12, and the list of MP4RA."""

_PIXEL_BYTES: Final = {"AVIF": memory.PIXEL_BYTES["AVIF"], "HEIF": memory.ROWS_PIXEL_BYTES}


def _heif(file: IO[bytes]) -> str:
    found = isobmff.read(file)
    if found.moves and found.primary not in found.items:
        return "a sequence of pictures, none of them a still one; save the one you want as JPEG or PNG"
    shown = [found.items[number] for number in found.shown()]
    kind = next((_CODINGS[item.kind] for item in shown if item.kind in _CODINGS), "")
    if kind:
        return _of("a HEIC", kind, "JPEG or PNG")
    for name, content in shown[0].properties if shown else []:
        if name == "ispe":
            width, height = struct.unpack_from(">II", content, 4)
            coding = "AVIF" if shown[0].kind == "av01" else "HEIF"
            return memory.too_many_pixels(width * height, coding, _PIXEL_BYTES[coding])
    return ""
