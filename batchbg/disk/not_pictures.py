"""What a file is that claims to be a picture and is none, or none that is taken: by its name, by how it begins."""

import os
import re
from pathlib import Path
from typing import IO, Final

from batchbg.disk import tiff_tags
from batchbg.disk.unreadable_kinds import unreadable_kind

_VECTOR: Final = (".svg", ".svgz", ".eps", ".ai")
CAMERA_RAW: Final = (
    *(".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".rwl", ".raf"),
    *(".pef", ".srw", ".3fr", ".fff", ".iiq", ".mos", ".erf", ".kdc", ".dcr", ".dcs", ".mef", ".x3f", ".mrw", ".eip"),
    *(".ari", ".bay", ".cap", ".gpr", ".k25", ".mdc", ".ptx", ".pxn", ".rwz", ".cine", ".braw", ".r3d"),
)
PHOTOSHOP: Final = (".psd", ".psb")
_OTHERS: Final = (
    *(
        ".jpe",
        ".jfif",
        ".jif",
        ".pjpeg",
        ".pjp",
        ".mpo",
        ".jps",
        ".btf",
        ".tf8",
        ".hif",
        ".heics",
        ".heifs",
        ".avifs",
        ".dib",
    ),
    *(".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jxl", ".gif", ".apng"),
)
_NOT_TAKEN: Final = (
    *(".ico", ".cur", ".icns", ".tga", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".pcx", ".qoi", ".sgi"),
    *(".dds", ".blp", ".xpm", ".xbm", ".fli", ".flc", ".pcd", ".msp", ".im", ".spi", ".wmf", ".emf"),
)
_SENT: Final = (".png", ".jpg", ".jpeg", ".heic", ".heif", ".webp", ".avif", ".jp2", ".tiff", ".tif", ".bmp")

PICTURE_NAMES: Final = frozenset((*_SENT, *_OTHERS, *_NOT_TAKEN, *_VECTOR, *CAMERA_RAW, *PHOTOSHOP))
"""Endings that claim a picture: such a file is rejected where its content is none; any other is ignored."""

SENT_NAMES: Final = frozenset((*_SENT, *_OTHERS))
"""Endings of pictures that can be sent."""

_DRAWING: Final = "a vector drawing; export it as PNG"
RAW: Final = "a camera's raw file; develop it to JPEG"
_LAYERS: Final = "a Photoshop document; export it as PNG or JPEG"


def _not_taken(kind: str) -> str:
    return f"{kind}, which is not taken; save it as JPEG or PNG"


_BY_NAME: Final = {
    **dict.fromkeys(_VECTOR, _DRAWING),
    **dict.fromkeys(CAMERA_RAW, RAW),
    **dict.fromkeys(PHOTOSHOP, _LAYERS),
    **{ending: _not_taken(ending[1:].upper()) for ending in _NOT_TAKEN},
}

_BY_START: Final = (
    (b"8BPS", _LAYERS),
    (b"%!PS", _DRAWING),
    (b"\xc5\xd0\xd3\xc6", _DRAWING),
    (b"<svg", _DRAWING),
    (b"%PDF", "a PDF; export it as PNG or JPEG"),
    (b"<!doctype html", "a web page, not a picture; download it again"),
    (b"<html", "a web page, not a picture; download it again"),
    (b"\xff\x0a", _not_taken("JPEG XL")),
    (b"\0\0\0\x0cJXL ", _not_taken("JPEG XL")),
    (b"icns", _not_taken("a Mac icon")),
    (b"IIU\0", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"FOVb", RAW),
    (b"\0MRM", RAW),
    (b"II\x1a\0\0\0HEAPCCDR", RAW),
    (b"\0\0\0\x18ftypcrx ", RAW),
    (b"\0\0\1\0", _not_taken("a Windows icon")),
    (b"DDS ", _not_taken("DDS")),
    (b"BLP", _not_taken("BLP")),
    (b"qoif", _not_taken("QOI")),
)
"""What files that are no pictures begin with, in lower case where that makes no difference."""

DAMAGED: Final = "corrupt or cut off: it cannot be read to its end; save or copy it again"

_OWN: Final = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"BM"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
)
"""What pictures that are read begin with."""

_FILMS: Final = (b"qt  ", b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V ", b"3gp4", b"3gp5", b"3gp6", b"MSNV")
"""Brands of the container that HEIC and AVIF share with films. Source: the list of MP4RA."""


_QUERY: Final = re.compile(r"(\.[a-z0-9]{2,5})[?@&#;].*$")


def ending_of(name: str) -> str:
    """Return a name's ending in small letters; that of an address that was saved whole ("a.jpg?v=2") is ".jpg"."""
    name = name.lower()
    found = _QUERY.search(name)
    if found and found[1] in PICTURE_NAMES:
        return found[1]
    return os.path.splitext(name)[1]  # noqa: PTH122 - names may be anything


_ENDING: Final = re.compile(r"\.[a-z][a-z0-9]{1,4}$")


def names_another_kind(name: str) -> bool:
    """Return whether a name says that its file is something else than a picture; one without an ending says nothing."""
    ending = ending_of(name)
    return ending not in PICTURE_NAMES and _ENDING.match(ending) is not None


def what_else(file: IO[bytes], path: Path) -> str:
    """Return what a file is that claims to be a picture."""
    file.seek(0)
    start = file.read(512)
    bare = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, reason in _BY_START:
        if start.startswith(mark) or bare.startswith(mark):
            return reason
    if bare.startswith(b"<?xml") and b"<svg" in bare:
        return _DRAWING
    found = tiff_tags.directories(file)
    if tiff_tags.is_raw(found) or is_camera_raw(file):
        return RAW
    if reason := unreadable_kind(file):
        return reason
    if start[4:8] == b"ftyp" and start[8:12] in _FILMS:
        return "a video, not a picture; save the picture you want by itself, or take it away"
    if start.startswith(_OWN) or start[4:8] == b"ftyp" or start[8:12] == b"WEBP":
        return DAMAGED
    return _BY_NAME.get(ending_of(path.name), "not a picture, or a damaged one; copy it again or take it away")


def is_camera_raw(file: IO[bytes]) -> bool:
    """Return whether a TIFF is the raw file of a Canon or a Phase One, by how it begins."""
    file.seek(0)
    head = file.read(12)
    return head[8:10] == b"CR" or head[8:12] == b"IIII"  # Canon, Phase One
