"""Saying of a photo what pairing needs where that takes no decoder: of a JPEG that is proved whole as it stands.

This is done in the caller's own process and thread, and loads none of the libraries that decode. What is in the file is
seen by Python alone, and by digests; the rest is bounded by how large a file may be. Whatever is not plain is left to
``probe``, in a decoder's process.
"""

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from batchbg.core.model import PhotoInfo, Size, Stamp
from batchbg.disk import jpeg, picture_key, whole_jpeg
from batchbg.disk.jpeg import Segment
from batchbg.disk.probe_limits import ProbeLimits
from batchbg.disk.reading import open_waiting_for_nobody
from batchbg.disk.scan import expect_same
from batchbg.disk.whole_jpeg import Proof
from batchbg.errors import DecoderDied

MOST_BYTES: Final = 32_000_000
"""Of a file: it is held in memory, by as many threads as there are cores. Those of cameras with 50 megapixels have 25."""

MOST_PIXELS: Final = 50_000_000
"""Of which a copy can be made in any case."""

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3


class _NotPlain(Exception):
    """Something about a file is for a decoder to judge."""


def probe(path: Path, stamp: Stamp, limits: ProbeLimits, is_wide_gamut: Callable[[bytes], bool]) -> PhotoInfo | None:
    """Say what a photo is, as ``probe.probe`` does; None where a decoder has to be asked.

    Args:
        path: the file.
        stamp: as the scan saw it.
        limits: within which it is taken.
        is_wide_gamut: asked about an ICC profile.

    Raises:
        PhotoChanged: the file is not, or not all the time, the one that the scan saw.
        OSError: it cannot be read.
    """
    with open(path, "rb", buffering=0, opener=open_waiting_for_nobody) as file:
        if not 0 < stamp.size <= min(MOST_BYTES, limits.max_bytes):
            return None
        expect_same(file, stamp, path)
        if file.read(3) != b"\xff\xd8\xff":
            return None
        file.seek(0)
        try:
            found = _judge(file.read(stamp.size), stamp, is_wide_gamut)
        except (_NotPlain, DecoderDied, MemoryError, struct.error):
            return None
        expect_same(file, stamp, path)
    return found


def _judge(data: bytes, stamp: Stamp, is_wide_gamut: Callable[[bytes], bool]) -> PhotoInfo:
    proof, segments = whole_jpeg.walk(data)
    if proof is not Proof.WHOLE:
        raise _NotPlain
    turn, profile = _orientation(data, segments), _profile(data, segments)
    width, height, components = whole_jpeg.frame_of(data, segments)
    if max(width, height) < 2 or width * height > MOST_PIXELS:
        raise _NotPlain
    why = ""
    if turn != 1:
        why = f"EXIF orientation {turn}"
    elif components == 4:
        why = "CMYK"
    elif profile and is_wide_gamut(profile):
        why = "wide-gamut profile"
    upright = Size(height, width) if turn >= 5 else Size(width, height)
    key = picture_key.of_jpeg(data, segments, turn)
    return PhotoInfo(stamp, hashlib.sha256(data).hexdigest(), upright, "jpg", why, "", key)


def _bodies(data: bytes, segments: list[Segment], marker: int, name: bytes) -> list[bytes]:
    """Return what a kind of segments holds behind a name."""
    found = [data[one.start : one.end] for one in segments if one.marker == marker]
    return [body[len(name) :] for body in found if body.startswith(name)]


def _orientation(data: bytes, segments: list[Segment]) -> int:
    """Return the orientation by EXIF, 1 to 8.

    Raises:
        _NotPlain: it is said in an odd way.
        struct.error: it is cut off.
    """
    found = _bodies(data, segments, jpeg.APP0 + 1, b"Exif\0")
    if not found:
        return 1
    exif = found[0][1:]
    order = {b"\0II*\0": "<", b"\0MM\0*": ">"}.get(found[0][:5])
    if len(found) > 1 or order is None:
        raise _NotPlain
    (at,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, at)
    said = [
        struct.unpack_from(order + "HI", exif, place + 2) + struct.unpack_from(order + "H", exif, place + 8)
        for place in range(at + 2, at + 2 + 12 * count, 12)
        if struct.unpack_from(order + "H", exif, place)[0] == _ORIENTATION
    ]
    if len(said) > 1 or any(one[:2] != (_SHORT, 1) for one in said):
        raise _NotPlain
    return said[0][2] if said and said[0][2] in range(2, 9) else 1


def _profile(data: bytes, segments: list[Segment]) -> bytes:
    """Return the ICC profile, empty where there is none.

    Raises:
        _NotPlain: it is in several pieces, or behind the frame's header, where Pillow does not look for it.
    """
    found = _bodies(data, segments, jpeg.APP0 + 2, b"ICC_PROFILE\0")
    if not found:
        return b""
    frame = next(place for place, one in enumerate(segments) if one.marker in whole_jpeg.FRAMES)
    if (
        len(found) > 1
        or found[0][:2] != b"\1\1"
        or not _bodies(data, segments[:frame], jpeg.APP0 + 2, b"ICC_PROFILE\0")
    ):
        raise _NotPlain
    return found[0][2:]
