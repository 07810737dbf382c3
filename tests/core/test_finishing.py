import dataclasses
import math
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from batchbg.core.finish_profiles import BUILT_IN
from batchbg.core.finishing import LEAST_QUALITY, LEAST_SIDE, MOST_SIDE, Canvas, Profile, arrange, qualities, smaller
from batchbg.core.marketplaces import Facts, advice, unmet
from batchbg.core.model import Size

sides = st.one_of(st.integers(1, 40), st.integers(1, 6_000))
sizes = st.builds(Size, sides, sides)
ratios = st.builds(lambda width, height: Canvas(width, height, exact=False), st.integers(1, 20), st.integers(1, 20))
exact = st.builds(
    lambda width, height: Canvas(width, height, exact=True), st.integers(100, 4000), st.integers(200, 4000)
)
profiles = st.builds(
    Profile,
    name=st.just("any"),
    margin=st.floats(0, 40),
    canvas=st.one_of(st.none(), ratios, exact),
    longest=st.one_of(st.none(), st.integers(100, 5_000)),
    at_least=st.one_of(st.none(), st.integers(100, 5_000)),
    enlarge=st.one_of(st.just(1.0), st.floats(1, 4)),
)


@given(sizes, profiles, st.booleans())
@example(Size(4000, 200), BUILT_IN["amazon"], True)
@example(Size(1, 1), Profile(name="any", margin=40, canvas=Canvas(20, 1, exact=False), longest=100), True)
def test_the_product_stands_inside_in_the_middle_and_its_margin_is_kept_to_the_pixel(product, profile, trimmed):
    """Whatever its shape and that of the canvas."""
    found = arrange(product, profile, trimmed=trimmed)
    right = found.canvas.width - found.left - found.product.width
    below = found.canvas.height - found.top - found.product.height
    assert min(found.left, found.top, right, below) >= found.margin >= 0
    assert abs(found.left - right) <= 1
    assert abs(found.top - below) <= 1
    assert min(found.product) >= 1
    shorter = min(found.canvas)
    asked = math.ceil(profile.margin / 100 * shorter) if trimmed else 0
    assert found.margin == min(asked, (shorter - 1) // 2)
    assert max(found.canvas) <= min(profile.longest or MOST_SIDE, MOST_SIDE)


@given(sizes, profiles)
def test_it_is_never_distorted_and_never_enlarged_beyond_what_is_allowed(product, profile):
    """Each side is what the scale makes of it, to half a pixel where the margin lets it; one pixel at least."""
    found = arrange(product, profile)
    assert found.scale <= profile.enlarge + 1e-9
    for before, after in zip(product, found.product, strict=True):
        assert abs(after - max(1, before * found.scale)) <= 1


@given(sizes, profiles, st.integers(100, 5_000))
def test_a_canvas_has_its_shape(product, profile, longest):
    """To the pixel that whole pixels leave; exact pixels are exact, unless they are more than is allowed."""
    found = arrange(product, profile, longest=longest).canvas
    if profile.canvas is None:
        return
    shape = profile.canvas
    if shape.exact and max(shape.width, shape.height) <= min(longest, profile.longest or longest):
        assert found == (shape.width, shape.height)
    if shape.width >= shape.height:
        assert abs(found.height - found.width * shape.height / shape.width) <= 0.5 or found.height == 1
    else:
        assert abs(found.width - found.height * shape.width / shape.height) <= 0.5 or found.width == 1


@given(sizes, profiles)
def test_a_product_that_need_not_be_smaller_keeps_its_pixels(product, profile):
    """Nothing is resampled by a hair because of a margin that has to be whole pixels."""
    profile = dataclasses.replace(profile, longest=None, at_least=None, enlarge=1.0)
    assume(profile.canvas is None or not profile.canvas.exact)
    found = arrange(product, profile)
    assume(max(found.canvas) < MOST_SIDE)
    assert found.product == product


def test_a_small_product_is_enlarged_as_far_as_it_may_be():
    """Toward the side that is asked for, and no further."""
    profile = Profile(name="any", margin=0, canvas=Canvas(1, 1, exact=False), at_least=1000, enlarge=1.5)
    assert arrange(Size(800, 400), profile).canvas == (1000, 1000)
    assert arrange(Size(800, 400), profile).product == (1000, 500)
    assert arrange(Size(400, 400), profile).canvas == (600, 600)
    assert arrange(Size(1200, 400), profile).product == (1200, 400)


def test_an_exact_canvas_stays_and_a_small_product_stands_small_in_it():
    """How much it would have to be enlarged is known, to be told."""
    found = arrange(Size(500, 250), Profile(name="any", margin=5, canvas=Canvas(2000, 2000, exact=True)))
    assert (found.canvas, found.product, found.wanted) == ((2000, 2000), (500, 250), 3.6)
    assert found.fill == 0.25


def test_a_picture_with_a_background_of_its_own_gets_no_margin():
    found = arrange(Size(1000, 500), BUILT_IN["amazon"], trimmed=False)
    assert (found.canvas, found.left, found.top) == ((1000, 1000), 0, 250)


# -- a limit of bytes


def test_quality_is_lowered_step_by_step_only_where_there_is_a_limit():
    assert qualities(Profile(name="any", quality=90)) == (90,)
    assert qualities(Profile(name="any", quality=90, max_bytes=10**6)) == (90, 85, 80, 75, 70, 65, 60)
    assert qualities(Profile(name="any", quality=40, max_bytes=10**6)) == (40,)
    assert qualities(Profile(name="any", format="png", max_bytes=10**6)) == (90,)


@given(st.integers(LEAST_SIDE, 8_000), st.integers(2, 10**8), st.data())
def test_a_picture_becomes_smaller_at_each_try_and_that_has_an_end(side, size, data):
    most = data.draw(st.integers(1, size - 1))
    tries = 0
    while side := smaller(Size(side, 50), size, most):
        assert side >= LEAST_SIDE
        tries += 1
        assert tries < 40


# -- profiles and rules


def test_a_profile_is_another_when_its_pictures_are():
    """Not where only its name, its folder or its file names are."""
    one = BUILT_IN["amazon"]
    assert dataclasses.replace(one, name="mine", names="{sku}", rule=None).digest == one.digest
    changes: dict[str, Any] = {
        "margin": 4.0,
        "shadow": 1.0,
        "quality": 91,
        "canvas": None,
        "background": None,
        "trim": False,
    }
    found = {dataclasses.replace(one, **{key: value}).digest for key, value in changes.items()}
    assert len(found | {one.digest}) == len(changes) + 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_rule_says_where_it_is_published_and_as_of_when(name):
    rule = BUILT_IN[name].rule
    assert rule is not None
    assert rule.source.title
    assert rule.source.address.startswith("https://")
    assert rule.source.as_of.startswith("202")
    assert BUILT_IN[name].format in rule.formats
    assert BUILT_IN[name].quality >= LEAST_QUALITY


GOOD = Facts(format="jpeg", pixels=Size(2000, 2000), size=10**6, opaque=True, white=True, fill=0.86, wanted=0.9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_good_picture_meets_every_rule(name):
    rule = BUILT_IN[name].rule
    assert rule is not None
    assert unmet(rule, GOOD) == advice(rule, GOOD) == []


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("amazon", {"format": "webp"}, "it is webp"),
        ("amazon", {"pixels": Size(499, 499)}, "at least 500"),
        ("amazon", {"pixels": Size(10_001, 5)}, "at most 10000"),
        ("amazon", {"white": False}, "not pure white"),
        ("amazon", {"opaque": False}, "transparent"),
        ("amazon", {"fill": 0.84}, "84% of the frame, at least 85%"),
        ("amazon", {"fill": 0.3, "wanted": 3.0}, "enlarged 3.0 times"),
        ("ebay", {"pixels": Size(499, 20)}, "at least 500"),
        ("etsy", {"opaque": False}, "transparent"),
        ("shopify", {"pixels": Size(5001, 5)}, "at most 5000"),
        ("shopify", {"size": 20_000_001}, "at most 20 MB"),
        ("google", {"pixels": Size(2000, 499)}, "shorter side has 499"),
        ("google", {"pixels": Size(9000, 9000)}, "64 megapixels"),
    ],
)
def test_what_a_rule_misses_is_said(name, change, said):
    rule = BUILT_IN[name].rule
    assert rule is not None
    (found,) = unmet(rule, dataclasses.replace(GOOD, **change))
    assert said in found


def test_what_is_only_advised_is_no_fault():
    rule = BUILT_IN["google"].rule
    assert rule is not None
    small = dataclasses.replace(GOOD, pixels=Size(800, 700), fill=0.95)
    assert unmet(rule, small) == []
    assert len(advice(rule, small)) == 2
