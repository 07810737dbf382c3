"""Measure the sandbox's cut-out against exact masks.

python tests/tools/evaluate_cutout.py                       drawn products
python tests/tools/evaluate_cutout.py --masks DIR           and the sample photos; DIR comes from
                                                            sample_inputs/scenes/render.py --masks DIR
python tests/tools/evaluate_cutout.py --sheets DIR          and contact sheets of every sample photo, cut and composed
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

from batchbg.sandbox.cutout import compose, remove_background
from tests.tools.drawn_products import BACKDROPS, PRODUCTS, Floats, draw

INPUTS = Path(__file__).resolve().parents[2] / "sample_inputs"
THUMBNAIL_PX = 420


def iou(alpha: Image.Image, truth: Floats) -> float:
    """Return intersection over union of a cut-out's alpha (mode L) and the true coverage, both at one half."""
    ours, real = np.asarray(alpha) >= 128, truth >= 0.5
    return float((ours & real).sum() / max(1, (ours | real).sum()))


def edge_error(alpha: Image.Image, truth: Floats) -> float:
    """Return the mean absolute error of alpha (0..1) over the true edge's pixels: what soft edges are worth."""
    edge = (truth > 0.02) & (truth < 0.98)
    return float(np.abs(np.asarray(alpha, np.float32) / 255 - truth)[edge].mean()) if edge.any() else 0.0


def drawn() -> Iterator[tuple[str, str, Image.Image, Floats]]:
    """Yield (backdrop kind, name, photo, truth) for every drawn product on every backdrop."""
    for backdrop in BACKDROPS:
        for seed, product in enumerate(PRODUCTS):
            photo, truth = draw(product, backdrop, seed=seed)
            yield backdrop, product, photo, truth


def sample_photos() -> list[Path]:
    """Return the sample photos in order of path."""
    return sorted(path for path in (INPUTS / "photos").rglob("*") if path.is_file())


def opened(path: Path) -> Image.Image:
    """Return a picture upright and in memory."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image)


def rendered(masks: Path) -> Iterator[tuple[str, str, Image.Image, Floats]]:
    """Yield the sample photos that have a mask in ``masks``."""
    for path in sample_photos():
        mask = masks / f"{path.stem}.png"
        if mask.is_file():
            yield "rendered photos", path.stem, opened(path), np.asarray(opened(mask), np.float32) / np.float32(255)


def checkerboard(size: tuple[int, int], square_px: int = 16) -> Image.Image:
    """Return the usual sign for transparency, mode RGB."""
    y, x = np.indices((size[1], size[0])) // square_px
    return Image.fromarray(np.where((x + y) % 2, 205, 240).astype(np.uint8)).convert("RGB")


def write_sheets(folder: Path) -> None:
    """Write one PNG per sample photo: the photo, its cut-out on a checkerboard, and on each background."""
    folder.mkdir(parents=True, exist_ok=True)
    backgrounds = [opened(path) for path in sorted((INPUTS / "backgrounds").iterdir())]
    for path in sample_photos():
        photo = opened(path)
        cut = remove_background(photo)
        on_board = checkerboard(photo.size)
        on_board.paste(cut, mask=cut.getchannel("A"))
        tiles = [photo.convert("RGB"), on_board, *(compose(photo, background) for background in backgrounds[:2])]
        sheet = Image.new("RGB", (sum(tile.width for tile in tiles), photo.height), "white")
        x = 0
        for tile in tiles:
            sheet.paste(tile, (x, 0))
            x += tile.width
        sheet.save(folder / f"{path.stem}.png")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=Path, help="folder of the sample photos' exact masks")
    parser.add_argument("--sheets", type=Path, help="folder to write contact sheets to")
    options = parser.parse_args()
    pillow_heif.register_heif_opener()
    rows: dict[str, list[tuple[str, float, float, float]]] = {}
    for kind, name, photo, truth in [*drawn(), *(rendered(options.masks) if options.masks else ())]:
        started = time.perf_counter()
        alpha = remove_background(photo).getchannel("A")
        spent_ms = (time.perf_counter() - started) * 1000 / (photo.width * photo.height / 1e6)
        rows.setdefault(kind, []).append((name, iou(alpha, truth), edge_error(alpha, truth), spent_ms))
    print(f"{'backdrop':18}  mean IoU  worst                   edge error  ms a megapixel")
    for kind, scores in rows.items():
        worst = min(scores, key=lambda score: score[1])
        means = np.mean([score[1:] for score in scores], axis=0)
        print(f"{kind:18}  {means[0]:8.3f}  {worst[1]:.3f} {worst[0]:16}  {means[1]:10.3f}  {means[2]:14.0f}")
    for name, score, error, spent in rows.get("rendered photos", []):
        print(f"  {name:24} {score:.3f}  edge {error:.3f}  {spent:.0f} ms")
    if options.sheets:
        write_sheets(options.sheets)


if __name__ == "__main__":
    main()
