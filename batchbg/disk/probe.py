"""Probing one file: is it a picture that can be sent, and what will pairing need of it?"""

import dataclasses
import hashlib
from pathlib import Path
from typing import IO, Final

import pillow_heif
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from batchbg.core.model import PhotoInfo, Stamp
from batchbg.disk import damage, decoded_jpeg, library_stderr, memory, tiff_tags
from batchbg.disk.appearance import is_over_8_bits, orientation_of, upright_size, why_normalise
from batchbg.disk.input_formats import EXTENSIONS, TooManyPixels, forget_xmp, open_picture
from batchbg.disk.not_pictures import (
    CAMERA_RAW,
    DAMAGED,
    PICTURE_NAMES,
    RAW,
    ending_of,
    is_camera_raw,
    what_else,
)
from batchbg.disk.picture_key import MOST_BYTES, picture_key
from batchbg.disk.probe_limits import BLANK, FIRST, SEVERAL, USUAL, ProbeLimits
from batchbg.disk.reading import open_waiting_for_nobody
from batchbg.disk.scan import UNREADABLE, expect_same, why_unreadable
from batchbg.disk.unreadable_kinds import a_tiff_of, unreadable_kind
from batchbg.errors import PhotoChanged

_NEW_SUBFILE_TYPE: Final = 254
_REDUCED: Final = 1
"""Bit of NewSubfileType that marks a TIFF page as a smaller version of another. Source: TIFF 6.0, section 8."""

_CHUNK: Final = 1 << 20


def probe(path: Path, stamp: Stamp, limits: ProbeLimits = USUAL) -> PhotoInfo:
    """Read a file once and say what it is.

    The picture is decoded, if at reduced size where the format allows it: a header tells nothing of a file that was
    cut in half. What is no picture and does not claim to be one is left after its first bytes.

    Args:
        path: the file.
        stamp: as the scan saw it.
        limits: within which it is taken.

    Raises:
        PhotoChanged: the file is not, or not all the time, the one that the scan saw.
    """
    name_claims = ending_of(path.name) in PICTURE_NAMES
    if stamp.size == 0:
        return _no(stamp, "empty: 0 bytes; copy it again" if name_claims else "")
    if name_claims and (reason := limits.too_large(stamp)):
        return _no(stamp, reason)
    try:
        # A fifo that took the file's place would otherwise keep us waiting for ever.
        with open(path, "rb", opener=open_waiting_for_nobody) as file:
            expect_same(file, stamp, path)
            found = _judge(file, path, stamp, name_claims, limits)
            if found.pixels:
                file.seek(0)
                picture = picture_key(file.read()) if stamp.size <= MOST_BYTES else found.sha256
                found = dataclasses.replace(found, picture=picture)
            expect_same(file, stamp, path)
            return found
    except FileNotFoundError as error:
        raise PhotoChanged(f"{path.name} is gone") from error
    except OSError as error:
        return _no(stamp, why_unreadable(error))
    except MemoryError:
        return _no(stamp, f"{UNREADABLE}: not enough memory to decode it; save it smaller")


def _no(stamp: Stamp, reason: str, sha256: str = "") -> PhotoInfo:
    return PhotoInfo(stamp, sha256, None, "", "", reason)


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _judge(file: IO[bytes], path: Path, stamp: Stamp, name_claims: bool, limits: ProbeLimits) -> PhotoInfo:
    library_stderr.clear()
    try:
        picture = open_picture(file)
    except UnidentifiedImageError:
        return _no(stamp, what_else(file, path) if name_claims else "")
    except TooManyPixels as many:
        return _no(stamp, memory.too_many_pixels(many.pixels, "WEBP", memory.PIXEL_BYTES["WEBP"]))
    except Exception as error:  # decoders raise anything on spoilt bytes
        return _no(stamp, _spoilt(error, file) if name_claims else "")
    with picture:
        if reason := limits.too_large(stamp) or _why_not(picture, path, file):
            return _no(stamp, reason)
        try:
            several = _several(picture)
        except Exception as error:  # decoders raise anything on spoilt bytes
            return _no(stamp, _spoilt(error, file))
        if several and not limits.first_page:
            return _no(stamp, f"{several}{SEVERAL}, or give --first-page")
        return _judge_picture(picture, file, stamp, several, limits)


def _judge_picture(picture: Image.Image, file: IO[bytes], stamp: Stamp, several: str, limits: ProbeLimits) -> PhotoInfo:
    try:
        is_deep = is_over_8_bits(picture)
        if picture.format == "PNG":
            picture.load()  # asking for its EXIF would, and what is wrong with the pixels would pass for spoilt EXIF
        upright = upright_size(picture)
        why = f"{FIRST}{several}" if several else why_normalise(picture, is_deep=is_deep)
        if why and (reason := _why_no_copy(picture, why)):
            return _no(stamp, reason)
        is_shown = _decode(picture, file, stamp.size)
    except Exception as error:  # decoders raise anything on spoilt bytes
        return _no(stamp, _spoilt(error, file))
    said = picture.format == "TIFF" and library_stderr.captured()  # libtiff complains, and goes on
    if said or damage.is_damaged(picture.format or "", file, stamp.size):
        return _no(stamp, DAMAGED)
    if not limits.allow_blank and (max(upright) <= _SPECK or not is_shown):
        return _no(stamp, f"{BLANK}; take it away, or give --allow-blank")
    return PhotoInfo(stamp, _digest(file), upright, EXTENSIONS.get(picture.format or "", ""), why, "")


def _decode(picture: Image.Image, file: IO[bytes], size: int) -> bool:
    """Decode a picture completely where its format needs that, without keeping more of it than is asked for; return whether anything can be seen."""
    if picture.format in ("JPEG", "MPO"):
        decoded_jpeg.check(picture, file, size)
        return True
    if picture.format == "HEIF" and memory.decoding(picture) > memory.MOST_BYTES:
        return bool(pillow_heif.open_heif(file, convert_hdr_to_8bit=True, remove_stride=False).data)
    picture.load()
    if not picture.has_transparency_data or picture.mode.startswith(("I", "F")):
        return True
    shown = picture if picture.mode in ("RGBA", "LA") else picture.convert("RGBA")
    return shown.getbbox() is not None  # of what is not transparent


_SPECK: Final = 1
"""Pixels a side of a picture in which nothing can be seen, such as the spacer of a web page."""


def _spoilt(error: Exception, file: IO[bytes]) -> str:
    """Say that a file is spoilt, whatever its decoder said of it.

    Raises:
        MemoryError, OSError: it is the machine's fault, or the disk's.
    """
    if isinstance(error, MemoryError):
        raise error
    _digest(file)  # where the disk refuses, it refuses again
    return unreadable_kind(file) or DAMAGED


def _why_not(picture: Image.Image, path: Path, file: IO[bytes]) -> str:
    """Return why a picture cannot be sent, as far as its header tells.

    Raises:
        NeedsMemory: it takes more memory than is granted.
    """
    pixels = picture.width * picture.height
    need = memory.decoding(picture, reduced=True)
    if reason := memory.too_many_pixels(pixels, picture.format or "", need / pixels):
        return reason
    if picture.format == "TIFF":
        found = tiff_tags.directories(file)
        if ending_of(path.name) in CAMERA_RAW or tiff_tags.is_raw(found) or is_camera_raw(file):
            return RAW  # what Pillow would read is the preview inside
        if tiff_tags.is_preview(found):
            return "a TIFF that begins with a preview of its picture; save it as 8- or 16-bit RGB"
        if tiff_tags.is_misread(found):
            return a_tiff_of(tiff_tags.kind_of(found))
    if hdr := picture.info["hdr"]:
        return f"HDR ({hdr}), which every screen shows in its own way; save it as sRGB"
    if picture.format == "HEIF":
        need = max(need, min(memory.decoding(picture), memory.MOST_BYTES))
    memory.ask(need)
    return ""


def _most(picture: Image.Image, need: float) -> str:
    return f"{int(picture.width * picture.height * memory.MOST_BYTES / need / 1e6)}"


def _why_no_copy(picture: Image.Image, why: str) -> str:
    """Return why no copy can be made of a picture of which one has to go up, or ""."""
    need = memory.copying(picture, turned=orientation_of(picture) != 1)
    if need <= memory.MOST_BYTES:
        return ""
    return f"{_megapixels(picture)}, of which a copy would have to go up ({why}); at most {_most(picture, need)}: save it anew or smaller"


def _megapixels(picture: Image.Image) -> str:
    return f"{picture.width * picture.height / 1e6:.0f} megapixels"


def _several(picture: Image.Image) -> str:
    """Return how many pictures a file holds, as "3 pages", or "" where it is one."""
    many = _frames(picture)
    return f"{many} {'pages' if picture.format == 'TIFF' else 'frames'}" if many > 1 else ""


def _frames(picture: Image.Image) -> int:
    """Return how many pictures of equal right a file holds; previews inside a TIFF or an MPO do not count."""
    number = getattr(picture, "n_frames", 1)
    if picture.format in ("MPO", "HEIF"):  # of a HEIC the primary picture is the photo, as everywhere
        return 1
    if number < 2 or not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return number
    pages = 0
    for index in range(number):
        picture.seek(index)
        pages += not picture.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED
    picture.seek(0)
    forget_xmp(picture)
    return pages
