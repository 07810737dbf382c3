"""Draw what is printed on the products: bottle label, carton panels, watch dial. Pillow's own font, so the same everywhere."""

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

CREAM: Colour = (244, 238, 222)
GREEN: Colour = (16, 66, 60)
GOLD: Colour = (206, 164, 92)


def draw_prints(folder: Path) -> None:
    """Write every print as a PNG into ``folder``, where the scenes find it."""
    _oil_label().save(folder / "label-oil.png")
    _carton_front().save(folder / "carton-front.png")
    _carton_side().save(folder / "carton-side.png")
    _watch_dial().save(folder / "watch-dial.png")


def _centred(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: Colour) -> None:
    draw.text((x, y), text, font=ImageFont.load_default(size), fill=colour, anchor="mm")


def _leaf(draw: ImageDraw.ImageDraw, x: float, y: float, length: float, angle_deg: float, colour: Colour) -> None:
    """Draw a pointed leaf from (x, y) outwards; lengths in pixels, angle clockwise from the right."""
    angle = math.radians(angle_deg)
    outline = []
    for side in (1, -1):
        steps = range(13) if side == 1 else range(12, -1, -1)
        for step in steps:
            along, across = length * step / 12, side * length * 0.2 * math.sin(math.pi * step / 12)
            outline.append(
                (
                    x + along * math.cos(angle) - across * math.sin(angle),
                    y + along * math.sin(angle) + across * math.cos(angle),
                )
            )
    draw.polygon(outline, fill=colour)


def _oil_label() -> Image.Image:
    """Return the label unrolled: the whole girth of the bottle, the front in the middle."""
    image = Image.new("RGB", (2200, 800), CREAM)
    draw = ImageDraw.Draw(image)
    for y in (22, 762):
        draw.rectangle((0, y, 2200, y + 14), fill=(86, 98, 42))
    draw.line((1100, 120, 1100, 300), fill=(92, 84, 44), width=7)
    for index in range(4):
        _leaf(draw, 1100, 285 - index * 42, 96, -35, (110, 124, 58))
        _leaf(draw, 1100, 275 - index * 42, 96, -145, (86, 98, 42))
    draw.ellipse((1075, 250, 1135, 325), fill=(54, 62, 28))
    _centred(draw, 1100, 400, "Monte Sol", 116, (54, 62, 28))
    _centred(draw, 1100, 500, "EXTRA VIRGIN OLIVE OIL", 44, (92, 84, 44))
    draw.line((960, 558, 1240, 558), fill=GOLD, width=5)
    _centred(draw, 1100, 615, "cold pressed", 42, (92, 84, 44))
    _centred(draw, 1100, 690, "500 ml", 48, (54, 62, 28))
    return image


def _carton_front() -> Image.Image:
    image = Image.new("RGB", (1040, 1520), GREEN)
    draw = ImageDraw.Draw(image)
    draw.rectangle((50, 50, 990, 1470), outline=GOLD, width=7)
    draw.rounded_rectangle((130, 820, 910, 1270), 26, fill=CREAM)
    for index in range(9):
        _leaf(draw, 520, 650, 330 if index % 2 == 0 else 250, -180 + index * 22.5, (96, 146, 92) if index % 2 else GOLD)
    draw.ellipse((480, 610, 560, 690), fill=CREAM)
    _centred(draw, 520, 190, "HARBOUR & LANE", 62, GOLD)
    _centred(draw, 520, 935, "Earl Grey", 150, GREEN)
    _centred(draw, 520, 1075, "BLACK TEA WITH BERGAMOT", 48, (120, 92, 44))
    draw.line((330, 1135, 710, 1135), fill=GOLD, width=5)
    _centred(draw, 520, 1200, "20 pyramid bags", 52, GREEN)
    _centred(draw, 520, 1370, "50 g", 62, GOLD)
    return image


def _carton_side() -> Image.Image:
    image = Image.new("RGB", (640, 1520), (12, 54, 50))
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 50, 600, 1470), outline=GOLD, width=6)
    _centred(draw, 320, 190, "BREW", 70, GOLD)
    for index, line in enumerate(("one bag a cup", "95 degrees", "three minutes", "milk or lemon")):
        _centred(draw, 320, 330 + index * 90, line, 50, CREAM)
    for index in range(5):
        _leaf(draw, 320, 930, 190, -180 + index * 45, (96, 146, 92))
    draw.rounded_rectangle((120, 1090, 520, 1380), 14, fill=(250, 250, 250))
    x = 150
    for index in range(38):
        width = 3 + (index * 7 + index * index * 3) % 8
        if index % 2 == 0 and x + width < 490:
            draw.rectangle((x, 1115, x + width, 1315), fill=(10, 10, 10))
        x += width + 2
    _centred(draw, 320, 1347, "4 012345 678901", 38, (10, 10, 10))
    return image


def _watch_dial() -> Image.Image:
    image = Image.new("RGB", (1000, 1000), (18, 34, 66))
    draw = ImageDraw.Draw(image)
    for minute in range(60):
        angle = math.radians(minute * 6)
        inner, width = (390, 16) if minute % 5 == 0 else (440, 5)
        start = (500 + inner * math.sin(angle), 500 - inner * math.cos(angle))
        end = (500 + 468 * math.sin(angle), 500 - 468 * math.cos(angle))
        draw.line((*start, *end), fill=(236, 236, 230), width=width)
    for hour, text in ((12, "12"), (6, "6"), (9, "9")):
        angle = math.radians(hour * 30)
        _centred(draw, 500 + 315 * math.sin(angle), 500 - 315 * math.cos(angle), text, 110, (236, 236, 230))
    draw.rectangle((735, 455, 865, 545), fill=(240, 240, 236))
    _centred(draw, 800, 499, "24", 74, (20, 20, 20))
    _centred(draw, 500, 330, "NORDLYS", 52, (236, 236, 230))
    _centred(draw, 500, 660, "automatic", 38, (170, 186, 214))
    return image
