"""Colours and gradients as pictures."""

import io
import tracemalloc

import pytest
from PIL import Image

from batchbg.core.model import Size
from batchbg.core.paint import read_paint
from batchbg.disk import decoding, painting


def opened(text: str, size: Size) -> Image.Image:
    content, extension = painting.painted(read_paint(text), size)
    assert extension == "png"
    picture = Image.open(io.BytesIO(content), formats=["PNG"])
    picture.load()
    assert (picture.mode, picture.size) == ("RGB", size)
    return picture


@pytest.mark.parametrize("size", [Size(1, 1), Size(3, 2000), Size(2000, 3), Size(640, 129)], ids=str)
def test_a_colour_covers_every_pixel(size: Size):
    """A belt, a stamp, and heights between two bands."""
    assert opened("#f5f6f7", size).getcolors() == [(size.width * size.height, (245, 246, 247))]


@pytest.mark.parametrize("size", [Size(300, 200), Size(65, 640)], ids=str)
@pytest.mark.parametrize(
    ("text", "corners"),
    [
        ("linear-gradient(red, blue)", "rrbb"),
        ("linear-gradient(to top, red, blue)", "bbrr"),
        ("linear-gradient(to right, red, blue)", "rbrb"),
        ("linear-gradient(to top right, red, lime, blue)", "gbrg"),
        ("linear-gradient(to bottom left, red, lime, blue)", "grbg"),
    ],
)
def test_a_gradient_begins_and_ends_at_its_corners(text: str, corners: str, size: Size):
    """Top left, top right, bottom left, bottom right; whatever the picture's shape."""
    picture = opened(text, size)
    right, bottom = size.width - 1, size.height - 1
    found = [picture.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))]
    wanted = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255)}
    most = 3 * 255 / min(size)
    for pixel, letter in zip(found, corners, strict=True):
        assert pixel == pytest.approx(wanted[letter], abs=max(2.0, most))


def test_a_gradient_is_even_and_a_hard_edge_hard():
    """Each row of a hundred is where its share of the way is; across it nothing changes."""
    grey = opened("linear-gradient(#000, #fff)", Size(7, 100)).getchannel("R").tobytes()
    rows = [grey[start : start + 7] for start in range(0, 700, 7)]
    assert [row[0] for row in rows] == pytest.approx([255 * (y + 0.5) / 100 for y in range(100)], abs=1)
    assert all(len(set(row)) == 1 for row in rows)
    edge = opened("linear-gradient(to right, red 50%, blue 50%)", Size(100, 1))
    assert [edge.getpixel((x, 0)) for x in (0, 48, 51, 99)] == [(255, 0, 0), (255, 0, 0), (0, 0, 255), (0, 0, 255)]


@pytest.mark.slow
def test_a_large_colour_is_small_on_the_wire_and_in_memory():
    """12 megapixels in a few kilobytes, and never all of them at once."""
    tracemalloc.start()
    content, _ = painting.painted(read_paint("white"), Size(4000, 3000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(content) < 60_000
    assert peak < 5_000_000


def test_a_paint_is_made_where_pictures_are_decoded():
    """Nothing of Pillow's is loaded beside the key."""
    paint, size = read_paint("linear-gradient(white, #ddd)"), Size(40, 30)
    assert decoding.painted(paint, size) == painting.painted(paint, size)
    swatch = Image.open(io.BytesIO(decoding.swatch(paint, size, 80)))
    assert (swatch.format, swatch.size) == ("WEBP", size)
