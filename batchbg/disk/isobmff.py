"""The boxes of HEIC and AVIF files: which item is the picture, where its bytes lie, what is said of its colours."""

import dataclasses
import io
import struct
from collections.abc import Iterator
from typing import IO, Final

MOST_META_BYTES: Final = 32_000_000
_MOST_ITEMS: Final = 20_000


@dataclasses.dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        kind: "hvc1", "av01", "grid", "Exif", ...
        extents: (offset, length) in the file, or in ``idat`` where ``in_idat``.
        properties: (type, content) in their order.
    """

    kind: str = ""
    extents: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    in_idat: bool = False
    properties: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Container:
    """What a file's meta box says.

    Attributes:
        primary: number of the item that is the picture.
        items: by number.
        parts: numbers of the items of which a derived one is made ("dimg"), by its number.
        helpers: numbers of auxiliary pictures ("auxl": transparency, depth), by the number of theirs.
        idat: bytes that lie in the meta box itself.
        moves: whether there is a sequence as well.
    """

    primary: int = 0
    items: dict[int, Item] = dataclasses.field(default_factory=dict)
    parts: dict[int, list[int]] = dataclasses.field(default_factory=dict)
    helpers: dict[int, list[int]] = dataclasses.field(default_factory=dict)
    idat: bytes = b""
    moves: bool = False

    def shown(self) -> list[int]:
        """Return the numbers of the primary item, all that it is made of, and its helpers."""
        found: list[int] = []
        waiting = [self.primary]
        while waiting and len(found) < _MOST_ITEMS:
            number = waiting.pop()
            if number in self.items and number not in found:
                found.append(number)
                waiting += self.parts.get(number, []) + self.helpers.get(number, [])
        return found

    def content(self, number: int, file: IO[bytes]) -> bytes:
        """Return an item's bytes.

        Raises:
            ValueError: the file ends before them.
        """
        item, data = self.items[number], b""
        end = file.seek(0, io.SEEK_END)
        for offset, length in item.extents:
            if not item.in_idat and offset + length > end:
                raise ValueError("an item ends behind the file's end")
            if item.in_idat:
                piece = self.idat[offset : offset + length] if length else self.idat[offset:]
            else:
                file.seek(offset)
                piece = file.read(length) if length else file.read()
            if len(piece) < length:
                raise ValueError("an item ends behind the file's end")
            data += piece
        return data


def read(file: IO[bytes]) -> Container:
    """Read a file's meta box; where the file stands afterwards is open.

    Raises:
        ValueError, struct.error, IndexError: it is spoilt.
    """
    found = Container()
    end = file.seek(0, io.SEEK_END)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        size, kind, head = _header(file.read(16))
        size = size or end - at
        if size < head:
            raise ValueError("a box without end")
        if kind == "meta" and not found.items:
            if size > MOST_META_BYTES:
                raise ValueError("too many boxes")
            file.seek(at + head + 4)
            _meta(file.read(size - head - 4), found)
        found.moves |= kind == "moov"
        at += size
    return found


def _header(data: bytes) -> tuple[int, str, int]:
    """Return (bytes, type, bytes of this header); 0 bytes for a box that goes to the end."""
    size, kind = struct.unpack_from(">I4s", data)
    if size == 1:
        return int(struct.unpack_from(">Q", data, 8)[0]), kind.decode("latin-1"), 16
    return size, kind.decode("latin-1"), 8


def _boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind, head = _header(data[at : at + 16])
        size = size or len(data) - at
        if size < head:
            raise ValueError("a box without end")
        yield kind, data[at + head : at + size]
        at += size


def _meta(data: bytes, found: Container) -> None:
    shared: list[tuple[str, bytes]] = []
    uses: list[bytes] = []
    for kind, body in _boxes(data):
        match kind:
            case "pitm":
                found.primary = int.from_bytes(body[4:8] if body[0] else body[4:6], "big")
            case "iinf":
                _kinds(body, found)
            case "iloc":
                _places(body, found)
            case "iref":
                _references(body, found)
            case "idat":
                found.idat = body
            case "iprp":
                for inner, content in _boxes(body):
                    if inner == "ipco":
                        shared = list(_boxes(content))
                    elif inner == "ipma":
                        uses.append(content)
    for content in uses:
        _properties(content, shared, found)


def _item(found: Container, number: int) -> Item:
    if len(found.items) > _MOST_ITEMS:
        raise ValueError("too many items")
    return found.items.setdefault(number, Item())


def _kinds(body: bytes, found: Container) -> None:
    for kind, entry in _boxes(body[8:] if body[0] else body[6:]):
        if kind != "infe" or entry[0] < 2:
            continue
        wide = 4 if entry[0] > 2 else 2
        number = int.from_bytes(entry[4 : 4 + wide], "big")
        _item(found, number).kind = entry[6 + wide : 10 + wide].decode("latin-1")


def _places(body: bytes, found: Container) -> None:
    version = body[0]
    sizes, more = body[4], body[5]
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version else 0
    stream = io.BytesIO(body[6:])

    def number(size: int) -> int:
        data = stream.read(size)
        if len(data) < size:
            raise ValueError("cut off")
        return int.from_bytes(data, "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = _item(found, number(4 if version == 2 else 2))
        item.in_idat = version > 0 and number(2) & 15 == 1
        number(2)
        base = number(base_size)
        for _ in range(number(2)):
            number(index_size)
            item.extents.append((base + number(offset_size), number(length_size)))


def _references(body: bytes, found: Container) -> None:
    wide = 4 if body[0] else 2
    for kind, entry in _boxes(body[4:]):
        origin = int.from_bytes(entry[:wide], "big")
        count = int.from_bytes(entry[wide : wide + 2], "big")
        at = wide + 2
        targets = [int.from_bytes(entry[at + wide * i : at + wide * (i + 1)], "big") for i in range(count)]
        if kind == "dimg":
            found.parts.setdefault(origin, []).extend(targets)
        elif kind == "auxl":
            for target in targets:
                found.helpers.setdefault(target, []).append(origin)


def _properties(body: bytes, shared: list[tuple[str, bytes]], found: Container) -> None:
    wide, long = 4 if body[0] else 2, body[3] & 1
    at = 8
    for _ in range(int.from_bytes(body[4:8], "big")):
        if at >= len(body):
            raise ValueError("cut off")
        item = _item(found, int.from_bytes(body[at : at + wide], "big"))
        at += wide + 1
        for _ in range(body[at - 1]):
            index = int.from_bytes(body[at : at + 2], "big") & 0x7FFF if long else body[at] & 0x7F
            at += 2 if long else 1
            if 0 < index <= len(shared):
                item.properties.append(shared[index - 1])
