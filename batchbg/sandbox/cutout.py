"""Cut the product out of a photo by classical segmentation: no model, no network, the same result every time.

How a photo is cut (comparison of methods: border model with watershed, GrabCut where the backdrop is cluttered):

1. The backdrop is modelled as a smooth surface in Lab, fitted robustly to the photo's border.
2. Every pixel gets a distance from that surface in which darkening alone counts little: a shadow keeps its hue.
3. Pixels far away seed the product, smooth ones connected with the border seed the backdrop, a watershed on the
   colour gradient draws the line between them. A restless border means clutter: then GrabCut decides.
4. The line is found on a small copy. At full size only a narrow band around it is looked at again: the share of
   product in each pixel of the band follows from the colours on its two sides, and the backdrop's part is taken out
   of the colour, so that no halo of the old backdrop stays.

Where that finds only a small part of what stands out from the backdrop at all, the product is of the backdrop's own
colour, white on white mostly: then all that stands out is kept, a shadow included. Where nothing plausible is found the
picture stays as it is: a result is never empty.

Glass counts as opaque. Weak cases: a product of the backdrop's own colour and its shadow; a product that the frame cuts
off before clutter.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

cv2.setNumThreads(1)

Floats: TypeAlias = npt.NDArray[np.float32]
Bytes: TypeAlias = npt.NDArray[np.uint8]

WORK_PX: Final = 640
"""Long side of the copy on which the outline is found."""
CLUTTER_PX: Final = 320
"""Long side for GrabCut, whose time grows faster than the area."""
CLUTTER_LAB: Final = 9.0
"""Typical distance (Lab units) of the border from its own model above which the backdrop counts as clutter."""
SHADOW_DISCOUNT: Final = 0.25
"""Weight of darkening against a change of hue: shadows are dark, products mostly differ in both."""
DEEPEST_SHADOW: Final = 0.5
"""Share of the backdrop's lightness L that a shadow leaves at the least, less six; what is darker is product."""
TINT: Final = 7.0
"""Chroma in Lab units from which a backdrop, lit or in shadow, can be known by its hue alone."""
FAINT_EDGE: Final = 0.35
"""Lab units per pixel: the weakest edge in full light, on top of the backdrop's own grain."""
SHADOW_EDGE: Final = 1.8
"""The same where the backdrop is in shadow, which has gradients of its own."""
GAP_PX: Final = 3
"""Gaps in an edge up to twice this, on the small copy, do not let the backdrop through."""
MEANS_PX: Final = 800
"""Long side at which the colours on either side of the edge are averaged; they change slowly."""
FRAGMENT: Final = 0.25
"""Share of all that stands out from the backdrop below which the outline is only a part of the product. Measured on the
drawn products and the sample photos: at least 0.41 where the product came out whole, at most 0.12 where it did not."""
SMOOTH_LAB: Final = 1.0
"""Typical distance (Lab units) of the border from its own model up to which what stands out can be trusted."""
LEAST_PRODUCT: Final = 0.004
"""Share of the frame below which what was found is taken for dust, and the picture is kept as it is."""
HAS_CUTOUT: Final = 0.02
"""Share of transparent pixels from which an input counts as cut out already."""


def remove_background(photo: Image.Image) -> Image.Image:
    """Return ``photo`` with its backdrop transparent.

    Args:
        photo: any mode and size, upright (EXIF orientation already applied).

    Returns:
        RGBA of the same size in pixels: soft edge, straight alpha, edge colours freed of the backdrop. Where no
        product can be told from the backdrop the picture comes back opaque. Transparency the photo already has is
        kept: alone if it is a cut-out, multiplied with ours if it is next to opaque.
    """
    rgb, own_alpha = _split(photo)
    if own_alpha is not None and float(np.mean(own_alpha < 16)) >= HAS_CUTOUT:
        return _merge(rgb, own_alpha)
    outline = _outline(rgb)
    if outline is None:
        return _merge(rgb, own_alpha if own_alpha is not None else np.full(rgb.shape[:2], 255, np.uint8))
    clean, alpha = _refine(rgb, outline)
    if own_alpha is not None:
        alpha = cv2.multiply(alpha, own_alpha, scale=1 / 255)  # type: ignore[assignment]
    return _merge(clean, alpha)


def compose(photo: Image.Image, background: Image.Image | None) -> Image.Image:
    """Return ``photo`` cut out and put on ``background``.

    Args:
        photo: any mode and size, upright.
        background: any mode and size, upright; stretched to the photo's size as the API does. None: no background.

    Returns:
        The photo's size in pixels; RGB over a background, RGBA with the backdrop transparent without one.
    """
    product = remove_background(photo)
    if background is None:
        return product
    scene = _on_white(background).resize(product.size, Image.Resampling.LANCZOS)
    scene.paste(product, mask=product.getchannel("A"))
    return scene


# Pictures in and out


def _split(photo: Image.Image) -> tuple[Bytes, Bytes | None]:
    """Return the photo as (height, width, 3) RGB and, where it has transparency, its (height, width) alpha."""
    if photo.mode in ("I", "F") or photo.mode.startswith("I;16"):
        photo = _eight_bits(photo)
    if not photo.has_transparency_data:
        return np.asarray(photo.convert("RGB")), None
    rgba = np.asarray(photo.convert("RGBA"))
    return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])


def _eight_bits(photo: Image.Image) -> Image.Image:
    """Return a deep greyscale picture as mode L; Pillow's own conversion would clip at 255."""
    values = np.nan_to_num(np.asarray(photo, dtype=np.float32))
    peak = float(values.max())
    full_scale = 65535.0 if peak > 255 else 255.0 if peak > 1 else 1.0
    return Image.fromarray(np.clip(values * (255 / full_scale), 0, 255).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """Return any picture as RGB, transparent parts over white."""
    rgb, alpha = _split(picture)
    if alpha is None:
        return Image.fromarray(rgb)
    canvas = Image.new("RGB", picture.size, "white")
    canvas.paste(Image.fromarray(rgb), mask=Image.fromarray(alpha))
    return canvas


def _merge(rgb: Bytes, alpha: Bytes) -> Image.Image:
    return Image.fromarray(np.dstack((rgb, alpha)))


# The outline, on a small copy


class _Scene(NamedTuple):
    """What is known of every pixel of the small copy, each (height, width)."""

    distance: Floats
    """Lab units from the backdrop, darkening discounted."""
    contrast: Floats
    """Lab units from the backdrop, darkening and all."""
    plausible: Bytes
    """1 where the colour may be the backdrop's, lit or in shadow."""
    gradient: Floats
    """Lab units per pixel."""
    calm: Floats
    """The gradient up to which a pixel may be backdrop: little in full light, more within a shadow."""
    lit: Bytes
    """1 where the colour fits the backdrop without any shadow."""
    tinted: Bytes
    """1 where the colour is surely the backdrop's: smooth and of its very tint, which a grey backdrop does not have."""
    noise: float
    """Lab units: how far the border typically is from its model."""


def _outline(rgb: Bytes) -> Bytes | None:
    """Return the product's mask (1 is product) of the small copy; None when no product can be told apart."""
    small = _resized(rgb, WORK_PX)
    if min(rgb.shape[:2]) < 8 or min(small.shape[:2]) < 8:
        return None
    lab = _floats(cv2.cvtColor(_floats(small) * np.float32(1 / 255), cv2.COLOR_RGB2LAB))
    lab = _floats(cv2.GaussianBlur(lab, (0, 0), 0.8))
    scene = _look(lab, _border(lab.shape[0], lab.shape[1]))
    if scene.noise > CLUTTER_LAB:
        mask = _tidy(_by_grabcut(rgb), scene.distance)
    else:
        mask = _tidy(_by_watershed(lab, scene), scene.distance)
        if scene.noise < SMOOTH_LAB:
            standing_out = _standing_out(scene)
            if float(mask.sum()) < FRAGMENT * float(standing_out.sum()):
                mask = standing_out
    share = float(mask.mean())
    return mask if LEAST_PRODUCT < share < 0.995 else None


def _resized(rgb: Bytes, long_side: int) -> Bytes:
    """Return a copy of that long side; small pictures are enlarged, 2.5 times at most, as radii below are in its pixels."""
    height, width = rgb.shape[:2]
    scale = min(2.5, long_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return _bytes(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _border(height: int, width: int) -> Bytes:
    """Return a mask of the frame's outer 2.5 %."""
    band = max(2, round(0.025 * min(height, width)))
    mask = np.ones((height, width), np.uint8)
    mask[band:-band, band:-band] = 0
    return mask


def _look(lab: Floats, border: Bytes) -> _Scene:
    backdrop, noise = _fit_backdrop(lab, border)
    light, light_there = lab[..., 0], np.maximum(backdrop[..., 0], 1)
    # Less light scales L + 16, a and b alike (they are differences of cube roots); stray light fades a, b less than that.
    there, here = backdrop[..., 1:], lab[..., 1:]
    fade = np.clip((light + 16) / (light_there + 16), 0, 1)
    kept = np.einsum("ijk,ijk->ij", here, there) / np.maximum(np.einsum("ijk,ijk->ij", there, there), 1)
    hue = _length(here - there * np.clip(kept, fade, 1.1)[..., None])
    rise = np.maximum(light - light_there, 0)
    fall = np.maximum(light_there - light, 0)
    too_dark = np.maximum(light_there * DEEPEST_SHADOW - 6 - light, 0)
    distance = np.sqrt(hue**2 + rise**2 + (SHADOW_DISCOUNT * fall) ** 2) + too_dark
    slack = 2.5 * min(noise, 6.0)
    plausible = (hue < 5 + slack) & (rise < 9 + slack) & (too_dark < 2 + slack)
    gradient = _gradient(lab)
    grain = float(np.median(gradient[border == 1]))
    in_shadow = np.clip(fall / 8, 0, 1)
    calm = (FAINT_EDGE + 4 * grain) * (1 - in_shadow) + (SHADOW_EDGE + 4 * grain) * in_shadow
    contrast = _length(lab - backdrop)
    lit = _bytes(contrast < 6 + 2.5 * noise)
    tint = _length(there)
    tinted = _bytes(
        (tint > TINT) & (hue < 1.5 + 0.2 * tint * fade) & (rise < 6) & (fade > 0.4) & (gradient < 4 + 4 * grain)
    )
    return _Scene(_floats(distance), contrast, _bytes(plausible), gradient, _floats(calm), lit, tinted, noise)


def _length(vectors: Floats) -> Floats:
    return _floats(np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors)))


def _gradient(lab: Floats) -> Floats:
    """Return the steepest change of colour, Lab units per pixel."""
    dx = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=1 / 8)
    return _floats(np.hypot(_length(_floats(dx)), _length(_floats(dy))))


def _fit_backdrop(lab: Floats, border: Bytes) -> tuple[Floats, float]:
    """Fit a quadratic surface through the border's colours, passing by what does not belong to it.

    Returns:
        The surface over the whole frame, (height, width, 3) Lab, and the typical distance of the border from it.
    """
    height, width = border.shape
    ys, xs = np.nonzero(border)
    terms = _terms(xs.astype(np.float32) / width, ys.astype(np.float32) / height)
    colours = lab[ys, xs]
    start = np.median(colours, axis=0)
    error = _length((colours - start)[None])[0]
    coefficients = np.zeros((terms.shape[1], 3), np.float32)
    for _ in range(6):
        limit = max(2.0, 2.5 * float(np.median(error)))
        weight = (1 / (1 + (error / limit) ** 4))[:, None]
        normal = terms.T @ (terms * weight) + np.float32(1e-3) * np.eye(terms.shape[1], dtype=np.float32)
        coefficients = np.linalg.solve(normal, terms.T @ (colours * weight)).astype(np.float32)
        error = _length((colours - terms @ coefficients)[None])[0]
    grid_x, grid_y = np.meshgrid(
        np.arange(width, dtype=np.float32) / width, np.arange(height, dtype=np.float32) / height
    )
    surface = _terms(grid_x.ravel(), grid_y.ravel()) @ coefficients
    return surface.reshape(height, width, 3), float(np.median(error))


def _terms(x: Floats, y: Floats) -> Floats:
    return np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=1)


def _by_watershed(lab: Floats, scene: _Scene) -> Bytes:
    """Let backdrop and product grow from what is certain until they meet at the strongest edge between them."""
    reached = _reach(scene)
    aside = 1 - reached
    strong = (scene.distance > max(_otsu(scene.distance), 8 + 2 * scene.noise)).astype(np.uint8)
    holes = _holes(aside, scene)
    core = _erode(aside & (1 - holes), 5)  # an edge's slopes reach four pixels to either side
    core &= _bytes(scene.distance > 2.5 + scene.noise)
    markers = np.zeros(reached.shape, np.int32)
    markers[(core | _erode(strong, 1)) == 1] = 2
    markers[(_erode(reached, 1) | _erode(holes, 1)) == 1] = 1
    if not (markers == 2).any():
        return np.zeros(reached.shape, np.uint8)
    cv2.watershed(_lab_bytes(lab), markers)
    mask = _bytes(markers == 2)
    # The dividing line itself (-1) goes to the side its colour is nearer to.
    line = markers == -1
    mask[line & (scene.distance > 4 + scene.noise)] = 1
    # Wisps that could as well be backdrop are shadow that the product's edge held fast.
    return mask & (_dilate(_erode(mask, 3), 3) | (1 - scene.plausible))


def _lab_bytes(lab: Floats) -> Bytes:
    """Return Lab as bytes; the watershed compares neighbouring colours by itself."""
    return _bytes(np.clip(lab * _floats([2.5, 1.5, 1.5]) + _floats([0, 128, 128]), 0, 255))


def _reach(scene: _Scene) -> Bytes:
    """Return the backdrop as far as it can be walked from the border without crossing an edge or a foreign colour."""
    open_ground = scene.plausible & _bytes(scene.gradient < scene.calm)
    open_ground = _erode(open_ground, GAP_PX)
    _, labels = cv2.connectedComponents(open_ground, connectivity=4)
    border = _border(*labels.shape)
    at_border = np.bincount(labels[(border & scene.lit) == 1], minlength=int(labels.max()) + 1)
    at_border[0] = 0
    known = at_border > 0.02 * max(1, int(at_border.sum()))
    known[0] = False
    return _dilate(_bytes(known[labels]), GAP_PX)


def _holes(aside: Bytes, scene: _Scene) -> Bytes:
    """Return patches of backdrop that the product encloses, such as the inside of a handle."""
    near = (scene.distance < max(4.0, 2 * scene.noise)) & (scene.gradient < scene.calm)
    inner = _dilate(_erode(aside & (_bytes(near) | scene.tinted), 2), 2)
    return _drop_small(inner, max(12, round(0.0004 * inner.size)))


def _otsu(distance: Floats) -> float:
    """Return the distance that best parts the pixels in two groups."""
    level, _ = cv2.threshold(np.clip(distance * 4, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return level / 4


def _standing_out(scene: _Scene) -> Bytes:
    """Return all that differs from the backdrop more than the backdrop does from its own model, shadows included.

    Not what reaches a corner of the frame: there it is the model that fails, in a vignette for instance.
    """
    border = _border(*scene.contrast.shape)
    # A quarter of the border may be product that the frame cuts off.
    floor = max(0.6 + 1.2 * scene.noise, float(np.percentile(scene.contrast[border == 1], 75)))
    mask = _drop_small(_bytes(scene.contrast > floor), max(9, round(0.0003 * border.size)))
    mask = _erode(_dilate(mask, 2 * GAP_PX), 2 * GAP_PX + 1)  # over gleams, and back from the edge's slope
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    reach = max(2, round(0.025 * min(mask.shape)))
    ends = np.r_[0:reach, -reach:0]
    mask[np.isin(labels, labels[np.ix_(ends, ends)])] = 0
    return _tidy(mask, scene.contrast)


def _by_grabcut(rgb: Bytes) -> Bytes:
    """Cut a cluttered photo with GrabCut, which starts from what the border does not show; at the small copy's size."""
    tiny = _resized(rgb, CLUTTER_PX)
    height, width = tiny.shape[:2]
    border = _border(height, width)
    border[height // 2 :, width // 4 : -(width // 4)] = 0  # where the frame cuts a product off, it mostly does so below
    cv2.setRNGSeed(0)
    strange = _from_palette(_floats(cv2.cvtColor(_floats(tiny) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)), border)
    marks = np.where(strange > _otsu(strange), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[border == 1] = cv2.GC_BGD
    if not (marks == cv2.GC_PR_FGD).any():
        return np.zeros(_resized(rgb, WORK_PX).shape[:2], np.uint8)
    back, front = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(tiny, marks, (0, 0, 1, 1), back, front, 4, cv2.GC_INIT_WITH_MASK)
    mask = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    size = _resized(rgb, WORK_PX).shape
    smooth = cv2.GaussianBlur(mask, (0, 0), 1.0)
    return (cv2.resize(smooth, (size[1], size[0]), interpolation=cv2.INTER_CUBIC) > 0.5).astype(np.uint8)


def _from_palette(lab: Floats, border: Bytes) -> Floats:
    """Return each pixel's distance (Lab units) from the nearest of the border's twelve main colours."""
    colours = lab[border == 1]
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, _, palette = cv2.kmeans(colours, min(12, len(colours)), np.empty(0, np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)
    nearest = np.full(border.shape, np.inf, np.float32)
    for colour in _floats(palette):
        nearest = np.minimum(nearest, _length(lab - colour))
    return nearest


def _tidy(mask: Bytes, distance: Floats) -> Bytes:
    """Drop specks, close pinholes, smooth the stair-steps."""
    if not mask.any():
        return mask
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    weight = np.bincount(labels.ravel(), np.clip(distance, 0, 40).ravel(), minlength=count)
    weight[0] = 0
    keep = (areas > 0.0003 * mask.size) & (weight > 0.03 * weight.max())
    mask = keep[labels].astype(np.uint8)
    gaps = _drop_small(1 - mask, max(9, round(0.0003 * mask.size)))
    return (cv2.medianBlur((1 - gaps) * 255, 3) > 127).astype(np.uint8)


def _drop_small(mask: Bytes, area: int) -> Bytes:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= area
    keep[0] = False
    return _bytes(keep[labels])


def _erode(mask: Bytes, radius: int) -> Bytes:
    return _bytes(cv2.erode(mask, _disc(radius)))


def _dilate(mask: Bytes, radius: int) -> Bytes:
    return _bytes(cv2.dilate(mask, _disc(radius)))


def _bytes(array: npt.ArrayLike) -> Bytes:
    return np.asarray(array, dtype=np.uint8)


def _floats(array: npt.ArrayLike) -> Floats:
    return np.asarray(array, dtype=np.float32)


def _disc(radius: int) -> Bytes:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)


# The edge, at full size


def _refine(rgb: Bytes, outline: Bytes) -> tuple[Bytes, Bytes]:
    """Return the photo with the backdrop taken out of its edge pixels, and the alpha, both at full size."""
    height, width = rgb.shape[:2]
    scale = max(height, width) / max(outline.shape)
    reach = max(2, round(1.3 * scale + 1))
    blurred = cv2.GaussianBlur(outline.astype(np.float32), (0, 0), 0.7)
    soft = _floats(np.clip(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1))
    hard = (soft > 0.5).astype(np.uint8)
    inside, outside = _erode(hard, reach), _erode(1 - hard, reach)
    band = (inside | outside) == 0
    rows, columns = np.nonzero(band)
    pixel = _floats(rgb[rows, columns])
    fore = _nearby(rgb, inside, hard, 2 * reach)(rows, columns)
    rear = _nearby(rgb, outside, 1 - hard, 2 * reach)(rows, columns)
    step = fore - rear
    power = np.einsum("ij,ij->i", step, step)
    share = np.einsum("ij,ij->i", pixel - rear, step) / np.maximum(power, 1)
    trust = power / (power + np.float32(30**2))
    alpha = np.where(hard == 1, np.float32(1), np.float32(0))
    alpha[rows, columns] = np.clip(trust * np.clip(share, 0, 1) + (1 - trust) * soft[rows, columns], 0, 1)
    alpha = _settle(alpha, band)
    clean = rgb.copy()
    clean[rows, columns] = _without_backdrop(pixel, fore, rear, alpha[rows, columns])
    return clean, np.round(alpha * 255).astype(np.uint8)


def _nearby(
    rgb: Bytes, certain: Bytes, likely: Bytes, radius: int
) -> Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp]], Floats]:
    """Return a look-up of one side's mean colour around a pixel; likely pixels count where no certain ones are near."""
    height, width = rgb.shape[:2]
    scale = min(1.0, MEANS_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    weight = _floats(certain) + np.float32(0.02) * likely + np.float32(1e-6)
    colours = _floats(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    weight = _floats(cv2.resize(weight, size, interpolation=cv2.INTER_AREA))
    window = (2 * max(1, round(radius * scale)) + 1,) * 2
    total = cv2.blur(colours * weight[..., None], window)
    means = _floats(total / cv2.blur(weight, window)[..., None])

    def look_up(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Floats:
        return _floats(means[rows * size[1] // height, columns * size[0] // width])

    return look_up


def _settle(alpha: Floats, band: npt.NDArray[np.bool_]) -> Floats:
    """Take lone specks out of the band and round off nearly full and nearly empty pixels."""
    levels = cv2.medianBlur(np.round(alpha * 255).astype(np.uint8), 3)
    calm = np.where(band, levels.astype(np.float32) / 255, alpha)
    return np.clip((calm - 0.06) / 0.88, 0, 1).astype(np.float32)


def _without_backdrop(pixel: Floats, fore: Floats, rear: Floats, alpha: Floats) -> Bytes:
    """Return (n, 3) product colours of edge pixels: solved from the mixture, leaning on the neighbours' as alpha falls."""
    share = alpha[:, None]
    solved = np.clip((pixel - (1 - share) * rear) / np.maximum(share, 0.15), 0, 255)
    mixed = share * solved + (1 - share) * fore
    return np.round(mixed).astype(np.uint8)
