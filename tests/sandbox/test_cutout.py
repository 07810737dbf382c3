"""The cut-out against drawn products with exact masks, on the sample photos, and on pictures that break naive code."""

import time
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from batchbg.sandbox.cutout import compose, remove_background
from tests.support.tiers import rest_slow
from tests.tools.drawn_products import BACKDROPS, draw
from tests.tools.evaluate_cutout import iou

pytestmark = pytest.mark.slow
"""How well the rehearsal cuts out is nobody's money; that it does is seen in every run of the demo."""

INPUTS = Path(__file__).resolve().parents[2] / "sample_inputs"
PHOTOS = sorted(path for path in (INPUTS / "photos").rglob("*") if path.is_file())


TRIED = ("stool", "parcel")
"""Thin legs, and a product that the frame cuts off; all five are in tests/tools/evaluate_cutout.py."""


def opened(path: Path) -> Image.Image:
    pillow_heif.register_heif_opener()
    with Image.open(path) as image:
        image.draft("RGB", (300, 300))  # what follows is smaller; for JPEG this saves most of the decoding
        return ImageOps.exif_transpose(image)


def alpha_of(image: Image.Image) -> np.ndarray:
    return np.asarray(image.getchannel("A"))


@pytest.mark.parametrize(
    ("backdrop", "product"),
    rest_slow(
        zip([name for name in BACKDROPS if not name.startswith(("white", "clutter"))], 4 * TRIED, strict=True), 2
    ),
)
def test_a_product_comes_out_whole_and_clean(backdrop, product):
    """IoU of at least 0.95 on plain, graded, shadowed and wooden backdrops."""
    size = 420 if backdrop == "wood" else 160
    photo, truth = draw(product, backdrop, size, size, seed=1)
    assert iou(remove_background(photo).getchannel("A"), truth) >= 0.95


@pytest.mark.slow
def test_white_on_white_comes_out_whole():
    """Where the outline would be a fragment, all that stands out is kept; the weak case, with a shadow above all."""
    scores = []
    for seed, product in enumerate(TRIED):
        photo, truth = draw(product, "white on white", 180, 180, seed)
        scores.append(iou(remove_background(photo).getchannel("A"), truth))
    assert min(scores) >= 0.85


def test_a_shadow_does_not_leave_a_white_product_in_pieces():
    """Some of the shadow comes along; what is never the case is that most of the product is gone."""
    photo, truth = draw("mug", "white, shadow", 160, 160)
    kept = alpha_of(remove_background(photo)) >= 128
    assert kept[truth >= 0.5].mean() > 0.9
    assert kept.mean() < 0.6


@pytest.mark.parametrize("backdrop", rest_slow(["graded vignette", "wood"]))
def test_a_small_product_is_not_taken_for_a_fragment(backdrop):
    """A backdrop with a grain or a vignette stands out from its model too, more of it than there is product."""
    scene = BACKDROPS[backdrop](500, 500, np.random.default_rng(0))
    y, x = np.indices((500, 500))
    truth = (np.hypot(x - 250, y - 260) < 35).astype(np.float32)
    scene[truth == 1] = (60, 60, 70)
    photo = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    assert iou(remove_background(photo).getchannel("A"), truth) > 0.8


def test_dust_is_no_product():
    """What is found is implausibly little: the picture is kept whole, a result is never all but empty."""
    photo = np.full((300, 400, 3), 240, np.uint8)
    photo[140:152, 200:212] = (120, 30, 30)
    cut = remove_background(Image.fromarray(photo))
    assert cut.getchannel("A").getextrema() == (255, 255)


@pytest.mark.slow
def test_clutter_is_cut_too():
    """Where the border is restless GrabCut takes over; products that the frame cuts off stay a weak case there."""
    scores = []
    for product in ("mug", "bag"):
        photo, truth = draw(product, "clutter", 220, 220, seed=100)
        scores.append(iou(remove_background(photo).getchannel("A"), truth))
    assert min(scores) >= 0.9


@pytest.mark.slow
def test_a_handle_keeps_its_hole():
    """The backdrop seen through a handle is backdrop."""
    photo, _ = draw("mug", "plain pastel", 240, 240)
    assert alpha_of(remove_background(photo))[132, 175] == 0


@pytest.mark.slow
def test_the_edge_is_soft_and_carries_no_halo():
    """A dark product from a light backdrop, put on black, shows no light rim; the edge has levels between."""
    photo, truth = draw("bottle", "plain light grey", 300, 300)
    cut = remove_background(photo)
    levels = alpha_of(cut)
    assert ((levels > 20) & (levels < 235)).sum() > 100
    on_black = np.asarray(compose(photo, Image.new("RGB", (10, 10), "black"))).astype(int)
    rim = (truth > 0.02) & (truth < 0.98)
    body = truth >= 0.999
    assert np.percentile(on_black[rim].sum(axis=1), 90) <= np.percentile(on_black[body].sum(axis=1), 99)


@pytest.mark.slow
def test_the_same_photo_gives_the_same_bytes():
    """No randomness: neither in the watershed nor in GrabCut."""
    for backdrop in ("graded grey", "clutter"):
        photo, _ = draw("bag", backdrop, 100, 100)
        assert remove_background(photo).tobytes() == remove_background(photo).tobytes()


@pytest.mark.parametrize("path", rest_slow(PHOTOS, 2), ids=lambda path: path.stem)
def test_every_sample_photo_is_cut_sensibly(path):
    """One product in the middle, whole, with a clear border around it."""
    photo = opened(path)
    photo.thumbnail((128, 128))
    levels = alpha_of(remove_background(photo))
    assert levels.shape == (photo.height, photo.width)
    assert 0.08 < (levels >= 128).mean() < 0.75
    frame = np.concatenate((levels[0], levels[-1], levels[:, 0], levels[:, -1]))
    assert (frame > 16).mean() < 0.01
    middling = ((levels > 25) & (levels < 230)).mean()
    assert middling < 0.05, "an edge is soft, a product is not half there"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16"])
def test_every_mode_is_taken(mode):
    """Whatever Pillow opens can be cut."""
    photo, _ = draw("mug", "plain light grey", 84, 70)
    if mode == "I;16":
        photo = Image.fromarray((np.asarray(photo.convert("L"), np.uint16) * 257).astype(np.uint16))
    elif mode in ("LAB",):
        photo = Image.new("LAB", (84, 70), (200, 128, 128))
    elif mode in ("I", "F", "LA"):
        photo = photo.convert("L").convert(mode)
    else:
        photo = photo.convert(mode)
    cut = remove_background(photo)
    assert (cut.mode, cut.size) == ("RGBA", (84, 70))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (7, 9), (64, 48), (33, 500)])
def test_tiny_and_narrow_pictures_do_not_break_it(size):
    """There may be nothing to cut, but there is a picture of the right size."""
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    for picture in (Image.new("RGB", size, (200, 30, 30)), Image.fromarray(noise)):
        assert remove_background(picture).size == size
        assert compose(picture, Image.new("RGB", (5, 3))).size == size


@pytest.mark.parametrize("colour", ["white", "black", (90, 120, 40)])
def test_one_colour_comes_back_opaque(colour):
    """No product can be told from the backdrop: the whole picture is kept."""
    cut = remove_background(Image.new("RGB", (100, 75), colour))
    assert cut.getchannel("A").getextrema() == (255, 255)


def test_a_photo_that_is_cut_out_already_keeps_its_alpha():
    """Its alpha is better than ours; the colours stay too."""
    photo = opened(INPUTS / "photos/toys/wooden/stacking-rings.png")
    assert remove_background(photo).tobytes() == photo.tobytes()


@pytest.mark.slow
def test_slight_transparency_is_multiplied_with_the_cut():
    """A watermark's worth of alpha does not make a photo a cut-out."""
    photo, truth = draw("mug", "plain pastel", 300, 300)
    photo.putalpha(200)
    cut = alpha_of(remove_background(photo))
    assert cut.max() == 200
    assert cut[truth < 0.01].max() < 20


def test_a_background_is_stretched_to_the_photo():
    """The answer has the photo's size and no alpha, as the API's has."""
    photo, truth = draw("bottle", "graded grey", 300, 400)
    halves = Image.new("RGB", (40, 10), "red")
    halves.paste("blue", (20, 0, 40, 10))
    made = compose(photo, halves)
    assert (made.mode, made.size) == ("RGB", (300, 400))
    assert made.getpixel((2, 200)) == (255, 0, 0)
    assert made.getpixel((297, 200)) == (0, 0, 255)
    centre = np.asarray(made)[truth >= 0.999].astype(int)
    assert np.percentile(np.abs(centre - np.asarray(photo)[truth >= 0.999]), 98) <= 2


@pytest.mark.slow
def test_a_megapixel_takes_a_fraction_of_a_second():
    """0.13 s of one core of 2026; counted is what all threads compute, not what they wait, and the best of three."""
    photo = draw("mug", "shadow on grey", 250, 250)[0].resize((1000, 1000))
    taken_s: list[float] = []
    while not taken_s or (len(taken_s) < 3 and min(taken_s) >= 1.0):
        started = time.process_time()
        remove_background(photo)
        taken_s.append(time.process_time() - started)
    assert min(taken_s) < 1.0
