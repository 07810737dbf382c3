"""What makes a picture the same picture: its encoded image data and all that changes its look.

Ratings, places, captions, times, thumbnails and comments that a program writes into a file are left out, so that the
key stays what it was. A container that cannot be walked to its end has the digest of the whole file for a key: then
any change makes a new picture, which costs, but never passes one picture for another.
"""

import hashlib
import io
import itertools
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from batchbg.disk import isobmff, jpeg

VERSION: Final = b"batchbg picture 1\0"
"""Begins what is hashed: another way to make keys must not give the same ones."""

Part = tuple[bytes, bytes | memoryview]
"""A name and its content."""

MOST_BYTES: Final = 200_000_000
"""Of files that are walked: they are held in memory whole."""


def picture_key(content: bytes | Path) -> str:
    """Return the key of a picture as hex digits.

    Args:
        content: a file's bytes, or where it lies.

    Raises:
        OSError: the file cannot be read.
    """
    data = content if isinstance(content, bytes) else content.read_bytes()
    walk = _walker(data)
    if walk is not None and len(data) <= MOST_BYTES:
        try:
            return _digest([(b"kind", walk.__name__.encode()), *walk(data)])
        except (ValueError, IndexError, KeyError, TypeError, struct.error, zlib.error, RecursionError, OverflowError):
            pass
    return hashlib.sha256(data).hexdigest()


def _digest(parts: list[Part]) -> str:
    digest = hashlib.sha256(VERSION)
    for name, content in parts:
        digest.update(struct.pack(">QQ", len(name), len(content)))
        digest.update(name)
        digest.update(content)
    return digest.hexdigest()


def _walker(data: bytes) -> Callable[[bytes], Iterator[Part]] | None:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff
    if data[4:8] == b"ftyp":
        return _heif
    if data.startswith(b"\0\0\0\x0cjP  "):
        return _jp2
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return _gif
    return _bmp if data[:2] == b"BM" else None


def _turn(exif: bytes) -> bytes:
    """Return the orientation that EXIF gives, 1 where it gives none."""
    from PIL import ExifTags, Image  # in a decoder's process alone

    found = Image.Exif()
    try:
        found.load(exif)
        number = found.get(ExifTags.Base.Orientation, 1)
    except Exception:  # whatever spoilt metadata does to its reader
        number = 1
    return b"%d" % number if isinstance(number, int) and number in range(2, 9) else b"1"


# JPEG


def of_jpeg(data: bytes, segments: Iterable[jpeg.Segment], turn: int) -> str:
    """Return the key of a JPEG that is known to be whole, by its segments and the orientation that its EXIF gives."""
    return _digest([(b"kind", b"_jpeg"), *_jpeg_parts(data, segments, lambda exif: b"%d" % turn)])


def _jpeg(data: bytes) -> Iterator[Part]:
    return _jpeg_parts(data, jpeg.segments(data), _turn)


def _jpeg_parts(data: bytes, segments: Iterable[jpeg.Segment], turn_of: Callable[[bytes], bytes]) -> Iterator[Part]:
    """Tables, frames and scans as they stand; of the application's segments the profile, Adobe's mark, orientation."""
    turn = b"1"
    profile: dict[bytes, bytes] = {}
    for marker, start, end, following, _ in segments:
        body = data[start:end]
        if marker == 0xE1 and body.startswith(b"Exif\0"):
            turn = turn_of(body) if turn == b"1" else turn
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile[body[12:13]] = body[14:]
        elif marker == 0xEE and body.startswith(b"Adobe"):
            yield b"Adobe", body[:12]
        elif not (jpeg.APP0 <= marker <= jpeg.APP15 or marker in (jpeg.COM, jpeg.EOI)):
            yield b"%02x" % marker, body
        if marker == jpeg.SOS:
            yield b"scan", memoryview(data)[end:following]
    yield b"turn", turn
    yield b"icc", b"".join(profile[number] for number in sorted(profile))


# PNG


_PNG_APPEARANCE: Final = (
    b"IHDR",
    b"PLTE",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"cICP",
    b"acTL",
    b"fcTL",
    b"fdAT",
)


def _png(data: bytes) -> Iterator[Part]:
    """The pixels' stream in one piece, however it is cut into chunks, and the chunks that change colours."""
    at, turn, profile, ended = 8, b"1", b"", False
    pixels, said = hashlib.sha256(), []
    while not ended:
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) != length or at + 12 + length > len(data):
            raise ValueError("cut off")
        at += 12 + length
        ended = kind == b"IEND"
        if kind == b"IDAT":
            pixels.update(body)
        elif kind == b"iCCP":
            packed = body.index(b"\0") + 2
            unpacker = zlib.decompressobj()
            profile = unpacker.decompress(body[packed:], 1 << 25)
        elif kind == b"eXIf":
            turn = _turn(body)
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and turn == b"1":
            turn = _turn_in_text(kind, body)
        elif kind in _PNG_APPEARANCE:
            said.append((kind, body))
    yield from sorted(said, key=lambda part: _PNG_APPEARANCE.index(part[0]))
    yield b"pixels", pixels.digest()
    yield b"icc", profile
    yield b"turn", turn


def _turn_in_text(kind: bytes, body: bytes) -> bytes:
    """Return the orientation in EXIF that is written as text, as ImageMagick does."""
    name, _, rest = body.partition(b"\0")
    if name not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return b"1"
    text = zlib.decompressobj().decompress(rest[1:], 1 << 24) if kind == b"zTXt" else rest
    try:
        return _turn(bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:])))
    except ValueError:
        return b"1"


# WebP


def _webp(data: bytes) -> Iterator[Part]:
    """All chunks but EXIF and XMP; the flags that say of these two that they are there do not count."""
    at, end = 12, min(8 + struct.unpack_from("<I", data, 4)[0], len(data))
    turn, canvas = b"1", b""
    parts: list[Part] = []
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) != length:
            raise ValueError("cut off")
        at += 8 + length + (length & 1)
        if kind == b"VP8X":
            canvas = body[4:10]
        elif kind == b"EXIF":
            turn = _turn(body)
        elif kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"):
            parts.append((kind, body))
    if not any(kind in (b"VP8 ", b"VP8L", b"ANMF") for kind, _ in parts):
        raise ValueError("no picture")
    yield from parts
    # A simple file has no canvas: it is the picture's own size, which the picture says.
    yield b"canvas", canvas if any(kind == b"ANMF" for kind, _ in parts) else b""
    yield b"turn", turn


# TIFF


_TIFF_APPEARANCE: Final = frozenset(
    (
        *(254, 256, 257, 258, 259, 262, 263, 264, 265, 266, 274, 277, 278, 280, 281, 284, 290, 291, 292, 293, 297, 301),
        *(317, 318, 319, 320, 321, 322, 323, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 515, 519, 520, 521),
        *(529, 530, 531, 532, 34675),
    )
)
"""Tags that change how a picture is decoded or shown; where its strips and tiles lie does not."""

_TIFF_PLACES: Final = {273: 279, 324: 325, 513: 514}
_TIFF_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


def _tiff(data: bytes) -> Iterator[Part]:
    """Every page's tags that change its look, and its strips or tiles in their order."""
    order = "<" if data[:2] == b"II" else ">"
    yield b"order", order.encode()
    (at,) = struct.unpack_from(order + "I", data, 4)
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) > 1000:
            raise ValueError("a chain without end")
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        tags: dict[int, tuple[int, bytes]] = {}
        for number in range(count):
            tag, kind, values, _ = struct.unpack_from(order + "HHI4s", data, at + 2 + 12 * number)
            if tag in _TIFF_APPEARANCE or tag in _TIFF_PLACES or tag in _TIFF_PLACES.values():
                tags[tag] = kind, _tiff_value(data, at + 10 + 12 * number, order, _TIFF_SIZES[kind] * values)
        yield from _tiff_page(data, tags, order)
        (at,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)


def _tiff_value(data: bytes, at: int, order: str, length: int) -> bytes:
    if length > 4:
        (at,) = struct.unpack_from(order + "I", data, at)
    value = data[at : at + length]
    if len(value) != length:
        raise ValueError("cut off")
    return value


def _tiff_numbers(tag: tuple[int, bytes], order: str) -> tuple[int, ...]:
    kind, value = tag
    form = {3: "H", 4: "I", 13: "I"}[kind]
    return struct.unpack(f"{order}{len(value) // struct.calcsize(form)}{form}", value)


def _tiff_page(data: bytes, tags: dict[int, tuple[int, bytes]], order: str) -> Iterator[Part]:
    for tag in sorted(tags.keys() & _TIFF_APPEARANCE):
        kind, value = tags[tag]
        # The same number may be written short or long.
        shown = repr(_tiff_numbers(tags[tag], order)).encode() if kind in (3, 4, 13) else value
        if (tag, shown) not in ((274, b"(1,)"), (254, b"(0,)")):
            yield b"tag %d" % tag, shown
    found = False
    for place, length in _TIFF_PLACES.items():
        if place not in tags or length not in tags:
            continue
        found = True
        pieces = zip(_tiff_numbers(tags[place], order), _tiff_numbers(tags[length], order), strict=True)
        for start, size in pieces:
            if start + size > len(data):
                raise ValueError("cut off")
            yield b"data", data[start : start + size]
    if not found:
        raise ValueError("no picture")


# HEIC, AVIF


_ITEM_NOTES: Final = ("udes", "cdsc", "iscl")


def _heif(data: bytes) -> Iterator[Part]:
    """The primary picture, all that it is made of and its transparency, with their properties, whatever their numbers.

    A file with a sequence in it counts as a whole.
    """
    file: IO[bytes] = io.BytesIO(data)
    found = isobmff.read(file)
    if found.moves or found.primary not in found.items:
        raise ValueError("a sequence, or no picture")
    left = len(data) * 2
    shown = found.shown()
    numbers = {number: place for place, number in enumerate(shown)}
    for number in shown:
        item = found.items[number]
        if item.kind in ("Exif", "mime", "uri "):
            continue
        left -= sum(length for _, length in item.extents)
        if left < 0:
            raise ValueError("items that share bytes many times over")
        yield b"kind", item.kind.encode("latin-1")
        # A derived picture names its parts in their order; so do properties what is done to it.
        yield b"parts", repr([numbers.get(part) for part in found.parts.get(number, ())]).encode()
        yield b"helps", repr(sorted(place for helped, place in _helped(found, numbers) if helped == number)).encode()
        for kind, content in item.properties:
            if kind not in _ITEM_NOTES:
                yield b"property " + kind.encode("latin-1"), content
        yield b"data", found.content(number, file)


def _helped(found: isobmff.Container, numbers: dict[int, int]) -> Iterator[tuple[int, int]]:
    for of, helpers in found.helpers.items():
        yield from ((helper, numbers[of]) for helper in helpers if of in numbers)


# JPEG 2000, GIF, BMP


def _jp2(data: bytes) -> Iterator[Part]:
    """The header's boxes and the codestream."""
    at, found = 0, False
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        size = size or len(data) - at
        if size < head or at + size > len(data):
            raise ValueError("cut off")
        if kind in (b"jp2h", b"jp2c"):
            found |= kind == b"jp2c"
            yield kind, data[at + head : at + size]
        at += size
    if not found:
        raise ValueError("no picture")


def _gif(data: bytes) -> Iterator[Part]:
    """All but comments, text and the extensions of programs."""
    yield b"screen", data[6:13]
    at = 13
    if data[10] & 0x80:
        length = 3 << ((data[10] & 7) + 1)
        yield b"palette", data[at : at + length]
        at += length
    while data[at] != 0x3B:
        if data[at] == 0x21:
            end = _blocks(data, at + 2)
            if data[at + 1] == 0xF9:
                yield b"control", data[at:end]
        elif data[at] == 0x2C:
            palette = 3 << ((data[at + 9] & 7) + 1) if data[at + 9] & 0x80 else 0
            end = _blocks(data, at + 11 + palette)
            yield b"frame", data[at:end]
        else:
            raise ValueError("no block")
        at = end


def _blocks(data: bytes, at: int) -> int:
    """Return where a chain of blocks ends."""
    for _ in itertools.count():
        if not data[at]:
            break
        at += 1 + data[at]
    return at + 1


def _bmp(data: bytes) -> Iterator[Part]:
    """All of it, but what the header of the file reserves for programs."""
    yield b"start", data[10:14]
    yield b"rest", data[14:]
