"""Whole pictures of kinds that no decoder here knows: called by their kind, not damaged, and what to do is said."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.made import SIZE, colours, tiff
from tests.support.pictures import encoded, noise, probed
from tests.support.tiers import rest_slow

Put = Callable[[str, bytes], Path]

CORRUPT = "corrupt or cut off: it cannot be read to its end; save or copy it again"


def bmp(bits: int, *, header: int = 40, compression: int = 0, colours: int = 0, more: bytes = b"") -> bytes:
    """A BMP of 8 by 8 pixels; ``more`` follows its header."""
    fields = struct.pack("<IiiHHIIiiII", header, 8, 8, 1, bits, compression, 256, 2835, 2835, colours, 0)
    body = fields[:header].ljust(header, b"\0") + more
    return b"BM" + struct.pack("<IHHI", 14 + len(body) + 256, 0, 0, 14 + len(body)) + body + bytes(256)


def masks(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (bmp(2, colours=4, more=bytes(16)), "2 bits a pixel"),
        (bmp(16, compression=3, more=masks(0xF00, 0xF0, 0xF)), "colour masks"),
        (bmp(32, compression=3, more=masks(0x3FF00000, 0xFFC00, 0x3FF)), "colour masks"),
        (bmp(32, compression=6, more=masks(0xFF0000, 0xFF00, 0xFF, 0xFF000000)), "colour masks"),
        (bmp(0, compression=4), "JPEG inside"),
        (bmp(0, compression=5), "PNG inside"),
        (bmp(8, header=16, more=bytes(1024)), "header of 16 bytes"),
        (bmp(8, colours=300, more=bytes(1200)), "palette of 300 colours"),
    ],
)
@pytest.mark.parametrize("name", ["a.bmp", "a.jpg"])
def test_a_bmp_that_cannot_be_read_is_called_by_its_kind(put: Put, name: str, data: bytes, kind: str):
    told = probed(put(name, data)).rejected
    assert told == f"a BMP of a kind that cannot be read here ({kind}); save it as PNG"


@pytest.mark.parametrize(
    "data",
    [
        bmp(30_000),
        bmp(8, colours=305_402_420),
        bmp(24, header=66),
        tiff((8,), bytes(100), photometric=1, tag_277=("H", (65_535,))),
        tiff((8224,), bytes(100), photometric=1),
    ],
)
def test_numbers_that_are_nobodys_are_damage(put: Put, data: bytes):
    """Not a kind that one could save otherwise."""
    assert probed(put("a.jpg", data)).rejected == CORRUPT


def test_a_usual_bmp_that_is_cut_off_is_damaged(put: Put):
    """It is of a kind that can be read."""
    for mode in ("RGB", "RGBA", "L", "P", "1"):
        whole = encoded(noise().convert(mode), "BMP")
        assert probed(put("a.bmp", whole)).rejected == ""
        assert probed(put("a.bmp", whole[: len(whole) // 2])).rejected == CORRUPT


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("unci", "uncompressed"),
        ("avc1", "H.264"),
        ("vvc1", "H.266"),
        ("jpeg", "JPEG inside"),
        ("j2k1", "JPEG 2000 inside"),
    ],
)
@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_a_heic_that_cannot_be_read_is_called_by_its_kind(put: Put, name: str, item: str, kind: str):
    """Of the coding of its pictures."""
    whole = encoded(colours(), "HEIF").replace(b"hvc1", item.encode())
    told = probed(put(name, whole)).rejected
    assert told == f"a HEIC of a kind that cannot be read here ({kind}); save it as JPEG or PNG"


def test_a_sequence_without_a_still_picture_is_called_one(put: Put):
    """Moving HEIC and AVIF may have one, and then that is the photo."""
    sequence = b"\0\0\0\x18ftyphevc\0\0\0\0hevcmsf1" + struct.pack(">I4s", 108, b"moov") + bytes(100)
    told = probed(put("a.heic", sequence)).rejected
    assert told == "a sequence of pictures, none of them a still one; save the one you want as JPEG or PNG"


def test_an_avif_that_its_decoder_refuses_to_open_is_too_large(put: Put):
    """The size that it claims is read without the decoder."""
    small = encoded(colours((64, 64)), "AVIF")
    at = small.index(b"ispe") + 8
    data = small[:at] + struct.pack(">II", 17_000, 17_000) + small[at + 8 :]
    assert probed(put("a.avif", data)).rejected == "289 megapixels as AVIF; at most 131: save it smaller"


def test_a_lossless_jpeg_is_called_one(put: Put):
    """As medicine and scanners write them; no browser shows them."""
    whole = encoded(colours(), "JPEG")
    data = whole.replace(b"\xff\xc0\0\x11", b"\xff\xc3\0\x11")
    told = probed(put("a.jpg", data)).rejected
    assert told == "a JPEG of a kind that cannot be read here (lossless); save it as PNG"


@pytest.mark.parametrize("extra", [1, 2])
def test_a_cmyk_tiff_with_transparency_is_called_one(put: Put, extra: int):
    data = tiff((8,) * 5, bytes(SIZE[0] * SIZE[1] * 5), photometric=5, tag_338=("H", (extra,)))
    told = probed(put("a.tif", data)).rejected
    assert told == ("a TIFF of a kind that cannot be read here (CMYK with transparency); save it as 8- or 16-bit RGB")


FAR = [1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


@pytest.mark.parametrize("place", rest_slow(FAR, 4))
def test_a_place_that_no_file_reaches_is_damage(put: Put, place: int):
    """No fault of the disk's, which would be tried again by every run, and none of a decoder's."""
    big = b"II+\0\x08\0\0\0" + struct.pack("<Q", place) + bytes(100)
    heic = encoded(colours(), "HEIF")
    box = struct.pack(">I4sQ", 1, b"free", place)
    for data in (big, heic[: heic.index(b"mdat") - 4] + box, far_item(place)):
        assert probed(put("a.jpg", data)).rejected == CORRUPT


def far_item(place: int) -> bytes:
    """A HEIC whose picture lies so far away."""
    more: dict[str, Any] = {"quality": 30}
    heic = bytearray(encoded(Image.new("RGB", (64, 64)), "HEIF", **more))
    at = heic.index(b"iloc")
    return bytes(heic[:at] + b"iloc" + b"\1\0\0\0\x88\0\0\1" + struct.pack(">HHHHQQ", 1, 0, 0, 1, place, 100))
