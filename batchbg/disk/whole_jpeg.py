"""Is a JPEG whole? Proved from its markers, its headers and the look of its scans; nothing is decoded.

A header proves something only where it is as encoders write it, and as libjpeg takes it without a word; whatever else
it says, a decoder has to judge. From the first scan on there is no excuse: foreign bytes hold markers that do not
belong there, and what is cut off has no end.
"""

import dataclasses
import enum
import re
from typing import Final, NamedTuple

from batchbg.disk import jpeg
from batchbg.disk.jpeg import Segment

HOLE: Final = 512
"""Bytes: so many times the same one in a row is looked at twice. A sector of a disk."""

MOST_SEGMENTS: Final = 5_000
"""Cameras write some hundred, for depth maps in pieces of 64 kB; more prove nothing."""


FRAMES: Final = (0xC0, 0xC1, 0xC2)
"""Markers of frames that are coded in the usual ways: baseline, extended, progressive; by Huffman's codes."""


class Proof(enum.Enum):
    """What was found."""

    WHOLE = enum.auto()
    DAMAGED = enum.auto()
    SUSPECT = enum.auto()  # whole, but for one byte that stands in a row: a lost block, or a flat area
    NONE = enum.auto()  # of a kind that a decoder has to judge


class Walked(NamedTuple):
    """What a walk through a JPEG proves, and the segments that it came by."""

    proof: Proof
    segments: list[Segment]


def walk(data: bytes) -> Walked:
    """Return whether a JPEG is whole, as far as it can be said without decoding it; half a millisecond a megabyte.

    Args:
        data: the file. What follows the picture's end is not looked at: other pictures, trailers of phones.
    """
    picture = _Picture(data)
    walked: list[Segment] = []
    try:
        for segment in jpeg.segments(data):
            if len(walked) == MOST_SEGMENTS:
                return Walked(Proof.NONE, walked)
            walked.append(segment)
            picture.take(segment)
    except jpeg.CutOff:
        return Walked(Proof.DAMAGED, walked)
    except (ValueError, IndexError):
        return Walked(Proof.DAMAGED if picture.scans else Proof.NONE, walked)
    return Walked(picture.proof(), walked)


def frame_of(data: bytes, segments: list[Segment]) -> tuple[int, int, int]:
    """Return width and height in pixels, and the number of colours, of a picture that is proved whole."""
    (found,) = [_frame(one.marker, data[one.start : one.end]) for one in segments if one.marker in FRAMES]
    assert found is not None  # it was read before
    return found.width, found.height, len(found.components)


@dataclasses.dataclass(frozen=True, slots=True)
class _Component:
    """A colour: how often it is sampled across and down, and the number of its quantisation table."""

    across: int
    down: int
    quantisation: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    """A picture's size in pixels, how it is coded, and its components by their numbers."""

    width: int
    height: int
    is_progressive: bool
    components: dict[int, _Component]

    def units(self, numbers: frozenset[int]) -> int:
        """Return in how many units (MCUs) a scan holds these components."""
        across = max(one.across for one in self.components.values())
        down = max(one.down for one in self.components.values())
        if len(numbers) > 1:
            return -(-self.width // (8 * across)) * -(-self.height // (8 * down))
        one = self.components[min(numbers)]
        return -(-self.width * one.across // (8 * across)) * -(-self.height * one.down // (8 * down))


def _frame(marker: int, content: bytes) -> _Frame | None:
    """Return what a frame's header says, where it is as usual."""
    precision, count = content[0], content[5]
    if len(content) != 6 + 3 * count or precision != 8 or count not in (1, 3, 4):
        return None
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    components = {
        content[at]: _Component(content[at + 1] >> 4, content[at + 1] & 15, content[at + 2])
        for at in range(6, len(content), 3)
    }
    factors = [(one.across, one.down) for one in components.values()]
    most = [max(each) for each in zip(*factors, strict=True)]
    is_even = all(
        0 < one <= high <= 4 and high % one == 0 for each in factors for one, high in zip(each, most, strict=True)
    )
    if len(components) != count or not is_even or not 0 < width <= _MOST_PIXELS or not 0 < height <= _MOST_PIXELS:
        return None
    return _Frame(width, height, marker == 0xC2, components)


_MOST_PIXELS: Final = 65_500
"""Of a side. Source: libjpeg's JPEG_MAX_DIMENSION."""


class _Picture:
    """What is known of a picture as far as it was read.

    Attributes:
        scans: how many there were.
    """

    def __init__(self, data: bytes) -> None:
        self.scans = 0
        self._data = data
        self._is_usual = True
        self._is_damaged = False
        self._is_suspect = False
        self._frame: _Frame | None = None
        self._quantised: set[int] = set()
        self._symbols: dict[int, bytes] = {}
        self._interval = 0
        self._begun: set[int] = set()

    def proof(self) -> Proof:
        """Return what is proved once all segments are taken."""
        if self._is_damaged or (self._frame and self._frame.components.keys() - self._begun):
            return Proof.DAMAGED
        if not (self._is_usual and self._frame):
            return Proof.NONE
        return Proof.SUSPECT if self._is_suspect else Proof.WHOLE

    def take(self, segment: Segment) -> None:
        """Take in what a segment says."""
        content = self._data[segment.start : segment.end]
        match segment.marker:
            case marker if marker in FRAMES:
                self._expect(self._frame is None)
                self._frame = _frame(segment.marker, content)
                self._expect(self._frame is not None)
            case jpeg.DQT:
                self._expect(self._take_quantisation(content))
            case jpeg.DHT:
                self._expect(self._take_symbols(content))
            case jpeg.DRI:
                self._expect(len(content) == 2)
                self._interval = int.from_bytes(content, "big")
            case jpeg.SOS:
                self._take_scan(segment, content)
            case marker:
                self._expect(marker in (jpeg.EOI, jpeg.COM, jpeg.DNL) or jpeg.APP0 <= marker <= jpeg.APP15)

    def _expect(self, is_usual: bool) -> None:
        """Note where something is not as usual; behind the first scan of a usual frame that is damage."""
        self._is_usual = self._is_usual and is_usual
        self._is_damaged = self._is_damaged or (self.scans > 0 and self._frame is not None and not is_usual)

    def _take_quantisation(self, content: bytes) -> bool:
        at = 0
        while at < len(content):
            self._quantised.add(content[at] & 15)
            at += 129 if content[at] >> 4 else 65
        return at == len(content)

    def _take_symbols(self, content: bytes) -> bool:
        """Take in Huffman tables: the symbols of each, none where their codes cannot be."""
        at = 0
        while at + 17 <= len(content):
            counts = content[at + 1 : at + 17]
            end = at + 17 + sum(counts)
            self._symbols[content[at]] = content[at + 17 : end] if _is_code(counts) else b""
            at = end
        return at == len(content)

    def _take_scan(self, segment: Segment, content: bytes) -> None:
        scan = _scan(content)
        self._expect(scan is not None and self._is_as_usual(scan))
        self.scans += 1
        if segment.restarts is None:
            self._is_damaged = True
        elif scan and self._frame and self._is_usual:
            pieces = -(-self._frame.units(scan.numbers) // self._interval) if self._interval else 1
            self._expect(segment.restarts in (pieces - 1, pieces if self._interval else 0))  # some write one too many
        if scan and scan.first == 0:
            self._begun |= scan.numbers
        for byte in _runs(self._data, segment.end, segment.next):
            self._is_suspect = True
            self._is_damaged |= byte == 0xFF or (byte == 0 and not (scan and self._may_be_flat(scan)))

    def _is_as_usual(self, scan: "_Scan") -> bool:
        """Return whether a scan can be decoded with what was said before it."""
        if self._frame is None or not scan.numbers <= self._frame.components.keys():
            return False
        chosen = [self._frame.components[number] for number in scan.numbers]
        blocks = sum(one.across * one.down for one in chosen)
        if (len(chosen) > 1 and blocks > _MOST_BLOCKS) or not {one.quantisation for one in chosen} <= self._quantised:
            return False
        if not self._frame.is_progressive:
            return not scan.numbers & self._begun and all(map(self._is_table, (*scan.dc, *scan.ac)))
        if (scan.high and scan.low != scan.high - 1) or scan.low > 13:
            return False
        if scan.first == 0:
            return scan.last == 0 and (scan.high > 0 or all(map(self._is_table, scan.dc)))
        return scan.first <= scan.last < 64 and len(chosen) == 1 and all(map(self._is_table, scan.ac))

    def _is_table(self, number: int) -> bool:
        """Return whether a Huffman table can be decoded with; what AC tables say is free."""
        symbols = self._symbols.get(number, b"")
        return bool(symbols) and (number >= _AC or max(symbols) < 16)

    def _may_be_flat(self, scan: "_Scan") -> bool:
        """Return whether a scan of zeros may be a flat area.

        All zeros are the first symbol of a Huffman table again and again. Where that is "no difference, no detail" for
        every table of the scan, a white ground may well look so; anywhere else no encoder writes it.
        """
        if self._frame is None:
            return False
        is_same = all(self._symbols.get(number, b"")[:1] == b"\0" for number in scan.dc)
        if self._frame.is_progressive:  # runs of empty blocks are counted, never repeated
            return scan.first == 0 and (scan.high > 0 or is_same)
        return is_same and all(self._symbols.get(number, b"")[:1] == b"\0" for number in scan.ac)


_AC: Final = 0x10
"""Added to the number of a Huffman table for AC coefficients."""

_MOST_BLOCKS: Final = 10
"""In a unit. Source: T.81, B.2.3."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Scan:
    """What a scan's header says: components, tables of both kinds, first and last coefficient, bits."""

    numbers: frozenset[int]
    dc: tuple[int, ...]
    ac: tuple[int, ...]
    first: int
    last: int
    high: int
    low: int


def _scan(content: bytes) -> _Scan | None:
    """Return what a scan's header says, where it can be read."""
    count = content[0]
    if len(content) != 4 + 2 * count or not 1 <= count <= 4:
        return None
    numbers, tables = frozenset(content[1:-3:2]), content[2:-3:2]
    if len(numbers) != count:
        return None
    first, last, bits = content[-3:]
    dc, ac = tuple(table >> 4 for table in tables), tuple(_AC | table & 15 for table in tables)
    return _Scan(numbers, dc, ac, first, last, bits >> 4, bits & 15)


def _is_code(counts: bytes) -> bool:
    """Return whether there can be so many codes of 1 to 16 bits; that of ones alone is never given to a symbol."""
    code, longest = 0, len(counts.rstrip(b"\0"))
    for bits, count in enumerate(counts[:longest], 1):
        code += count
        if code >= 1 << bits:
            return False
        code <<= 1
    return True


_STEP: Final = HOLE // 2
_TWICE: Final = re.compile(rb"(.)\1", re.DOTALL)


def _runs(data: bytes, start: int, end: int) -> set[int]:
    """Return the bytes that stand ``HOLE`` times in a row, or more often, in a part of the data."""
    found = set()
    for place in _TWICE.finditer(data[start:end:_STEP]):  # a run holds two of these in any case
        byte, at = place[1], start + place.start() * _STEP
        if byte * HOLE in data[max(start, at - _STEP) : min(end, at + 3 * _STEP)]:
            found.add(byte[0])
    return found
