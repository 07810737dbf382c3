"""Write the bad files of sample_inputs/troublesome: every one of them has to be rejected before anything is paid.

python sample_inputs/scenes/troublesome.py
"""

import io
from pathlib import Path

from PIL import Image

INPUTS = Path(__file__).resolve().parent.parent
FOLDER = INPUTS / "troublesome"


def main() -> None:
    """Write them all; they are made of the sample photos, small."""
    FOLDER.mkdir(exist_ok=True)
    mug = _thumbnail("photos/kitchen/mugs/white-mug.jpg", 480)
    bowl = _thumbnail("photos/kitchen/bowls/olive-wood-bowl.jpg", 480)
    whole = _encoded(mug, "JPEG", quality=88)
    (FOLDER / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (FOLDER / "empty.jpg").write_bytes(b"")
    (FOLDER / "text-named.jpg").write_text("This is a shopping list, whatever its name says.\n2 mugs\n1 bowl\n")
    frames = [mug.rotate(angle, fillcolor=(143, 178, 199)).resize((160, 160)) for angle in (0, 8, 0, -8)]
    frames[0].save(FOLDER / "animated.gif", save_all=True, append_images=frames[1:], duration=200, loop=0)
    frames[0].save(FOLDER / "animated.webp", save_all=True, append_images=frames[1:], duration=200, loop=0)
    frames[0].save(FOLDER / "animated.png", save_all=True, append_images=frames[1:], duration=200, loop=0)
    (FOLDER / "corrupt.png").write_bytes(_scrambled(_encoded(bowl, "PNG")))
    pages = [mug.resize((240, 240)), bowl.resize((240, 160))]
    pages[0].save(FOLDER / "multi-page.tif", save_all=True, append_images=pages[1:], compression="jpeg")


def _thumbnail(path: str, long_side: int) -> Image.Image:
    with Image.open(INPUTS / path) as image:
        image.thumbnail((long_side, long_side))
        return image.convert("RGB")


def _encoded(image: Image.Image, format_name: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def _scrambled(content: bytes) -> bytes:
    """Return a PNG with a good header and ending whose picture data is overwritten in the middle."""
    middle = len(content) // 2
    return content[:middle] + b"\x00" * 4096 + content[middle + 4096 :]


if __name__ == "__main__":
    main()
