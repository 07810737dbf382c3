import dataclasses
import hashlib
import io
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image, ImageCms

from batchbg.core.finish_profiles import BUILT_IN
from batchbg.core.finishing import Canvas, Profile
from batchbg.core.marketplaces import unmet
from batchbg.disk import decoding, finishing
from batchbg.disk.finished import Finished
from batchbg.errors import ResultUnusable
from tests.support.marketplace_check import CHECKS, filled
from tests.support.pictures import wide_gamut_profile
from tests.support.products import COLOUR, SHAPES, cut_out, ring, two_parts
from tests.support.tiers import rest_slow

PLAIN = Profile(name="plain", margin=10, canvas=Canvas(1, 1, exact=False), background=None, format="png")


def finish(picture: Image.Image | bytes | Path, profile: Profile) -> Finished:
    """Finish a picture in this process."""
    path = picture if isinstance(picture, Path) else saved(picture)
    return finishing.finish(path, profile, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def saved(picture: Image.Image | bytes, name: str = "result.png", **options: Any) -> Path:
    path = Path(name)
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        picture.save(path, **options)
    return path


def pixel(picture: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    found = picture.getpixel(at)
    assert isinstance(found, tuple)
    return found


def levels(picture: Image.Image) -> tuple[int, int]:
    """Return the least and the greatest level of a channel."""
    low, high = cast(tuple[int, int], picture.getextrema())
    return low, high


def decoded(made: Finished) -> Image.Image:
    picture = Image.open(io.BytesIO(made.data))
    picture.load()
    return picture


# -- the marketplaces' rules


def test_every_built_in_profile_is_checked():
    assert CHECKS.keys() == BUILT_IN.keys()


@pytest.mark.parametrize("profile", rest_slow(BUILT_IN, fast=2))
@pytest.mark.parametrize("shape", rest_slow(SHAPES, fast=2))
def test_what_a_built_in_profile_makes_passes_an_independent_check_of_its_rule(shape, profile):
    """Also of a belt, a ring, two parts, a product at the edge, and one lost in alpha that nobody sees."""
    made = finish(SHAPES[shape](), BUILT_IN[profile])
    CHECKS[profile](made.data)
    rule = BUILT_IN[profile].rule
    assert rule is not None
    assert unmet(rule, made.facts) == []
    assert made.facts.size == len(made.data)
    assert made.facts.pixels == decoded(made).size
    assert made.facts.fill == pytest.approx(filled(decoded(made)), abs=0.02)


def test_what_fails_the_independent_check_fails_ours_too():
    """A picture on a background of its own, and a product that is too small."""
    rule = BUILT_IN["amazon"].rule
    assert rule is not None
    for picture, said in (
        (Image.linear_gradient("L").resize((900, 700)).convert("RGB"), "not pure white"),
        (cut_out((900, 900), lambda draw: draw.rectangle((300, 300, 500, 500), fill=255)), "at least 500"),
    ):
        made = finish(picture, BUILT_IN["amazon"])
        with pytest.raises(AssertionError):
            CHECKS["amazon"](made.data)
        assert said in "; ".join(unmet(rule, made.facts))


def test_a_shadow_is_no_pure_white():
    made = finish(ring(), dataclasses.replace(BUILT_IN["amazon"], shadow=40.0))
    assert not made.facts.white


# -- cut to the product


def test_it_is_cut_to_the_product_and_both_parts_of_it():
    """To the pixel: nothing of it is lost, and stray pixels that nobody sees do not hold it open."""
    product = cut_out((500, 400), lambda draw: draw.rectangle((120, 100, 319, 249), fill=255), soft=0)
    found = decoded(finish(product, dataclasses.replace(PLAIN, margin=0, canvas=None)))
    assert found.size == (200, 150)
    assert pixel(found, (0, 0)) == pixel(found, (199, 149)) == (*COLOUR, 255)
    product.putpixel((3, 3), (255, 255, 255, 8))
    assert decoded(finish(product, dataclasses.replace(PLAIN, margin=0, canvas=None))).size == (200, 150)
    assert decoded(finish(product, dataclasses.replace(PLAIN, margin=0, canvas=None, threshold=7))).size == (317, 247)
    both = decoded(finish(two_parts(), dataclasses.replace(PLAIN, margin=0, canvas=None)))
    assert both.size == pytest.approx((821, 641), abs=8)


def test_without_trimming_the_whole_picture_is_placed():
    product = cut_out((500, 400), lambda draw: draw.rectangle((120, 100, 319, 249), fill=255), soft=0)
    made = finish(product, dataclasses.replace(PLAIN, margin=0, canvas=None, trim=False))
    assert decoded(made).size == (500, 400)
    assert made.facts.fill == pytest.approx(0.4, abs=0.01)


def test_a_picture_without_transparency_is_only_scaled_and_padded_and_that_is_said():
    picture = Image.new("RGB", (900, 600), (10, 120, 10))
    made = finish(picture, dataclasses.replace(BUILT_IN["shopify"], longest=300, shadow=50.0))
    found = decoded(made)
    assert made.remarks == (finishing.OPAQUE,)
    assert found.size == (300, 300)
    assert found.getpixel((0, 40)) == (255, 255, 255)
    assert found.getpixel((0, 60)) == pytest.approx((10, 120, 10), abs=3)
    opaque = picture.convert("RGBA")  # an alpha that says nothing
    assert finish(opaque, dataclasses.replace(BUILT_IN["shopify"], longest=300)).remarks == (finishing.OPAQUE,)


def test_a_product_at_the_edge_of_its_photo_is_told():
    assert finish(SHAPES["cut by the edge"](), PLAIN).remarks == (finishing.CUT,)


def test_what_shows_nothing_is_refused():
    for alpha in (0, 8):
        picture = Image.new("RGBA", (60, 40), (200, 0, 0, alpha))
        with pytest.raises(ResultUnusable, match="nothing can be seen"):
            finish(picture, PLAIN)


# -- edges, colours


@pytest.mark.parametrize("background", [(255, 255, 255), (245, 245, 245), None])
def test_edges_have_no_halo(background):
    """Hidden black, however it is shrunk, makes no pixel darker than product and background are."""
    form = "png"
    profile = dataclasses.replace(PLAIN, background=background, format=form, longest=173)
    found = decoded(finish(ring(), profile))
    if background is None:
        on_white = Image.new("RGB", found.size, "white")
        on_white.paste(found, mask=found)
        found = on_white
    darkest = [levels(band)[0] for band in found.split()]
    assert all(low >= colour - 3 for low, colour in zip(darkest, COLOUR, strict=True))


def test_what_is_hidden_behind_transparency_is_not_handed_on():
    """The photo's own background would still be there for who looks."""
    product = cut_out((200, 200), lambda draw: draw.rectangle((50, 50, 149, 149), fill=255), soft=0)
    product.paste((1, 2, 3, 0), (60, 60, 100, 100))
    found = decoded(finish(product, PLAIN))
    colours = {one[:3] for _, one in found.getcolors(1 << 16) or [] if isinstance(one, tuple) and one[3] == 0}
    assert colours == {(0, 0, 0)}


def test_colours_come_out_in_srgb():
    """By the profile that the result has."""
    wide_gamut = wide_gamut_profile()
    product = cut_out((120, 120), lambda draw: draw.rectangle((20, 20, 99, 99), fill=255), soft=0)
    path = saved(product, "wide.png", icc_profile=wide_gamut)
    plain, wide = decoded(finish(product, PLAIN)), decoded(finish(path, PLAIN))
    middle = (wide.width // 2, wide.height // 2)
    source = ImageCms.getOpenProfile(io.BytesIO(wide_gamut))
    expected = ImageCms.profileToProfile(Image.new("RGB", (1, 1), COLOUR), source, ImageCms.createProfile("sRGB"))
    assert expected is not None
    assert pixel(wide, middle)[:3] == pytest.approx(expected.getpixel((0, 0)), abs=2)
    assert wide.getpixel(middle) != plain.getpixel(middle)
    assert "icc_profile" not in wide.info


def test_it_is_the_right_way_up_and_16_bits_become_8():
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decoded(finish(saved(Image.new("RGB", (90, 60), (9, 9, 9)), "turned.jpg", exif=exif), PLAIN))
    assert found.size == (90, 90)
    assert pixel(found, (0, 45))[3] == 0
    deep = saved(Image.new("I;16", (60, 60), 51400), "deep.png")
    assert pixel(decoded(finish(deep, PLAIN)), (30, 30))[0] == pytest.approx(200, abs=1)


# -- the shadow


@pytest.mark.parametrize("shape", rest_slow(SHAPES))
def test_a_shadow_is_soft_below_the_product_and_stays_inside_the_picture(shape):
    """Its darkest lies at the product's foot, and nothing of it reaches the frame's edge."""
    profile = dataclasses.replace(PLAIN, shadow=60.0, longest=400, margin=12)
    without = decoded(finish(SHAPES[shape](), dataclasses.replace(profile, shadow=0.0)))
    found = decoded(finish(SHAPES[shape](), profile))
    alpha, before = found.getchannel("A"), without.getchannel("A")
    box = before.getbbox()
    assert box is not None
    below = alpha.crop((0, box[3] + 1, found.width, found.height))
    assert 5 < levels(below)[1] < 0.7 * 255
    for edge in ((0, 0, 400, 2), (0, 398, 400, 400), (0, 0, 2, 400), (398, 0, 400, 400)):
        assert levels(alpha.crop(edge))[1] <= 3
    above = alpha.crop((0, 0, found.width, box[1] - 1))
    assert levels(above)[1] <= 3 or shape == "belt"


# -- formats, limits


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_the_file_is_in_the_format_that_is_asked_for(form):
    background = (255, 255, 255) if form == "jpeg" else None
    made = finish(ring(), dataclasses.replace(PLAIN, format=form, background=background, longest=200))
    assert decoded(made).format == form.upper()
    assert made.facts.opaque == (form == "jpeg")


def noise(side: int) -> Image.Image:
    picture = Image.effect_noise((side, side), 90).convert("RGBA")
    alpha = Image.new("L", picture.size)
    alpha.paste(255, (20, 20, side - 20, side - 20))
    picture.putalpha(alpha)
    return picture


@pytest.mark.parametrize(
    ("form", "most"), rest_slow([("jpeg", 60_000), ("jpeg", 15_000), ("webp", 30_000), ("png", 40_000)], fast=2)
)
def test_quality_is_lowered_and_then_the_size_until_the_file_is_small_enough(form, most):
    profile = dataclasses.replace(PLAIN, format=form, background=(255, 255, 255), max_bytes=most)
    made = finish(noise(400), profile)
    assert len(made.data) <= most
    assert any("to keep to max_bytes" in remark for remark in made.remarks)
    assert decoded(made).size == made.facts.pixels


def test_where_no_file_is_small_enough_that_is_said():
    with pytest.raises(ResultUnusable, match="raise max_bytes"):
        finish(noise(300), dataclasses.replace(PLAIN, max_bytes=300))


def test_the_same_is_made_every_time():
    """To the byte; so that what a crash left behind is known again."""
    for profile in (
        dataclasses.replace(BUILT_IN["amazon"], longest=300),
        dataclasses.replace(PLAIN, shadow=30.0, format="webp", longest=200),
    ):
        assert finish(ring(), profile).data == finish(ring(), profile).data


def test_enlarging_is_told():
    profile = dataclasses.replace(PLAIN, canvas=Canvas(2000, 2000, exact=True), enlarge=1.5)
    assert finish(ring(), profile).remarks == ("enlarged 1.50 times",)


# -- damaged files


def test_a_damaged_file_is_refused_and_a_changed_one_is_told():
    """Cut off, one byte changed in the middle, something else altogether; a retouched one is taken as it is."""
    whole = saved(ring()).read_bytes()
    known = hashlib.sha256(whole).hexdigest()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x55
    for spoilt in (whole[: len(whole) // 2], bytes(flipped), b"", b"no picture"):
        with pytest.raises(ResultUnusable, match="damaged"):
            finishing.finish(saved(spoilt, "spoilt.png"), PLAIN, known)
    assert finishing.finish(saved(two_parts(), "retouched.png"), PLAIN, known).remarks == (finishing.CHANGED,)


def test_it_is_done_in_a_decoder_s_process():
    """What comes back is plain values; a file over which the decoder dies is one result's trouble."""
    made = decoding.finish(saved(ring()), BUILT_IN["amazon"], "")
    assert made.facts.format == "jpeg"
    with pytest.raises(ResultUnusable):
        decoding.finish(saved(b"nothing", "bad.png"), BUILT_IN["amazon"], "")
    with pytest.raises(FileNotFoundError):
        decoding.finish(Path("gone.png"), BUILT_IN["amazon"], "")
