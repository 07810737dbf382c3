from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageCms

from batchbg.core.model import Size
from tests.support.pictures import Save, encoded, oriented, png_16_bit, probed, quarters, two_halves, wide_gamut_profile

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.avif"])
def test_the_size_is_that_of_the_upright_photo(save: Save, name: str, turn: int):
    """And what is not upright goes up as a copy."""
    exif = Image.Exif()
    exif[0x0112] = turn
    seen = probed(save(name, exif=exif))
    assert seen.pixels == (Size(40, 60) if turn >= 5 else Size(60, 40))
    assert seen.normalise == (f"EXIF orientation {turn}" if turn > 1 else "")


@pytest.mark.parametrize("orientation", [0, 1, 9, 255])
def test_no_turn_and_nonsense_are_no_turn(tmp_path, orientation):
    """Such a photo goes up as it is."""
    found = probed(tmp_path / "a.jpg", oriented(quarters(40, 24), orientation))
    assert (found.pixels, found.normalise) == (Size(40, 24), "")


def test_a_heic_is_turned_by_its_decoder_and_by_nobody_else(tmp_path: Path):
    """Its EXIF says it once more: a service that heeds both would turn it twice, so that a copy goes up."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.heic"
    two_halves().save(path, exif=exif)
    seen = probed(path)
    assert (seen.pixels, seen.normalise) == (Size(60, 40), "EXIF orientation 6")
    file = pillow_heif.open_heif(path)
    assert file.size == (60, 40)


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0" + bytes(60)])
def test_spoilt_metadata_is_no_reason_to_reject(save: Save, exif: bytes):
    """The picture is whole."""
    seen = probed(save("a.jpg", exif=exif))
    assert (seen.pixels, seen.rejected, seen.normalise) == (Size(60, 40), "", "")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_a_channel_are_normalised(tmp_path, channels):
    """Grey, grey with alpha, colour, colour with alpha."""
    found = probed(tmp_path / "a.png", png_16_bit(channels))
    assert found.pixels == Size(8, 8)
    assert found.normalise


def palette(transparent: bool) -> bytes:
    picture = quarters().quantize(4)
    return encoded(picture, "PNG", transparency=0) if transparent else encoded(picture, "PNG")


def with_profile(kind: str, profile: bytes) -> bytes:
    return encoded(quarters(), kind, icc_profile=profile)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


ODD = {
    "CMYK": lambda: encoded(quarters().convert("CMYK"), "JPEG"),
    "palette with transparency": lambda: palette(transparent=True),
    "wide-gamut profile": lambda: with_profile("JPEG", wide_gamut_profile()),
    "wide-gamut PNG": lambda: with_profile("PNG", wide_gamut_profile()),
    "GIF": lambda: encoded(quarters(), "GIF"),
    "float": lambda: encoded(quarters().convert("F"), "TIFF"),
    "CMYK TIFF": lambda: encoded(quarters().convert("CMYK"), "TIFF"),
    "16-bit TIFF": lambda: encoded(Image.new("I;16", (40, 24), 30_000), "TIFF"),
}


PLAIN = {
    "palette": lambda: palette(transparent=False),
    "alpha": lambda: encoded(quarters().convert("RGBA"), "PNG"),
    "grey": lambda: encoded(quarters().convert("L"), "PNG"),
    "grey JPEG": lambda: encoded(quarters().convert("L"), "JPEG"),
    "grey with alpha": lambda: encoded(quarters().convert("LA"), "PNG"),
    "black and white": lambda: encoded(quarters().convert("1"), "PNG"),
    "sRGB profile": lambda: with_profile("JPEG", SRGB),
    "spoilt profile": lambda: with_profile("JPEG", b"no profile"),
    "progressive": lambda: encoded(quarters(), "JPEG", progressive=True),
}


@pytest.mark.parametrize("name", ODD)
def test_what_would_come_out_wrong_is_normalised(tmp_path, name):
    """Each with a reason that a report can show."""
    found = probed(tmp_path / "a.jpg", ODD[name]())
    assert found.rejected == ""
    assert found.pixels == Size(40, 24)
    assert found.normalise


@pytest.mark.parametrize("name", PLAIN)
def test_what_comes_out_right_goes_up_as_it_is(tmp_path, name):
    """No copy without need: a copy loses a little."""
    found = probed(tmp_path / "a.jpg", PLAIN[name]())
    assert (found.rejected, found.normalise) == ("", "")
    assert found.extension
