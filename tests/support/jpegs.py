"""JPEGs as various encoders write them, and what disks, copies and transfers do to them."""

import base64
import io
import random
from collections.abc import Callable
from typing import Any, Final

from PIL import Image

from tests.support.pictures import encoded


def textured(seed: int = 1, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Draw a picture with much detail, the same for the same seed."""
    draw = random.Random(seed)
    width, height = size
    coarse = Image.frombytes("RGB", (width // 16, height // 16), draw.randbytes(width // 16 * (height // 16) * 3))
    fine = Image.frombytes("RGB", size, draw.randbytes(width * height * 3))
    return Image.blend(coarse.resize(size, Image.Resampling.BICUBIC), fine, 0.12)


def on_white(seed: int = 1) -> Image.Image:
    """Draw a product on white ground: most of the file says that nothing is there."""
    picture = Image.new("RGB", (1600, 1200), "white")
    picture.paste(textured(seed), (640, 480))
    return picture


VARIANTS: Final[dict[str, tuple[Callable[[], Image.Image], dict[str, Any]]]] = {
    "plain": (textured, {"quality": 90}),
    "optimised": (textured, {"quality": 90, "optimize": True}),
    "progressive": (textured, {"quality": 90, "progressive": True}),
    "restarts": (textured, {"quality": 90, "restart_marker_rows": 1}),
    "on white": (on_white, {"quality": 90}),
    "on white, optimised": (on_white, {"quality": 90, "optimize": True}),
    "on white, progressive": (on_white, {"quality": 90, "progressive": True}),
}
"""By name: what is drawn, and how Pillow writes it."""


def variant(name: str) -> bytes:
    draw, options = VARIANTS[name]
    return encoded(draw(), "JPEG", **options)


BLOCK: Final = 4096
"""Bytes that disks and transfers lose at once."""


def _overwritten(whole: bytes, at: int, some: bytes) -> bytes:
    return whole[:at] + some[: len(whole) - at] + whole[at + len(some) :]


DAMAGES: Final[dict[str, Callable[[bytes, int, random.Random], bytes]]] = {
    "cut off": lambda whole, at, draw: whole[:at],
    "last bytes missing": lambda whole, at, draw: whole[: -draw.randint(1, 200)],
    "zeros to the end": lambda whole, at, draw: whole[:at] + bytes(len(whole) - at),
    "zeros to the last marker": lambda whole, at, draw: whole[:at] + bytes(len(whole) - at - 2) + whole[-2:],
    "block of zeros": lambda whole, at, draw: _overwritten(whole, at, bytes(BLOCK)),
    "block of 0xFF": lambda whole, at, draw: _overwritten(whole, at, b"\xff" * BLOCK),
    "block of another file": lambda whole, at, draw: _overwritten(whole, at, draw.randbytes(BLOCK)),
}
"""By name: a whole file, a place in the middle of it, and chance make a damaged one."""


def damaged(whole: bytes, kind: str, number: int) -> list[bytes]:
    """Return the file, damaged in so many places; the same for the same arguments."""
    draw = random.Random(kind)
    return [DAMAGES[kind](whole, draw.randrange(len(whole) // 10, len(whole) * 9 // 10), draw) for _ in range(number)]


def is_refused(data: bytes) -> bool:
    """Return whether Pillow refuses to decode a JPEG at an eighth of its size, where every byte is still read."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            picture.draft("RGB", (max(1, picture.width // 8), max(1, picture.height // 8)))
            picture.load()
    except Exception:  # a decoder raises anything on spoilt bytes
        return True
    return False


WRITTEN: Final = {
    name: base64.b64decode(text)
    for name, text in {
        "planes one after the other, restarts": """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x
            eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAAR
            CAAUACEDASIAAhEBAxEB/8QAGgABAAIDAQAAAAAAAAAAAAAAAwQFAAECBv/EACIQAAEEAQMFAQAAAAAAAAAAAAEAAgMRBQQTIRIUMVFhJP/d
            AAQAAv/aAAgBAQAAPwDOoOFBbjG0bX//0EfGdR4CF2PcF//RPsHe0Estiojyv//SPGbhk/SKb9XoGRQGO4aJX//T5yc88MhDVX99qfq//9Sr
            x3OqAPhXuuAbDwKX/9WdgnFwNm0GXaN08L//1oXSPS//xAAYAQACAwAAAAAAAAAAAAAAAAAABAEDBf/EAB4RAAIBBAMBAAAAAAAAAAAAAAAC
            AQMREjMEBSFR/9oACAECEQA/AG2RKi3riUNF8KceH//QMX+Edhtg/9G3g7TdtB//xAAXAQADAQAAAAAAAAAAAAAAAAABBAUD/8QAIBEAAQQB
            BAMAAAAAAAAAAAAAAQACAxEhBAUUIiNBUv/aAAgBAxEAPwAGV0puc070mmETeO8r/9B3gv8AoKJvmJmr/9Gfpz0W9lf/2Q==
        """,
        "many scans": """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x
            eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wgAR
            CAAUACEDASIAAhEBAxEB/8QAGAABAAMBAAAAAAAAAAAAAAAAAAEDBAL/xAAXAQADAQAAAAAAAAAAAAAAAAABAgME/9oADAMBAAIQAxAAAAEp
            sqLON+CNYUC0bgYu6xxlG9//xAAdEAACAgIDAQAAAAAAAAAAAAAAAQMRAhITITEy/9oACAEBAAEFAhdFbHGaDZHd0qkbT3yI/rPyAl9P/8QA
            HxEAAgAFBQAAAAAAAAAAAAAAAAECAyIxMgQQEhNR/9oACAEDAQE/AeTizuKuk6H6a7NEu23/xAAdEQACAQQDAAAAAAAAAAAAAAAAAQIDBBEy
            ECJB/9oACAECAQE/AWlJdzPkTDLjYobcf//EABgQAAIDAAAAAAAAAAAAAAAAAAAhICIw/9oACAEBAAY/AoosLD//xAAZEAADAQEBAAAAAAAA
            AAAAAAAAAREQIXH/2gAIAQEAAT8htwYNi8HkCF57Z5LUUQ//2gAMAwEAAgADAAAAEGwQXnvf/8QAGhEAAgIDAAAAAAAAAAAAAAAAAAERITFB
            Yf/aAAgBAwEBPxBuy8aDrJZxFAYyz//EABoRAAMAAwEAAAAAAAAAAAAAAAABERAhMWH/2gAIAQIBAT8QrCkstHiccMR//8QAGxAAAwEAAwEA
            AAAAAAAAAAAAAAERITFRYXH/2gAIAQEAAT8QhIhLo7ghA9i6j6WxnofqGx8Q+ptE+BFgoOR10VeEdH//2Q==
        """,
        "sampled unevenly": """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x
            eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAAR
            CAAUACEDAREAAiIBAxIB/8QAFgABAQEAAAAAAAAAAAAAAAAABQME/8QAIhAAAQMDAwUAAAAAAAAAAAAAAQACAwQRIQUUMTVBUVNh/8QAGgEA
            AgIDAAAAAAAAAAAAAAAAAAQBAgMFBv/EACMRAAICAgIBBAMAAAAAAAAAAAACAQMEEhEhBRMiMkEjMVH/2gAMAwEAAhEDEQA/AJxyh9Q1gFye
            HDgJ18iLeoE38cz9jddS1zzJkty4iOFL33RktFq/QvVrj/jf7NddTRU8Ilmu+/dqQWiaP2QzcmG293nstXW7QPP7qocjGsRrNJ+IbuKP1SKw
            F/QcBTY3/pYxXS+mzH6nsr4HPq07AByvnOrl4ARfnQ475ymJN5iLGoAVx2nXkAew8J/WAABjdv6B/9k=
        """,
        "mozjpeg": """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wCEABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x
            eXBkeFxlZ2MBERISGBUYLxoaL2NCOEJjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY//CABEIABQA
            IQMBIgACEQEDEQH/xAAvAAEAAwEBAAAAAAAAAAAAAAAAAwQFAgEBAAIDAAAAAAAAAAAAAAAAAAMEAQIF/9oADAMBAAIQAxAAAAB7TnbixDvY
            KTXKisTndIxJYA1csbp//8QAIhAAAQQBAwUBAAAAAAAAAAAAAQACAxEFBBMhEhQxUWEk/9oACAEBAAE/AOoOFBRjaNp8Z1HgJ2PcF2Dvalls
            VEeVjNwyfpFN+pkUBjuGiVk554ZCGrvtT9WO51QB8LXANh4FLBOLgbNrLtG6eF0j0v/EAB4RAAIBBAMBAAAAAAAAAAAAAAACAQMREjMEBSFR
            /9oACAECAQE/AGRKi3rkNF8KceGL/DsNsHB2loP/xAAgEQABBAEEAwAAAAAAAAAAAAABAAIDESEEBRQiI0FS/9oACAEDAQE/ADK6U3Oad6TC
            JvHeVwX/AEFvmJmrTnorK//Z
        """,
        "arithmetic": """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x
            eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/yQAR
            CAAUACEDASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwBtbDoV1o+jVtpvH78nDRyJa6Si9HWBTYUZwq6IcjxHYSkq2wFq6A5I
            tuMegiXdllw6IuBs2BczTsjFsDDGZbqJiAf8x2ZyiTOFvsOksahhpwzrgtgKFoS75ErDvA5LhjFjku/00npqw2+hkepgbn5ZTbYJfapfeFea
            jB6IrUu+JT+DCSXhbHPOADJzTj66imuuzrsWZXqOD//Z
        """,
    }.items()
}
"""What Pillow does not write: by cjpeg of libjpeg-turbo 2.1.5 with scripts for its scans, and by MozJPEG."""
