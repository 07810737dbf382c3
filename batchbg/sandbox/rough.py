"""Cut the product out of a photo where OpenCV is not installed: roughly, with Pillow alone.

The backdrop is what has about the colour of the photo's edge and is connected with it. That does for a product before a
plain wall; what is more is for ``cutout``.
"""

import shlex
import sys
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

WORK_PX: Final = 400
"""Long side of the copy on which the product is found."""

DISTANCE: Final = 34
"""Levels of 255 by which the product differs from its backdrop, in the channel where it does most."""

ADVICE: Final = f"{shlex.quote(sys.executable)} -m pip install opencv-python-headless"
"""What brings the real cut-out to this Python; batchbg's own extra needs a checkout, and this does not."""

TOLD: Final = f"OpenCV is not installed, so the sandbox cuts out roughly; for better pictures: {ADVICE}"


def compose(photo: Image.Image, background: Image.Image | None) -> Image.Image:
    """Return ``photo`` cut out, on ``background`` stretched to its size where there is one; RGBA."""
    cut = photo.convert("RGBA")
    cut.putalpha(ImageChops.multiply(cut.getchannel("A"), _product(photo)))
    if background is None:
        return cut
    under = background.convert("RGBA").resize(photo.size)
    under.alpha_composite(cut)
    return under


def _product(photo: Image.Image) -> Image.Image:
    """Return where the product is, as a mask of the photo's size: 255 in it, 0 around; all 255 where none is found."""
    small = ImageOps.contain(photo.convert("RGB"), (WORK_PX, WORK_PX)).filter(ImageFilter.MedianFilter(3))
    near = _distance(small).point([255 if level < DISTANCE else 0 for level in range(256)])
    # A frame of backdrop joins all that touches the edge: one filling from the corner takes it, and no hole in between.
    framed = ImageOps.expand(near, border=1, fill=255)
    ImageDraw.floodfill(framed, (0, 0), 128)
    mask = framed.point([0 if level == 128 else 255 for level in range(256)])
    mask = ImageOps.crop(mask, border=1).filter(ImageFilter.MedianFilter(5))
    if mask.getbbox() is None:
        return Image.new("L", photo.size, 255)
    return mask.resize(photo.size, Image.Resampling.BICUBIC)


def _distance(small: Image.Image) -> Image.Image:
    """Return how far each pixel is from the backdrop, which passes evenly from corner to corner."""
    width, height = small.size
    corners = Image.new("RGB", (2, 2))
    box = max(2, min(width, height) // 12)
    for at, (left, top) in {(0, 0): (0, 0), (1, 0): (width - box, 0), (0, 1): (0, height - box)}.items():
        corners.putpixel(at, _mean(small.crop((left, top, left + box, top + box))))
    corners.putpixel((1, 1), _mean(small.crop((width - box, height - box, width, height))))
    red, green, blue = ImageChops.difference(small, corners.resize(small.size, Image.Resampling.BILINEAR)).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _mean(patch: Image.Image) -> tuple[int, int, int]:
    red, green, blue = patch.resize((1, 1), Image.Resampling.BOX).split()
    return tuple(channel.getextrema()[0] for channel in (red, green, blue))  # type: ignore[return-value]
