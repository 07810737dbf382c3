"""Files of kinds that no library here writes, put together byte by byte."""

import struct
from typing import Any

from PIL import Image

SIZE = (64, 48)

TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "Q": 16}


def colours(size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth in two directions, so that a turned, inverted or shifted one is told from it."""
    across = Image.linear_gradient("L").resize(size)
    along = Image.linear_gradient("L").rotate(90).resize(size)
    return Image.merge("RGB", (across, along, Image.new("L", size, 90)))


class Tiff:
    """A little-endian TIFF: directories in a chain, each with its picture and SubIFDs."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0))

    def add(self, content: bytes) -> int:
        self.data += bytes(len(self.data) % 2)
        at = len(self.data)
        self.data += content
        return at

    def directory(self, tags: dict[int, tuple[str, tuple[int, ...]]], following: int = 0) -> int:
        entries = b""
        for tag in sorted(tags):
            form, values = tags[tag]
            packed = struct.pack(f"{self.order}{len(values)}{form}", *values)
            if len(packed) > 4:
                packed = struct.pack(self.order + "I", self.add(packed))
            entries += struct.pack(self.order + "HHI", tag, TYPES[form], len(values)) + packed.ljust(4, b"\0")
        count = struct.pack(self.order + "H", len(tags))
        return self.add(count + entries + struct.pack(self.order + "I", following))

    def picture(
        self,
        size: tuple[int, int],
        bits: tuple[int, ...],
        pixels: bytes | tuple[bytes, ...],
        *,
        photometric: int = 2,
        sample_format: int = 1,
        following: int = 0,
        **more: Any,
    ) -> int:
        """Add a directory with its pixels; ``more`` are tags by number, as ``tag_284=("H", (2,))``."""
        planes = pixels if isinstance(pixels, tuple) else (pixels,)
        places = tuple(self.add(plane) for plane in planes)
        tags: dict[int, tuple[str, tuple[int, ...]]] = {
            256: ("I", (size[0],)),
            257: ("I", (size[1],)),
            258: ("H", bits),
            259: ("H", (1,)),
            262: ("H", (photometric,)),
            273: ("I", places),
            277: ("H", (len(bits),)),
            278: ("I", (size[1],)),
            279: ("I", tuple(len(plane) for plane in planes)),
            339: ("H", (sample_format,) * len(bits)),
        }
        tags |= {int(name.removeprefix("tag_")): value for name, value in more.items()}
        return self.directory(tags, following)

    def begin_with(self, directory: int) -> bytes:
        struct.pack_into(self.order + "I", self.data, 4, directory)
        return bytes(self.data)


def tiff(
    bits: tuple[int, ...], pixels: bytes | tuple[bytes, ...], size: tuple[int, int] = SIZE, **options: Any
) -> bytes:
    """One picture."""
    made = Tiff()
    return made.begin_with(made.picture(size, bits, pixels, **options))


def raw(photometric: int = 32803, order: str = "<", *, preview_first: bool = True) -> bytes:
    """A camera's file as TIFF/EP has it: a preview that anything opens, the sensor's pixels below it."""
    made = Tiff(order)
    sensor = made.picture((128, 96), (16,), bytes(128 * 96 * 2), photometric=photometric)
    preview = made.picture(SIZE, (8, 8, 8), colours().tobytes(), tag_254=("I", (1,)), tag_330=("I", (sensor,)))
    return made.begin_with(
        preview if preview_first else made.picture(SIZE, (8,) * 3, colours().tobytes(), following=preview)
    )


def with_nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    """Say of a HEIC or AVIF in which colours it is."""
    at = data.index(b"nclx")
    return data[: at + 4] + struct.pack(">HH", primaries, transfer) + data[at + 8 :]


def with_hole(data: bytes, start: float, length: int) -> bytes:
    """Put zeros in the place of bytes, as a disk that lost a block does."""
    at = int(len(data) * start)
    return data[:at] + bytes(min(length, len(data) - at)) + data[at + length :]
