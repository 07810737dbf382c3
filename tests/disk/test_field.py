"""Files as they come from the field, each of a kind of which others exist: what is made of them, what is said."""

import hashlib
import io
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image, ImageChops

from batchbg.core.model import PhotoInfo, Size
from batchbg.disk import decoder_pool, decoding, isobmff, memory, normalise
from batchbg.disk.not_pictures import PICTURE_NAMES
from batchbg.disk.patterns import Rules
from batchbg.disk.probe_limits import ProbeLimits
from batchbg.disk.scan import stamp_of, walk
from batchbg.errors import PhotoChanged
from tests.support import odd
from tests.support.made import SIZE, Tiff, colours, raw, tiff, with_hole, with_nclx
from tests.support.pictures import Save, chunk, encoded, png, probed
from tests.support.tiers import rest_slow

Put = Callable[[str, bytes], Path]


def decoded(path: Path, terms: ProbeLimits | None = None) -> PhotoInfo:
    """Look in a decoder's process, where a library's own words are heard."""
    stamp = stamp_of(path.stat())
    assert stamp is not None
    return decoding.probe(path, stamp, terms or ProbeLimits())


def sent(path: Path) -> Image.Image:
    """Return what goes up in the place of a file."""
    data, _ = normalise.upright_copy(path)
    return Image.open(io.BytesIO(data))


def levels(picture: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    found = picture.convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


def apart(one: Image.Image, other: Image.Image) -> int:
    """Return by how many levels two pictures differ at most."""
    extrema = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getextrema()
    return max(int(high) for _, high in extrema)  # type: ignore[misc]


# Cameras' raw files


RAW_ENDINGS = "raw dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 raf pef srw 3fr fff iiq mos erf kdc dcr mef x3f mrw eip"


@pytest.mark.parametrize("ending", RAW_ENDINGS.split())
def test_every_cameras_ending_is_claimed(put: Put, ending: str):
    """Neither ignored in silence nor taken for a damaged picture."""
    assert f".{ending}" in PICTURE_NAMES
    assert "camera's raw" in probed(put(f"IMG.{ending.upper()}", b"of its own kind" * 20)).rejected


@pytest.mark.parametrize("photometric", [32803, 34892])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["a.NEF", "a.tif", "a.jpg", "a"])
def test_a_raw_file_is_known_by_its_content(put: Put, photometric: int, order: str, name: str):
    """Its preview, which any program opens, is never paid for."""
    for first in (True, False):
        assert "camera's raw" in probed(put(name, raw(photometric, order, preview_first=first))).rejected


@pytest.mark.parametrize(
    "start",
    [
        b"II*\0\x10\0\0\0CR\2\0",
        b"IIU\0\x18\0\0\0",
        b"IIRO\x08\0\0\0",
        b"FUJIFILMCCD-RAW 0201",
        b"FOVb\0\0\2\0",
        b"\0MRM\0\0\1\0",
        b"II\x1a\0\0\0HEAPCCDR",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
    ],
)
def test_a_raw_file_of_another_making_called_jpg(put: Put, start: bytes):
    """By what it begins with."""
    assert "camera's raw" in probed(put("a.jpg", start + bytes(200))).rejected


def test_a_preview_before_its_picture_is_not_taken_for_it(put: Put):
    """A TIFF whose first picture is a small version of the second, in the chain or below."""
    made = Tiff()
    large = made.picture((128, 96), (8, 8, 8), bytes(128 * 96 * 3))
    data = made.begin_with(
        made.picture(SIZE, (8,) * 3, colours().tobytes(), tag_254=("I", (1,)), tag_330=("I", (large,)))
    )
    assert "begins with a preview" in probed(put("a.tif", data)).rejected


# Damage


@pytest.mark.parametrize("start", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize(
    ("options", "length"),
    [({}, 4096), ({}, 600), ({"subsampling": 0, "quality": 95}, 4096), ({"progressive": True}, 4096)],
)
def test_a_lost_block_of_a_jpeg_is_damage(put: Put, start: float, options: dict[str, object], length: int):
    """Its decoder fills the hole with grey and says nothing."""
    picture = Image.effect_noise((400, 300), 60).convert("RGB")
    whole = encoded(picture, "JPEG", **options)
    assert probed(put("whole.jpg", whole)).rejected == ""
    assert "corrupt" in probed(put("a.jpg", with_hole(whole, start, length))).rejected


@pytest.mark.slow
@pytest.mark.parametrize("mode", rest_slow(["RGB", "CMYK", "L"]))
@pytest.mark.parametrize(
    "options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": 0, "optimize": True, "quality": 95}]
)
def test_a_white_ground_is_no_damage(put: Put, mode: str, options: dict[str, object]):
    """Kilobytes of zeros may be what such a picture is made of; so may what stands before and behind it."""
    picture = Image.new("RGB", (3000, 2000), "white")
    picture.paste(colours(), (1500, 1000))
    for drawn in (picture, Image.new("RGB", (3000, 2000), "white"), Image.new("RGB", (3000, 2000), "black")):
        data = encoded(drawn.convert(mode), "JPEG", **options)
        comment = b"\xff\xfe" + struct.pack(">H", 5002) + bytes(5000)
        assert probed(put("a.jpg", data[:2] + comment + data[2:] + bytes(9000))).rejected == ""


@pytest.mark.parametrize("kind", rest_slow(["WEBP", "AVIF", "HEIF"]))
def test_half_of_a_file_lost_is_damage(put: Put, kind: str):
    """Its decoder makes something of it."""
    picture = Image.effect_noise((400, 300), 60).convert("RGB")
    whole = encoded(picture, kind, quality=90)
    assert probed(put("whole", whole)).rejected == ""
    for start, length in ((0.5, len(whole)), (0.4, 4096), (0.8, 4096)):
        assert "corrupt" in probed(put("a.jpg", with_hole(whole, start, length))).rejected


@pytest.mark.parametrize("kind", rest_slow(["PNG", "JPEG2000", "HEIF", "AVIF", "WEBP"], 2))
@pytest.mark.parametrize("colour", rest_slow(["white", "black"]))
def test_a_picture_of_one_colour_is_no_damage(put: Put, kind: str, colour: str):
    """However little there is to write; WebP does it with zeros in a row, more of them for more pixels."""
    size = (4000, 3000) if kind == "WEBP" else (1000, 750)
    assert probed(put("a", encoded(Image.new("RGB", size, colour), kind))).rejected == ""


@pytest.mark.parametrize("which", [b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"IEND"])
def test_a_wrong_check_in_a_png_is_damage(put: Put, which: bytes):
    """Pillow does not compare it where it decodes."""
    whole = encoded(colours().quantize(8), "PNG", transparency=0)
    at = whole.index(which)
    (length,) = struct.unpack_from(">I", whole, at - 4)
    data = bytearray(whole)
    data[at + 4 + length] ^= 1
    assert "corrupt" in probed(put("a.png", bytes(data))).rejected
    comment = chunk(b"tEXt", b"a\0b")[:-1] + b"?"
    assert probed(put("a.png", whole[:-12] + comment + whole[-12:])).rejected == ""


def test_what_a_library_says_of_a_file_is_damage_and_printed_nowhere(put: Put, capfd: pytest.CaptureFixture[str]):
    """Libtiff prints it and goes on."""
    draw = random.Random(1)
    picture = Image.frombytes("L", (400, 300), draw.randbytes(120_000)).convert("1")
    whole = encoded(picture, "TIFF", compression="group4")
    assert decoded(put("whole.tif", whole)).rejected == ""
    data = bytearray(whole)
    for place in range(2000, 2040):
        data[place] = draw.randrange(256)
    assert "corrupt" in decoded(put("a.tif", bytes(data))).rejected
    assert capfd.readouterr() == ("", "")


# Kinds that cannot be read


COUNT = SIZE[0] * SIZE[1]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (tiff((32,) * 3, bytes(COUNT * 12), sample_format=3), "32-bit float"),
        (tiff((16,) * 3, bytes(COUNT * 6), sample_format=3), "16-bit float"),
        (tiff((64,) * 3, bytes(COUNT * 24), sample_format=3), "64-bit float"),
        (tiff((16,) * 2, bytes(COUNT * 4), photometric=1, tag_338=("H", (2,))), "16-bit grey with transparency"),
        (tiff((32,) * 3, bytes(COUNT * 12)), "32 bits a channel"),
        (tiff((8,) * 3, bytes(COUNT * 3), photometric=8), "Lab"),
        (tiff((16,) * 3, bytes(COUNT * 6), photometric=8), "Lab"),
        (tiff((8,) * 3, bytes(100), photometric=32845, tag_259=("H", (34676,))), "LogLuv"),
        (tiff((8,) * 3, bytes(100), tag_259=("H", (34712,))), "JPEG 2000 inside"),
        (tiff((8,) * 3, bytes(100), tag_259=("H", (50002,))), "JPEG XL inside"),
        (tiff((16,) * 3, (bytes(COUNT * 2),) * 3, tag_284=("H", (2,))), "16 bits in separate planes"),
        (
            tiff((8,) * 2, bytes(COUNT * 2), photometric=1, tag_338=("H", (1,))),
            "grey with premultiplied transparency",
        ),
        (tiff((16,), bytes(COUNT * 2), photometric=3), "16-bit palette"),
        (tiff((8,), b"\x80\x7f" * (COUNT // 2), photometric=1, sample_format=2), "signed numbers"),
        (tiff((16,), b"\0\x80" * COUNT, photometric=1, sample_format=2), "signed numbers"),
    ],
)
@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_a_tiff_that_cannot_be_read_is_called_by_its_kind(put: Put, data: bytes, kind: str, name: str):
    """In a shop's words, with what to do: it is no damage, and copying it again would not help."""
    told = probed(put(name, data)).rejected
    assert told == f"a TIFF of a kind that cannot be read here ({kind}); save it as 8- or 16-bit RGB"


def test_a_bigtiff_is_a_tiff(put: Put):
    """Read where its kind is a usual one, called by its kind where it is not."""
    whole = encoded(colours(), "TIFF", big_tiff=True)
    assert whole.startswith(b"II+\0")
    assert apart(sent(put("a.tif", whole)), colours()) < 40
    lab = whole.replace(struct.pack("<HHQQ", 262, 3, 1, 2), struct.pack("<HHQQ", 262, 3, 1, 8))
    assert "of a kind that cannot be read here (Lab)" in probed(put("b.tif", lab)).rejected


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("channels", "photometric"), [(1, 1), (3, 2), (4, 2), (4, 5)])
def test_a_usual_tiff_that_is_cut_off_is_damaged(put: Put, bits: int, channels: int, photometric: int):
    """It is of a kind that can be read."""
    more: dict[str, Any] = {"tag_338": ("H", (2,))} if (channels, photometric) == (4, 2) else {}
    whole = tiff(
        (bits,) * channels, bytes(range(256)) * (COUNT * channels * bits // 8 // 256), photometric=photometric, **more
    )
    assert probed(put("whole.tif", whole)).rejected == ""
    at = struct.unpack_from("<I", whole, 4)[0]
    cut = bytearray(whole)
    entry = whole.index(struct.pack("<HHI", 273, 4, 1), at)
    struct.pack_into("<I", cut, entry + 8, len(whole) - 100)  # as if the pixels went on behind the end
    assert "corrupt" in probed(put("a.tif", bytes(cut))).rejected


def test_a_reason_never_quotes_a_library(put: Put):
    """Whatever it said."""
    picture = Image.effect_noise((200, 150), 90).convert("RGB")
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "GIF", "BMP"):
        whole = encoded(picture, kind)
        for part in (0.3, 0.6):
            told = probed(put("a.jpg", whole[: int(len(whole) * part)])).rejected
            assert told.startswith(("corrupt or cut off: it cannot", "not a picture, or a damaged one"))


# 16 bits


def test_grey_in_which_zero_is_white_is_turned_round(put: Put):
    """As everything else shows it."""
    values = [0, 257 * 64, 257 * 128, 65_535]
    data = tiff((16,), struct.pack("<4H", *values) * 12, (4, 12), photometric=0)
    path = put("a.tif", data)
    assert probed(path).normalise
    assert [levels(sent(path), (x, 6))[0] for x in range(4)] == pytest.approx([255, 191, 127, 0], abs=2)


@pytest.mark.parametrize(
    ("kind", "level"), [(0, struct.pack(">H", 40_000)), (2, struct.pack(">3H", 40_000, 300, 65_535))]
)
def test_a_transparent_level_of_16_bits_is_kept(put: Put, kind: int, level: bytes):
    """Grey and colour."""
    other = struct.pack(">H", 20_000) * (len(level) // 2)
    rows = (b"\0" + level * 3 + other * 3) * 6
    path = put("a.png", png((6, 6), 16, kind, rows, chunk(b"tRNS", level)))
    assert probed(path).normalise == "more than 8 bits"
    alpha = sent(path).getchannel("A")
    assert [alpha.getpixel((x, 3)) for x in range(6)] == [0, 0, 0, 255, 255, 255]


@pytest.mark.parametrize(("depth", "packed"), [(1, 0b10101010), (2, 0b01100110), (4, 0b00110101)])
def test_a_transparent_level_of_few_bits_is_kept(put: Put, depth: int, packed: int):
    """Pillow's pixels are on another scale than the chunk."""
    first = packed >> (8 - depth)
    path = put(
        "a.png",
        png((2 * 8 // depth // 2, 4), depth, 0, bytes([0, packed]) * 4, chunk(b"tRNS", struct.pack(">H", first))),
    )
    alpha = sent(path).getchannel("A")
    assert (alpha.getpixel((0, 2)), alpha.getpixel((1, 2))) == (0, 255)


def test_a_jpeg_2000_of_16_bits_goes_up_as_a_copy(put: Put):
    """Its header tells; Pillow makes 8 of them."""
    grey = Image.new("I;16", (40, 30), 257 * 100)
    path = put("a.jp2", encoded(grey, "JPEG2000"))
    assert probed(path).normalise == "more than 8 bits"
    assert levels(sent(path), (20, 15))[0] == pytest.approx(100, abs=1)


# Colours outside a profile


P3_TO_SRGB = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
"""Linear. Source: CSS Color 4, sample code."""

ADOBE_TO_SRGB = ((1.3984, -0.3984, 0.0), (0.0, 1.0, 0.0), (0.0, -0.0429, 1.0429))
SAME = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

COLOUR = (160, 90, 80)


def srgb(light: float) -> float:
    light = min(max(light, 0.0), 1.0)
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def linear(level: int) -> float:
    value = level / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def shown(matrix: tuple[tuple[float, ...], ...], curve: Callable[[int], float]) -> tuple[float, ...]:
    """Return ``COLOUR`` as a browser shows it: its light by ``curve``, its primaries by ``matrix``."""
    light = [curve(level) for level in COLOUR]
    return tuple(srgb(sum(a * b for a, b in zip(row, light, strict=True))) for row in matrix)


def gamma(exponent: float) -> Callable[[int], float]:
    return lambda level: (level / 255) ** exponent


def png_that_says(*chunks: bytes, mode: str = "RGB") -> bytes:
    picture = Image.new("RGB", (20, 20), COLOUR).convert(mode)
    whole = encoded(picture, "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def gama(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chrm(*points: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in points)))


ADOBE = chrm(0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SRGB_POINTS = chrm(0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (png_that_says(gama(1.0)), shown(SAME, gamma(1.0))),
        (png_that_says(gama(1 / 1.8)), shown(SAME, gamma(1.8))),
        (png_that_says(gama(0.45455), ADOBE), shown(ADOBE_TO_SRGB, linear)),
        (png_that_says(chunk(b"cICP", bytes([12, 13, 0, 1]))), shown(P3_TO_SRGB, linear)),
        (png_that_says(chunk(b"cICP", bytes([12, 13, 0, 1])), gama(1.0)), shown(P3_TO_SRGB, linear)),
        (png_that_says(chunk(b"cICP", bytes([1, 8, 0, 1]))), shown(SAME, gamma(1.0))),
        (
            with_nclx(encoded(Image.new("RGB", (64, 64), COLOUR), "AVIF", quality=100, subsampling="4:4:4"), 12, 13),
            shown(P3_TO_SRGB, linear),
        ),
        (
            with_nclx(encoded(Image.new("RGB", (64, 64), COLOUR), "HEIF", quality=100, chroma=444), 12, 13),
            shown(P3_TO_SRGB, linear),
        ),
    ],
)
def test_colours_are_what_a_browser_shows(put: Put, data: bytes, right: tuple[float, ...]):
    """ColourInfo by a chunk or a box, and not by a profile."""
    path = put("a", data)
    assert probed(path).normalise == "colours other than sRGB"
    assert levels(sent(path), (10, 10)) == pytest.approx(right, abs=4)


def test_grey_has_a_curve_as_well(put: Put):
    """A linear scan of something black and white."""
    path = put("a.png", png_that_says(gama(1.0), mode="L"))
    assert probed(path).normalise == "colours other than sRGB"
    with Image.open(path) as plain:
        level = levels(plain, (5, 5))[0]
    assert levels(sent(path), (5, 5))[0] == pytest.approx(srgb(level / 255), abs=2)


@pytest.mark.parametrize(
    "chunks",
    [
        (gama(0.45455),),
        (gama(0.45455), SRGB_POINTS),
        (SRGB_POINTS,),
        (chunk(b"sRGB", b"\0"), gama(1.0)),
        (chunk(b"cICP", bytes([1, 13, 0, 1])), gama(1.0)),
        (chunk(b"cICP", bytes([2, 2, 0, 1])),),
        (gama(0.0),),
        (chunk(b"gAMA", b"\0"),),
        (gama(0.45455), chrm(0, 0, 0, 0, 0, 0, 0, 0)),
        (chunk(b"cICP", b"\x0c"),),
    ],
)
def test_what_says_srgb_or_nonsense_goes_up_as_it_is(put: Put, chunks: tuple[bytes, ...]):
    """No copy without need, and no reject for a spoilt remark."""
    seen = probed(put("a.png", png_that_says(*chunks)))
    if seen.rejected:  # Pillow itself refuses a chunk that is too short
        assert len(chunks[0]) < 16
    else:
        assert seen.normalise == ""


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize("kind", ["PNG", "AVIF", "HEIF"])
def test_hdr_is_rejected_with_what_to_do(put: Put, transfer: int, name: str, kind: str):
    """Every screen shows it in its own way: a person has to choose one."""
    if kind == "PNG":
        data = png_that_says(chunk(b"cICP", bytes([9, transfer, 0, 1])))
    else:
        data = with_nclx(encoded(Image.new("RGB", (64, 64), COLOUR), kind), 9, transfer)
    told = probed(put("a", data)).rejected
    assert told == f"HDR ({name}), which every screen shows in its own way; save it as sRGB"


# Orientation


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
    b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def late_xmp() -> bytes:
    whole = encoded(colours(), "PNG")
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    return whole[:-12] + text + whole[-12:]


@pytest.mark.parametrize(
    "data",
    [
        encoded(colours(), "JPEG", xmp=XMP),
        encoded(colours(), "WEBP", xmp=XMP),
        encoded(colours(), "AVIF", xmp=XMP),
        late_xmp(),
        tiff((8,) * 3, colours().tobytes(), tag_700=("B", tuple(XMP))),
    ],
)
def test_only_exif_turns_a_picture(put: Put, data: bytes):
    """As browsers and libvips do, in pairing and in what goes up alike."""
    path = put("a", data)
    seen = probed(path)
    assert (seen.pixels, seen.normalise, seen.rejected) == (Size(*SIZE), "", "")
    assert sent(path).size == SIZE
    assert apart(sent(path), colours()) < 40
    assert normalise.miniature(path).size == normalise.MINIATURE


def test_exif_of_a_turned_tiff_with_xmp_counts_once(put: Put):
    """XMP says nothing else than EXIF, usually."""
    path = put("a.tif", tiff((8,) * 3, colours().tobytes(), tag_700=("B", tuple(XMP)), tag_274=("H", (6,))))
    assert (probed(path).pixels, probed(path).normalise) == (Size(SIZE[1], SIZE[0]), "EXIF orientation 6")
    assert apart(sent(path), colours().transpose(Image.Transpose.ROTATE_270)) < 40


def test_a_copy_is_made_of_the_bytes_that_were_paired(put: Put):
    """They are read once: compared and decoded."""
    data = encoded(colours(), "PNG")
    path = put("a.png", data)
    digest = hashlib.sha256(data).hexdigest()
    assert decoding.upright_copy(path, digest) == normalise.upright_copy(path)
    put("a.png", encoded(colours().rotate(180), "PNG"))
    told = r"a\.png has changed since it was checked"
    with pytest.raises(PhotoChanged, match=told):
        decoding.upright_copy(path, digest)
    with pytest.raises(PhotoChanged, match=told):
        decoding.cover_crop(path, Size(9, 9), digest)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PhotoChanged):
        decoding.thumbnail(path, 40, 80)


# Several pictures in a HEIC


@pytest.mark.parametrize("primary", [0, 1])
def test_the_primary_picture_of_a_heic_is_the_photo(put: Put, primary: int):
    """Phones put a second view beside it."""
    file: Any = pillow_heif.from_pillow(Image.new("RGB", (96, 64), "red"))
    file.add_from_pillow(Image.new("RGB", (64, 96), "blue"))
    data = io.BytesIO()
    file.save(data, primary_index=primary)
    path = put("a.heic", data.getvalue())
    seen = probed(path)
    assert (seen.rejected, seen.pixels) == ("", Size(96, 64) if primary == 0 else Size(64, 96))
    red, _, blue = levels(sent(path), (30, 30))
    assert (red > blue) is (primary == 0)


# Nothing to see


CLEAR = [
    encoded(Image.new("RGBA", (60, 40), (200, 10, 10, 0)), "PNG"),
    encoded(Image.new("LA", (60, 40), (200, 0)), "PNG"),
    encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 0)), "WEBP", lossless=True),
    encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 0)), "TIFF"),
    encoded(Image.new("P", (60, 40), 0), "GIF", transparency=0),
    encoded(Image.new("P", (60, 40), 0), "PNG", transparency=0),
    encoded(Image.new("RGB", (60, 40), (9, 9, 9)), "PNG", transparency=(9, 9, 9)),
    *(encoded(Image.new("RGB", (1, 1)), kind) for kind in ("GIF", "PNG", "JPEG", "BMP")),
]


@pytest.mark.parametrize("data", CLEAR)
def test_what_shows_nothing_is_not_paid_for(put: Put, data: bytes):
    """Spacers and forgotten layers; a person who wants them says so, and the verdict is then made anew."""
    path = put("a", data)
    told = probed(path)
    assert told.rejected == "blank: nothing in it to cut out; take it away, or give --allow-blank"
    assert ProbeLimits(allow_blank=True).may_change(told)
    assert not ProbeLimits().may_change(told)
    assert probed(path, limits=ProbeLimits(allow_blank=True)).rejected == ""


def test_what_shows_little_is_a_photo(put: Put):
    """A single pixel that can be seen, and one colour all over."""
    picture = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    picture.putpixel((59, 39), (0, 0, 0, 1))
    assert probed(put("a.png", encoded(picture, "PNG"))).rejected == ""
    assert probed(put("b.png", encoded(Image.new("RGB", (60, 40), "white"), "PNG"))).rejected == ""


# Names


@pytest.mark.parametrize(
    "name", ["lost.jpg?v=2", "lost.JPG?v=2&w=800", "lost.png@v=2", "lost.webp#top", "lost.jpeg;x=1"]
)
def test_an_address_saved_whole_claims_what_it_claimed(put: Put, name: str):
    """A page that says 404 is rejected as one, not ignored in silence; a picture is taken for what it is."""
    assert "a web page" in probed(put(name, b"<html><body>404 not found")).rejected
    assert probed(put(name, encoded(colours(), "JPEG"))).extension == "jpg"


@pytest.mark.parametrize("name", ["notes.txt?v=2", "what?", "a.b.c?d", "me@home.org", "x.jpg.zip"])
def test_other_names_claim_nothing(put: Put, name: str):
    assert probed(put(name, b"<html>")).rejected == ""


LEFT = [
    *("a.jpg~", "a.jpg_original", "a.JPG_ORIGINAL", "a.jpg.bak", "a.THM", "a.jpg.part", "a.jpg.crdownload"),
    *("a.jpg.partial", "a.jpg.download", "a.jpg.tmp"),
    *("#recycle/a.jpg", "@Recycle/a.jpg", "#snapshot/day/a.jpg", "Trash/a.jpg", "Network Trash Folder/a.jpg"),
    *("My.photoslibrary/resources/derivatives/a.jpg", "My.photoslibrary/Thumbnails/a.jpg", "x Previews.lrdata/a.jpg"),
]


def test_older_versions_and_bins_are_left_out_by_name(tmp_path: Path):
    """Whole pictures, all of them, and none that anybody wants a second time."""
    kept = [
        "a.jpg",
        "part.jpg",
        "original.jpg",
        "photo_original.jpg",
        "Trash can.jpg",
        "My.photoslibrary/originals/1/b.heic",
    ]
    for name in (*LEFT, *kept):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = [os.path.join(one.folder, name) for one in walk(tmp_path, [], Rules()) for name in one.files]  # noqa: PTH118
    assert sorted(found) == sorted(kept)


# Memory


def heic_of_tiles(across: int, down: int) -> bytes:
    """A HEIC as large as one wants, of one tile again and again."""
    tile = encoded(Image.effect_noise((512, 512), 20).convert("RGB"), "HEIF", quality=20)
    return grid(tile, across, down)


def box(kind: bytes, content: bytes, version: int | None = None) -> bytes:
    body = (b"" if version is None else bytes([version, 0, 0, 0])) + content
    return struct.pack(">I", 8 + len(body)) + kind + body


def grid(tile: bytes, across: int, down: int) -> bytes:
    file = io.BytesIO(tile)
    found = isobmff.read(file)
    item = found.items[found.primary]
    data = found.content(found.primary, file)
    (config,) = [content for kind, content in item.properties if kind == "hvcC"]
    count = across * down
    items = [(number, b"hvc1") for number in range(1, count + 1)] + [(count + 1, b"grid")]
    info = struct.pack(">H", len(items))
    info += b"".join(box(b"infe", struct.pack(">HH4s", number, 0, kind) + b"\0", 2) for number, kind in items)
    size = (512 * across, 512 * down)
    shared = [
        box(b"hvcC", config),
        box(b"ispe", struct.pack(">II", 512, 512), 0),
        box(b"ispe", struct.pack(">II", *size), 0),
        box(b"pixi", b"\3\x08\x08\x08", 0),
    ]
    uses = struct.pack(">I", len(items))
    uses += b"".join(struct.pack(">HB3B", number, 3, 0x81, 2, 4) for number in range(1, count + 1))
    uses += struct.pack(">HB2B", count + 1, 2, 3, 4)
    properties = box(b"iprp", box(b"ipco", b"".join(shared)) + box(b"ipma", uses, 0))
    described = struct.pack(">BBBBII", 0, 1, down - 1, across - 1, *size)
    references = box(b"iref", box(b"dimg", struct.pack(f">HH{count}H", count + 1, count, *range(1, count + 1))), 0)
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(start: int) -> bytes:
        places = struct.pack(">BBH", 0x44, 0, len(items))
        for number in range(1, count + 1):
            places += struct.pack(">HHHHII", number, 0, 0, 1, start, len(data))
        places += struct.pack(">HHHHII", count + 1, 1, 0, 1, 0, len(described))
        content = box(b"hdlr", bytes(4) + b"pict" + bytes(13), 0) + box(b"pitm", struct.pack(">H", count + 1), 0)
        content += box(b"iinf", info, 0) + references + properties + box(b"iloc", places, 1) + box(b"idat", described)
        return box(b"meta", content, 0)

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", data)


@pytest.mark.slow
def test_a_heic_of_200_megapixels_stays_within_its_memory(tmp_path: Path):
    """In a look, in a comparison, in a thumbnail; and it is a photo like any other."""
    path = tmp_path / "a.heic"
    path.write_bytes(heic_of_tiles(32, 24))
    assert decoded(path).pixels == Size(512 * 32, 512 * 24)
    assert decoder_pool.run(odd.most_memory) < 1_400_000_000
    thumb = decoding.thumbnail(path, 400, 80)
    with Image.open(io.BytesIO(thumb)) as small:
        assert small.size == (400, 300)


@pytest.mark.slow
def test_a_large_webp_is_read_where_it_is_decoded(put: Put):
    """Its decoder takes memory as soon as it is opened: that has been asked for by then."""
    for options in ({"lossless": True, "method": 0}, {"method": 0}):
        path = put("a.webp", encoded(Image.new("RGB", (7000, 5000), "white"), "WEBP", **options))
        assert decoded(path).pixels == Size(7000, 5000)
    vast = riff_of(16_383, 16_383)
    assert "268 megapixels as WEBP; at most 75" in decoded(put("b.webp", vast)).rejected


def riff_of(width: int, height: int) -> bytes:
    """A WebP of a few bytes that claims a canvas."""
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas + b"VP8 " + struct.pack("<I", 10) + bytes(10)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("kind", "limit"), rest_slow([("WEBP", 75), ("JPEG2000", 62), ("AVIF", 131), ("TIFF", 227), ("GIF", 227)], 2)
)
def test_what_would_not_fit_is_refused_from_its_header(
    save: Save, monkeypatch: pytest.MonkeyPatch, kind: str, limit: int
):
    """With how much would."""
    path = save("a", colours((400, 300)), format=kind)
    monkeypatch.setattr(memory, "MOST_BYTES", 120_000)
    told = probed(path).rejected
    assert f"as {kind}; at most" in told
    assert int(1.25e9 / memory.PIXEL_BYTES[kind] / 1e6) == limit


@pytest.mark.parametrize(("mode", "pixel_bytes"), [("RGB", 5.0), ("RGB;16", 8.5)])
def test_a_heic_of_more_than_8_bits_takes_more_memory(
    put: Put, monkeypatch: pytest.MonkeyPatch, mode: str, pixel_bytes: float
):
    """Refused from its header, too, where that is more than there is."""
    plain: Any = pillow_heif.from_bytes(mode=mode, size=(64, 64), data=bytes(64 * 64 * 3 * (1 + (mode != "RGB"))))
    data = io.BytesIO()
    plain.save(data)
    path = put("a.heic", data.getvalue())
    monkeypatch.setattr(memory, "MOST_BYTES", 64 * 64 * pixel_bytes)
    assert probed(path).rejected == ""
    monkeypatch.setattr(memory, "MOST_BYTES", 64 * 64 * pixel_bytes - 1)
    assert "megapixels as HEIF; at most" in probed(path).rejected
