"""The formats that are read, and how a file is opened: a short list, decided by the content."""

import warnings
from typing import IO, Any, Final

import pillow_heif
from PIL import Image, ImageFile, PngImagePlugin

from batchbg.disk import memory
from batchbg.disk.colour import ColourInfo, colour_info

EXTENSIONS: Final = {
    "PNG": "png",
    "JPEG": "jpg",
    "MPO": "jpg",
    "HEIF": "heic",
    "WEBP": "webp",
    "AVIF": "avif",
    "JPEG2000": "jp2",
    "TIFF": "tiff",
    "BMP": "bmp",
}
"""Pillow's name of a format and the extension under which the API takes it. Source: the spec of files/upload-urls."""

FORMATS: Final = (*(EXTENSIONS.keys() - {"MPO"}), "GIF")
"""What Pillow is asked to recognise; it makes an MPO of a JPEG by itself. Each other decoder would be one more way in:
icons hold pictures that claim what they like, EPS starts a program."""

MOST_TEXT_BYTES: Final = 32_000_000
"""Of a PNG's comments and profile, unpacked; editors write 3 MB of history."""

pillow_heif.register_heif_opener()
# The limit is checked from the header, with a message that names the file.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False
PngImagePlugin.MAX_TEXT_CHUNK = MOST_TEXT_BYTES
PngImagePlugin.MAX_TEXT_MEMORY = 2 * MOST_TEXT_BYTES
# Odd metadata is no news to anybody; what matters ends in the verdict. Once for all: filters are not a thread's own.
warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)\b")


def open_picture(file: IO[bytes]) -> Image.Image:
    """Recognise a picture by its content and read its header.

    What the container says outside of what Pillow reads stands in ``info``: "icc_profile" for colours that are said in
    other words (``described`` then), "hdr", "depth", "white_is_zero"; "covered", the box that a GIF fills of its screen.

    Raises:
        UnidentifiedImageError: it is in another format.
        TooManyPixels: opening alone would take too much memory.
        Exception: whatever a decoder makes of spoilt bytes.
    """
    _ask_memory_for_webp(file)
    picture = Image.open(file, formats=FORMATS)
    forget_xmp(picture)
    found = colour_info(picture, file)
    if found.profile:
        picture.info |= {"icc_profile": found.profile, "described": True}
    picture.info |= {"hdr": found.hdr, "depth": found.depth}
    if picture.format == "TIFF":
        tags: Any = getattr(picture, "tag_v2", {})
        picture.info["white_is_zero"] = picture.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0
    if picture.format == "GIF" and picture.tile and picture.tile[0].extents != (0, 0, *picture.size):
        picture.info["covered"] = picture.tile[0].extents
    if picture.format == "PNG" and found.transparent is not None:
        _scale_transparency(picture, found)
    return picture


class TooManyPixels(Exception):
    """A WebP whose opening takes too much memory.

    Attributes:
        pixels: how many it claims.
    """

    def __init__(self, pixels: int) -> None:
        super().__init__(f"{pixels} pixels")
        self.pixels = pixels


def _ask_memory_for_webp(file: IO[bytes]) -> None:
    """Ask for the memory of a WebP by its header: its decoder takes the canvas as soon as it is opened."""
    file.seek(0)
    head = file.read(30).ljust(30, b"\0")
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return
    width = height = 0
    match head[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    need = memory.PIXEL_BYTES["WEBP"] * width * height
    if need > memory.MOST_BYTES:
        raise TooManyPixels(width * height)
    memory.ask(need)


_PHOTOMETRIC: Final = 262


def forget_xmp(picture: Image.Image) -> None:
    """Forget XMP: Pillow would turn a picture by what stands there, and nobody else does."""
    for name in ("xmp", "XML:com.adobe.xmp"):
        picture.info.pop(name, None)


def _scale_transparency(picture: Image.Image, found: ColourInfo) -> None:
    """Put the transparent colour of a PNG on the scale of the pixels that Pillow makes of it."""
    transparent = picture.info.get("transparency")
    if picture.mode == "RGB" and found.depth == 16 and isinstance(transparent, tuple):
        picture.info["transparency"] = tuple(value >> 8 for value in transparent)
    elif picture.mode == "L" and isinstance(transparent, int) and found.depth in (2, 4):
        picture.info["transparency"] = transparent * 255 // ((1 << found.depth) - 1)
