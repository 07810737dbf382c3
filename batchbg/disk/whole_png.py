"""Is a PNG whole, and does it show anything? Its stream is inflated and looked through; no pixel is put together.

In a PNG a row stands as what is left of it once a filter has taken away what its neighbours foretell. Where nothing is
left, all pixels are alike; where no alpha is left from the top on, all is transparent. Source: PNG specification, third
edition.
"""

import contextlib
import dataclasses
import importlib
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final


def _fastest() -> Any:
    """Return the module that unpacks what zlib packed; isal's takes a third to a half of the time."""
    with contextlib.suppress(ImportError):
        return importlib.import_module("isal.isal_zlib")  # of the extra ``fast``
    return zlib


_zlib: Final = _fastest()

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_CHECKED: Final = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"fdAT", b"fcTL", b"acTL")
"""Chunks that the picture is made of. A wrong check elsewhere spoils a remark."""

_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WITH_ALPHA: Final = (4, 6)

_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of Adam7: first pixel across and down, and the step to the next."""

_PIECE: Final = 1 << 16
_UNPACKED: Final = 1 << 18
"""Bytes that are read, and unpacked, at once."""

_FILTERS: Final = 5


class Damaged(ValueError):
    """It is not whole."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    is_interlaced: bool

    @property
    def pixel(self) -> int:
        """Bytes of a pixel, of a whole number of them."""
        return max(1, _CHANNELS[self.colour] * self.depth // 8)

    @property
    def top_rows(self) -> int:
        """An eighth of the rows."""
        return -(-self.height // 8)

    def passes(self) -> Iterator[tuple[int, int]]:
        """Yield how many rows follow each other and how many bytes each has, its filter's included."""
        bits = _CHANNELS[self.colour] * self.depth
        steps = _PASSES if self.is_interlaced else ((0, 0, 1, 1),)
        for left, top, across, down in steps:
            width, height = -(-(self.width - left) // across), -(-(self.height - top) // down)
            if width > 0 and height > 0:
                yield height, 1 + (width * bits + 7) // 8


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What a PNG of 8 bits a channel shows.

    Attributes:
        is_uniform: all pixels are alike.
        clear_rows: at the top, in which nothing can be seen; all of them where it has no content.
    """

    is_uniform: bool
    clear_rows: int
    _header: _Header
    _rows: bytes

    def top(self) -> bytes:
        """Return a PNG of the first rows, an eighth of all."""
        head = struct.pack(">II", self._header.width, self._header.top_rows) + bytes((8, self._header.colour, 0, 0, 0))
        content = ((b"IHDR", head), (b"IDAT", zlib.compress(self._rows, 0)), (b"IEND", b""))
        return SIGNATURE + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
            for kind, body in content
        )


def check(file: IO[bytes]) -> Shown | None:
    """See that a PNG is whole: its checks, its stream, the number of its rows, their filters.

    Args:
        file: it may stand anywhere, before and afterwards.

    Returns:
        What it shows; None where that takes its pixels: other depths, palettes, a transparent colour, interlacing.

    Raises:
        Damaged: it is not whole.
        OSError: it cannot be read.
    """
    reader = _Reader(file)
    rows: _Rows | None = None
    for kind, pieces in reader.chunks():
        if kind == b"IHDR":
            rows = _Rows(_header(b"".join(pieces)))
        elif rows is None:
            raise Damaged("no header")
        elif kind == b"IDAT":
            rows.unpack(pieces)
        elif kind == b"tRNS":
            rows.shows = None
    if rows is None:
        raise Damaged("no header")
    return rows.end()


def _header(content: bytes) -> _Header:
    if len(content) != 13:
        raise Damaged("no header")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content)
    if not width or not height or colour not in _CHANNELS or depth not in (1, 2, 4, 8, 16) or interlaced > 1:
        raise Damaged("no header")
    return _Header(width, height, depth, colour, bool(interlaced))


class _Reader:
    """Reads the chunks of a file in pieces, and compares their checks."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def chunks(self) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        """Yield the kind of each chunk, and its content in pieces; up to IEND, whatever follows it."""
        self._file.seek(0)
        if self._file.read(8) != SIGNATURE:
            raise Damaged("no PNG")
        while True:
            length, kind = struct.unpack(">I4s", self._exactly(8))
            if kind in _CHECKED:
                content = self._content(kind, length)
                yield kind, content
                for _ in content:  # what nobody wanted
                    pass
            else:
                self._file.seek(length + 4, 1)
            if kind == b"IEND":
                return

    def _content(self, kind: bytes, length: int) -> Iterator[bytes]:
        check = zlib.crc32(kind)
        while length:
            piece = self._exactly(min(length, _PIECE))
            length -= len(piece)
            check = zlib.crc32(piece, check)
            yield piece
        if check != int.from_bytes(self._exactly(4), "big"):
            raise Damaged("a check does not agree")

    def _exactly(self, length: int) -> bytes:
        found = self._file.read(length)
        if len(found) != length:
            raise Damaged("cut off")
        return found


class _Rows:
    """The rows of a picture as they come out of its stream.

    Attributes:
        shows: what they show, as far as they were seen; None where that cannot be told.
    """

    def __init__(self, header: _Header) -> None:
        self._inflate: Any = _zlib.decompressobj()
        self._passes = list(header.passes())
        self._left = sum(rows * size for rows, size in self._passes)
        self._rows, self._size = self._passes.pop(0)
        self._at = 0
        is_plain = header.depth == 8 and header.colour != 3 and not header.is_interlaced
        self.shows = _Appearance(header) if is_plain else None

    def unpack(self, pieces: Iterator[bytes]) -> None:
        """Take in a part of the stream. What comes behind the last row hurts nobody, and is not looked at."""
        for piece in pieces:
            waiting, some = piece, b""
            while (waiting or len(some) == _UNPACKED) and self._left and not self._inflate.eof:
                try:
                    some = self._inflate.decompress(waiting, _UNPACKED)
                except (zlib.error, _zlib.error) as error:
                    raise Damaged(str(error)) from error
                waiting = self._inflate.unconsumed_tail
                self._take(some[: self._left])

    def _take(self, some: bytes) -> None:
        self._left -= len(some)
        if self.shows is not None:
            self.shows.take(some)
        while some:
            rest = self._rows * self._size - self._at
            part, some = some[:rest], some[rest:]
            filters = part[-self._at % self._size :: self._size]
            if filters and max(filters) >= _FILTERS:
                raise Damaged("no such filter")
            self._at += len(part)
            if len(part) == rest and self._passes:
                (self._rows, self._size), self._at = self._passes.pop(0), 0

    def end(self) -> Shown | None:
        """Return what they show, at the end of the stream."""
        if self._left:
            raise Damaged("cut off")
        return self.shows.shown() if self.shows else None


class _Appearance:
    """Looks at rows from the top on for as long as all pixels are alike, or nothing is to be seen."""

    def __init__(self, header: _Header) -> None:
        self._header = header
        self._width, self._pixel = header.width, header.pixel
        self._size = 1 + header.width * header.pixel
        self._is_uniform, self._is_clear = True, header.colour in _WITH_ALPHA
        self._first = b""
        self._clear_rows = 0
        self._waiting = b""
        self._top = bytearray()

    def shown(self) -> Shown:
        """Return what was found."""
        return Shown(self._is_uniform, self._clear_rows, self._header, bytes(self._top))

    def take(self, some: bytes) -> None:
        """Look at the next bytes."""
        if missing := self._header.top_rows * self._size - len(self._top):
            self._top += some[:missing]
        if not (self._is_uniform or self._is_clear):
            return
        self._waiting += some
        whole = len(self._waiting) // self._size
        for number in range(whole):
            self._row(self._waiting[number * self._size : (number + 1) * self._size])
            if not (self._is_uniform or self._is_clear):
                self._waiting = b""
                return
        self._waiting = self._waiting[whole * self._size :]

    def _row(self, row: bytes) -> None:
        is_top = not self._first
        if is_top:
            self._first = row[1 : 1 + self._pixel]  # nothing foretells it
        self._is_uniform = self._is_uniform and row[1:] == self._expected(row[0], is_top)
        # Of alpha nothing is left where nothing is foretold, whatever the filter.
        self._is_clear = self._is_clear and not any(row[self._pixel :: self._pixel].strip(b"\0"))
        self._clear_rows += self._is_clear

    def _expected(self, filtered: int, is_top: bool) -> bytes:
        """Return what is left of a row by a filter, if all pixels of the picture are like the first."""
        first, nothing = self._first, bytes(self._pixel)
        half = bytes(value - value // 2 for value in first)
        start, rest = {
            0: (first, first),
            1: (first, nothing),
            2: (first, first) if is_top else (nothing, nothing),
            3: (first, half) if is_top else (half, nothing),
            4: (first, nothing) if is_top else (nothing, nothing),
        }.get(filtered, (b"", b""))
        return start + rest * (self._width - 1)
