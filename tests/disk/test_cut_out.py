"""Looking results over: how well the bad ones are found, among good and odd ones."""

import concurrent.futures
import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batchbg.core import suspicion
from batchbg.core.paint import read_paint
from batchbg.core.suspicion import Kind, Sign
from batchbg.disk import decoding
from batchbg.disk.cut_out import NO_ALPHA, look_over
from batchbg.errors import PhotoChanged
from tests.support.cut_outs import FAULTS, make
from tests.support.tiers import EXHAUSTIVE, rest_slow

RESULTS = 2_000 if EXHAUSTIVE else 200
PLANTED = RESULTS // 50
SHOWN_FIRST = PLANTED * 3


def looked(folder: Path, number: int, fault: str = "", *, with_photo: bool = True) -> dict[str, Any]:
    made = make(number, fault)
    result, photo = folder / f"{number}.png", folder / f"{number}.jpg"
    made.result.save(result, compress_level=1)
    made.photo.save(photo, quality=90)
    return look_over(result, photo if with_photo else None, None, False, 480, 80)


def suspicion_of(seen: dict[str, Any]) -> float:
    return suspicion.score(Sign(Kind(kind), score, words) for kind, score, words in seen["signs"])


@pytest.mark.parametrize(("number", "fault"), rest_slow(enumerate(FAULTS, 7)))
def test_a_planted_fault_is_told(tmp_path: Path, number: int, fault: str):
    seen = looked(tmp_path, number, fault)
    assert fault in [kind for kind, _, _ in seen["signs"]]
    assert suspicion_of(seen) > suspicion_of(looked(tmp_path, number))


def test_the_thumbnail_is_transparent_and_small(tmp_path: Path):
    seen = looked(tmp_path, 3)
    with Image.open(io.BytesIO(seen["thumb"])) as thumb:
        assert thumb.format == "WEBP"
        assert max(thumb.size) <= 480
        assert thumb.getchannel("A").getextrema() == (0, 255)
    assert tuple(seen["size"]) == make(3).result.size


@pytest.mark.slow
def test_on_a_background_the_same_is_told_by_the_photo_and_the_background(tmp_path: Path):
    for fault in ("hole", "cut", ""):
        made = make(22, fault)
        wall = Image.linear_gradient("L").resize(made.photo.size).convert("RGB").point(lambda v: v // 2 + 20)
        shown = wall.copy()
        shown.paste(made.result, (0, 0), made.result)
        for name, picture in (("photo", made.photo), ("wall", wall), ("result", shown)):
            picture.save(tmp_path / f"{name}.png")
        seen = look_over(tmp_path / "result.png", tmp_path / "photo.png", tmp_path / "wall.png", True, 480, 80)
        assert not seen["untold"]
        assert (suspicion_of(seen) > 0.5) is bool(fault), (fault, seen["signs"])


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["white", "#2255aa"])
def test_on_a_colour_the_same_is_told(tmp_path: Path, colour: str):
    """Also where a white studio becomes a white background, so that most of the picture stays what it was."""
    for number, fault in ((22, "hole"), (26, "empty"), (22, ""), (26, "")):
        made = make(number, fault)
        shown = Image.new("RGB", made.photo.size, colour)
        shown.paste(made.result, (0, 0), made.result)
        shown.save(tmp_path / "result.png")
        made.photo.save(tmp_path / "photo.png")
        seen = look_over(tmp_path / "result.png", tmp_path / "photo.png", read_paint(colour), True, 480, 80)
        assert (suspicion_of(seen) > 0.5) is bool(fault), (number, fault, seen["signs"], seen["untold"])


def test_what_cannot_be_told_is_said(tmp_path: Path):
    made = make(5)
    made.photo.save(tmp_path / "photo.png")
    made.photo.rotate(180).save(tmp_path / "result.png")
    result, photo = tmp_path / "result.png", tmp_path / "photo.png"
    assert look_over(result, photo, None, False, 480, 80)["untold"] == NO_ALPHA
    assert [kind for kind, *_ in look_over(photo, photo, None, False, 480, 80)["signs"]] == ["untouched"]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(PhotoChanged):
        decoding.look_over(tmp_path / "broken.png", None, None, False, 480, 80)


def _one(folder: str, number: int, fault: str) -> tuple[float, bool]:
    seen = looked(Path(folder), number, fault)
    for file in Path(folder).glob(f"{number}.*"):
        file.unlink()
    return suspicion_of(seen), bool(fault)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_that_is_bad_is_among_the_first_shown(tmp_path: Path):
    """Of 50 results one is bad: all of the bad ones are among the first 6 % in the order of suspicion.

    Of 2,000 too, which takes ten minutes: 40 among the first 120.
    """
    every = RESULTS // PLANTED
    faults = [FAULTS[number // every % len(FAULTS)] if number % every == 0 else "" for number in range(RESULTS)]
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_one, [str(tmp_path)] * RESULTS, range(7_000, 7_000 + RESULTS), faults, chunksize=20))
    ranks = [place for place, (_, is_bad) in enumerate(sorted(found, key=lambda one: -one[0]), 1) if is_bad]
    assert len(ranks) == PLANTED
    assert max(ranks) <= SHOWN_FIRST, ranks
