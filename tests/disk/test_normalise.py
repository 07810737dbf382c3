import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from batchbg.core.model import Size
from batchbg.disk import decoding, memory
from batchbg.disk.normalise import cover_crop, upright_copy
from batchbg.errors import PhotoChanged
from tests.support.pictures import (
    ABOVE,
    BELOW,
    BLUE,
    GREEN,
    RED,
    WHITE,
    Save,
    encoded,
    noise,
    oriented,
    png,
    probed,
    quarters,
    two_halves,
    wide_gamut_profile,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def copied(tmp_path: Path, content: bytes) -> tuple[Any, str]:
    """Normalise ``content``; return the copy's picture and extension."""
    path = tmp_path / "photo"
    path.write_bytes(content)
    data, extension = upright_copy(path)
    assert path.read_bytes() == content
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert {"jpg": "JPEG", "png": "PNG"}[extension] == picture.format
    return picture, extension


def near(found: Any, wanted: Any, by: int = 12) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def corners(picture: Image.Image) -> list[Any]:
    right, low = picture.width - 4, picture.height - 4
    return [picture.convert("RGB").getpixel(place) for place in ((3, 3), (right, 3), (3, low), (right, low))]


UPRIGHT = [RED, GREEN, BLUE, WHITE]


AS_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera stores an upright picture under each orientation."""


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_copy_is_upright(tmp_path, orientation, kind):
    """And says so: no orientation is left that would turn it once more."""
    stored = quarters(48, 32).transpose(AS_STORED[orientation])
    picture, _ = copied(tmp_path, oriented(stored, orientation, kind))
    assert picture.size == (48, 32)
    assert all(near(found, wanted) for found, wanted in zip(corners(picture), UPRIGHT, strict=True))
    assert picture.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L", "1", "P"])
def test_what_has_no_alpha_becomes_a_jpeg_without_subsampling(tmp_path, mode):
    """Quality 95; three channels of 8 bits."""
    picture, extension = copied(tmp_path, encoded(quarters().convert(mode), "TIFF"))
    assert (extension, picture.mode, picture.size) == ("jpg", "RGB", (40, 24))
    assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3


def test_colours_survive(tmp_path):
    """CMYK, palette and plain ones."""
    for content in (
        encoded(quarters().convert("CMYK"), "JPEG", quality=95),
        encoded(quarters().convert("CMYK"), "TIFF"),
        encoded(quarters().quantize(4), "PNG"),
        encoded(quarters(), "GIF"),
    ):
        picture, _ = copied(tmp_path, content)
        assert all(near(found, wanted, 20) for found, wanted in zip(corners(picture), UPRIGHT, strict=True))


def alpha_of(picture: Image.Image) -> list[Any]:
    return [picture.getchannel("A").getpixel(place) for place in ((3, 3), (picture.width - 4, picture.height - 4))]


def half_transparent() -> Image.Image:
    picture = quarters().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.paste((255, 0, 0, 0), (0, 0, 20, 12))
    return picture


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_kept(tmp_path, kind):
    """As a PNG, every step of it."""
    original = half_transparent()
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    picture, extension = copied(tmp_path, encoded(original, kind, **options))
    assert (extension, picture.mode) == ("png", "RGBA")
    assert picture.getchannel("A").tobytes() == original.getchannel("A").tobytes()


def test_what_a_gif_leaves_of_its_screen_is_transparent(tmp_path):
    """As browsers show it; its decoder fills it with some colour of the palette."""
    picture = encoded(quarters().quantize(4), "GIF")
    screen = struct.pack("<HH", 60, 50)
    at = picture.index(b"\x2c\0\0\0\0")
    content = picture[:6] + screen + picture[10 : at + 1] + struct.pack("<HH", 10, 20) + picture[at + 5 :]
    copy, extension = copied(tmp_path, content)
    assert (extension, copy.mode, copy.size) == ("png", "RGBA", (60, 50))
    assert copy.getchannel("A").getbbox() == (10, 20, 50, 44)
    assert copy.getchannel("A").getextrema() == (0, 255)
    assert near(copy.getpixel((12, 22))[:3], RED)


def test_alpha_of_grey_and_of_palettes_is_kept(tmp_path):
    """LA, and a palette one of whose colours is transparent."""
    grey = half_transparent().convert("LA")
    picture, _ = copied(tmp_path, encoded(grey, "PNG"))
    assert picture.getchannel("A").tobytes() == grey.getchannel("A").tobytes()
    colours = quarters().quantize(4)
    transparent = colours.getpixel((3, 3))
    picture, extension = copied(tmp_path, encoded(colours, "PNG", transparency=transparent))
    assert (extension, alpha_of(picture)) == ("png", [0, 255])


def test_a_transparent_colour_of_an_rgb_png_is_kept(tmp_path):
    """A tRNS chunk without an alpha channel."""
    picture, extension = copied(tmp_path, encoded(quarters(), "PNG", transparency=RED))
    assert (extension, alpha_of(picture)) == ("png", [0, 255])


def test_a_16_bit_gradient_is_scaled_not_clipped(tmp_path):
    """Pillow's own conversion makes everything above 255 white."""
    row = b"\0" + struct.pack(">256H", *(value * 257 for value in range(256)))
    picture, _ = copied(tmp_path, png((256, 16), 16, 0, row * 16))
    middle = [picture.getpixel((x, 8))[0] for x in range(256)]
    assert all(abs(value - x) <= 3 for x, value in enumerate(middle))


def test_16_bit_grey_tiffs_are_scaled_too(tmp_path):
    """In either order of bytes."""
    picture, _ = copied(tmp_path, encoded(Image.new("I;16", (16, 16), 128 * 257), "TIFF"))
    assert near(picture.getpixel((8, 8)), (128, 128, 128), 2)


def test_the_copy_is_srgb(tmp_path):
    """Whatever profile the original has, none is left that says otherwise."""
    for kind in ("PNG", "JPEG"):
        content = encoded(half_transparent() if kind == "PNG" else quarters(), kind, icc_profile=wide_gamut_profile())
        picture, _ = copied(tmp_path, content)
        profile = picture.info.get("icc_profile")
        if profile:
            opened = ImageCms.getOpenProfile(io.BytesIO(profile))
            assert "srgb" in ImageCms.getProfileDescription(opened).lower()


def test_a_profile_changes_the_colours_as_it_says(tmp_path):
    """A real other space: linear light, in which middle grey has another number."""
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain, _ = copied(tmp_path, encoded(Image.new("RGB", (16, 16), (90, 90, 90)), "PNG"))
    assert near(plain.getpixel((8, 8)), (90, 90, 90), 2)
    spoilt, _ = copied(tmp_path, encoded(Image.new("RGB", (16, 16), (90, 90, 90)), "PNG", icc_profile=b"spoilt"))
    assert near(spoilt.getpixel((8, 8)), (90, 90, 90), 2)
    mismatched, _ = copied(tmp_path, encoded(Image.new("RGB", (16, 16), (90, 90, 90)), "PNG", icc_profile=linear))
    assert mismatched.size == (16, 16)


@pytest.mark.parametrize("size", [Size(64, 48), Size(48, 64), Size(1, 1), Size(7, 500), Size(500, 7), Size(333, 333)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_cover_crop_has_the_exact_size(tmp_path, size, kind):
    """So that the API has nothing to stretch."""
    path = tmp_path / "background"
    path.write_bytes(encoded(quarters(200, 100), kind))
    data, _ = cover_crop(path, size)
    assert Image.open(io.BytesIO(data)).size == size


def test_a_cover_crop_is_centred_and_not_stretched(tmp_path):
    """A wide background on a square photo loses its sides alike."""
    path = tmp_path / "background.png"
    picture = Image.new("RGB", (300, 100), BLUE)
    picture.paste(RED, (100, 0, 200, 100))
    path.write_bytes(encoded(picture, "PNG"))
    data, extension = cover_crop(path, Size(100, 100))
    square = Image.open(io.BytesIO(data))
    assert extension == "jpg"
    assert all(near(square.getpixel(place), RED) for place in ((4, 4), (95, 4), (50, 50), (4, 95), (95, 95)))


def test_a_turned_background_is_cropped_upright(tmp_path):
    """Its size after orientation is what pairing went by."""
    path = tmp_path / "background.jpg"
    path.write_bytes(oriented(quarters(48, 32).transpose(AS_STORED[6]), 6))
    data, _ = cover_crop(path, Size(48, 32))
    picture = Image.open(io.BytesIO(data))
    assert all(near(found, wanted) for found, wanted in zip(corners(picture), UPRIGHT, strict=True))


@pytest.mark.parametrize("content", [None, b"", b"no picture", encoded(noise(), "PNG")[:5000]])
def test_a_file_that_is_no_longer_a_picture_is_left_for_later(tmp_path, content):
    """It was one when it was looked at: this photo alone, and nothing is paid."""
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PhotoChanged, match=r"a\.png"):
        upright_copy(path)


def test_the_copy_of_the_same_file_is_the_same(tmp_path):
    """An upload is reused by what it was made of."""
    path = tmp_path / "a.jpg"
    path.write_bytes(oriented(quarters(), 6))
    assert upright_copy(path) == upright_copy(path)


def copy_of(path: Path) -> Image.Image:
    """What goes up in place of a file; the file itself stays as it is."""
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns
    data, extension = upright_copy(path)
    assert (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns) == before
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert extension == {"PNG": "png", "JPEG": "jpg"}[picture.format or ""]
    assert (picture.mode == "RGBA") == (extension == "png")
    assert picture.getexif().get(0x0112, 1) == 1
    assert "icc_profile" not in picture.info
    return picture


def colour(picture: Image.Image, x: float, y: float) -> tuple[int, ...]:
    found = picture.getpixel((int(picture.width * x), int(picture.height * y)))
    assert isinstance(found, tuple)
    return found


SHOWN = {  # orientation: where the stored picture's top and bottom show
    1: ((0.5, 0.1), (0.5, 0.9)),
    2: ((0.5, 0.1), (0.5, 0.9)),
    3: ((0.5, 0.9), (0.5, 0.1)),
    4: ((0.5, 0.9), (0.5, 0.1)),
    5: ((0.1, 0.5), (0.9, 0.5)),
    6: ((0.9, 0.5), (0.1, 0.5)),
    7: ((0.9, 0.5), (0.1, 0.5)),
    8: ((0.1, 0.5), (0.9, 0.5)),
}


@pytest.mark.parametrize("turn", SHOWN)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_in_every_format_a_copy_is_upright_and_of_the_size_that_pairing_counted_on(save: Save, name: str, turn: int):
    """In every orientation, and with the size that pairing counted on."""
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(name, exif=exif)
    copied = copy_of(path)
    assert copied.size == probed(path).pixels
    top, bottom = SHOWN[turn]
    assert near(colour(copied, *top), ABOVE, 12)
    assert near(colour(copied, *bottom), BELOW, 12)


def test_a_heic_is_not_turned_a_second_time(save: Save):
    """Its decoder has done it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    copied = copy_of(save("a.heic", exif=exif))
    assert copied.size == (60, 40)
    assert near(colour(copied, 0.5, 0.1), ABOVE, 14)


def test_sixteen_bits_are_scaled_not_cut(put):
    """Grey and colour; nothing above 255 becomes white."""
    values = (0, 16_384, 32_768, 65_535)
    grey = put("grey.png", png((4, 1), 16, 0, b"\0" + struct.pack(">4H", *values)))
    assert probed(grey).normalise == "more than 8 bits"
    assert [copy_of(grey).convert("L").getpixel((x, 0)) for x in range(4)] == pytest.approx([0, 64, 128, 255], abs=3)
    rgb = put("rgb.png", png((2, 1), 16, 2, b"\0" + struct.pack(">6H", 51_400, 7_710, 7_710, *[32_896] * 3)))
    assert probed(rgb).normalise == "more than 8 bits"
    dark = put("dark.png", png((2, 1), 16, 0, b"\0" + struct.pack(">2H", 100, 200)))
    assert colour(copy_of(dark), 0, 0) == (0, 0, 0)


@pytest.mark.parametrize(("mode", "value"), [("I", 32_768), ("F", 0.5), ("I;16", 32_768)])
def test_deep_greys_keep_their_level(save: Save, mode: str, value: float):
    """Half is half."""
    picture = Image.new(mode, (8, 8), value)
    picture.putpixel((0, 0), 65_535 if mode != "F" else 1.0)
    path = save("a.tif", picture)
    assert probed(path).normalise == "more than 8 bits"
    assert near(colour(copy_of(path), 0.9, 0.9), (128, 128, 128), 6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_of_every_mode_is_kept(save: Save, mode: str):
    """As PNG."""
    picture = two_halves().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((60, 40)))
    copied = copy_of(save("a.tif", picture.convert(mode)))
    assert copied.mode == "RGBA"
    assert copied.getchannel("A").getextrema() == pytest.approx((0, 255), abs=8)


def test_a_palettes_transparent_colour_becomes_alpha(save: Save):
    """And the file is known to need a copy."""
    picture = two_halves().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    path = save("a.png", picture, transparency=picture.getpixel((0, 0)))
    assert probed(path).normalise == "palette with transparency"
    copied = copy_of(path)
    assert colour(copied, 0.5, 0.1)[3] == 0
    assert near(colour(copied, 0.5, 0.9), (*BELOW, 255), 6)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_becomes_srgb(save: Save, name: str):
    """Colours stay what they were, within what the formula does to them."""
    path = save(name, two_halves().convert("CMYK"))
    assert probed(path).normalise == "CMYK"
    assert near(colour(copy_of(path), 0.5, 0.1), ABOVE, 12)


def test_display_p3_is_converted_not_just_relabelled(save: Save):
    """Although its profile's name says sRGB: what it does to colours counts."""
    path = save("a.png", icc_profile=wide_gamut_profile("sRGB"))
    assert probed(path).normalise == "wide-gamut profile"
    red = colour(copy_of(path), 0.5, 0.1)
    assert red[0] > ABOVE[0] + 8  # the same colour is a stronger red in the smaller space
    assert near(red[1:], (0, 12), 14)


def test_srgb_goes_up_as_it_is(save: Save):
    """Whatever its profile is called."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert probed(save("a.jpg", icc_profile=profile)).normalise == ""
    assert probed(save("b.jpg", icc_profile=profile.replace(b"s\0R\0G\0B", b"X\0Y\0Z\0B"))).normalise == ""


def test_a_cover_crop_has_the_photos_exact_size_and_its_middle(save: Save):
    """Centred: as much is lost on one side as on the other."""
    wide = Image.new("RGB", (300, 100), (0, 0, 0))
    wide.paste((255, 255, 255), (100, 0, 200, 100))
    data, extension = cover_crop(save("a.png", wide), Size(50, 50))
    cropped = Image.open(io.BytesIO(data))
    assert (cropped.size, extension) == ((50, 50), "jpg")
    assert near(colour(cropped, 0.5, 0.5), (255, 255, 255), 6)
    assert near(colour(cropped, 0.1, 0.5), (255, 255, 255), 12)


LARGE = Size(16_384, 12_288)
"""Of a phone's photo of 200 megapixels."""


def test_memory_for_a_crop_is_asked_for_by_the_size_that_it_gets(save: Save, monkeypatch: pytest.MonkeyPatch):
    """A small background for a large photo, before anything of it is allocated; within what one picture may take."""
    monkeypatch.setattr(memory._Grant, "limit", memory.USUAL_BYTES)
    with pytest.raises(memory.NeedsMemory) as asked:
        cover_crop(save("a.jpg"), LARGE)
    assert 4 * LARGE.width * LARGE.height < asked.value.need <= memory.MOST_BYTES
    clear = save("a.png", half_transparent())
    with pytest.raises(PhotoChanged, match=r"a crop of 16384x12288 of a\.png takes too much memory"):
        cover_crop(clear, LARGE)


@pytest.mark.slow
def test_a_small_background_is_cropped_for_a_large_photo(save: Save):
    """With the memory that it has asked for."""
    size = Size(9000, 6750)
    data, extension = decoding.cover_crop(save("a.jpg"), size)
    with Image.open(io.BytesIO(data)) as cropped:
        assert (cropped.size, extension) == (size, "jpg")
