import hashlib
import io
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from batchbg.core.model import Size
from batchbg.disk.normalise import cover_crop, upright_copy
from batchbg.disk.results import check
from tests.photos.conftest import Save, png, see, two_halves

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


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


def near(one: tuple[int, ...], other: tuple[int, ...], within: int = 6) -> bool:
    return all(abs(a - b) <= within for a, b in zip(one, other, strict=True))


RED, BLUE = (200, 30, 30), (30, 30, 200)
CORNERS = {  # orientation: where the stored picture's top and bottom show
    1: ((0.5, 0.1), (0.5, 0.9)),
    2: ((0.5, 0.1), (0.5, 0.9)),
    3: ((0.5, 0.9), (0.5, 0.1)),
    4: ((0.5, 0.9), (0.5, 0.1)),
    5: ((0.1, 0.5), (0.9, 0.5)),
    6: ((0.9, 0.5), (0.1, 0.5)),
    7: ((0.9, 0.5), (0.1, 0.5)),
    8: ((0.1, 0.5), (0.9, 0.5)),
}


@pytest.mark.parametrize("turn", CORNERS)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_copies_are_upright(save: Save, name: str, turn: int):
    """In every orientation, and with the size that pairing counted on."""
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(name, exif=exif)
    copied = copy_of(path)
    assert copied.size == see(path).pixels
    top, bottom = CORNERS[turn]
    assert near(colour(copied, *top), RED, 12)
    assert near(colour(copied, *bottom), BLUE, 12)


def test_a_heic_is_not_turned_a_second_time(save: Save):
    """Its decoder has done it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    copied = copy_of(save("a.heic", exif=exif))
    assert copied.size == (60, 40)
    assert near(colour(copied, 0.5, 0.1), RED, 14)


def test_sixteen_bits_are_scaled_not_cut(put):
    """Grey and colour; nothing above 255 becomes white."""
    values = (0, 16_384, 32_768, 65_535)
    grey = put("grey.png", png((4, 1), 16, 0, b"\0" + struct.pack(">4H", *values)))
    assert see(grey).normalise == "more than 8 bits"
    assert [copy_of(grey).convert("L").getpixel((x, 0)) for x in range(4)] == pytest.approx([0, 64, 128, 255], abs=3)
    rgb = put("rgb.png", png((2, 1), 16, 2, b"\0" + struct.pack(">6H", 51_400, 7_710, 7_710, *[32_896] * 3)))
    assert see(rgb).normalise == "more than 8 bits"
    dark = put("dark.png", png((2, 1), 16, 0, b"\0" + struct.pack(">2H", 100, 200)))
    assert colour(copy_of(dark), 0, 0) == (0, 0, 0)


@pytest.mark.parametrize(("mode", "value"), [("I", 32_768), ("F", 0.5), ("I;16", 32_768)])
def test_deep_greys_keep_their_level(save: Save, mode: str, value: float):
    """Half is half."""
    picture = Image.new(mode, (8, 8), value)
    picture.putpixel((0, 0), 65_535 if mode != "F" else 1.0)
    path = save("a.tif", picture)
    assert see(path).normalise == "more than 8 bits"
    assert near(colour(copy_of(path), 0.9, 0.9), (128, 128, 128))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_kept(save: Save, mode: str):
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
    assert see(path).normalise == "palette with transparency"
    copied = copy_of(path)
    assert colour(copied, 0.5, 0.1)[3] == 0
    assert near(colour(copied, 0.5, 0.9), (*BLUE, 255))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_becomes_srgb(save: Save, name: str):
    """Colours stay what they were, within what the formula does to them."""
    path = save(name, two_halves().convert("CMYK"))
    assert see(path).normalise == "CMYK"
    assert near(colour(copy_of(path), 0.5, 0.1), RED, 12)


def wide_profile() -> bytes:
    """Display P3, made by exchanging sRGB's primaries: Pillow makes no other profile by itself."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for tag, values in primaries.items():
        at = profile.index(tag)
        offset = int.from_bytes(profile[at + 4 : at + 8], "big") + 8
        profile[offset : offset + 12] = struct.pack(">3i", *(round(value * 65536) for value in values))
    return bytes(profile)


def test_display_p3_is_converted_not_just_relabelled(save: Save):
    """Although its profile's name says sRGB: what it does to colours counts."""
    path = save("a.png", icc_profile=wide_profile())
    assert see(path).normalise == "wide-gamut profile"
    red = colour(copy_of(path), 0.5, 0.1)
    assert red[0] > RED[0] + 8  # the same colour is a stronger red in the smaller space
    assert near(red[1:], (0, 12), 14)


def test_srgb_goes_up_as_it_is(save: Save):
    """Whatever its profile is called."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert see(save("a.jpg", icc_profile=profile)).normalise == ""
    assert see(save("b.jpg", icc_profile=profile.replace(b"s\0R\0G\0B", b"X\0Y\0Z\0B"))).normalise == ""


def test_a_cover_crop_has_the_photos_exact_size_and_its_middle(save: Save):
    """Centred: as much is lost on one side as on the other."""
    wide = Image.new("RGB", (300, 100), (0, 0, 0))
    wide.paste((255, 255, 255), (100, 0, 200, 100))
    data, extension = cover_crop(save("a.png", wide), Size(50, 50))
    cropped = Image.open(io.BytesIO(data))
    assert (cropped.size, extension) == ((50, 50), "jpg")
    assert near(colour(cropped, 0.5, 0.5), (255, 255, 255))
    assert near(colour(cropped, 0.1, 0.5), (255, 255, 255), 12)


def test_results_that_show_nothing_or_nothing_new_get_a_remark(save: Save, tmp_path: Path):
    """They are paid for and kept; a person should look."""
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = Image.merge("RGB", [Image.effect_noise((20, 10), sigma) for sigma in (40, 50, 60)]).resize((200, 100))
    photo = save("photo.jpg", noise, quality=90, exif=exif)
    upright = noise.transpose(Image.Transpose.ROTATE_270)
    part = tmp_path / ".part"

    def remark(result: Image.Image, photo: Path | None = photo) -> str:
        result.save(part, "PNG")
        return check(part, Size(100, 200), photo).remark

    assert remark(upright) == "the result looks just like the photo"
    assert remark(upright, None) == ""
    assert remark(upright, tmp_path / "gone.jpg") == ""
    assert "blank" in remark(Image.new("RGB", (100, 200), 7))
    cut = upright.convert("RGBA")
    cut.putalpha(Image.linear_gradient("L").resize(cut.size))
    assert remark(cut) == ""
    cut.putalpha(0)
    assert "transparent" in remark(cut)
    assert "smaller than the photo" in remark(upright.rotate(180).resize((50, 100)))
