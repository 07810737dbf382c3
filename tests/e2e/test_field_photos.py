"""A folder of files as they come from the field, one of each kind: every one ends with its reason, or is paid for."""

import io
import random
import struct
from collections.abc import Callable
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from tests.support.made import SIZE, colours, raw, tiff, with_hole, with_nclx
from tests.support.pictures import chunk, encoded, noise, png
from tests.support.shop import Shop

COUNT = SIZE[0] * SIZE[1]
CORRUPT = "corrupt or cut off: it cannot be read to its end; save or copy it again"
BLANK = "blank: nothing in it to cut out; take it away, or give --allow-blank"
DEVELOP = "a camera's raw file; develop it to JPEG"


def icon_that_claims(width: int, height: int) -> bytes:
    """A Mac icon in which a PNG claims so many pixels: a few bytes that would take gigabytes."""
    inner = png((width, height), 8, 2, b"\0" * 20)
    return b"icns" + struct.pack(">I", 16 + len(inner)) + b"ic10" + struct.pack(">I", 8 + len(inner)) + inner


def icon_before_its_beginning() -> bytes:
    """A Windows icon whose picture lies at an offset below zero."""
    return struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHIi", 16, 16, 0, 0, 1, 32, 100, -20) + bytes(150)


def fax_of_which_libtiff_complains() -> bytes:
    draw = random.Random(1)
    whole = bytearray(
        encoded(Image.frombytes("L", (400, 300), draw.randbytes(120_000)).convert("1"), "TIFF", compression="group4")
    )
    whole[2000:2040] = draw.randbytes(40)
    return bytes(whole)


def said_by_a_png(*chunks: bytes) -> bytes:
    whole = encoded(colours(), "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def with_a_wrong_check() -> bytes:
    whole = bytearray(encoded(colours(), "PNG"))
    whole[-13] ^= 1  # of the pixels' chunk, which is the last before the end
    return bytes(whole)


def spatial() -> bytes:
    """A HEIC of two views, of which one is the picture."""
    file: Any = pillow_heif.from_pillow(Image.new("RGB", (96, 64), "red"))
    file.add_from_pillow(Image.new("RGB", (64, 96), "blue"))
    data = io.BytesIO()
    file.save(data, primary_index=0)
    return data.getvalue()


def unreadable(kind: str) -> str:
    return f"a TIFF of a kind that cannot be read here ({kind}); save it as 8- or 16-bit RGB"


REJECTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "inner.jpg": (lambda: icon_that_claims(30_000, 30_000), "a Mac icon, which is not taken; save it as JPEG or PNG"),
    "offset.ico": (icon_before_its_beginning, "a Windows icon, which is not taken; save it as JPEG or PNG"),
    "preview.IIQ": (raw, DEVELOP),
    "renamed.TIF": (raw, DEVELOP),
    **{f"kind.{kind}": (lambda: b"of its own" * 30, DEVELOP) for kind in ("CRW", "X3F", "MRW", "EIP")},
    "hole.heic": (lambda: with_hole(encoded(noise(), "HEIF", quality=90), 0.5, 1 << 20), CORRUPT),
    "hole.avif": (lambda: with_hole(encoded(noise(), "AVIF", quality=90), 0.5, 1 << 20), CORRUPT),
    "hole.jpg": (lambda: with_hole(encoded(noise(), "JPEG"), 0.5, 4096), CORRUPT),
    "check.png": (with_a_wrong_check, CORRUPT),
    "talks.tif": (fax_of_which_libtiff_complains, CORRUPT),
    "float.tif": (lambda: tiff((32,) * 3, bytes(COUNT * 12), sample_format=3), unreadable("32-bit float")),
    "planar.tif": (
        lambda: tiff((16,) * 3, (bytes(COUNT * 2),) * 3, tag_284=("H", (2,))),
        unreadable("16 bits in separate planes"),
    ),
    "pq.png": (
        lambda: said_by_a_png(chunk(b"cICP", bytes([9, 16, 0, 1]))),
        "HDR (PQ), which every screen shows in its own way; save it as sRGB",
    ),
    "spacer.gif": (lambda: encoded(Image.new("RGB", (1, 1)), "GIF"), BLANK),
    "clear.png": (lambda: encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 0)), "PNG"), BLANK),
    "lost.jpg?v=2": (lambda: b"<html><body>404 not found", "a web page, not a picture; download it again"),
}

SENT: dict[str, Callable[[], bytes]] = {
    "white-is-zero.tif": lambda: tiff((16,), bytes(range(256)) * (COUNT // 128), photometric=0),
    "level.png": lambda: png(
        (6, 6), 16, 0, (b"\0" + b"\x9c\x40" * 3 + b"\x4e\x20" * 3) * 6, chunk(b"tRNS", b"\x9c\x40")
    ),
    "deep.jp2": lambda: encoded(Image.new("I;16", (40, 30), 257 * 100), "JPEG2000"),
    "gamma.png": lambda: said_by_a_png(chunk(b"gAMA", struct.pack(">I", 100_000))),
    "p3.avif": lambda: with_nclx(encoded(colours(), "AVIF"), 12, 13),
    "spatial.heic": spatial,
    "history.png": lambda: said_by_a_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 3_000_000)),
}


@pytest.mark.slow
def test_every_kind_of_the_field_ends_with_its_reason_or_is_paid_for(shop: Shop, capfd: pytest.CaptureFixture[str]):
    """Said by `plan` before anything is paid; a run pays for the others, once; nothing that a library says is printed."""
    for name, (make, _) in REJECTED.items():
        (shop.photos / name).write_bytes(make())
    for name, make_photo in SENT.items():
        (shop.photos / name).write_bytes(make_photo())
    planned = shop.do("plan")
    assert planned.code == 3, planned
    told = dict(line.removeprefix("rejected ").split(": ", 1) for line in planned.err.splitlines())
    assert told == {name: reason for name, (_, reason) in REJECTED.items()}
    result = shop.run("--json")
    assert result.code == 3, result
    assert result.json["photos"] | {"seen": len(told) + len(SENT), "rejected": len(told)} == result.json["photos"]
    assert len(shop.creates()) == result.json["jobs"]["done"] == len(SENT)
    assert shop.run("-q").err == ""
    assert capfd.readouterr() == ("", "")
