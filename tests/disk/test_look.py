import hashlib
import io
import os
import tracemalloc
from typing import Any

import pytest
from PIL import Image, ImageCms

from batchbg.core.model import Size
from batchbg.disk import probe as look_module
from batchbg.disk.probe import ProbeLimits, probe
from batchbg.disk.scan import stamp_of
from batchbg.errors import PhotoChanged

from .pictures import (
    animated,
    bomb,
    encoded,
    looked,
    noise,
    oriented,
    png_16_bit,
    quarters,
    stamp,
    wide_gamut_profile,
)

TAKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "jpg": ("JPEG", {}),
    "webp": ("WEBP", {}),
    "avif": ("AVIF", {}),
    "heic": ("HEIF", {}),
    "jp2": ("JPEG2000", {}),
    "tiff": ("TIFF", {}),
    "bmp": ("BMP", {}),
}
"""By the API's name of a format: how to make one."""


@pytest.mark.parametrize("extension", TAKEN)
@pytest.mark.parametrize("name", ["a.{}", "wrong.jpg", "noending"])
def test_every_format_the_api_takes_is_sent_as_it_is(tmp_path, extension, name):
    """Whatever the file is called: the type is read from the content."""
    kind, options = TAKEN[extension]
    content = encoded(quarters(40, 24), kind, **options)
    found = looked(tmp_path / name.format(extension), content)
    assert (found.pixels, found.extension, found.normalise, found.rejected) == (Size(40, 24), extension, "", "")
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.stamp == stamp(tmp_path / name.format(extension))


@pytest.mark.parametrize("extension", TAKEN)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_file_that_was_cut_is_rejected(tmp_path, extension, part):
    """A header tells nothing of a file that was copied half."""
    kind, options = TAKEN[extension]
    content = encoded(noise(), kind, **options)
    found = looked(tmp_path / f"a.{extension}", content[: int(len(content) * part)])
    assert found.pixels is None
    assert found.rejected
    assert "\n" not in found.rejected


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_file_whose_last_bytes_are_missing_is_rejected(tmp_path, extension):
    """A hundred bytes are a strip at the lower edge."""
    content = encoded(noise(), TAKEN[extension][0])
    assert looked(tmp_path / "a.jpg", content[:-100]).rejected


@pytest.mark.parametrize(("kind", "name"), [("PNG", "a.png"), ("WEBP", "a.webp"), ("GIF", "a.gif"), ("TIFF", "a.tif")])
def test_several_pictures_in_one_file_are_rejected(tmp_path, kind, name):
    """Animations and pages: which one would be paid for?"""
    found = looked(tmp_path / name, animated(kind))
    assert found.pixels is None
    assert found.rejected.startswith("2 pages" if kind == "TIFF" else "2 frames")


def test_a_phone_s_picture_with_a_preview_is_one_picture(tmp_path):
    """MPO: a JPEG with a second one behind it, which everybody takes for a JPEG."""
    found = looked(tmp_path / "a.jpg", animated("MPO"))
    assert (found.rejected, found.extension, found.pixels) == ("", "jpg", Size(20, 20))


@pytest.mark.parametrize("name", ["a.jpg", "a.PNG", "a.heic"])
def test_an_empty_file_is_rejected(tmp_path, name):
    """An aborted copy."""
    assert looked(tmp_path / name, b"").rejected.startswith("empty")


@pytest.mark.parametrize("content", [b"", b"some notes", b"<html></html>", b"\0" * 1000])
def test_what_claims_no_picture_and_is_none_is_ignored(tmp_path, content):
    """Neither sent nor rejected."""
    found = looked(tmp_path / "notes.txt", content)
    assert (found.pixels, found.rejected) == (None, "")


@pytest.mark.parametrize("content", [b"some notes", b"<html><body>404</body></html>", b"\0" * 1000, b"\xff\xd8\xff"])
def test_text_named_jpg_is_rejected(tmp_path, content):
    """A saved error page is no photo."""
    assert looked(tmp_path / "a.jpg", content).rejected


@pytest.mark.parametrize(
    ("name", "advice"), [("a.svg", "export it as PNG"), ("a.cr2", "develop it to JPEG"), ("a.psd", "Photoshop")]
)
def test_other_pictures_are_rejected_with_what_to_do(tmp_path, name, advice):
    """Vector drawings, raw files and documents."""
    assert advice in looked(tmp_path / name, b"\x01\x02\x03 something of its own").rejected


@pytest.mark.parametrize("width", [60_000, 250_001])
def test_a_bomb_is_refused_from_its_header(tmp_path, width):
    """A few bytes that claim gigapixels allocate nothing."""
    tracemalloc.start()
    found = looked(tmp_path / "a.png", bomb(width, 60_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "megapixels" in found.rejected
    assert peak < 20_000_000


def test_a_file_past_the_upload_limit_is_refused_unread(tmp_path):
    """With its size and the limit."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(noise(), "PNG"))
    found = probe(path, stamp(path), ProbeLimits(max_bytes=10_000))
    assert f"{path.stat().st_size / 1e6:g} MB" in found.rejected
    assert "0.01 MB" in found.rejected
    assert found.sha256 == ""


# What would come out wrong


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photo_is_measured_upright(tmp_path, orientation):
    """Orientations 5 to 8 swap width and height; all of 2 to 8 go up as an upright copy."""
    found = looked(tmp_path / "a.jpg", oriented(quarters(40, 24), orientation))
    assert found.pixels == (Size(24, 40) if orientation >= 5 else Size(40, 24))
    assert found.normalise == f"EXIF orientation {orientation}"


@pytest.mark.parametrize("orientation", [0, 1, 9, 255])
def test_no_turn_and_nonsense_are_no_turn(tmp_path, orientation):
    """Such a photo goes up as it is."""
    found = looked(tmp_path / "a.jpg", oriented(quarters(40, 24), orientation))
    assert (found.pixels, found.normalise) == (Size(40, 24), "")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_a_channel_are_normalised(tmp_path, channels):
    """Grey, grey with alpha, colour, colour with alpha."""
    found = looked(tmp_path / "a.png", png_16_bit(channels))
    assert found.pixels == Size(8, 8)
    assert found.normalise


def palette(transparent: bool) -> bytes:
    picture = quarters().quantize(4)
    return encoded(picture, "PNG", transparency=0) if transparent else encoded(picture, "PNG")


def with_profile(kind: str, profile: bytes) -> bytes:
    return encoded(quarters(), kind, icc_profile=profile)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

ODD = {
    "CMYK": lambda: encoded(quarters().convert("CMYK"), "JPEG"),
    "palette with transparency": lambda: palette(transparent=True),
    "wide-gamut profile": lambda: with_profile("JPEG", wide_gamut_profile()),
    "wide-gamut PNG": lambda: with_profile("PNG", wide_gamut_profile()),
    "GIF": lambda: encoded(quarters(), "GIF"),
    "float": lambda: encoded(quarters().convert("F"), "TIFF"),
    "CMYK TIFF": lambda: encoded(quarters().convert("CMYK"), "TIFF"),
    "16-bit TIFF": lambda: encoded(Image.new("I;16", (40, 24), 30_000), "TIFF"),
}

PLAIN = {
    "palette": lambda: palette(transparent=False),
    "alpha": lambda: encoded(quarters().convert("RGBA"), "PNG"),
    "grey": lambda: encoded(quarters().convert("L"), "PNG"),
    "grey JPEG": lambda: encoded(quarters().convert("L"), "JPEG"),
    "grey with alpha": lambda: encoded(quarters().convert("LA"), "PNG"),
    "black and white": lambda: encoded(quarters().convert("1"), "PNG"),
    "sRGB profile": lambda: with_profile("JPEG", SRGB),
    "spoilt profile": lambda: with_profile("JPEG", b"no profile"),
    "progressive": lambda: encoded(quarters(), "JPEG", progressive=True),
}


@pytest.mark.parametrize("name", ODD)
def test_what_would_come_out_wrong_is_normalised(tmp_path, name):
    """Each with a reason that a report can show."""
    found = looked(tmp_path / "a.jpg", ODD[name]())
    assert found.rejected == ""
    assert found.pixels == Size(40, 24)
    assert found.normalise


@pytest.mark.parametrize("name", PLAIN)
def test_what_comes_out_right_goes_up_as_it_is(tmp_path, name):
    """No copy without need: a copy loses a little."""
    found = looked(tmp_path / "a.jpg", PLAIN[name]())
    assert (found.rejected, found.normalise) == ("", "")
    assert found.extension


# Files that change


def test_a_file_that_is_not_the_one_the_scan_saw_is_left_for_later(tmp_path):
    """Another size, another time, another file: it is being written."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)
    for other in (seen._replace(size=seen.size + 1), seen._replace(mtime_ns=1), seen._replace(inode=1)):
        with pytest.raises(PhotoChanged, match=r"a\.png is being written"):
            probe(path, other)


def test_new_rights_are_no_reason_to_wait(tmp_path):
    """Its content is hashed as it is read; what the next run compares is what the scan saw."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)
    path.chmod(0o640)
    assert stamp(path) != seen
    assert probe(path, seen).stamp == seen


def test_a_file_that_changes_while_it_is_read_is_left_for_later(tmp_path, monkeypatch):
    """What was hashed is not what was decoded."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)
    judge = look_module._judge

    def grown(*args):
        with path.open("ab") as file:
            file.write(b"more")
        return judge(*args)

    monkeypatch.setattr(look_module, "_judge", grown)
    with pytest.raises(PhotoChanged):
        probe(path, seen)


def test_a_file_that_is_gone_is_left_for_later(tmp_path):
    """It may come back under another name, which the next scan finds."""
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    seen = stamp(path)
    path.unlink()
    with pytest.raises(PhotoChanged, match=r"a\.png is gone"):
        probe(path, seen)


def test_a_file_that_cannot_be_read_is_rejected(tmp_path, monkeypatch):
    """With the system's reason; it costs one photo."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    assert probe(path, seen).rejected.startswith("cannot be read: Permission denied")


def test_looking_changes_nothing(tmp_path):
    """Photos are read-only: bytes, times and mode stay."""
    path = tmp_path / "a.jpg"
    path.write_bytes(oriented(quarters(), 6))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode
    looked(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF", "HEIF"])
def test_spoilt_bytes_never_crash_a_scan(tmp_path, kind):
    """Flipped and zeroed stretches anywhere: a verdict comes out, whatever it is."""
    whole = encoded(noise(40, 30), kind)
    for place in range(0, len(whole), max(1, len(whole) // 12)):
        for junk in (b"\xff" * 16, b"\0" * 16):
            found = looked(tmp_path / "a.jpg", whole[:place] + junk + whole[place + 16 :])
            assert (found.pixels is None) is bool(found.rejected)


def test_reasons_are_short(tmp_path):
    """One line that fits a table."""
    content = encoded(noise(), "PNG")
    found = looked(tmp_path / "a.png", content[: len(content) // 2])
    assert len(found.rejected) < 200
    assert str(tmp_path) not in found.rejected
    assert io.StringIO(found.rejected).read().isprintable()


def test_a_png_with_spoilt_pixels_is_rejected(tmp_path):
    """Pillow, asked for EXIF, decodes it and then takes a second look for a good one."""
    path = tmp_path / "a.png"
    Image.effect_noise((200, 200), 90).save(path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    stamp = stamp_of(path.stat())
    assert stamp is not None
    assert probe(path, stamp).rejected.startswith("corrupt or cut off")
