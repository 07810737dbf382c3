"""Is a JPEG whole? Decoded where the walk through its markers does not tell; see ``whole_jpeg``."""

import io
from collections.abc import Sequence
from typing import IO, Final

from PIL import Image

from batchbg.disk import jpeg, whole_jpeg
from batchbg.disk.input_formats import open_picture
from batchbg.disk.jpeg import Segment
from batchbg.disk.whole_jpeg import Proof

MOST_BYTES: Final = 300_000_000
"""Of files that are walked through: they are held in memory whole."""


def check(picture: Image.Image, file: IO[bytes], size: int) -> None:
    """See whether a JPEG is whole.

    Args:
        picture: opened, not decoded yet.
        file: in which it is; it may stand anywhere afterwards.
        size: bytes of the file.

    Raises:
        Exception: it is not; whatever its decoder makes of spoilt bytes.
    """
    if size > MOST_BYTES:
        return _decode(picture)
    file.seek(0)
    data = file.read()
    proof, segments = whole_jpeg.walk(data)
    if proof is Proof.DAMAGED:
        raise ValueError("damaged")
    if proof is Proof.SUSPECT and (only := _only_scan(segments)):
        return _decode_exactly(data, only)
    return None if proof is Proof.WHOLE else _decode(picture)


def _decode(picture: Image.Image) -> None:
    picture.draft("RGB", (max(1, picture.width // 8), max(1, picture.height // 8)))  # every byte is still read
    picture.load()


def _only_scan(segments: Sequence[Segment]) -> Segment | None:
    """Return the scan that holds all of a picture, where there is such."""
    scans = [segment for segment in segments if segment.marker == jpeg.SOS]
    is_progressive = any(segment.marker == 0xC2 for segment in segments)
    return None if is_progressive or len(scans) != 1 else scans[0]


NEAR: Final = 64
"""Bytes that may be left over at the end of a scan. What a lost block is taken for, a flat area, needs fewer bytes than
anything else, so that many more are left."""

AHEAD: Final = 8
"""Bytes that the decoder may read behind the end of what it needs."""


def _decode_exactly(data: bytes, scan: Segment) -> None:
    """Decode a scan and see whether it ends where its data does; Pillow keeps the warnings that say so to itself.

    Raises:
        Exception: it does not, or cannot be decoded.
    """
    dripping = _Dripping(data[: scan.next] + bytes(AHEAD), max(scan.end, scan.next - NEAR))
    with open_picture(dripping) as picture:
        _decode(picture)  # fails where there is too little
    if dripping.given <= scan.next - NEAR:
        raise ValueError("damaged")


class _Dripping(io.BytesIO):
    """A file that is read a little at a time from a place on, to tell how much of it a reader needed.

    Attributes:
        given: bytes that were read, from the start of the file.
    """

    def __init__(self, data: bytes, place: int) -> None:
        super().__init__(data)
        self._place = place
        self.given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, fewer than asked for where that would pass the place."""
        at = self.tell()
        most = _DROP if at >= self._place else self._place - at
        found = super().read(most if size is None or size < 0 else min(size, most))
        self.given = self.tell()
        return found


_DROP: Final = 8
"""Bytes at once."""
