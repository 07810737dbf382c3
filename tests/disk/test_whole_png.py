"""Whether a PNG is whole is told from its stream: never less strictly than by decoding it; so is what it shows."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from batchbg.core.model import Size
from batchbg.disk import verify, whole_png
from batchbg.disk.output_formats import OutputFormat
from batchbg.disk.whole_png import Damaged, Shown
from batchbg.errors import ResultUnusable
from tests.support.jpegs import textured
from tests.support.pictures import animated, checked_again, chunk, encoded, oriented, png, quarters
from tests.support.tiers import EXHAUSTIVE

Put = Callable[[str, bytes], Path]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of odd metadata


@pytest.fixture(autouse=True, params=["zlib", pytest.param("isal", marks=pytest.mark.slow)])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what Python has, and with what is faster."""
    name = "isal.isal_zlib" if request.param == "isal" else "zlib"
    monkeypatch.setattr(whole_png, "_zlib", pytest.importorskip(name, reason="isal is an extra"))


def look(data: bytes) -> Shown | None:
    return whole_png.check(io.BytesIO(data))


def is_refused(data: bytes) -> bool:
    """Return whether Pillow refuses to decode a PNG."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            picture.load()
    except Exception:  # a decoder raises anything on spoilt bytes
        return True
    return False


MODES = {"L": 0, "RGB": 2, "LA": 4, "RGBA": 6}


def row_left(kind: int, row: bytes, above: bytes, pixel: int) -> bytes:
    """Return what a filter leaves of a row."""
    made = bytearray()
    for at, value in enumerate(row):
        left = row[at - pixel] if at >= pixel else 0
        corner = above[at - pixel] if at >= pixel else 0
        up = above[at]
        near = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
        made.append((value - (0, left, up, (left + up) // 2, near)[kind]) & 255)
    return bytes([kind]) + bytes(made)


def filtered(picture: Image.Image, filters: list[int]) -> bytes:
    """Write a PNG by hand, its rows filtered as asked, again and again from the top."""
    pixel, data = len(picture.getbands()), picture.tobytes()
    size = picture.width * pixel
    rows, above = b"", bytes(size)
    for number in range(picture.height):
        row = data[number * size : (number + 1) * size]
        rows += row_left(filters[number % len(filters)], row, above, pixel)
        above = row
    return png(picture.size, 8, MODES[picture.mode], rows)


def interlaced(size: tuple[int, int], depth: int, colour: int, bits: int) -> bytes:
    """Write a PNG in seven passes."""
    rows = b""
    for left, top, across, down in whole_png._PASSES:
        width, height = len(range(left, size[0], across)), len(range(top, size[1], down))
        if width:
            rows += (b"\0" + b"\x55" * -(-width * bits // 8)) * height
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 1)
    return whole_png.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@st.composite
def drawn(draw: st.DrawFn) -> Image.Image:
    """A small picture: of one colour, clear at the top, all clear, or nothing of the kind."""
    mode = draw(st.sampled_from(list(MODES)))
    size = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    colour = tuple(draw(st.integers(0, 255)) for _ in Image.new(mode, (1, 1)).getbands())
    picture = Image.new(mode, size, colour if len(colour) > 1 else colour[0])
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        other = tuple(draw(st.sampled_from([0, 1, 255])) for _ in colour)
        picture.putpixel(place, other if len(other) > 1 else other[0])
    if mode in ("LA", "RGBA") and (rows := draw(st.integers(0, size[1]))):
        alpha = picture.getchannel("A")
        alpha.paste(0, (0, 0, size[0], rows))
        picture.putalpha(alpha)
    return picture


def shown_by_pixels(picture: Image.Image) -> tuple[bool, int]:
    """Return whether a picture is of one colour, and how many of its rows are transparent from the top on."""
    bands = [band.getextrema() for band in picture.split()]
    clear = 0
    if picture.mode in ("LA", "RGBA"):
        found = picture.getchannel("A").getbbox()
        clear = found[1] if found else picture.height
    return all(low == high for low, high in bands), clear


@settings(max_examples=1000 if EXHAUSTIVE else 50)
@given(drawn(), st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_what_a_picture_shows_is_told_from_what_its_filters_leave(picture: Image.Image, filters: list[int]):
    """As it is told from pixels."""
    data = filtered(picture, filters)
    with Image.open(io.BytesIO(data)) as written:
        assert written.tobytes() == picture.tobytes(), "the picture was not written as meant"
    shown = look(data)
    assert shown is not None
    assert (shown.is_uniform, shown.clear_rows) == shown_by_pixels(picture)
    with Image.open(io.BytesIO(shown.top())) as top:
        assert top.tobytes() == picture.crop((0, 0, picture.width, -(-picture.height // 8))).tobytes()


WHOLE = encoded(textured(), "PNG")
ODD = [
    *(encoded(textured().convert(mode), "PNG") for mode in ("1", "P", "I;16", "L", "LA", "RGBA")),
    encoded(textured().quantize(4), "PNG", transparency=0, bits=2),
    encoded(quarters(), "PNG", compress_level=0),
    encoded(quarters(), "PNG", optimize=True),
    animated("PNG"),
    *(
        interlaced(size, depth, colour, depth * channels)
        for size in ((1, 1), (2, 5), (5, 2), (33, 17))
        for depth, colour, channels in ((8, 2, 3), (16, 6, 4), (1, 0, 1), (8, 4, 2))
    ),
    WHOLE + b"trailing",
    WHOLE[:33] + chunk(b"tEXt", b"a\0b")[:-1] + b"?" + WHOLE[33:],
    WHOLE[:-12] + chunk(b"IDAT", b"") + chunk(b"IDAT", b"behind the stream") + WHOLE[-12:],
]


@pytest.mark.parametrize("data", [WHOLE, *ODD], ids=range(1 + len(ODD)))
def test_whatever_a_png_may_be_is_whole(data: bytes):
    """Every mode and depth, in passes, animated, with a comment that is spoilt or something behind its end."""
    look(data)


ROWS = b"\0" * 61 * 4
HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 4, 8, 2, 0, 0, 0))
END = chunk(b"IEND", b"")


def of(stream: bytes) -> bytes:
    return whole_png.SIGNATURE + HEADER + chunk(b"IDAT", stream) + END


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:7],
        WHOLE[:20],
        *(WHOLE[:-missing] for missing in (1, 4, 8, 12, 13, 500)),
        WHOLE[:1000] + bytes([WHOLE[1000] ^ 1]) + WHOLE[1001:],
        WHOLE[:8] + WHOLE[33:],
        of(zlib.compress(ROWS[:-1])),
        of(zlib.compress(ROWS)[:-20]),
        of(zlib.compress(ROWS)[:-4] + b"abcd"),
        of(zlib.compress(ROWS[:61] + b"\5" + ROWS[62:])),
        of(b"nonsense"),
        of(b""),
        whole_png.SIGNATURE + HEADER + END,
        whole_png.SIGNATURE + HEADER + chunk(b"IDAT", zlib.compress(ROWS))[:-1] + b"?" + END,
        whole_png.SIGNATURE + b"\xff\xff\xff\xffIDAT" + bytes(50),
        whole_png.SIGNATURE + chunk(b"IHDR", HEADER[8:20]) + END,
        whole_png.SIGNATURE + chunk(b"IHDR", bytes(13)) + END,
        interlaced((33, 17), 8, 2, 24).replace(b"\x11\x08\x02", b"\x12\x08\x02"),
    ],
    ids=range(23),
)
def test_what_is_cut_off_or_spoilt_is_damaged(data: bytes):
    """At its end, in its checks, its stream, its rows, its filters."""
    with pytest.raises(Damaged):
        look(data)


SMALL = [
    encoded(textured(1, (32, 32)).convert(mode), "PNG", compress_level=level)
    for mode in ("RGB", "RGBA", "P", "I;16", "1")
    for level in (0, 6)
] + [interlaced((16, 16), 8, 2, 24)]


@settings(max_examples=2000 if EXHAUSTIVE else 50)
@given(st.sampled_from(SMALL), st.randoms(use_true_random=False), st.integers(0, 4), st.booleans())
def test_what_a_decoder_refuses_is_never_called_whole(whole: bytes, draw: random.Random, how: int, right: bool):
    """Whatever was done to it, and whether its checks agree or not."""
    at, length = draw.randrange(8, len(whole)), draw.choice([1, 2, 9, 60])
    middle = (b"", bytes(length), draw.randbytes(length), b"\xff" * length, whole[at : at + length] * 2)[how]
    data = whole[:at] + middle + whole[at + length :]
    data = checked_again(data) if right else data
    if is_refused(data):
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)):
                pass
        except Exception:  # its header is read first in any case
            return
        with pytest.raises(Damaged):
            look(data)


@pytest.mark.slow
def test_a_stream_that_unpacks_to_gigabytes_is_left_where_its_rows_end():
    """A few kilobytes of them are read."""
    stream = zlib.compress(ROWS + bytes(50_000_000))
    assert look(of(stream)) == Shown(True, 0, whole_png._Header(20, 4, 8, 2, False), ROWS[:61])


# What becomes of a result


SIZE = (320, 256)


def remarks(put: Put, result: Image.Image, photo: bytes | None, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool]:
    """Return what is said of a result, and whether its pixels were looked at."""
    decoded: list[Any] = []
    blank = verify._blank

    def blank_by_pixels(picture: Image.Image) -> str:
        decoded.append(picture)
        return blank(picture)

    monkeypatch.setattr(verify, "_blank", blank_by_pixels)
    part = put("a.part", encoded(result, "PNG"))
    found = verify.verify(part, Size(*result.size), put("photo", photo) if photo else None, OutputFormat())
    return "; ".join(found.remarks), bool(decoded)


def cut(picture: Image.Image, top: int) -> Image.Image:
    """Leave the middle of a picture, from a row on."""
    made = Image.new("RGBA", picture.size)
    box = (picture.width // 4, top, picture.width * 3 // 4, picture.height)
    made.paste(picture.crop(box), box)
    return made


PHOTO = textured(5, SIZE)
JPEG = encoded(PHOTO, "JPEG", quality=92)
ECHO = "the result looks just like the photo"


@pytest.mark.parametrize(
    ("result", "photo", "said", "is_decoded"),
    [
        (cut(PHOTO, 20), JPEG, "", False),
        (cut(PHOTO, 0), JPEG, "", False),
        (cut(PHOTO, 20), encoded(cut(PHOTO, 20), "PNG"), ECHO, True),
        (textured(6, SIZE), JPEG, "", False),
        (Image.new("RGB", SIZE, (0, 90, 0)), JPEG, "the result is blank: one colour all over", False),
        (Image.new("RGBA", SIZE, (1, 2, 3, 0)), JPEG, "the result is empty: all of it is transparent", False),
        (Image.new("LA", SIZE, (9, 0)), JPEG, "the result is empty: all of it is transparent", False),
        (Image.new("P", SIZE, 3), JPEG, "the result is blank: one colour all over", True),
        (PHOTO, JPEG, ECHO, True),
        (PHOTO.convert("RGBA"), JPEG, ECHO, True),
        (PHOTO.transpose(Image.Transpose.ROTATE_180), oriented(PHOTO, 3, quality=92), ECHO, True),
        (PHOTO, None, "", False),
        (
            Image.composite(PHOTO, Image.new("RGB", SIZE, "white"), Image.linear_gradient("L").resize(SIZE)),
            JPEG,
            "",
            False,
        ),
    ],
    ids=range(13),
)
def test_pixels_are_looked_at_only_where_a_result_may_be_its_photo(
    put: Put,
    monkeypatch: pytest.MonkeyPatch,
    result: Image.Image,
    photo: bytes | None,
    said: str,
    is_decoded: bool,
):
    """And what is said of it is the same."""
    assert remarks(put, result, photo, monkeypatch) == (said, is_decoded)


def test_a_check_that_does_not_agree_is_no_whole_result(put: Put):
    """Nor is it where the result is saved in another format."""
    data = bytearray(encoded(PHOTO, "PNG"))
    at = data.index(b"IDAT") + 100
    data[at] ^= 1
    for form in (OutputFormat(), OutputFormat("WEBP")):
        with pytest.raises(ResultUnusable, match="not a whole picture"):
            verify.verify(put("a.part", bytes(data)), Size(*SIZE), None, form)
