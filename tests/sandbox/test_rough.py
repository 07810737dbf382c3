import pytest
from PIL import Image, ImageDraw

from batchbg.sandbox.rough import compose

BOX = (70, 60, 150, 160)


def photo(backdrop: tuple[int, int, int], product: tuple[int, int, int]) -> Image.Image:
    drawn = Image.new("RGB", (240, 200), backdrop)
    ImageDraw.Draw(drawn).rectangle(BOX, product)
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("backdrop", [(255, 255, 255), pytest.param((40, 90, 60), marks=pytest.mark.slow)])
def test_a_product_before_a_plain_wall_is_cut_out(backdrop):
    """And what is of the wall's colour within it stays."""
    drawn = photo(backdrop, (200, 40, 30))
    ImageDraw.Draw(drawn).rectangle((100, 100, 110, 110), backdrop)
    made = compose(drawn, None)
    assert (made.mode, made.size) == ("RGBA", drawn.size)
    alpha = made.getchannel("A")
    assert [alpha.getpixel(at) for at in ((5, 5), (235, 195), (40, 100))] == [0, 0, 0]
    assert [alpha.getpixel(at) for at in ((75, 65), (105, 105), (145, 155))] == [255, 255, 255]


@pytest.mark.slow
def test_it_is_put_on_a_background_of_the_photo_s_size():
    made = compose(photo((255, 255, 255), (200, 40, 30)), Image.new("RGB", (10, 10), (0, 0, 255)))
    assert made.size == (240, 200)
    assert (made.getpixel((5, 5)), made.getpixel((100, 100))) == ((0, 0, 255, 255), (200, 40, 30, 255))


@pytest.mark.slow
def test_where_nothing_stands_out_the_photo_is_kept():
    assert compose(Image.new("RGB", (50, 50), (9, 9, 9)), None).getchannel("A").getextrema() == (255, 255)


@pytest.mark.slow
def test_transparency_that_the_photo_has_is_kept():
    drawn = photo((255, 255, 255), (200, 40, 30))
    drawn.putalpha(0)
    assert compose(drawn, None).getchannel("A").getextrema() == (0, 0)
