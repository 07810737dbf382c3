"""The tags of a TIFF, read without a decoder: of what kind is it, and is it a camera's raw file?"""

import dataclasses
import io
import struct
from typing import IO, Final

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_SAMPLES, _PLANAR, _SUB_IFDS, _EXTRA, _FORMAT, _DNG_VERSION, _LEAF = 277, 284, 330, 338, 339, 50706, 34310

_TYPES: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_WANTED: Final = frozenset(
    (_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR, _SUB_IFDS, _EXTRA, _FORMAT)
)
_MOST_DIRECTORIES: Final = 64
_MOST_TAGS: Final = 1000

_SENSOR: Final = (32803, 34892)
"""Photometric interpretations of a sensor's own pixels. Source: TIFF/EP and DNG."""

_RAW_COMPRESSIONS: Final = (32767, 32769, 32770, 34713, 65000, 65535)
"""Of Sony, Nikon, Samsung, Kodak and Pentax. Source: their files, as libtiff and ExifTool list them."""

_COMPRESSIONS: Final = {
    34712: "JPEG 2000 inside",
    33003: "JPEG 2000 inside",
    33004: "JPEG 2000 inside",
    33005: "JPEG 2000 inside",
    34676: "LogLuv",
    34677: "LogLuv",
    34661: "JBIG",
    34715: "JBIG2",
    34887: "LERC",
    34925: "LZMA",
    34934: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP inside",
    50002: "JPEG XL inside",
    52546: "JPEG XL inside",
}
_PALETTE, _CMYK = 3, 5
_MOST_BITS, _MOST_SAMPLES = 128, 1000
_COLOURS: Final = {8: "Lab", 9: "ICC Lab", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv"}


@dataclasses.dataclass(frozen=True, slots=True)
class Directory:
    """One picture's tags, as far as they are wanted here; ``raw`` where a tag gives a camera's file away."""

    tags: dict[int, tuple[int, ...]]
    raw: bool = False

    def one(self, tag: int, default: int = 0) -> int:
        """Return a tag's first value."""
        return next(iter(self.tags.get(tag, ())), default)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.one(_WIDTH) * self.one(_HEIGHT)


def directories(file: IO[bytes]) -> list[Directory]:
    """Return the directories of a TIFF, the first one first, as many as can be read; none where it is no TIFF."""
    found: list[Directory] = []
    try:
        file.seek(0)
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        (magic,) = struct.unpack_from(order + "H", head, 2)
        big = magic == 43
        if magic not in (42, 43):
            return []
        first = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
        waiting, seen = [int(first)], set()
        while waiting and len(found) < _MOST_DIRECTORIES:
            at = waiting.pop(0)
            if not at or at in seen:
                continue
            seen.add(at)
            directory, following = _directory(file, at, order, big=big)
            found.append(directory)
            waiting += [*directory.tags.get(_SUB_IFDS, ()), following]
    except (KeyError, ValueError, struct.error):
        pass
    return found


def _directory(file: IO[bytes], at: int, order: str, *, big: bool) -> tuple[Directory, int]:
    _go_to(at, file)
    (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
    size = 20 if big else 12
    count = min(count, _MOST_TAGS)
    data = file.read(count * size + (8 if big else 4))
    tags: dict[int, tuple[int, ...]] = {}
    raw = False
    for number in range(count):
        entry = data[number * size : (number + 1) * size]
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), entry)
        raw = raw or tag in (_DNG_VERSION, _LEAF)
        if tag in _WANTED and kind in _TYPES and 0 < values <= 1000:
            tags[tag] = _values(file, entry, order, _TYPES[kind], values, big=big)
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), data, count * size)
    return Directory(tags, raw), int(following)


def _go_to(place: int, file: IO[bytes]) -> None:
    """Go to a place that a file names.

    Raises:
        ValueError: it does not reach so far; the system would call it a fault of the disk's.
    """
    if place > file.seek(0, io.SEEK_END):
        raise ValueError("behind the end")
    file.seek(place)


def _values(file: IO[bytes], entry: bytes, order: str, kind: str, count: int, *, big: bool) -> tuple[int, ...]:
    form = f"{order}{count}{kind}"
    length, start = struct.calcsize(form), 12 if big else 8
    if length <= len(entry) - start:
        return struct.unpack_from(form, entry, start)
    _go_to(struct.unpack_from(order + ("Q" if big else "I"), entry, start)[0], file)
    return struct.unpack(form, file.read(length))


def is_raw(found: list[Directory]) -> bool:
    """Return whether this is a camera's raw file, whatever it is called: what Pillow would read is a preview."""
    return any(
        one.raw or one.one(_PHOTOMETRIC) in _SENSOR or one.one(_COMPRESSION) in _RAW_COMPRESSIONS for one in found
    )


def is_preview(found: list[Directory]) -> bool:
    """Return whether the first picture is only a smaller version of another one in the file."""
    return bool(found and found[0].one(_SUBFILE) & 1 and any(one.pixels > found[0].pixels for one in found[1:]))


def kind_of(found: list[Directory]) -> str:
    """Say what is unusual about the first picture: "32-bit float", "JPEG 2000 inside", or "" where nothing is."""
    if not found:
        return ""
    first = found[0]
    bits, form, samples = first.one(_BITS, 1), first.one(_FORMAT, 1), first.one(_SAMPLES, 1)
    if not (0 < bits <= _MOST_BITS and 0 < samples <= _MOST_SAMPLES):
        return ""  # nobody's picture: it is damaged
    if first.one(_COMPRESSION) in _COMPRESSIONS:
        return _COMPRESSIONS[first.one(_COMPRESSION)]
    if first.one(_PHOTOMETRIC) in _COLOURS:
        return _COLOURS[first.one(_PHOTOMETRIC)]
    if form == 3:
        return f"{bits}-bit float"
    if form == 2 and bits <= 16:
        return "signed numbers"
    if form in (5, 6):
        return "complex numbers"
    if bits > 8 and samples > 1 and first.one(_PLANAR, 1) == 2:
        return f"{bits} bits in separate planes"
    if bits > 16 or bits not in (1, 2, 4, 8, 16):
        return f"{bits} bits a channel"
    if len(set(first.tags.get(_BITS, ()))) > 1:
        return "channels of different depth"
    extra = len(first.tags.get(_EXTRA, ()))
    if first.one(_PHOTOMETRIC) == _CMYK and first.one(_EXTRA) in (1, 2):
        return "CMYK with transparency"
    if bits == 16 and extra and samples - extra < 3:
        return "16-bit grey with transparency"
    if samples == 2 and first.one(_EXTRA) == 1:
        return "grey with premultiplied transparency"
    if bits == 16 and first.one(_PHOTOMETRIC) == _PALETTE:
        return "16-bit palette"
    return f"{samples} channels" if samples > 5 else ""


def is_misread(found: list[Directory]) -> bool:
    """Return whether Pillow decodes the first picture, and wrongly."""
    if not found:
        return False
    first = found[0]
    bits, samples = first.one(_BITS, 1), first.one(_SAMPLES, 1)
    return (
        (bits > 8 and samples > 1 and first.one(_PLANAR, 1) == 2)
        or (bits <= 16 and first.one(_FORMAT, 1) == 2)
        or first.one(_PHOTOMETRIC) in (8, 9, 10)
    )
