"""What the marketplaces ask of a picture, checked with Pillow alone: nothing here knows how it was made.

The figures are those of their help pages, written down here once more.
"""

import io
from collections.abc import Callable

from PIL import Image, ImageChops

Checked = Callable[[bytes], None]


def opened(data: bytes) -> Image.Image:
    """Decode all of it, as the marketplace would: no alpha, no palette, three channels."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert picture.mode == "RGB", picture.mode
    assert picture.getexif().get(0x0112, 1) == 1
    return picture


def border_is(picture: Image.Image, colour: tuple[int, int, int], depth: int) -> bool:
    """Return whether a frame of so many pixels is of one colour, to the last bit."""
    width, height = picture.size
    boxes = (
        (0, 0, width, depth),
        (0, height - depth, width, height),
        (0, 0, depth, height),
        (width - depth, 0, width, height),
    )
    wanted = tuple((one, one) for one in colour)
    return all(picture.crop(box).getextrema() == wanted for box in boxes)


def filled(picture: Image.Image) -> float:
    """Return how much of the frame is not white, along its longer direction; losses of JPEG do not count."""
    white = Image.new("RGB", picture.size, "white")
    apart = ImageChops.difference(picture, white).convert("L").point(lambda level: 255 if level > 40 else 0)
    box = apart.getbbox()
    assert box is not None
    return max((box[2] - box[0]) / picture.width, (box[3] - box[1]) / picture.height)


def amazon(data: bytes) -> None:
    picture = opened(data)
    assert picture.format in ("JPEG", "PNG", "TIFF", "GIF")
    assert 500 <= max(picture.size) <= 10_000
    assert border_is(picture, (255, 255, 255), max(1, picture.width // 50))
    assert filled(picture) >= 0.85


def ebay(data: bytes) -> None:
    picture = opened(data)
    assert picture.format in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")
    assert max(picture.size) >= 500
    assert len(data) <= 12_000_000


def etsy(data: bytes) -> None:
    picture = opened(data)
    assert picture.format in ("JPEG", "PNG", "GIF")


def shopify(data: bytes) -> None:
    picture = opened(data)
    assert picture.format in ("JPEG", "PNG", "WEBP", "GIF")
    assert max(picture.size) <= 5_000
    assert picture.width * picture.height <= 25_000_000
    assert len(data) <= 20_000_000


def google(data: bytes) -> None:
    picture = opened(data)
    assert picture.format in ("JPEG", "WEBP", "PNG", "GIF", "BMP", "TIFF")
    assert min(picture.size) >= 500
    assert picture.width * picture.height <= 64_000_000
    assert len(data) <= 16_000_000
    assert 0.75 <= filled(picture) <= 0.90


CHECKS: dict[str, Checked] = {"amazon": amazon, "ebay": ebay, "etsy": etsy, "shopify": shopify, "google": google}
