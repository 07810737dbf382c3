"""Products drawn by Pillow on drawn backdrops, with their exact masks: ground truth for the cut-out."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Floats: TypeAlias = npt.NDArray[np.float32]
Colour: TypeAlias = tuple[int, int, int]

OVERSAMPLING: Final = 3
"""Masks are drawn this much larger and averaged, so that their edges are as soft as a lens makes them."""


def draw(
    product: str, backdrop: str, width: int = 1000, height: int = 1000, seed: int = 0
) -> tuple[Image.Image, Floats]:
    """Return an RGB photo of ``width`` by ``height`` pixels and the product's coverage, (height, width) in 0..1."""
    rng = np.random.default_rng(seed)
    shape, colour = PRODUCTS[product]
    mask = _mask(shape, width, height)
    light = "white" in backdrop
    scene = BACKDROPS[backdrop](width, height, rng)
    if "shadow" in backdrop:
        scene = scene * _shadow(mask, width, height)[..., None]
    body = _body(mask, (226, 226, 224) if light else colour, width, height, rng)
    grain = rng.normal(0, 1.2, scene.shape)
    mixed = scene * (1 - mask[..., None]) + body * mask[..., None] + grain
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)), mask


def _mask(shape: Callable[[ImageDraw.ImageDraw, float, float], None], width: int, height: int) -> Floats:
    image = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING))
    shape(ImageDraw.Draw(image), *image.size)
    small = image.resize((width, height), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.6))
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def _shadow(mask: Floats, width: int, height: int) -> Floats:
    """Return what a soft shadow on the floor leaves of the light, 0..1: the product's lower part, squashed and blurred."""
    solid = Image.fromarray((mask * 255).astype(np.uint8))
    bottom = (solid.getbbox() or (0, 0, width, height))[3]
    flat = solid.resize((width, max(1, height // 5)))
    fallen = Image.new("L", (width, height))
    fallen.paste(flat, (round(width * 0.07), bottom - round(flat.height * 0.72)))
    wide = fallen.filter(ImageFilter.GaussianBlur(0.03 * width))
    close = fallen.filter(ImageFilter.GaussianBlur(0.012 * width))
    dark = np.asarray(wide, np.float32) / 255 * 0.32 + np.asarray(close, np.float32) / 255 * 0.18
    return (1 - dark).astype(np.float32)


def _body(mask: Floats, colour: Colour, width: int, height: int, rng: np.random.Generator) -> Floats:
    """Shade the product from a light on the left, with a darker stripe and a highlight."""
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    shade = 1.12 - 0.5 * np.abs(x - 0.42) ** 1.3 - 0.12 * y
    body = shade[..., None] * np.array(colour, np.float32)
    stripe = (np.abs(y - 0.57) < 0.03) & (x > 0)
    body = np.where(stripe[..., None], body * np.float32(0.72), body)
    gleam = np.exp(-(((x - 0.36) / 0.02) ** 2)) * 60 * np.ones_like(y)
    lit: Floats = np.clip(body + gleam[..., None], 0, 255).astype(np.float32)
    return lit


def _mug(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
    draw.ellipse((0.55 * w, 0.38 * h, 0.85 * w, 0.72 * h), fill=255)
    draw.ellipse((0.60 * w, 0.44 * h, 0.79 * w, 0.66 * h), fill=0)
    draw.rounded_rectangle((0.22 * w, 0.28 * h, 0.66 * w, 0.80 * h), 0.05 * h, fill=255)
    draw.ellipse((0.22 * w, 0.24 * h, 0.66 * w, 0.34 * h), fill=255)


def _bottle(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
    draw.rounded_rectangle((0.34 * w, 0.38 * h, 0.62 * w, 0.88 * h), 0.04 * h, fill=255)
    draw.polygon(((0.36 * w, 0.42 * h), (0.44 * w, 0.25 * h), (0.52 * w, 0.25 * h), (0.60 * w, 0.42 * h)), fill=255)
    draw.rectangle((0.435 * w, 0.1 * h, 0.525 * w, 0.3 * h), fill=255)


def _bag(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
    draw.arc((0.3 * w, 0.12 * h, 0.7 * w, 0.8 * h), 180, 360, fill=255, width=round(0.028 * w))
    draw.polygon(((0.25 * w, 0.42 * h), (0.75 * w, 0.42 * h), (0.82 * w, 0.86 * h), (0.18 * w, 0.86 * h)), fill=255)


def _stool(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
    draw.rounded_rectangle((0.24 * w, 0.22 * h, 0.76 * w, 0.32 * h), 0.03 * h, fill=255)
    for top, foot in ((0.3, 0.2), (0.46, 0.44), (0.54, 0.58), (0.7, 0.8)):
        draw.line((top * w, 0.3 * h, foot * w, 0.9 * h), fill=255, width=round(0.03 * w))
    draw.line((0.26 * w, 0.64 * h, 0.74 * w, 0.64 * h), fill=255, width=round(0.022 * w))


def _tall(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
    """A parcel that the frame cuts off at the bottom."""
    draw.rounded_rectangle((0.22 * w, 0.18 * h, 0.74 * w, 1.2 * h), 0.03 * h, fill=255)


PRODUCTS: Final[dict[str, tuple[Callable[[ImageDraw.ImageDraw, float, float], None], Colour]]] = {
    "mug": (_mug, (176, 60, 48)),
    "bottle": (_bottle, (44, 92, 58)),
    "bag": (_bag, (62, 66, 110)),
    "stool": (_stool, (112, 70, 40)),
    "parcel": (_tall, (158, 116, 74)),
}


def _plain(colour: Colour) -> Callable[[int, int, np.random.Generator], Floats]:
    def paint(width: int, height: int, _rng: np.random.Generator) -> Floats:
        return np.broadcast_to(np.array(colour, np.float32), (height, width, 3)).copy()

    return paint


def _graded(top: Colour, bottom: Colour) -> Callable[[int, int, np.random.Generator], Floats]:
    def paint(width: int, height: int, _rng: np.random.Generator) -> Floats:
        t = (np.linspace(0, 1, height, dtype=np.float32) ** 1.4)[:, None, None]
        row = np.array(top, np.float32) * (1 - t) + np.array(bottom, np.float32) * t
        return np.repeat(row, width, axis=1).astype(np.float32)

    return paint


def _vignette(width: int, height: int, _rng: np.random.Generator) -> Floats:
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = 205 - 75 * np.clip((x**2 + (y + 0.2) ** 2) / 1.6, 0, 1)
    return (light[..., None] * np.array((1, 1, 1.02), np.float32)).astype(np.float32)


def _wood(width: int, height: int, rng: np.random.Generator) -> Floats:
    grain = np.clip(128 + rng.normal(0, 40, (height, max(2, width // 40))), 0, 255).astype(np.uint8)
    fine = Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC)
    fine = fine.filter(ImageFilter.GaussianBlur(1.5))
    veins = (np.asarray(fine, np.float32)[..., None] - 128) * np.float32(0.5)
    return (np.array((196, 172, 138), np.float32) + veins).astype(np.float32)


def _clutter(width: int, height: int, rng: np.random.Generator) -> Floats:
    """A room out of focus: blurred things in muted greens and blues."""
    image = Image.new("RGB", (width, height), (120, 150, 120))
    pen = ImageDraw.Draw(image)
    for _ in range(160):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.03, 0.12) * width
        shade = rng.integers(0, 100, 3)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(int(90 + shade[0]), int(140 + shade[1]), int(120 + shade[2])))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(0.008 * width)), dtype=np.float32).copy()


BACKDROPS: Final[dict[str, Callable[[int, int, np.random.Generator], Floats]]] = {
    "plain light grey": _plain((226, 226, 224)),
    "plain pastel": _plain((196, 214, 222)),
    "plain dark": _plain((30, 31, 34)),
    "graded grey": _graded((238, 238, 240), (176, 176, 180)),
    "graded vignette": _vignette,
    "shadow on grey": _plain((224, 224, 222)),
    "shadow on sand": _graded((236, 226, 210), (214, 200, 180)),
    "white on white": _plain((252, 252, 252)),
    "white, shadow": _plain((252, 252, 252)),
    "wood": _wood,
    "clutter": _clutter,
}
"""Kinds by first word: plain, graded, shadow, white, wood, clutter."""
