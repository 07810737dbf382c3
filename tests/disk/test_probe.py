import hashlib
import io
import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from batchbg.core.model import MAX_UPLOAD_BYTES, Size
from batchbg.disk import memory
from batchbg.disk import probe as probing
from batchbg.disk.memory import MAX_PIXELS
from batchbg.disk.normalise import upright_copy
from batchbg.disk.probe import probe
from batchbg.disk.probe_limits import ProbeLimits
from batchbg.disk.scan import UNREADABLE, stamp_of
from batchbg.errors import PhotoChanged
from tests.support.pictures import (
    Save,
    bomb,
    encoded,
    noise,
    oriented,
    png,
    probed,
    quarters,
    stamp,
    two_halves,
)
from tests.support.tiers import rest_slow

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


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
    found = probed(tmp_path / name.format(extension), content)
    assert (found.pixels, found.extension, found.normalise, found.rejected) == (Size(40, 24), extension, "", "")
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.stamp == stamp(tmp_path / name.format(extension))


ENDINGS = {
    **{"a.png": "png", "a.jpg": "jpg", "a.jpeg": "jpg", "a.jfif": "jpg", "a.webp": "webp", "a.avif": "avif"},
    **{"a.heic": "heic", "a.heif": "heic", "a.jp2": "jp2", "a.tiff": "tiff", "a.tif": "tiff", "a.bmp": "bmp"},
}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_of_a_format_leads_to_the_extension_of_its_content(save: Save, name: str):
    """The service is told that one."""
    seen = probed(save(name))
    assert (seen.pixels, seen.extension, seen.normalise, seen.rejected) == (Size(60, 40), ENDINGS[name], "", "")


@pytest.mark.parametrize(
    ("name", "kind"), [("really-png.jpg", "PNG"), ("really-jpeg.png", "JPEG"), ("no-ending", "PNG")]
)
def test_content_decides_not_the_name(save: Save, name: str, kind: str):
    """The extension at the service is that of the content."""
    assert probed(save(name, format=kind)).extension == {"PNG": "png", "JPEG": "jpg"}[kind]


def test_a_still_gif_goes_up_as_a_copy(save: Save):
    """The API does not take it, but it can be read."""
    seen = probed(save("a.gif", two_halves((64, 64))))
    assert (seen.pixels, seen.rejected) == (Size(64, 64), "")
    assert (seen.extension, "is not taken" in seen.normalise) == ("", True)


def test_a_phones_jpeg_with_a_second_picture_inside_is_one_photo(save: Save):
    """MPO: depth maps and brightness maps come this way."""
    seen = probed(save("a.jpg", format="MPO", save_all=True, append_images=[two_halves((30, 20))]))
    assert (seen.pixels, seen.extension, seen.normalise) == (Size(60, 40), "jpg", "")


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif", "a.tif", "a.avif"])
def test_animated_and_multi_page_files_are_rejected(save: Save, name: str):
    """Which of them is wanted, only a person knows."""
    pictures = [Image.effect_noise((40, 30), sigma).convert("RGB") for sigma in (20, 60)]
    path = save(name, pictures[0], save_all=True, append_images=pictures[1:])
    seen = probed(path)
    assert seen.pixels is None
    assert seen.rejected.startswith("2 pages" if name == "a.tif" else "2 frames")


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif", "a.tif", "a.avif"])
def test_the_first_page_goes_up_as_a_copy_by_choice(save: Save, name: str):
    """And nothing of the second is in it."""
    first, second = Image.new("RGB", (40, 30), (200, 30, 30)), Image.new("RGB", (40, 30), (30, 30, 200))
    path = save(name, first, save_all=True, append_images=[second])
    seen = probed(path, limits=ProbeLimits(first_page=True))
    assert (seen.pixels, seen.rejected) == (Size(40, 30), "")
    assert seen.normalise in ("first of 2 pages", "first of 2 frames")
    data, _ = upright_copy(path)
    with Image.open(io.BytesIO(data)) as sent:
        red, _, blue, *_ = sent.convert("RGBA").resize((1, 1)).tobytes()
        assert (getattr(sent, "n_frames", 1), red > 180, blue < 50) == (1, True, True)


def test_a_tiff_with_a_preview_inside_is_one_page(tmp_path: Path):
    """Many programs put one in."""
    data = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(data) as writer:
        two_halves().save(writer, "TIFF")
        writer.newFrame()
        two_halves((15, 10)).save(writer, "TIFF", tiffinfo={254: 1})
    (tmp_path / "a.tif").write_bytes(data.getvalue())
    seen = probed(tmp_path / "a.tif")
    assert (seen.pixels, seen.rejected) == (Size(60, 40), "")


@pytest.mark.parametrize("extension", TAKEN)
@pytest.mark.parametrize("part", rest_slow([0.5, 0.02, 0.9]))
def test_a_file_that_was_cut_is_rejected(tmp_path, extension, part):
    """A header tells nothing of a file that was copied half."""
    kind, options = TAKEN[extension]
    content = encoded(noise(), kind, **options)
    found = probed(tmp_path / f"a.{extension}", content[: int(len(content) * part)])
    assert found.pixels is None
    assert found.rejected
    assert "\n" not in found.rejected


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_file_whose_last_bytes_are_missing_is_rejected(tmp_path, extension):
    """A hundred bytes are a strip at the lower edge."""
    content = encoded(noise(), TAKEN[extension][0])
    assert probed(tmp_path / "a.jpg", content[:-100]).rejected


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.heic", "a.avif", "a.gif", "a.jp2"])
def test_the_reason_for_half_a_file_says_what_to_do(save: Save, name: str):
    """Its header is whole."""
    picture = Image.effect_noise((120, 90), 90).convert("RGB")
    path = save(name, picture)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen = probed(path)
    assert seen.pixels is None
    assert "copy it again" in seen.rejected


@pytest.mark.parametrize("width", [60_000, 250_001])
def test_a_bomb_is_refused_from_its_header(tmp_path, width):
    """A few bytes that claim gigapixels allocate nothing."""
    tracemalloc.start()
    found = probed(tmp_path / "a.png", bomb(width, 60_000))
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


def test_a_file_that_is_not_the_one_the_scan_saw_is_left_for_later(tmp_path):
    """Another size, another time, another file: it is being written."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)
    for other in (seen._replace(size=seen.size + 1), seen._replace(mtime_ns=1), seen._replace(inode=1, ctime_ns=1)):
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


def test_another_number_is_no_reason_to_wait(tmp_path):
    """Some disks, as of FUSE, number their files anew at every look: a photo on one would be left out for ever."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)._replace(inode=1)
    assert probe(path, seen).stamp == seen


def test_a_file_that_changes_while_it_is_read_is_left_for_later(tmp_path, monkeypatch):
    """What was hashed is not what was decoded."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    seen = stamp(path)
    judge = probing._judge

    def grown(*args):
        with path.open("ab") as file:
            file.write(b"more")
        return judge(*args)

    monkeypatch.setattr(probing, "_judge", grown)
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
    probed(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF", "HEIF"])
def test_spoilt_bytes_never_crash_a_scan(tmp_path, kind):
    """Flipped and zeroed stretches anywhere: a verdict comes out, whatever it is."""
    whole = encoded(noise(40, 30), kind)
    for place in range(0, len(whole), max(1, len(whole) // 12)):
        for junk in (b"\xff" * 16, b"\0" * 16):
            found = probed(tmp_path / "a.jpg", whole[:place] + junk + whole[place + 16 :])
            assert (found.pixels is None) is bool(found.rejected)


def test_reasons_are_short(tmp_path):
    """One line that fits a table."""
    content = encoded(noise(), "PNG")
    found = probed(tmp_path / "a.png", content[: len(content) // 2])
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


def test_a_verdict_is_not_kept_where_the_terms_have_changed(save: Save):
    """On several pages; whatever else was found stays."""
    picture = two_halves()
    one = save("one.tif", picture)
    two = save("two.tif", picture, save_all=True, append_images=[picture])
    usual, first = ProbeLimits(), ProbeLimits(first_page=True)
    assert first.may_change(probed(two, limits=usual))
    assert usual.may_change(probed(two, limits=first))
    assert not usual.may_change(probed(two, limits=usual))
    assert not first.may_change(probed(two, limits=first))
    assert not any(terms.may_change(probed(one, limits=other)) for terms in (usual, first) for other in (usual, first))


def test_a_bomb_is_called_by_its_size(put):
    """Nothing is allocated for its pixels."""
    seen = probed(put("bomb.png", png((100_000, 100_000), 8, 2, b"")))
    assert "10000 megapixels" in seen.rejected
    seen = probed(put("bomb.jpg", _jpeg_that_claims(60_000, 60_000)))
    assert "3600 megapixels" in seen.rejected
    assert "save it smaller" in seen.rejected


def _jpeg_that_claims(width: int, height: int) -> bytes:
    data = io.BytesIO()
    two_halves().save(data, "JPEG")
    raw = bytearray(data.getvalue())
    at = raw.index(b"\xff\xc0") + 5
    raw[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(raw)


def test_a_file_too_large_to_upload_is_not_even_read(tmp_path: Path):
    """300 MB of nothing: a hole in the disk."""
    path = tmp_path / "large.tif"
    with path.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    told = "200.000001 MB, and the most that can be uploaded (max_upload_bytes) is 200 MB; save it smaller"
    assert probed(path).rejected == told
    other = path.rename(tmp_path / "film.mp4")
    assert probed(other).rejected == ""


def test_a_large_picture_asks_for_room_first(save: Save):
    """From its header: large ones wait for each other, and what no room would do for is refused."""
    path = save("a.png")
    memory.grant(100)
    try:
        with pytest.raises(memory.NeedsMemory) as asked:
            probed(path)
        memory.grant(asked.value.need)
        assert probed(path).pixels == Size(60, 40)
    finally:
        memory.grant(None)
    assert MAX_PIXELS > 200_000_000


def test_a_fifo_that_took_a_photos_place_keeps_nobody_waiting(save: Save):
    """Opening one waits for a writer, unless it is told not to."""
    path = save("a.jpg")
    stamp = stamp_of(path.stat())
    assert stamp is not None
    path.unlink()
    os.mkfifo(path)

    def open_it() -> None:
        with pytest.raises(PhotoChanged):
            probe(path, stamp)

    thread = threading.Thread(target=open_it, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def test_want_of_memory_is_not_the_files_fault(save: Save, monkeypatch: pytest.MonkeyPatch):
    """The next run tries again."""
    path = save("a.png")

    def fail(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    assert probed(path).rejected.startswith(UNREADABLE)
