"""Cut-out products of odd shapes, as results come: what is transparent hides black, edges are soft."""

from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

COLOUR = (200, 60, 40)

Draw = Callable[[ImageDraw.ImageDraw], None]


def cut_out(size: tuple[int, int], draw: Draw, soft: float = 1.0) -> Image.Image:
    """Return a product on hidden black."""
    mask = Image.new("L", size)
    draw(ImageDraw.Draw(mask))
    mask = mask.filter(ImageFilter.GaussianBlur(soft)) if soft else mask
    picture = Image.new("RGB", size)
    picture.paste(COLOUR, (0, 0), mask.point(lambda alpha: 255 if alpha else 0))
    picture.putalpha(mask)
    return picture


def belt() -> Image.Image:
    """Twenty times as wide as it is high."""
    return cut_out((1300, 200), lambda draw: draw.rectangle((50, 70, 1249, 129), fill=255))


def ring() -> Image.Image:
    def draw(on: ImageDraw.ImageDraw) -> None:
        on.ellipse((100, 100, 799, 799), fill=255)
        on.ellipse((300, 300, 599, 599), fill=0)

    return cut_out((900, 900), draw)


def two_parts() -> Image.Image:
    def draw(on: ImageDraw.ImageDraw) -> None:
        on.rectangle((80, 300, 260, 760), fill=255)
        on.rectangle((620, 120, 900, 700), fill=255)

    return cut_out((1000, 900), draw)


def cut_by_the_edge() -> Image.Image:
    return cut_out((800, 900), lambda draw: draw.ellipse((150, 300, 650, 1300), fill=255))


def nearly_empty() -> Image.Image:
    """A product in a sea of alpha that nobody sees, and a stray faint pixel in each corner."""

    def draw(on: ImageDraw.ImageDraw) -> None:
        on.rectangle((0, 0, 1199, 1199), fill=2)
        on.rectangle((400, 350, 899, 849), fill=255)
        on.point([(0, 0), (1199, 0), (0, 1199), (1199, 1199)], fill=8)

    return cut_out((1200, 1200), draw, soft=0)


SHAPES: dict[str, Callable[[], Image.Image]] = {
    "belt": belt,
    "ring": ring,
    "two parts": two_parts,
    "cut by the edge": cut_by_the_edge,
    "nearly empty": nearly_empty,
}
