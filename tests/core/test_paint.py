"""Colours and gradients: how they are read, and that each has one name."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from batchbg.core.colour_names import COLOUR_NAMES
from batchbg.core.model import Size
from batchbg.core.paint import looks_like_paint, paint_or_none, read_paint, shown_paint


def test_the_names_are_those_of_css():
    """Held against the list that Pillow keeps."""
    assert {name: ImageColor.getrgb(f"#{digits}") for name, digits in COLOUR_NAMES.items()} == {
        name: ImageColor.getrgb(name) for name in ImageColor.colormap
    }


@pytest.mark.parametrize(
    "text", ["white", "White", " white ", "#fff", "#FFF", "#ffffff", "rgb(255,255,255)", "rgb( 255 255 255 )"]
)
def test_one_colour_has_one_key_however_it_is_written(text: str):
    """Or it would be paid for twice."""
    assert str(read_paint(text)) == "#ffffff"
    assert read_paint(text).sha256 == read_paint("white").sha256


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("linear-gradient(#fff, #ddd)", "linear-gradient(to bottom, #ffffff, #dddddd)"),
        ("linear-gradient(180deg,white 0%,#ddd 100%)", "linear-gradient(to bottom, #ffffff, #dddddd)"),
        ("LINEAR-GRADIENT( to right , #000, #fff )", "linear-gradient(to right, #000000, #ffffff)"),
        ("linear-gradient(0.25turn, #000, #fff)", "linear-gradient(to right, #000000, #ffffff)"),
        ("linear-gradient(-90deg, #000, #fff)", "linear-gradient(to left, #000000, #ffffff)"),
        ("linear-gradient(720deg, #000, #fff)", "linear-gradient(to top, #000000, #ffffff)"),
        ("linear-gradient(405deg, #000, #fff)", "linear-gradient(45deg, #000000, #ffffff)"),
        ("linear-gradient(to right top, #000, #fff)", "linear-gradient(to top right, #000000, #ffffff)"),
        ("linear-gradient(red, lime, blue)", "linear-gradient(to bottom, #ff0000, #00ff00, #0000ff)"),
        (
            "linear-gradient(red 10%, lime, blue)",
            "linear-gradient(to bottom, #ff0000 10%, #00ff00 55%, #0000ff 100%)",
        ),
        (
            "linear-gradient(red 50%, lime 20%, rgb(0, 0, 255))",
            "linear-gradient(to bottom, #ff0000 50%, #00ff00 50%, #0000ff 100%)",
        ),
        (
            "linear-gradient(red 0% 50%, lime 50%)",
            "linear-gradient(to bottom, #ff0000 0%, #ff0000 50%, #00ff00 50%)",
        ),
        ("linear-gradient(45deg, #fff, white)", "#ffffff"),
    ],
)
def test_one_gradient_has_one_name(text: str, plain: str):
    """It is read again as itself."""
    paint = read_paint(text)
    assert str(paint) == plain
    assert read_paint(str(paint)) == paint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#ffff", "write #fff"),
        ("#ffffff80", "nothing is seen through a background; write #ffffff"),
        ("#FFFFFFFF", "write #ffffff"),
        ("#ggg", "no colour such as white"),
        ("#ff", "no colour"),
        ("whit", "did you mean 'white'"),
        ("transparent", "leave --backgrounds out"),
        ("rgb(256, 0, 0)", "no colour"),
        ("rgba(0, 0, 0, .5)", "no colour"),
        ("", "no colour"),
        ("radial-gradient(red, blue)", r"only linear-gradient\(...\) is known"),
        ("linear-gradient(red)", "needs two colours"),
        ("linear-gradient()", "no colour"),
        ("linear-gradient(to nowhere, red, blue)", "'to nowhere' is no direction"),
        ("linear-gradient(to top bottom, red, blue)", "no direction"),
        ("linear-gradient(to top top, red, blue)", "no direction"),
        ("linear-gradient(red, blue 12px)", "no colour"),
        ("linear-gradient(red, blue x%)", "'x%' is no place"),
        ("linear-gradient(red, blue nan%)", "'nan%' is no place"),
        ("linear-gradient(red, 30%, blue)", "no colour"),
        ("linear-gradient(red, #fff8)", "has an alpha"),
        ("linear-gradient(red, blue", "no colour"),
    ],
)
def test_what_is_no_paint_is_said_with_the_reason(text: str, told: str):
    """And what to write in its place."""
    with pytest.raises(ValueError, match=told):
        read_paint(text)
    assert paint_or_none(text) is None


@given(st.text(max_size=40) | st.from_regex(r"(linear-gradient)?\([#a-f0-9,% .-]*\)?", fullmatch=True))
def test_whatever_is_read_is_a_paint_or_a_valueerror(text: str):
    """Maps and files of settings hold anything."""
    paint = paint_or_none(text)
    assert paint is None or read_paint(str(paint)) == paint


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)), min_size=2, max_size=4),
    st.floats(-1e4, 1e4),
)
def test_a_gradient_that_is_written_down_comes_back_as_it_was(colours: list[tuple[int, int, int]], angle: float):
    """A job has it in the ledger as text alone, and its key has to stay."""
    parts = ", ".join(f"rgb({red}, {green}, {blue})" for red, green, blue in colours)
    paint = read_paint(f"linear-gradient({angle:.4f}deg, {parts})")
    assert read_paint(str(paint)) == paint
    assert read_paint(str(paint)).sha256 == paint.sha256


@pytest.mark.parametrize(
    ("towards", "right", "down"),
    [
        ("to bottom", 0, 1),
        ("to left", -1, 0),
        ("90deg", 1, 0),
        ("45deg", math.sqrt(0.5), -math.sqrt(0.5)),
        ("to top right", 0.6, -0.8),
        ("to bottom left", -0.6, 0.8),
    ],
)
def test_a_direction_is_that_of_css(towards: str, right: float, down: float):
    """On 400x300 the way into a corner is steeper than the diagonal."""
    found = read_paint(f"linear-gradient({towards}, #000, #fff)").direction(Size(400, 300))
    assert found == pytest.approx((right, down))


def test_between_two_places_a_colour_is_between_two_colours():
    """Before the first and after the last it stays, and a hard edge is one."""
    paint = read_paint("linear-gradient(#000 20%, #fff 40%, red 40%, red 80%)")
    assert [paint.at(way)[1] for way in (0, 0.2, 0.3, 0.3999, 0.4, 1)] == pytest.approx(
        [0, 0, 127.5, 254.9, 0, 0], abs=0.1
    )


def test_people_see_the_name_of_a_colour():
    """Beside what stands in the ledger."""
    assert shown_paint("#ffffff") == "#ffffff (white)"
    assert [shown_paint(text) for text in ("#f5f5f6", "wall.jpg", "")] == ["#f5f5f6", "wall.jpg", ""]


def test_what_can_only_be_meant_as_a_colour_is_known():
    """A folder is called otherwise."""
    meant = ["#fff", "#12", "rgb(1)", "hsl(1)", "linear-gradient(", "conic-gradient (red)"]
    assert [text for text in [*meant, "white", "walls", "wall (1).jpg", "#1 best"] if looks_like_paint(text)] == meant
