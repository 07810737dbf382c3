"""Cheap proofs that a file is damaged which its decoder does not mind: holes of zeros, checks that do not agree."""

import struct
import zlib
from typing import IO, Final

from batchbg.disk import isobmff

HOLE: Final = 512
"""Zeros in a row that compressed data does not hold; a sector of a disk."""

LONG_HOLE: Final = 4096
NAL_HOLE: Final = 64
"""In HEVC no three zeros follow each other within a unit (emulation prevention); a unit's length may hold some."""

MOST_BYTES: Final = 300_000_000
"""Of files that are searched."""


def is_damaged(kind: str, file: IO[bytes], size: int) -> bool:
    """Return whether a file of Pillow's format ``kind`` is certainly damaged; the file may stand anywhere afterwards."""
    if size > MOST_BYTES:
        return False
    try:
        match kind:
            case "PNG":
                return _png(file)
            case "WEBP":
                return _webp(_all(file))
            case "JPEG2000":
                return bytes(LONG_HOLE) in _all(file)
            case "HEIF" | "AVIF":
                return _items(file, size)
    except (struct.error, IndexError):
        return False
    return False


def _all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


_CHECKED_CHUNKS: Final = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")


def _png(file: IO[bytes]) -> bool:
    """Compare the checks of the chunks that the picture is made of."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _CHECKED_CHUNKS:
            body = file.read(length)
            stated = file.read(4)
            if len(stated) == 4 and zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(stated, "big"):
                return True
        else:
            file.seek(length + 4, 1)
        if kind == b"IEND":
            break
    return False


def _webp(data: bytes) -> bool:
    """Look for a hole in a lossy picture; a lossless one of one colour needs no bits at all.

    What says that a block is like all others takes 0.025 bytes of zeros a block, in a row where all are alike.
    """
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, at + 14)
            blocks = (width & 0x3FFF) * (height & 0x3FFF) // 256
            if bytes(HOLE + blocks // 10) in data[at + 8 : at + 8 + length]:
                return True
        at += 8 + length + (length & 1)
    return False


def _items(file: IO[bytes], size: int) -> bool:
    """Look for holes in what the primary picture is made of, and for items that end behind the file's end."""
    try:
        found = isobmff.read(file)
        left = 2 * size
        for number in found.shown():
            hole = {"hvc1": NAL_HOLE, "av01": HOLE}.get(found.items[number].kind)
            left -= sum(length for _, length in found.items[number].extents)
            if left < 0:
                return False  # items that share bytes many times over
            if hole and bytes(hole) in found.content(number, file):
                return True
    except ValueError:
        return True
    return False
