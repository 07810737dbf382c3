"""Made-up results of every kind: good ones, odd ones that are good, and bad ones of which it is known what is bad.

made = make(7, fault="hole")
made.photo.save(...)     # RGB, as it was taken
made.result.save(...)    # RGBA, as the service might return it
"""

import dataclasses
import math
import random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

FAULTS: Final = ("hole", "island", "halo", "cut", "empty")

PRODUCTS: Final = ("blob", "box", "bottle", "mug", "ring", "pair", "belt", "glass", "rack", "fur", "small", "scraps")
"""``mug``, ``ring`` and ``rack`` have holes, ``pair`` and ``scraps`` parts, that belong there."""

Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Made:
    product: str
    fault: str
    photo: Image.Image
    result: Image.Image


def make(number: int, fault: str = "") -> Made:
    """Return the picture of a number, the same each time."""
    rng = random.Random(number)
    product = rng.choice(PRODUCTS)
    size = (1200, 60) if product == "belt" else rng.choice([(420, 420), (480, 360), (360, 480), (560, 400)])
    mask = _mask(product, size, rng)
    if fault == "cut" or (not fault and rng.random() < 0.01):  # some products fill their picture, and nobody minds
        mask = _moved_out(mask, rng)
    backdrop, colour, photo = _photo(mask, product, rng)
    del backdrop, colour
    alpha = _alpha(mask, product, rng)
    if fault in ("hole", "island", "halo", "empty"):
        alpha = {"hole": _hole, "island": _island, "halo": _halo, "empty": _empty}[fault](alpha, rng)
    result = photo.copy()
    result.putalpha(alpha)
    return Made(product, fault, photo, result)


# -- shapes ----------------------------------------------------------------------------------------------------------


def _mask(product: str, size: tuple[int, int], rng: random.Random) -> Image.Image:
    big = (size[0] * 2, size[1] * 2)
    image = Image.new("L", big)
    draw = ImageDraw.Draw(image)
    w, h = big
    s = min(big)
    cx, cy = w / 2 + rng.uniform(-0.04, 0.04) * w, h / 2 + rng.uniform(-0.04, 0.04) * h
    r = s * rng.uniform(0.26, 0.4)
    match product:
        case "blob" | "fur":
            draw.polygon(_blob(cx, cy, r, rng, 0.18), fill=255)
        case "box" | "glass":
            draw.rounded_rectangle((cx - r, cy - r * 0.8, cx + r, cy + r * 0.8), r * rng.uniform(0.02, 0.3), fill=255)
        case "bottle":
            draw.rounded_rectangle((cx - r * 0.35, cy - r * 0.4, cx + r * 0.35, cy + r), r * 0.1, fill=255)
            draw.rectangle((cx - r * 0.12, cy - r, cx + r * 0.12, cy), fill=255)
        case "mug":
            draw.ellipse((cx + r * 0.2, cy - r * 0.5, cx + r * 1.1, cy + r * 0.4), fill=255)
            draw.ellipse((cx + r * 0.4, cy - r * 0.3, cx + r * 0.9, cy + r * 0.2), fill=0)
            draw.rectangle((cx - r * 0.8, cy - r * 0.8, cx + r * 0.5, cy + r * 0.8), fill=255)
        case "ring":
            thick = rng.uniform(0.08, 0.4)
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
            draw.ellipse(tuple(c + d * r * (1 - thick) for c, d in ((cx, -1), (cy, -1), (cx, 1), (cy, 1))), fill=0)
        case "pair":
            for side in (-1, 1):
                draw.polygon(_blob(cx + side * r * 0.62, cy, r * 0.5, rng, 0.1), fill=255)
        case "belt":
            draw.rounded_rectangle((0.03 * w, 0.25 * h, 0.97 * w, 0.75 * h), 0.2 * h, fill=255)
            draw.ellipse((0.9 * w, 0.4 * h, 0.9 * w + 0.2 * h, 0.6 * h), fill=0)
        case "rack":
            draw.rectangle((cx - r, cy - r, cx + r, cy + r), fill=255)
            n = rng.randint(2, 6)
            step = 2 * r / n
            for row in range(n):
                for column in range(n):
                    x, y = cx - r + column * step, cy - r + row * step
                    draw.rectangle((x + step * 0.2, y + step * 0.2, x + step * 0.8, y + step * 0.8), fill=0)
        case "small":
            draw.polygon(_blob(cx, cy, s * rng.uniform(0.1, 0.14), rng, 0.15), fill=255)
        case "scraps":  # a set: a large piece and a few screws beside it
            draw.polygon(_blob(cx, cy - r * 0.2, r * 0.8, rng, 0.1), fill=255)
            for one in range(rng.randint(1, 3)):
                x, y, q = cx - r * 0.6 + one * r * 0.6, cy + r * 0.95, r * rng.uniform(0.1, 0.2)
                draw.ellipse((x - q, y - q, x + q, y + q), fill=255)
    return image.resize(size, Image.Resampling.BOX)


def _blob(cx: float, cy: float, r: float, rng: random.Random, rough: float) -> list[tuple[float, float]]:
    waves = [(rng.uniform(0, 6.28), rng.uniform(0, rough / n)) for n in range(1, 6)]
    points = []
    for step in range(120):
        angle = step / 120 * 2 * math.pi
        radius = r * (1 + sum(a * math.sin((n + 1) * angle + p) for n, (p, a) in enumerate(waves)))
        points.append((cx + radius * math.cos(angle), cy + radius * math.sin(angle)))
    return points


def _moved_out(mask: Image.Image, rng: random.Random) -> Image.Image:
    """Return a mask whose product runs out of the picture."""
    left, top, right, bottom = mask.getbbox() or (0, 0, 1, 1)
    by = rng.uniform(0.12, 0.4)
    match rng.randrange(4):
        case 0:
            x, y = -left - by * (right - left), 0.0
        case 1:
            x, y = mask.width - right + by * (right - left), 0.0
        case 2:
            x, y = 0.0, -top - by * (bottom - top)
        case _:
            x, y = 0.0, mask.height - bottom + by * (bottom - top)
    moved = Image.new("L", mask.size)
    moved.paste(mask, (round(x), round(y)))
    return moved


# -- photos ----------------------------------------------------------------------------------------------------------


def _photo(mask: Image.Image, product: str, rng: random.Random) -> tuple[str, Colour, Image.Image]:
    size = mask.size
    backdrop = rng.choices(["white", "grey", "colour", "vignette", "wood"], [5, 3, 2, 2, 1])[0]
    base: Colour = {
        "white": (248, 248, 247),
        "grey": (205, 206, 208),
        "vignette": (225, 224, 222),
        "wood": (164, 120, 80),
    }.get(backdrop, (rng.randrange(60, 230), rng.randrange(60, 230), rng.randrange(60, 230)))
    scene = Image.new("RGB", size, base)
    if backdrop == "vignette":
        dark = ImageChops.multiply(Image.radial_gradient("L").resize(size), Image.new("L", size, 90))
        scene = ImageChops.subtract(scene, Image.merge("RGB", (dark,) * 3))
    if backdrop == "wood":
        draw = ImageDraw.Draw(scene)
        for _ in range(60):
            y, tone = rng.randrange(size[1]), rng.randrange(-45, 45)
            draw.line((0, y, size[0], y + rng.randrange(-20, 20)), tuple(c + tone for c in base), rng.randrange(1, 7))
    if rng.random() < 0.7:  # a soft shadow
        fallen = ImageChops.offset(mask, round(size[0] * 0.02), round(size[1] * 0.04))
        fallen = fallen.filter(ImageFilter.GaussianBlur(min(size) * 0.03)).point(lambda v: v * 0.25)
        scene = ImageChops.subtract(scene, Image.merge("RGB", (fallen,) * 3))
    while True:
        colour = (rng.randrange(15, 245), rng.randrange(15, 245), rng.randrange(15, 245))
        apart = max(abs(a - b) for a, b in zip(colour, base, strict=True))
        if apart > 45 or (backdrop == "white" and rng.random() < 0.03):
            break
    if backdrop == "white" and rng.random() < 0.05:
        colour = (236, 236, 234)  # white on white
    body = Image.new("RGB", size, colour)
    shade = Image.linear_gradient("L").rotate(rng.choice([0, 90])).resize(size).point(lambda v: v * 0.22)
    body = ImageChops.subtract(body, Image.merge("RGB", (shade,) * 3))
    draw = ImageDraw.Draw(body)
    for _ in range(rng.randrange(0, 5)):  # a print
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        ink = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        draw.rectangle((x, y, x + size[0] * rng.uniform(0.02, 0.2), y + size[1] * rng.uniform(0.01, 0.1)), ink)
    edge = mask.filter(ImageFilter.GaussianBlur(3.5)) if product == "fur" else mask
    shown = Image.composite(body, scene, edge)
    if product == "glass":
        shown = Image.blend(shown, scene, 0.6)
        rim = ImageChops.subtract(mask, mask.filter(ImageFilter.MinFilter(9)))
        shown = Image.composite(Image.new("RGB", size, (90, 105, 110)), shown, rim)
    noise = Image.effect_noise(size, 6)
    shown = ImageChops.add(shown, Image.merge("RGB", (noise,) * 3), offset=-128)
    return backdrop, colour, shown


def _alpha(mask: Image.Image, product: str, rng: random.Random) -> Image.Image:
    """Return what a good service makes of a mask: now and then a pixel too wide or too narrow, softened."""
    width = rng.choice([0, 0, 0, 3, -3])
    alpha = mask.filter(ImageFilter.MaxFilter(3) if width > 0 else ImageFilter.MinFilter(3)) if width else mask
    if product == "fur":
        return alpha.filter(ImageFilter.GaussianBlur(3.5))
    if product == "glass":
        rim = ImageChops.subtract(alpha, alpha.filter(ImageFilter.MinFilter(9)))
        return ImageChops.lighter(alpha.point(lambda v: v * 0.45), rim)
    return alpha.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))


# -- what goes wrong -------------------------------------------------------------------------------------------------


def _spot(alpha: Image.Image, inside: bool, rng: random.Random, radius: float) -> tuple[float, float] | None:
    """Return a place for something of a radius, well inside the product or well outside."""
    grown = round(radius) | 1
    room = alpha if inside else ImageChops.invert(alpha)
    small = room.resize((max(alpha.width // 4, 1), max(alpha.height // 4, 1)), Image.Resampling.BOX)
    free = small.filter(ImageFilter.MinFilter(max(3, (grown // 2) | 1)))
    data = free.tobytes()
    places = [at for at, value in enumerate(data) if value > (90 if inside else 250)]
    if not places:
        return None
    at = rng.choice(places)
    return (at % free.width) * 4 + 2, (at // free.width) * 4 + 2


def _painted(alpha: Image.Image, inside: bool, rng: random.Random, share: float, value: int) -> Image.Image:
    for shrink in (1.0, 0.8, 0.6, 0.45, 0.35):
        radius = share * shrink * math.sqrt(alpha.width * alpha.height)
        spot = _spot(alpha, inside, rng, radius)
        if spot:
            draw = ImageDraw.Draw(alpha)
            draw.polygon(_blob(*spot, radius, rng, 0.2), fill=value)
            return alpha.filter(ImageFilter.GaussianBlur(0.6))
    raise AssertionError("no place for a fault")


def _hole(alpha: Image.Image, rng: random.Random) -> Image.Image:
    return _painted(alpha.copy(), True, rng, rng.uniform(0.025, 0.07), 0)


def _island(alpha: Image.Image, rng: random.Random) -> Image.Image:
    return _painted(alpha.copy(), False, rng, rng.uniform(0.015, 0.04), rng.randrange(150, 256))


def _halo(alpha: Image.Image, rng: random.Random) -> Image.Image:
    wide = round(min(max(rng.uniform(0.02, 0.04) * math.sqrt(alpha.width * alpha.height), 5), 21)) | 1
    grown = alpha.filter(ImageFilter.MaxFilter(2 * wide // 2 | 1)).filter(ImageFilter.GaussianBlur(1))
    if rng.random() < 0.5:
        return grown
    strength = rng.uniform(0.35, 0.75)
    return ImageChops.lighter(alpha, grown.point(lambda v: v * strength))


def _empty(alpha: Image.Image, rng: random.Random) -> Image.Image:
    if rng.random() < 0.4:
        return Image.new("L", alpha.size)
    left, top, right, bottom = alpha.getbbox() or (0, 0, *alpha.size)
    kept = Image.new("L", alpha.size)
    wide, tall = (right - left) * 0.12, (bottom - top) * 0.12
    box = (round(left), round(top), round(left + wide * 2), round(top + tall * 2))
    kept.paste(alpha.crop(box), box[:2])
    return (
        kept
        if sum(kept.resize((20, 20), Image.Resampling.BOX).tobytes()) < 0.008 * 255 * 400
        else Image.new("L", alpha.size)
    )
