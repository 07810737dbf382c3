"""Spoilt and hostile bytes as results and as photos: each costs itself, whatever a decoder makes of it."""

import contextlib
import random
import struct
import zlib
from pathlib import Path

import pytest

from batchbg.core.model import Size
from batchbg.disk import decoder_pool, verify
from batchbg.disk.results import check
from batchbg.errors import ResultUnusable
from batchbg.sandbox import Fault
from batchbg.sandbox.records import Operation
from tests.support import odd
from tests.support.delivers import Delivers
from tests.support.pictures import checked_again, chunk, encoded, noise, png, probed, quarters
from tests.support.shop import Shop
from tests.support.tiers import EXHAUSTIVE, rest_slow
from tests.test_layers import MODULES

KINDS = ["PNG", "JPEG", "WEBP", "AVIF", "HEIF", "JPEG2000", "TIFF", "BMP", "GIF"]


def mutated(whole: bytes, draw: random.Random) -> bytes:
    """A few bytes changed, cut out or doubled; of a PNG the checks are made right again, so that decoders see it."""
    data = bytearray(whole)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data))
        match draw.randrange(4):
            case 0:
                data[at] = draw.randrange(256)
            case 1:
                data[at : at + 4] = draw.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01"])
            case 2:
                del data[at : at + draw.randint(1, 9)]
            case 3:
                data[at:at] = data[at : at + draw.randint(1, 9)]
    return checked_again(bytes(data)) if whole.startswith(b"\x89PNG") else bytes(data)


def seeds(kind: str) -> list[bytes]:
    if kind != "PNG":
        return [encoded(noise(40, 30), kind)]
    text = (
        chunk(b"tEXt", b"a\0b")
        + chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"x"))
        + chunk(b"iCCP", b"n\0\0" + zlib.compress(b"y"))
    )
    plain = encoded(quarters().quantize(4), "PNG", transparency=0)
    return [plain, plain[:33] + text + plain[33:], encoded(quarters().convert("RGBA"), "PNG")]


@pytest.mark.parametrize("kind", rest_slow(KINDS, 5))
def test_a_spoilt_result_costs_one_job(tmp_path: Path, kind: str):
    """It is whole or it is unusable; nothing else comes out, however it is spoilt: no fault of the disk's, no crash."""
    part = tmp_path / "a.part"
    draw = random.Random(kind)
    for seed in seeds(kind):
        for _ in range(150 if EXHAUSTIVE else 50):
            part.write_bytes(mutated(seed, draw))
            with contextlib.suppress(ResultUnusable):
                assert check(part, Size(40, 30)).pixels


@pytest.mark.parametrize("kind", rest_slow(KINDS, 5))
def test_a_spoilt_photo_costs_one_photo(tmp_path: Path, kind: str):
    """It has a size or a reason."""
    draw = random.Random(kind)
    for seed in seeds(kind):
        for _ in range(100 if EXHAUSTIVE else 40):
            found = probed(tmp_path / "a.jpg", mutated(seed, draw))
            assert (found.pixels is None) is bool(found.rejected)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\0\x28"),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) + chunk(b"pHYs", b"\0"),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) + chunk(b"gAMA", b""),
        b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + b"\0\0\0\x2djp2h",
        encoded(noise(40, 30), "JPEG2000")[:400],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n",
        b"DDS " + bytes(124),
        b"BLP2" + bytes(200),
    ],
)
def test_what_a_decoder_chokes_on_is_no_fault_of_the_disks(tmp_path: Path, content: bytes):
    """IndexError, struct.error, OSError with and without a number: it belongs to the file."""
    part = tmp_path / "a.part"
    part.write_bytes(content)
    with pytest.raises(ResultUnusable):
        check(part, Size(40, 30))


@pytest.mark.parametrize("number", [5, 28, 12, None])
def test_what_the_disk_refuses_is_the_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None):
    """A decoder may raise an error with a number of the system's: it counts only where the disk says the same."""
    part = tmp_path / "a.part"
    part.write_bytes(encoded(quarters(), "PNG"))

    def choke(*_args: object) -> None:
        raise OSError(number, "made up") if number else OSError("made up")

    monkeypatch.setattr(decoder_pool, "run", lambda function, *args: function(*args))
    monkeypatch.setattr(verify, "open_picture", choke)
    with pytest.raises(ResultUnusable):
        check(part, Size(40, 24))


@pytest.mark.parametrize("size", [(65_535, 65_535), (15_000, 15_000), (2**31 - 1, 1), (1, 2**31 - 1)])
def test_a_result_that_claims_too_much_is_not_decoded(tmp_path: Path, size: tuple[int, int]):
    """No render of a small photo is so large: a few bytes take no memory."""
    part = tmp_path / "a.part"
    part.write_bytes(png(size, 8, 6, b"\0" * 1000))
    with pytest.raises(ResultUnusable, match="claims"):
        check(part, Size(64, 48))


@pytest.mark.slow
@pytest.mark.parametrize("extra", rest_slow(["zTXt", "iTXt", "iCCP"]))
def test_comments_that_unpack_to_gigabytes_are_not_unpacked(
    tmp_path: Path, extra: str, monkeypatch: pytest.MonkeyPatch
):
    """Within the memory of any other small picture, in a process that has decoded none before."""
    own = decoder_pool._Decoders()
    monkeypatch.setattr(decoder_pool, "_decoders", own)
    packed = zlib.compress(bytes(300_000_000), 1)
    head = {"zTXt": b"a\0\0", "iTXt": b"a\0\1\0\0\0", "iCCP": b"a\0\0"}[extra]
    plain = encoded(quarters(), "PNG")
    content = plain[:33] + chunk(extra.encode(), head + packed) + plain[33:]
    part = tmp_path / "a.part"
    part.write_bytes(content)
    with contextlib.closing(own):
        found = probed(tmp_path / "a.png", content)
        assert (found.pixels is None) is bool(found.rejected)
        with contextlib.suppress(ResultUnusable):
            check(part, Size(40, 24))
        assert decoder_pool.run(odd.most_memory) < 600_000_000


def test_three_megabytes_of_history_are_no_reason_to_reject(tmp_path: Path):
    """Editors write that much into a PNG."""
    plain = encoded(quarters(), "PNG")
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x/>" * 800_000)
    found = probed(tmp_path / "a.png", plain[:33] + text + plain[33:])
    assert (found.rejected, found.pixels) == ("", Size(40, 24))


def test_pictures_are_opened_in_one_place():
    """With the short list of formats: no other decoder is ever asked, and none runs in this process."""
    users = {name for name, file in MODULES.items() if "Image.open(" in file.read_text(encoding="utf-8")}
    assert users == {"batchbg.disk.input_formats", "batchbg.sandbox.effects"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    rest_slow(
        [
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\0\x28"),
            b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + b"\0\0\0\x2djp2h",
            png((65_535, 65_535), 8, 6, b"\0" * 1000),
        ]
    ),
)
def test_one_spoilt_result_does_not_stop_a_run(shop: Shop, content: bytes):
    """Its job fails, whatever is photographed later is done, the next run has nothing to do; nothing paid is lost."""
    shop.some_photos(2)
    shop.faults.plant(Fault(Operation.DOWNLOAD, Delivers(content=content)))
    result = shop.run("--json")
    assert (result.code, result.json["jobs"]["done"], result.json["jobs"]["failed"]) == (3, 0, 2)
    assert all(job["project_id"] for job in shop.jobs("--state", "failed"))
    shop.faults.clear()
    shop.some_photos_more(1)
    assert shop.run("--json").json["jobs"]["done"] == 1
    again = shop.run("--json")
    assert (again.code, len(shop.creates())) == (0, 3)
    assert shop.do("rescue").code == 0
    assert len(shop.outputs()) == 3
