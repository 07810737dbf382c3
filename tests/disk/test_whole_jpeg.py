"""Whether a JPEG is whole is told without decoding it: never less strictly than its decoder, and no whole file is hurt."""

import hashlib
import io
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from batchbg.core.model import Size
from batchbg.disk import decoded_jpeg, decoder_pool, decoding, undecoded, whole_jpeg
from batchbg.disk.appearance import is_wide_gamut
from batchbg.disk.probe_limits import ProbeLimits
from batchbg.disk.whole_jpeg import Proof
from tests.support.jpegs import DAMAGES, VARIANTS, WRITTEN, damaged, is_refused, on_white, textured, variant
from tests.support.pictures import encoded, oriented, probed, quarters, stamp, wide_gamut_profile
from tests.support.tiers import EXHAUSTIVE, rest_slow

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of odd metadata

Put = Callable[[str, bytes], Path]


def proof(data: bytes) -> Proof:
    return whole_jpeg.walk(data).proof


def verdict(data: bytes) -> bool:
    """Return whether a JPEG is taken for whole, by whatever it takes to see that."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            decoded_jpeg.check(picture, io.BytesIO(data), len(data))
    except Exception:  # whatever its decoder makes of it
        return False
    return True


# What is whole


OPTIONS = st.fixed_dictionaries(
    {"quality": st.integers(1, 100), "subsampling": st.sampled_from([0, 1, 2])},
    optional={
        "progressive": st.just(True),
        "optimize": st.just(True),
        "restart_marker_blocks": st.integers(1, 9),
        "restart_marker_rows": st.integers(1, 3),
        "comment": st.binary(max_size=300),
        "icc_profile": st.binary(min_size=1, max_size=70_000),
        "exif": st.binary(max_size=300).map(lambda some: b"Exif\0\0" + some),
    },
)


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """What Pillow writes of a picture of any size and mode that JPEG has, by any of its options."""
    mode = draw(st.sampled_from(["L", "RGB", "CMYK"]))
    size = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    seed = draw(st.one_of(st.just(None), st.integers(0, 9)))
    picture = (
        Image.new(mode, size, "white") if seed is None else textured(seed, (96, 80)).crop((0, 0, *size)).convert(mode)
    )
    return encoded(picture, "JPEG", **draw(OPTIONS))


@settings(max_examples=50)  # writing files is what takes the time
@given(pictures())
def test_whatever_an_encoder_writes_is_whole(data: bytes):
    assert proof(data) is Proof.WHOLE


@pytest.mark.parametrize("name", WRITTEN)
def test_whatever_other_encoders_write_is_whole(name: str):
    """Scans in many pieces, odd samplings; what is coded arithmetically, a decoder has to judge."""
    data = WRITTEN[name]
    assert proof(data) is (Proof.NONE if "arithmetic" in name else Proof.WHOLE)
    assert verdict(data)
    assert not verdict(data[:-2])


@pytest.mark.slow
def test_what_opencv_writes_is_whole():
    """Another user of the same library, with other options."""
    cv2 = pytest.importorskip("cv2", reason="opencv is an extra")
    numpy = pytest.importorskip("numpy")
    pixels = numpy.asarray(textured())
    flags = {"PROGRESSIVE": 1, "OPTIMIZE": 1, "RST_INTERVAL": 7, "SAMPLING_FACTOR": 0x411111, "LUMA_QUALITY": 30}
    for name, value in flags.items():
        well, data = cv2.imencode(".jpg", pixels, [getattr(cv2, f"IMWRITE_JPEG_{name}"), value])
        assert well
        assert proof(data.tobytes()) is Proof.WHOLE


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


WHOLE = variant("plain")
RESTARTS = variant("restarts")
SCAN = WHOLE.index(b"\xff\xda")


@pytest.mark.parametrize(
    "data",
    [
        WHOLE + bytes(9000),
        WHOLE + b"\xff" * 9000,
        WHOLE + WHOLE[: len(WHOLE) // 2],
        WHOLE + b"a phone's trailer \xff\x00\xff\xd3SEFT",
        WHOLE[:2] + segment(0xE1, b"Exif\0\0" + WHOLE[:60_000]) + WHOLE[2:],
        WHOLE[:2] + segment(0xFE, b"\xff\xd9" * 900) + WHOLE[2:],
        WHOLE[:2] + b"\xff" * 7 + WHOLE[2:],
        WHOLE[:SCAN] + b"\xff" * 7 + WHOLE[SCAN:-2] + b"\xff" * 7 + WHOLE[-2:],
        WHOLE[:-2] + segment(0xDC, struct.pack(">H", 240)) + WHOLE[-2:],
        WHOLE[:-2] + segment(0xFE, b"behind the scan") + WHOLE[-2:],
        RESTARTS.replace(b"\xff\xd3", b"\xff\xff\xff\xd3"),
        RESTARTS[:-2] + b"\xff\xd6" + RESTARTS[-2:],
    ],
)
def test_what_stands_around_a_picture_does_not_matter(data: bytes):
    """Trailers, pictures inside and behind, fill bytes, a height said once more, a restart too many."""
    assert proof(data) is Proof.WHOLE
    assert verdict(data)


@pytest.mark.parametrize("data", [encoded(quarters(), "MPO", save_all=True, append_images=[quarters(20, 20)])])
def test_a_phones_picture_with_others_behind_it_is_whole(data: bytes):
    assert proof(data) is Proof.WHOLE


# What is damaged


@pytest.mark.parametrize("name", rest_slow(VARIANTS, 3))
def test_the_table_of_what_is_found(name: str):
    """Of damaged files; a bare decode at an eighth of the size, by which they used to be judged, finds nothing besides."""
    whole = variant(name)
    assert verdict(whole)
    number = 20 if EXHAUSTIVE else 6
    for kind in DAMAGES:
        files = damaged(whole, kind, number)
        by_decoding, now = [is_refused(data) for data in files], [not verdict(data) for data in files]
        missed = {number for number, found in enumerate(now) if not found}
        # Zeros may be a flat area in the coarse scan, and in the one that refines it they may be anything.
        assert not missed or ("progressive" in name and "zeros" in kind and len(missed) < number / 2), kind
        assert not any(by_decoding[number] for number in missed), kind


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A whole file, changed in one place in one of the ways in which files are."""
    whole = draw(st.sampled_from(SEEDS))
    is_early = draw(st.booleans())  # in its headers, which are small
    at = draw(st.integers(2, min(len(whole), 800) - 1 if is_early else len(whole) - 1))
    length = draw(st.sampled_from([1, 2, 3, 16, 64, 600]))
    some = draw(st.randoms(use_true_random=False)).randbytes(length)
    match draw(st.integers(0, 6)):
        case 0:
            return whole[:at]
        case 1:
            return whole[:at] + bytes(length) + whole[at + length :]
        case 2:
            return whole[:at] + b"\xff" * length + whole[at + length :]
        case 3:
            return whole[:at] + some + whole[at + length :]
        case 4:
            return whole[:at] + some + whole[at:]
        case 5:
            return whole[:at] + whole[at + length :]
    return whole[:at] + bytes([whole[at] ^ 1 << length % 8]) + whole[at + 1 :]


SEEDS = [
    *(data for name, data in WRITTEN.items() if name != "arithmetic"),
    *(
        encoded(textured(1, (64, 48)), "JPEG", **options)
        for options in ({}, {"optimize": True}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0})
    ),
    encoded(textured(1, (64, 48)).convert("CMYK"), "JPEG"),
    encoded(textured(1, (64, 48)).convert("L"), "JPEG", progressive=True),
    oriented(quarters(), 6),
]


@settings(max_examples=2000 if EXHAUSTIVE else 50)
@given(spoilt())
def test_what_a_decoder_refuses_is_never_called_whole(data: bytes):
    """Whatever was done to it."""
    if is_refused(data):
        assert proof(data) not in (Proof.WHOLE, Proof.SUSPECT)


@pytest.mark.parametrize("name", ["plain", "optimised", "progressive", "restarts"])
def test_every_cut_in_a_scan_is_damage(name: str):
    """Down to the last byte."""
    whole = variant(name)
    places = [*range(1, 40), *range(40, len(whole) - whole.rindex(b"\xff\xda") - 20, 997)]
    assert {proof(whole[:-missing]) for missing in places} == {Proof.DAMAGED}


@pytest.mark.parametrize(
    "data",
    [
        WHOLE[:-2],
        WHOLE[:-1],
        WHOLE[:-2] + bytes(2000),
        WHOLE[:-2] + b"\xff\xd0\xff\xd9",
        WHOLE[: SCAN + 2000] + b"\xff\xff\x00" + WHOLE[SCAN + 2003 :],
        WHOLE[:-2] + b"\xff\xd8\xff\xd9",
        WHOLE[:-2] + WHOLE[SCAN:],
        WHOLE[:-2] + segment(0xFE, b"") + b"x\xff\xd9",
        WHOLE[:-2] + b"\xff\xff" + b"\xff\x01" + b"\xff\xd9",
        RESTARTS.replace(b"\xff\xd3", b"\xff\xd4"),
        RESTARTS[: RESTARTS.index(b"\xff\xd3")] + RESTARTS[RESTARTS.index(b"\xff\xd4") :],
        RESTARTS[: RESTARTS.index(b"\xff\xd0")] + RESTARTS[RESTARTS.rindex(b"\xff\xd7") + 2 :],
        WRITTEN["planes one after the other, restarts"].rpartition(b"\xff\xda")[0] + b"\xff\xd9",
    ],
)
def test_what_does_not_belong_into_a_scan_is_damage(data: bytes):
    """No end, markers without sense, restarts out of turn or missing, planes that never come."""
    assert proof(data) is Proof.DAMAGED


def flat_with_a_hole(place: float, length: int) -> tuple[bytes, bytes]:
    """A picture whose tables say "nothing there" with zeros, and the same with a lost block in its middle."""
    whole = encoded(on_white(), "JPEG", quality=90, optimize=True)
    at = int(len(whole) * place)
    return whole, whole[:at] + bytes(length) + whole[at + length :]


@pytest.mark.parametrize("place", [0.3, 0.45, 0.6])
@pytest.mark.parametrize("length", [512, 4096])
def test_where_zeros_may_be_a_flat_area_they_are_counted(place: float, length: int):
    """The decoder takes a lost block for more of the picture than it was, and comes to its end too early."""
    whole, holed = flat_with_a_hole(place, length)
    assert (proof(whole), proof(holed)) == (Proof.SUSPECT, Proof.SUSPECT)
    assert not is_refused(holed)
    assert (verdict(whole), verdict(holed)) == (True, False)


def test_what_is_missing_in_a_suspect_picture_is_counted_too():
    """Bytes that were cut out of the middle."""
    whole, _ = flat_with_a_hole(0.5, 1)
    for some in (1000, 4000):
        assert not verdict(whole[: len(whole) // 2] + whole[len(whole) // 2 + some :])


def test_an_odd_header_is_judged_by_the_decoder():
    """As it always was: junk between segments hurts nobody."""
    first, rest = WHOLE[:20], WHOLE[20:]  # behind the first segment
    for odd in (b"junk", b"\xff\x01", segment(0xF7, b"?")):
        assert proof(first + odd + rest) is Proof.NONE
    assert verdict(first + b"junk" + rest)
    assert not verdict(first + segment(0xF7, b"?") + rest)


# Bounds


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + bytes(8_000_000),
        b"\xff\xd8" + b"\xff" * 8_000_000,
        b"\xff\xd8" + segment(0xE1, b"") * 2_000_000,
        WHOLE[:SCAN] + bytes(8_000_000),
        WHOLE[:-2] + b"\xff\xd0" * 100_000,
        WHOLE[:-2] + bytes(range(0xD0, 0xD8)).join([b"\xff"] * 20_000),
        WHOLE[:-2] + b"\xff" * 1_000_000,
        WHOLE[:-2] + b"ab" * 4_000_000 + WHOLE[-2:],
    ],
    ids=["zeros", "fill", "segments", "scan of zeros", "one restart", "restarts", "fill in a scan", "long scan"],
)
def test_a_hostile_file_takes_no_time(data: bytes):
    """Nor memory: a few seconds' worth of a decoder's would be a whole folder's."""
    begun = time.process_time()
    assert whole_jpeg.walk(data).proof is not Proof.WHOLE or data.endswith(WHOLE[-2:])
    assert time.process_time() - begun < 10  # half a second; a machine that is busy takes no more


# The same verdict in this process as in a decoder's


def untouched(profile: bytes) -> bool:
    raise AssertionError("asked about a profile")


@pytest.mark.parametrize(
    "data",
    [
        *(variant(name) for name in VARIANTS if name not in ("on white, optimised", "on white, progressive")),
        *(data for name, data in WRITTEN.items() if name != "arithmetic"),
        *(oriented(quarters(), turn) for turn in (1, 3, 6, 8)),
        encoded(quarters(), "MPO", save_all=True, append_images=[quarters(20, 20)]),
        encoded(quarters().convert("CMYK"), "JPEG"),
        encoded(quarters().convert("L"), "JPEG"),
        encoded(quarters(), "JPEG", icc_profile=wide_gamut_profile()),
        encoded(quarters(), "JPEG", icc_profile=b"none at all"),
        WHOLE + b"trailer",
    ],
)
def test_a_photo_is_judged_alike_with_and_without_a_decoder(put: Put, data: bytes):
    path = put("a.jpg", data)
    found = undecoded.probe(path, stamp(path), ProbeLimits(), is_wide_gamut)
    assert found == probed(path)
    assert found is not None
    assert (found.sha256, found.rejected) == (hashlib.sha256(data).hexdigest(), "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"text",
        encoded(quarters(), "PNG"),
        encoded(Image.new("RGB", (1, 1)), "JPEG"),
        WRITTEN["arithmetic"],
        WHOLE[:-2],
        encoded(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\0\0"),
        encoded(quarters(), "JPEG", exif=b"Exif\0?MM\0*\0\0\0\x08\0\0\0\0\0\0"),
        encoded(quarters(), "JPEG", icc_profile=bytes(70_000)),
        flat_with_a_hole(0.5, 512)[0],
    ],
)
def test_what_is_not_a_plain_whole_jpeg_is_left_to_a_decoder(put: Put, data: bytes):
    path = put("a.jpg", data)
    assert undecoded.probe(path, stamp(path), ProbeLimits(), untouched) is None


def test_what_is_past_the_limits_is_left_to_who_words_the_reason(put: Put, monkeypatch: pytest.MonkeyPatch):
    path = put("a.jpg", WHOLE)
    assert undecoded.probe(path, stamp(path), ProbeLimits(max_bytes=1000), untouched) is None
    monkeypatch.setattr(undecoded, "MOST_PIXELS", 100)
    assert undecoded.probe(path, stamp(path), ProbeLimits(), untouched) is None


def test_a_plain_photo_needs_no_decoders_process(put: Put, monkeypatch: pytest.MonkeyPatch):
    """Neither does the second with a profile that one has judged before."""
    asked: list[Any] = []

    def run(function: Any, *args: Any) -> Any:
        asked.append(function.name)
        return function(*args)

    monkeypatch.setattr(decoder_pool, "run", run)
    decoding._is_wide_gamut.cache_clear()
    profile = wide_gamut_profile("ABCD")
    for number in range(3):
        path = put(f"{number}.jpg", encoded(textured(number), "JPEG", icc_profile=profile if number else None))
        found = decoding.probe(path, stamp(path))
        assert (found.pixels, found.normalise) == (Size(320, 240), "wide-gamut profile" if number else "")
    assert asked == ["is_wide_gamut"]


def test_the_same_damage_is_told_in_the_same_words(put: Put):
    """Whoever finds it."""
    told = {probed(put("a.jpg", data)).rejected for kind in DAMAGES for data in damaged(WHOLE, kind, 2)}
    assert {reason[:18] for reason in told} == {"corrupt or cut off"}


def test_chance_is_the_same_for_all():
    """The files of the table are those of the next machine."""
    assert damaged(WHOLE, "cut off", 3) == damaged(WHOLE, "cut off", 3)
    assert len({random.Random(kind).random() for kind in DAMAGES}) == len(DAMAGES)
