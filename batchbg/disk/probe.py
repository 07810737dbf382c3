"""Looking into one file: is it a picture that can be sent, and what will pairing need of it?"""

import dataclasses
import functools
import hashlib
import io
import os
import re
from pathlib import Path
from typing import IO, Final

import pillow_heif
from PIL import ExifTags, Image, ImageChops, ImageCms, TiffImagePlugin, UnidentifiedImageError

from batchbg.core.model import MAX_UPLOAD_BYTES, PhotoInfo, Size, Stamp
from batchbg.disk import damage, memory, talk, tiffs
from batchbg.disk.formats import EXTENSIONS, MAX_PIXELS, TooManyPixels, Watched, forget_xmp, open_picture
from batchbg.disk.identity import MOST_BYTES, picture_key
from batchbg.disk.scan import UNREADABLE as UNREADABLE
from batchbg.disk.scan import is_same
from batchbg.errors import PhotoChanged

_TOO_LARGE: Final = ", and the most that can be uploaded (max_upload_bytes)"
"""In the reason where a file has too many bytes."""

_SEVERAL: Final = "; save the one you want by itself"
"""In the reason where a file holds several pictures."""

_FIRST: Final = "first of "
"""Begins why a copy goes up where a file holds several pictures."""


_VECTOR: Final = (".svg", ".svgz", ".eps", ".ai")
_CAMERA_RAW: Final = (
    *(".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".rwl", ".raf"),
    *(".pef", ".srw", ".3fr", ".fff", ".iiq", ".mos", ".erf", ".kdc", ".dcr", ".dcs", ".mef", ".x3f", ".mrw", ".eip"),
    *(".ari", ".bay", ".cap", ".gpr", ".k25", ".mdc", ".ptx", ".pxn", ".rwz", ".cine", ".braw", ".r3d"),
)
_PHOTOSHOP: Final = (".psd", ".psb")
_OTHERS: Final = (".jpe", ".jfif", ".hif", ".j2k", ".jpx", ".jxl", ".gif", ".apng")
_NOT_TAKEN: Final = (
    *(".ico", ".cur", ".icns", ".tga", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".pcx", ".qoi", ".sgi"),
    *(".dds", ".blp", ".xpm", ".xbm", ".fli", ".flc", ".pcd", ".msp", ".im", ".spi", ".wmf", ".emf"),
)
_SENT: Final = (".png", ".jpg", ".jpeg", ".heic", ".heif", ".webp", ".avif", ".jp2", ".tiff", ".tif", ".bmp")

PICTURE_NAMES: Final = frozenset((*_SENT, *_OTHERS, *_NOT_TAKEN, *_VECTOR, *_CAMERA_RAW, *_PHOTOSHOP))
"""Endings that claim a picture: such a file is rejected where its content is none; any other is ignored."""

_DRAWING: Final = "a vector drawing; export it as PNG"
_RAW: Final = "a camera's raw file; develop it to JPEG"
_LAYERS: Final = "a Photoshop document; export it as PNG or JPEG"


def _not_taken(kind: str) -> str:
    return f"{kind}, which is not taken; save it as JPEG or PNG"


_BY_NAME: Final = {
    **dict.fromkeys(_VECTOR, _DRAWING),
    **dict.fromkeys(_CAMERA_RAW, _RAW),
    **dict.fromkeys(_PHOTOSHOP, _LAYERS),
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
    (b"IIU\0", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"FOVb", _RAW),
    (b"\0MRM", _RAW),
    (b"II\x1a\0\0\0HEAPCCDR", _RAW),
    (b"\0\0\0\x18ftypcrx ", _RAW),
    (b"\0\0\1\0", _not_taken("a Windows icon")),
    (b"DDS ", _not_taken("DDS")),
    (b"BLP", _not_taken("BLP")),
    (b"qoif", _not_taken("QOI")),
)
"""What files that are no pictures begin with, in lower case where that makes no difference."""

_NEW_SUBFILE_TYPE: Final = 254
_REDUCED: Final = 1
"""Bit of NewSubfileType that marks a TIFF page as a smaller version of another. Source: TIFF 6.0, section 8."""

_CHUNK: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeLimits:
    """What a person decides about files.

    Attributes:
        first_page: of a file of several pages or frames the first one is sent; else such a file is rejected.
        max_bytes: of a file, by the plan of the account.
        allow_blank: pictures in which nothing can be seen are sent, too.
    """

    first_page: bool = False
    max_bytes: int = MAX_UPLOAD_BYTES
    allow_blank: bool = False

    def may_change(self, known: PhotoInfo) -> bool:
        """Tell whether a verdict on a file, found on other terms, may not hold on these."""
        if _TOO_LARGE in known.rejected or (known.pixels and known.stamp.size > self.max_bytes):
            return True
        if self.allow_blank and known.rejected.startswith(_BLANK):
            return True
        return _SEVERAL in known.rejected if self.first_page else known.normalise.startswith(_FIRST)

    def too_large(self, stamp: Stamp) -> str:
        """Return why a file of that size cannot be sent, or ""."""
        if stamp.size <= self.max_bytes:
            return ""
        return f"{stamp.size / 1e6:.9g} MB{_TOO_LARGE} is {self.max_bytes / 1e6:.9g} MB; save it smaller"


USUAL: Final = ProbeLimits()


def probe(path: Path, stamp: Stamp, terms: ProbeLimits = USUAL) -> PhotoInfo:
    """Read a file once and say what it is.

    The picture is decoded, if at reduced size where the format allows it: a header tells nothing of a file that was
    cut in half. What is no picture and does not claim to be one is left after its first bytes.

    Args:
        path: the file.
        stamp: as the scan saw it.
        terms: on which it is taken.

    Raises:
        PhotoChanged: the file is not, or not all the time, the one that the scan saw.
    """
    name_claims = ending_of(path.name) in PICTURE_NAMES
    if stamp.size == 0:
        return _no(stamp, "empty: 0 bytes; copy it again" if name_claims else "")
    if name_claims and (reason := terms.too_large(stamp)):
        return _no(stamp, reason)
    try:
        # A fifo that took the file's place would otherwise keep us waiting for ever.
        with io.BufferedReader(Watched(path, "rb", opener=open_waiting_for_nobody)) as file:
            _expect(file, stamp, path)
            found = _judge(file, path, stamp, name_claims, terms)
            if found.pixels:
                file.seek(0)
                picture = picture_key(file.read()) if stamp.size <= MOST_BYTES else found.sha256
                found = dataclasses.replace(found, picture=picture)
            _expect(file, stamp, path)
            return found
    except FileNotFoundError as error:
        raise PhotoChanged(f"{path.name} is gone") from error
    except OSError as error:
        return unreadable(stamp, error)
    except MemoryError:
        return _no(stamp, f"{UNREADABLE}: not enough memory to decode it; save it smaller")


def open_waiting_for_nobody(name: str | Path, flags: int) -> int:
    """Open a file, or a fifo that took its place and that nobody writes to."""
    return os.open(name, flags | _DO_NOT_WAIT)


_DO_NOT_WAIT: Final = getattr(os, "O_NONBLOCK", 0)


_QUERY: Final = re.compile(r"(\.[a-z0-9]{2,5})[?@&#;].*$")


def ending_of(name: str) -> str:
    """Return a name's ending in small letters; that of an address that was saved whole ("a.jpg?v=2") is ".jpg"."""
    name = name.lower()
    found = _QUERY.search(name)
    if found and found[1] in PICTURE_NAMES:
        return found[1]
    return os.path.splitext(name)[1]  # noqa: PTH122 - names may be anything


def unreadable(stamp: Stamp, error: OSError) -> PhotoInfo:
    """Return the verdict on a file that the disk refuses."""
    return _no(stamp, f"{UNREADABLE}: {error.strerror or error}; mend that and run again")


def _no(stamp: Stamp, reason: str, sha256: str = "") -> PhotoInfo:
    return PhotoInfo(stamp, sha256, None, "", "", reason)


def _expect(file: IO[bytes], stamp: Stamp, path: Path) -> None:
    if not is_same(os.fstat(file.fileno()), stamp):
        raise PhotoChanged(f"{path.name} is being written")


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _judge(file: IO[bytes], path: Path, stamp: Stamp, name_claims: bool, terms: ProbeLimits) -> PhotoInfo:
    talk.forget()
    try:
        picture = open_picture(file)
    except UnidentifiedImageError:
        return _no(stamp, _what_else(file, path) if name_claims else "")
    except TooManyPixels as many:
        most = memory.MOST_BYTES / memory.PIXEL_BYTES["WEBP"] / 1e6
        return _no(stamp, f"{many.pixels / 1e6:.0f} megapixels as WEBP; at most {most:.0f}: save it smaller")
    except Exception as error:  # decoders raise anything on spoilt bytes
        return _no(stamp, _spoilt(error, file) if name_claims else "")
    with picture:
        if reason := terms.too_large(stamp) or _why_not(picture, path, file):
            return _no(stamp, reason)
        try:
            several = _several(picture)
        except Exception as error:  # decoders raise anything on spoilt bytes
            return _no(stamp, _spoilt(error, file))
        if several and not terms.first_page:
            return _no(stamp, f"{several}{_SEVERAL}, or give --first-page")
        return _judge_picture(picture, file, stamp, several, terms)


def _judge_picture(picture: Image.Image, file: IO[bytes], stamp: Stamp, several: str, terms: ProbeLimits) -> PhotoInfo:
    try:
        is_deep = _is_deep(picture)
        if picture.format == "PNG":
            picture.load()  # asking for its EXIF would, and what is wrong with the pixels would pass for spoilt EXIF
        upright = upright_size(picture)
        why = f"{_FIRST}{several}" if several else _why_normalise(picture, is_deep=is_deep)
        if why and (reason := _why_no_copy(picture, why)):
            return _no(stamp, reason)
        is_shown = _decode(picture, file)
    except Exception as error:  # decoders raise anything on spoilt bytes
        return _no(stamp, _spoilt(error, file))
    said = picture.format == "TIFF" and talk.heard()  # libtiff complains, and goes on
    if said or damage.proof(picture.format or "", file, stamp.size):
        return _no(stamp, _DAMAGED)
    if not terms.allow_blank and (max(upright) <= _SPECK or not is_shown):
        return _no(stamp, f"{_BLANK}; take it away, or give --allow-blank")
    return PhotoInfo(stamp, _digest(file), upright, EXTENSIONS.get(picture.format or "", ""), why, "")


def _decode(picture: Image.Image, file: IO[bytes]) -> bool:
    """Decode a picture completely, without keeping more of it than is asked for; tell whether anything can be seen."""
    if picture.format in ("JPEG", "MPO"):
        picture.draft("RGB", (max(1, picture.width // 8), max(1, picture.height // 8)))  # every byte is still read
    elif picture.format == "HEIF" and memory.decoding(picture) > memory.MOST_BYTES:
        return bool(pillow_heif.open_heif(file, convert_hdr_to_8bit=True, remove_stride=False).data)
    picture.load()
    if not picture.has_transparency_data or picture.mode.startswith(("I", "F")):
        return True
    shown = picture if picture.mode in ("RGBA", "LA") else picture.convert("RGBA")
    return shown.getbbox() is not None  # of what is not transparent


_SPECK: Final = 1
"""Pixels a side of a picture in which nothing can be seen: a spacer of a web page."""

_OWN: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\0\0\0\x0cjP  ", b"II*\0", b"MM\0*")
"""What pictures that are read begin with."""

_BLANK: Final = "blank: nothing in it to cut out"
_DAMAGED: Final = "corrupt or cut off: it cannot be read to its end; save or copy it again"


def _spoilt(error: Exception, file: IO[bytes]) -> str:
    """Say that a file is spoilt, whatever its decoder said of it.

    Raises:
        MemoryError, OSError: it is the machine's fault, or the disk's.
    """
    if isinstance(error, MemoryError):
        raise error
    _digest(file)  # where the disk refuses, it refuses again
    kind = tiffs.kind_of(tiffs.directories(file))
    return _unreadable_tiff(kind) if kind else _DAMAGED


def _unreadable_tiff(kind: str) -> str:
    return f"a TIFF of a kind that cannot be read here ({kind}); save it as 8- or 16-bit RGB"


def _what_else(file: IO[bytes], path: Path) -> str:
    """Return what a file is that claims to be a picture."""
    file.seek(0)
    start = file.read(512)
    bare = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, reason in _BY_START:
        if start.startswith(mark) or bare.startswith(mark):
            return reason
    if bare.startswith(b"<?xml") and b"<svg" in bare:
        return _DRAWING
    found = tiffs.directories(file)
    if tiffs.is_raw(found) or _is_canon_raw(file):
        return _RAW
    if kind := tiffs.kind_of(found):
        return _unreadable_tiff(kind)
    if start.startswith(_OWN):
        return _DAMAGED
    return _BY_NAME.get(ending_of(path.name), "not a picture, or a damaged one; copy it again or take it away")


def _why_not(picture: Image.Image, path: Path, file: IO[bytes]) -> str:
    """Return why a picture cannot be sent, as far as its header tells.

    Raises:
        NeedsRoom: it takes more memory than is granted.
    """
    if picture.width * picture.height > MAX_PIXELS:
        return f"{_megapixels(picture)}; at most {MAX_PIXELS / 1e6:.0f}: save it smaller"
    if picture.format == "TIFF":
        found = tiffs.directories(file)
        if ending_of(path.name) in _CAMERA_RAW or tiffs.is_raw(found) or _is_canon_raw(file):
            return _RAW  # what Pillow would read is the preview inside
        if tiffs.is_preview(found):
            return "a TIFF that begins with a preview of its picture; save it as 8- or 16-bit RGB"
        if tiffs.is_misread(found):
            return _unreadable_tiff(tiffs.kind_of(found))
    if hdr := picture.info["hdr"]:
        return f"HDR ({hdr}), which every screen shows in its own way; save it as sRGB"
    need = memory.decoding(picture, reduced=True)
    if need > memory.MOST_BYTES:
        return f"{_megapixels(picture)} as {picture.format}; at most {_most(picture, need)}: save it smaller"
    if picture.format == "HEIF":
        need = max(need, min(memory.decoding(picture), memory.MOST_BYTES))
    memory.ask(need)
    return ""


def _most(picture: Image.Image, need: float) -> str:
    return f"{picture.width * picture.height * memory.MOST_BYTES / need / 1e6:.0f}"


def _why_no_copy(picture: Image.Image, why: str) -> str:
    """Return why no copy can be made of a picture of which one has to go up, or ""."""
    need = memory.copying(picture, turned=orientation_of(picture) != 1)
    if need <= memory.MOST_BYTES:
        return ""
    return f"{_megapixels(picture)}, of which a copy would have to go up ({why}); at most {_most(picture, need)}: save it anew or smaller"


def _is_canon_raw(file: IO[bytes]) -> bool:
    file.seek(0)
    head = file.read(12)
    return head[8:10] == b"CR" or head[8:12] == b"IIII"  # Canon, Phase One


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


def orientation_of(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, that is still to be applied: Pillow turns TIFF by itself, pillow_heif HEIC."""
    if picture.format in ("TIFF", "HEIF"):
        return 1
    found = _exif_orientation(picture)
    return found if found in range(2, 9) else 1


def _exif_orientation(picture: Image.Image) -> int:
    """Return the orientation by EXIF alone; what XMP says of it is heeded by nobody who shows pictures."""
    try:
        if isinstance(picture, TiffImagePlugin.TiffImageFile):
            found: object = picture.tag_v2.get(ExifTags.Base.Orientation, 1)
        else:
            exif = Image.Exif()
            exif.load(_exif_of(picture))
            found = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # spoilt metadata is no reason to reject a photo
        return 1
    return found if isinstance(found, int) else 1


def _exif_of(picture: Image.Image) -> bytes:
    data = picture.info.get("exif")
    if isinstance(data, bytes):
        return data
    written = picture.info.get("Raw profile type exif")  # in a PNG's text, as ImageMagick writes it
    return bytes.fromhex("".join(written.split("\n")[3:])) if isinstance(written, str) else b""


def upright_size(picture: Image.Image) -> Size:
    """Return a picture's size as a person sees it."""
    width, height = picture.size
    return Size(height, width) if orientation_of(picture) >= 5 else Size(width, height)


def _is_deep(picture: Image.Image) -> bool:
    """Tell whether a picture that is not decoded yet has more than 8 bits a channel.

    Pillow opens 16-bit RGB as RGB; how it is going to unpack it gives it away, or the file's header.
    """
    if picture.format == "JPEG2000" and picture.info["depth"] > 8:
        return True
    return picture.mode.startswith(("I", "F")) or ";16" in repr(getattr(picture, "tile", ""))


def _why_normalise(picture: Image.Image, *, is_deep: bool) -> str:
    """Return why the API would show the picture otherwise than a person sees it, or ""."""
    turned = picture.info.get("original_orientation") if picture.format == "HEIF" else _exif_orientation(picture)
    if turned in range(2, 9):
        return f"EXIF orientation {turned}"
    if picture.format not in EXTENSIONS:
        return f"{picture.format} is not taken"
    if picture.mode in ("CMYK", "YCCK", "LAB", "HSV"):
        return picture.mode
    if is_deep:
        return "more than 8 bits"
    if picture.mode in ("P", "PA") and "transparency" in picture.info:
        return "palette with transparency"
    profile = picture.info.get("icc_profile")
    if not isinstance(profile, bytes) or not _is_wide_gamut(profile):
        return ""
    return "colours other than sRGB" if picture.info.get("described") else "wide-gamut profile"


@functools.lru_cache(maxsize=64)
def _is_wide_gamut(profile: bytes) -> bool:
    """Tell whether an RGB profile shows colours otherwise than sRGB does; its name may say anything."""
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != "RGB":
            return False
        shown = ImageCms.profileToProfile(_SWATCH, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    assert shown is not None  # only a conversion in place returns None
    return max(high for _, high in ImageChops.difference(_SWATCH, shown).getextrema()) > _VISIBLE  # type: ignore[misc]


_VISIBLE: Final = 6
"""Levels of 255 below which two renderings of sRGB itself differ by rounding."""

_SWATCH: Final = Image.frombytes("RGB", (4, 1), bytes((160, 80, 80, 80, 160, 80, 80, 80, 160, 128, 128, 128)))
