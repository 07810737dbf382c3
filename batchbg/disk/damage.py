"""Cheap proofs that a file is damaged which its decoder does not mind: holes of zeros, checks that do not agree."""

import re
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
            case "JPEG" | "MPO":
                return _jpeg(_all(file))
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


_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


def _jpeg(data: bytes) -> bool:
    """Look for a hole in a scan whose tables do not make a flat area of it.

    All zeros are the first symbol of a Huffman table again and again. Where that is "no difference, no detail" for
    every table of the scan, a white ground may well look so; anywhere else no encoder writes it.
    """
    if bytes(HOLE) not in data:
        return False
    first: dict[int, int] = {}
    frame, at = 0xC0, 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xC4:
            _tables(body, first)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC8, 0xCC):
            frame = marker
        elif marker == 0xDA:
            found = _MARKER.search(data, at)
            end = found.start() if found else len(data)
            if bytes(HOLE) in data[at:end] and not _may_be_flat(body, first, frame):
                return True
            at = end
    return False


def _tables(body: bytes, first: dict[int, int]) -> None:
    at = 0
    while at + 17 <= len(body):
        symbols = sum(body[at + 1 : at + 17])
        if symbols:
            first[body[at]] = body[at + 17]
        at += 17 + symbols


def _may_be_flat(scan: bytes, first: dict[int, int], frame: int) -> bool:
    count = scan[0]
    used = [scan[2 + 2 * index] for index in range(count)]
    start, approximation = scan[1 + 2 * count], scan[3 + 2 * count] >> 4
    if frame in (0xC2, 0xC6):  # progressive: runs of empty blocks are counted, never repeated
        return start == 0 and (approximation > 0 or all(first.get(one >> 4, 1) == 0 for one in used))
    if frame in (0xC0, 0xC1):
        return all(first.get(one >> 4, 1) == 0 and first.get(0x10 | (one & 15), 1) == 0 for one in used)
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
