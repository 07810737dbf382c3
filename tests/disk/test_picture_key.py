"""The same picture is the same picture: what programs write about it changes nothing, what shows always does."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageDraw

from batchbg.disk import isobmff
from batchbg.disk.picture_key import picture_key
from tests.support.made import colours, with_nclx
from tests.support.pictures import chunk, encoded, wide_gamut_profile
from tests.support.tiers import rest_slow

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000", "BMP", "GIF")

LOSSLESS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "WEBP": {"lossless": True},
    "HEIF": {"quality": -1},
    "AVIF": {"quality": 100},
}


def drawn(mark: int = 0) -> Image.Image:
    """A picture; another one for another mark, if only in a few pixels."""
    picture = colours((64, 48))
    if mark:
        ImageDraw.Draw(picture).rectangle((8, 8, 15, 15), fill=(mark % 256, 255 - mark % 256, 128))
    return picture


def written(kind: str, picture: Image.Image | None = None, **more: Any) -> bytes:
    return encoded(picture or drawn(), kind, **(LOSSLESS.get(kind, {}) | more))


def exif(turn: int = 1, rating: int = 0, caption: str = "") -> Image.Exif:
    made = Image.Exif()
    if turn != 1:
        made[ExifTags.Base.Orientation] = turn
    if rating:
        made[0x4746] = rating
    if caption:
        made[ExifTags.Base.ImageDescription] = caption
        made[ExifTags.Base.Software] = "an editor"
    return made


def xmp(rating: int) -> bytes:
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><xmp:Rating>%d</xmp:Rating></x:xmpmeta>' % rating


# What programs write into files: (file, a number, some bytes) -> file

Edit = Callable[[bytes, int, bytes], bytes]


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


JPEG_EDITS: list[Edit] = [
    lambda data, number, some: data[:2] + segment(0xE1, b"Exif\0\0" + exif(1, number + 1).tobytes()[6:]) + data[2:],
    lambda data, number, some: data[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(number)) + data[2:],
    lambda data, number, some: data[:2] + segment(0xED, b"Photoshop 3.0\0" + some) + data[2:],
    lambda data, number, some: data[:2] + segment(0xFE, some) + data[2:],
    lambda data, number, some: data[:2] + segment(0xE0 + number % 12 + 3, b"of some program" + some) + data[2:],
    lambda data, number, some: data + some,  # trailers of cameras and phones
]


def text(name: bytes, content: bytes) -> bytes:
    return chunk(b"tEXt", name + b"\0" + content.replace(b"\0", b""))


def cut_anew(data: bytes, size: int) -> bytes:
    """The same stream of pixels in chunks of another size, as optimisers of files write it."""
    at, stream, made = 8, b"", data[:8]
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            stream += data[at + 8 : at + 8 + length]
        elif kind == b"IEND":
            made += b"".join(chunk(b"IDAT", stream[place : place + size]) for place in range(0, len(stream), size))
            made += data[at:]
        else:
            made += data[at : at + 12 + length]
        at += 12 + length
    return made


PNG_EDITS: list[Edit] = [
    lambda data, number, some: data[:33] + text(b"Comment", some) + data[33:],
    lambda data, number, some: data[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(number)) + data[33:],
    lambda data, number, some: data[:33] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(some)) + data[33:],
    lambda data, number, some: data[:-12] + chunk(b"tIME", struct.pack(">H5B", 2026, 1, 1, 1, 1, 1)) + data[-12:],
    lambda data, number, some: data[:-12] + chunk(b"eXIf", exif(1, number + 1).tobytes()[6:]) + data[-12:],
    lambda data, number, some: data[:33] + chunk(b"pHYs", struct.pack(">IIB", number, number, 1)) + data[33:],
    lambda data, number, some: cut_anew(data, 100 + number),
    lambda data, number, some: data + some,
]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 12, []
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        found.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + length + (length & 1)
    return found


def extended(data: bytes, flag: int, kind: bytes, content: bytes) -> bytes:
    """A WebP with one more chunk, and the header that such files have; it is made where there is none."""
    chunks = chunks_of(data)
    canvas = struct.pack("<I", 63)[:3] + struct.pack("<I", 47)[:3]
    flags = chunks[0][1][0] if chunks[0][0] == b"VP8X" else 0
    rest = [one for one in chunks if one[0] != b"VP8X"]
    return riff((b"VP8X", bytes([flags | flag, 0, 0, 0]) + canvas), *rest, (kind, content))


WEBP_EDITS: list[Edit] = [
    lambda data, number, some: extended(data, 8, b"EXIF", exif(1, number + 1).tobytes()),
    lambda data, number, some: extended(data, 4, b"XMP ", xmp(number)),
    lambda data, number, some: extended(data, 0, b"TEST", some),
]


def tiff_with(data: bytes, tag: int, content: bytes) -> bytes:
    """A TIFF whose directory is written anew at its end with one more tag, its strips moved, as ExifTool does."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    entries = [data[at + 2 + 12 * number : at + 14 + 12 * number] for number in range(count)]
    made = bytearray(data + bytes(len(data) % 2))
    kept = []
    for entry in entries:
        number, kind, values, place = struct.unpack(order + "HHII", entry)
        if number == 273 and values == 1:
            (size,) = [
                struct.unpack(order + "I", one[8:])[0] for one in entries if one[:2] == struct.pack(order + "H", 279)
            ]
            moved = len(made)
            made += data[place : place + size] + bytes(size % 2)
            entry = struct.pack(order + "HHII", number, kind, values, moved)
        if number != tag:
            kept.append(entry)
    place = len(made)
    made += content + bytes(len(content) % 2)
    kept.append(struct.pack(order + "HHII", tag, 1, max(len(content), 5), place))
    made += bytes(8)
    kept.sort(key=lambda entry: struct.unpack(order + "H", entry[:2])[0])
    struct.pack_into(order + "I", made, 4, len(made))
    return bytes(made) + struct.pack(order + "H", len(kept)) + b"".join(kept) + bytes(4)


TIFF_EDITS: list[Edit] = [
    lambda data, number, some: tiff_with(data, 700, xmp(number)),
    lambda data, number, some: tiff_with(data, 33723, some.ljust(5)),
    lambda data, number, some: tiff_with(data, 34377, some.ljust(5)),
    lambda data, number, some: tiff_with(data, 270, some.ljust(5)),
    lambda data, number, some: data + some,
]


def free(data: bytes, number: int, some: bytes) -> bytes:
    """A box that nobody reads, at the end: editors leave some."""
    return data + struct.pack(">I4s", 8 + len(some), b"free") + some


EDITS: dict[str, list[Edit]] = {
    "JPEG": JPEG_EDITS,
    "PNG": PNG_EDITS,
    "WEBP": WEBP_EDITS,
    "TIFF": TIFF_EDITS,
    "HEIF": [free],
    "AVIF": [free],
    "JPEG2000": [
        lambda data, number, some: data + struct.pack(">I4s", 8 + len(some), b"xml ") + some,
        lambda data, number, some: data + struct.pack(">I4s", 24 + len(some), b"uuid") + bytes(16) + some,
    ],
    "BMP": [lambda data, number, some: data[:6] + struct.pack("<I", number) + data[10:]],
    "GIF": [
        lambda data, number, some: data[:-1] + b"\x21\xfe" + bytes([len(some)]) + some + b"\0;" if some else data,
        lambda data, number, some: data + some,
    ],
}

BASES = {
    kind: [written(kind), written(kind, icc_profile=SRGB)] if kind not in ("BMP", "GIF") else [written(kind)]
    for kind in KINDS
}
BASES["PNG"].append(written("PNG", drawn().convert("RGBA")))
BASES["JPEG"].append(written("JPEG", progressive=True))
BASES["TIFF"].append(written("TIFF", compression="tiff_lzw"))


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A file, and the same after some programs have written into it."""
    kind = draw(st.sampled_from(KINDS))
    before = draw(st.sampled_from(BASES[kind]))
    after = before
    for _ in range(draw(st.integers(1, 4))):
        edit = draw(st.sampled_from(EDITS[kind]))
        after = edit(after, draw(st.integers(0, 5)), draw(st.binary(max_size=200)))
    return before, after


@given(edited())
def test_what_is_written_about_a_picture_makes_no_new_one(files: tuple[bytes, bytes]):
    """Ratings, places, captions, comments, what optimisers and trailers do."""
    before, after = files
    assert picture_key(after) == picture_key(before)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_what_another_library_writes_about_a_picture_makes_no_new_one(kind: str):
    """EXIF and XMP as they are saved with the picture, and changed."""
    plain = picture_key(written(kind))
    for rating in (1, 5):
        assert picture_key(written(kind, exif=exif(1, rating, "a mug"))) == plain
        assert picture_key(written(kind, exif=exif(1, rating), xmp=xmp(rating))) == plain


@pytest.mark.parametrize("kind", rest_slow(KINDS, 2))
@settings(max_examples=15)  # writing files is what takes the time
@given(one=st.integers(0, 255), other=st.integers(0, 255))
def test_other_pixels_are_another_picture(kind: str, one: int, other: int):
    """If only a few of them."""
    first, second = written(kind, drawn(one)), written(kind, drawn(other))
    assert (picture_key(first) == picture_key(second)) is (first == second)


@pytest.mark.parametrize("kind", rest_slow(["JPEG", "PNG", "WEBP", "TIFF", "AVIF"], 2))
def test_another_orientation_is_another_picture(kind: str):
    """All eight of them; 1 is none."""
    keys = {picture_key(written(kind, exif=exif(turn, 3))) for turn in range(1, 9)}
    assert len(keys) == 8
    assert picture_key(written(kind)) in keys


def test_a_heic_that_is_turned_by_its_box_is_another_picture():
    """Its EXIF says it once more and does not count."""
    plain = written("HEIF")
    at = plain.index(b"ispe") - 4
    assert picture_key(plain[: at + 12] + struct.pack(">II", 48, 64) + plain[at + 20 :]) != picture_key(plain)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000"])
def test_another_profile_is_another_picture(kind: str):
    """None, sRGB's, a wide one."""
    if kind == "JPEG2000":
        plain = written(kind)
        at = plain.index(b"colr")
        changed = [plain, plain[: at + 7] + struct.pack(">I", 17) + plain[at + 11 :]]
    else:
        changed = [written(kind), written(kind, icc_profile=SRGB), written(kind, icc_profile=wide_gamut_profile())]
    assert len({picture_key(data) for data in changed}) == len(changed)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_other_colours_by_number_are_another_picture(kind: str):
    """nclx: the same pixels shown as P3."""
    assert picture_key(with_nclx(written(kind), 12, 13)) != picture_key(written(kind))


@pytest.mark.parametrize("more", [b"gAMA\0\0\xb1\x8f", b"gAMA\0\1\x86\xa0", b"sRGB\0", b"cICP\x0c\x0d\0\1"])
def test_other_chunks_of_colour_are_another_picture(more: bytes):
    """PNG's own words for them."""
    plain = written("PNG")
    assert picture_key(plain[:33] + chunk(more[:4], more[4:]) + plain[33:]) != picture_key(plain)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF"])
def test_other_transparency_is_another_picture(kind: str):
    """Of a pixel's, of a palette's entry."""
    if kind == "GIF":
        picture = drawn().quantize(16)
        keys = {picture_key(written(kind, picture, **more)) for more in ({}, {"transparency": 1}, {"transparency": 2})}
    else:
        keys = set()
        for alpha in (255, 254, 0):
            picture = drawn().convert("RGBA")
            picture.paste((0, 0, 0, alpha), (8, 8, 40, 40))
            keys.add(picture_key(written(kind, picture)))
    assert len(keys) == 3


def test_another_palette_and_another_transparent_level_are_other_pictures():
    """PNG again."""
    picture = drawn().quantize(8)
    other = picture.copy()
    palette = list(picture.getpalette() or ())
    other.putpalette([255 - palette[0], *palette[1:]])
    files = [written("PNG", picture), written("PNG", other), written("PNG", picture, transparency=0)]
    assert len({picture_key(data) for data in files}) == 3


def test_pages_count():
    """All of a TIFF's."""
    pages = [written("TIFF", save_all=True, append_images=[drawn(mark)]) for mark in (1, 2)]
    assert len({picture_key(data) for data in [*pages, written("TIFF")]}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_walked_is_its_bytes(kind: str):
    """Cut off, another thing altogether: whatever comes, there is a key, and another one for other bytes."""
    whole = written(kind)
    keys = {picture_key(whole[:length]) for length in range(0, len(whole), max(1, len(whole) // 60))}
    assert len(keys) >= 55
    assert picture_key(b"") != picture_key(b"x")


@given(st.sampled_from([data for some in BASES.values() for data in some]), st.data())
def test_a_spoilt_file_has_a_key(whole: bytes, draw: st.DataObject):
    """Never an error, never a wait."""
    data = bytearray(whole)
    for _ in range(draw.draw(st.integers(1, 5))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    assert len(picture_key(bytes(data))) == 64


def test_items_of_a_heic_may_be_numbered_anew():
    """Editors write the boxes anew; what counts is what is made of what."""
    whole = written("HEIF", drawn().convert("RGBA"))
    found = isobmff.read(io.BytesIO(whole))
    assert len(found.shown()) == 2
    assert picture_key(written("HEIF", drawn().convert("RGBA"), exif=exif(1, 4))) == picture_key(whole)


def test_a_file_is_read_like_its_bytes(tmp_path):
    """By its path."""
    path = tmp_path / "a"
    path.write_bytes(written("PNG"))
    assert picture_key(path) == picture_key(written("PNG"))
