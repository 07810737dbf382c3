"""Render the sample photos and backgrounds, and the exact masks of the products.

Needs ``povray`` on the PATH, Pillow and pillow_heif. From the top of the checkout:

    python sample_inputs/scenes/render.py                  everything, in place
    python sample_inputs/scenes/render.py white-mug vase   these only
    python sample_inputs/scenes/render.py --masks DIR      the masks only, as DIR/<photo's stem>.png (8 bit, 255 is product)
"""

import argparse
import io
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pillow_heif
from PIL import Image
from prints import draw_prints

SCENES = Path(__file__).resolve().parent
INPUTS = SCENES.parent
MAX_FILE_BYTES = 200_000
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Picture:
    """One committed picture: which scene, where it goes, and its size upright in pixels."""

    scene: str
    path: str
    width: int
    height: int
    orientation: int = 1
    alpha: bool = False
    copy: str = ""

    @property
    def target(self) -> Path:
        """The committed file."""
        return INPUTS / self.path


PHOTOS = (
    Picture("white-mug", "photos/kitchen/mugs/white-mug.jpg", 1200, 1200),
    Picture(
        "enamel-mug",
        "photos/kitchen/mugs/enamel-mug-navy.jpg",
        1200,
        800,
        copy="photos/new-in/spring/IMG_0412.jpg",
    ),
    Picture("wooden-bowl", "photos/kitchen/bowls/olive-wood-bowl.jpg", 1500, 1000),
    Picture("olive-oil", "photos/pantry/oil/olive-oil-500ml.jpg", 800, 1200),
    Picture("tea-carton", "photos/pantry/tea/earl-grey-20-bags.jpg", 960, 1200),
    Picture("rain-boots", "photos/shoes/boots/rain-boots-yellow.jpg", 1000, 1000),
    Picture("sneaker", "photos/shoes/sneakers/canvas-sneaker-red.jpg", 1200, 800),
    Picture("headphones", "photos/electronics/audio/headphones-navy.jpg", 1080, 1350),
    Picture("desk-lamp", "photos/home/lamps/brass-desk-lamp.jpg", 800, 1200),
    Picture("vase", "photos/home/vases/teal-vase.jpg", 900, 1350, orientation=6),
    Picture("toy-car", "photos/toys/wooden/racing-car.webp", 1600, 900),
    Picture("stacking-rings", "photos/toys/wooden/stacking-rings.png", 640, 800, alpha=True),
    Picture("watch", "photos/accessories/watches/steel-watch.heic", 1080, 1080),
)
BACKGROUNDS = (
    Picture("bg-marble", "backgrounds/marble-counter.jpg", 1200, 1200),
    Picture("bg-planks", "backgrounds/wooden-planks.jpg", 1500, 1000),
    Picture("bg-concrete", "backgrounds/concrete-wall.jpg", 960, 1200),
    Picture("bg-linen", "backgrounds/linen-cloth.jpg", 800, 1200),
    Picture("bg-gradient", "backgrounds/soft-gradient.png", 640, 360),
    Picture("bg-bokeh", "backgrounds/evening-bokeh.jpg", 1920, 640),
)


def trace(picture: Picture, prints: Path, *, mask: bool = False, scale: float = 1.0) -> Image.Image:
    """Run POV-Ray on the picture's scene; RGBA if the picture has alpha, RGB otherwise, L for a mask."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.png"
        command = [
            "povray",
            f"+I{SCENES / (picture.scene + '.pov')}",
            f"+O{out}",
            f"+L{SCENES}",
            f"+L{prints}",
            f"+W{round(picture.width * scale)}",
            f"+H{round(picture.height * scale)}",
            "+A0.12" if not mask else "+A0.05",
            "+AM2",
            "+R2",
            "-D",
            "-GA",
            "+FN8",
            "+WT1",
        ]
        if mask:
            command += ["Declare=Mask=1", "File_Gamma=1.0"]
        elif picture.alpha:
            command += ["Declare=Cutout=1", "+UA"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if done.returncode != 0:
            raise SystemExit(f"{picture.scene}: povray failed\n{done.stderr[-2000:]}")
        with Image.open(out) as image:
            return image.convert("L" if mask else "RGBA" if picture.alpha else "RGB")


def encode(image: Image.Image, picture: Picture) -> bytes:
    """Return the file's bytes in the format of its name, at the best quality that keeps it small enough to commit."""
    suffix = picture.target.suffix
    exif = Image.Exif()
    if picture.orientation == 6:  # stored sideways: a viewer turns it 90 degrees clockwise
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[ORIENTATION_TAG] = 6
    for quality in range(92, 40, -3):
        buffer = io.BytesIO()
        match suffix:
            case ".jpg":
                image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True, exif=exif)
            case ".webp":
                image.save(buffer, "WEBP", quality=quality, method=6)
            case ".heic":
                pillow_heif.from_pillow(image).save(buffer, quality=quality)
            case _:
                image.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MAX_FILE_BYTES:
            return buffer.getvalue()
    raise SystemExit(f"{picture.path}: over {MAX_FILE_BYTES} bytes at every quality")


def make(picture: Picture, prints: Path) -> str:
    """Render and write one picture with its copy; return a line for the terminal."""
    content = encode(trace(picture, prints), picture)
    picture.target.parent.mkdir(parents=True, exist_ok=True)
    picture.target.write_bytes(content)
    if picture.copy:
        other = INPUTS / picture.copy
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture.target, other)
    return f"{picture.path}: {picture.width} x {picture.height}, {len(content)} bytes"


def make_mask(picture: Picture, prints: Path, folder: Path) -> str:
    """Render the exact mask of a photo's product into ``folder``."""
    target = folder / f"{picture.target.stem}.png"
    trace(picture, prints, mask=True).save(target)
    return str(target)


def main() -> None:
    """Render what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", help="scene names; all when left out")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="render the photos' masks into DIR instead")
    parser.add_argument("--jobs", type=int, default=2, help="renders at a time")
    options = parser.parse_args()
    chosen = [p for p in PHOTOS + BACKGROUNDS if not options.scenes or p.scene in options.scenes]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        prints = Path(folder)
        draw_prints(prints)
        if options.masks:
            options.masks.mkdir(parents=True, exist_ok=True)
            done = pool.map(lambda p: make_mask(p, prints, options.masks), [p for p in chosen if p in PHOTOS])
        else:
            done = pool.map(lambda p: make(p, prints), chosen)
        for line in done:
            print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
