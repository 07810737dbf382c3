import io
import os
import threading
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, TiffImagePlugin

from batchbg.core.model import MAX_UPLOAD_BYTES, Size
from batchbg.disk import memory
from batchbg.disk import probe as probing
from batchbg.disk.formats import MAX_PIXELS
from batchbg.disk.normalise import upright_copy
from batchbg.disk.probe import ProbeLimits, probe
from batchbg.disk.scan import stamp_of
from batchbg.errors import PhotoChanged
from tests.photos.conftest import Save, png, see, two_halves

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

TAKEN = {
    **{"a.png": "png", "a.jpg": "jpg", "a.jpeg": "jpg", "a.jfif": "jpg", "a.webp": "webp", "a.avif": "avif"},
    **{"a.heic": "heic", "a.heif": "heic", "a.jp2": "jp2", "a.tiff": "tiff", "a.tif": "tiff", "a.bmp": "bmp"},
}


@pytest.mark.parametrize("name", TAKEN)
def test_every_format_the_api_takes_goes_up_as_it_is(save: Save, name: str):
    """Under the extension of its content."""
    seen = see(save(name))
    assert (seen.pixels, seen.extension, seen.normalise, seen.rejected) == (Size(60, 40), TAKEN[name], "", "")


def test_a_still_gif_goes_up_as_a_copy(save: Save):
    """The API does not take it, but it can be read."""
    seen = see(save("a.gif", two_halves((64, 64))))
    assert (seen.pixels, seen.rejected) == (Size(64, 64), "")
    assert (seen.extension, "is not taken" in seen.normalise) == ("", True)


@pytest.mark.parametrize("name", ["a.ico", "a.ppm", "a.pcx", "a.qoi", "a.sgi", "a.tga", "a.dds", "a.icns"])
@pytest.mark.parametrize("ending", ["", ".jpg"])
def test_formats_of_no_use_to_a_shop_are_not_decoded(save: Save, name: str, ending: str):
    """Each decoder is one more way in for a spoilt file; what to do instead is said."""
    path = save(name, two_halves((64, 64)))
    seen = see(path.rename(path.with_name(name + ending)))
    assert seen.pixels is None
    assert "save it as JPEG or PNG" in seen.rejected or (ending and "not a picture" in seen.rejected)


def test_a_phones_jpeg_with_a_second_picture_inside_is_one_photo(save: Save):
    """MPO: depth maps and brightness maps come this way."""
    seen = see(save("a.jpg", format="MPO", save_all=True, append_images=[two_halves((30, 20))]))
    assert (seen.pixels, seen.extension, seen.normalise) == (Size(60, 40), "jpg", "")


@pytest.mark.parametrize(
    ("name", "kind"), [("really-png.jpg", "PNG"), ("really-jpeg.png", "JPEG"), ("no-ending", "PNG")]
)
def test_content_decides_not_the_name(save: Save, name: str, kind: str):
    """The extension at the service is that of the content."""
    assert see(save(name, format=kind)).extension == {"PNG": "png", "JPEG": "jpg"}[kind]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.jpg", b"", "empty"),
        ("a.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        ("a.png", b"just some text", "not a picture"),
        ("a.svg", b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "vector drawing"),
        ("a.jpg", b"\xef\xbb\xbf<svg/>", "vector drawing"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "vector drawing"),
        ("a.ai", b"%PDF-1.5", "PDF"),
        ("a.psd", b"8BPS\0\x01" + bytes(40), "Photoshop"),
        ("a.jpg", b"8BPS\0\x01" + bytes(40), "Photoshop"),
        ("a.jxl", b"\xff\x0a" + bytes(40), "JPEG XL"),
        ("a.nef", b"anything", "camera's raw"),
        ("a.CR3", b"\0\0\0\x18ftypcrx ", "camera's raw"),
        ("a.tga", b"short", "TGA, which is not taken"),
        ("a.jpg", b"\xff\xd8\xff\xe0", ""),
        ("a.png", b"\x89PNG\r\n\x1a\n", ""),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(30), ""),
    ],
)
def test_what_is_no_picture_is_rejected_with_a_reason(put, name: str, data: bytes, told: str):
    """It says what the file is and what to do; nothing of it is paid for."""
    seen = see(put(name, data))
    assert seen.pixels is None
    assert told in seen.rejected
    assert any(word in seen.rejected for word in ("copy it", "save", "export", "download it", "develop"))


@pytest.mark.parametrize("name", ["notes.txt", "film.mp4", "list.csv", "archive.zip", "noending", "a.jpg.part"])
def test_what_does_not_claim_to_be_a_picture_is_ignored(put, name: str):
    """No reject, and no more than its first bytes are read."""
    seen = see(put(name, b"\0\0\x02\0" * 100))
    assert (seen.pixels, seen.rejected, seen.sha256) == (None, "", "")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.heic", "a.avif", "a.gif", "a.jp2"])
def test_a_file_cut_in_half_is_rejected(save: Save, name: str):
    """Its header is whole."""
    picture = Image.effect_noise((120, 90), 90).convert("RGB")
    path = save(name, picture)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen = see(path)
    assert seen.pixels is None
    assert "copy it again" in seen.rejected


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif", "a.tif", "a.avif"])
def test_animated_and_multi_page_files_are_rejected(save: Save, name: str):
    """Which of them is wanted, only a person knows."""
    pictures = [Image.effect_noise((40, 30), sigma).convert("RGB") for sigma in (20, 60)]
    path = save(name, pictures[0], save_all=True, append_images=pictures[1:])
    seen = see(path)
    assert seen.pixels is None
    assert "2 pages" in seen.rejected or "2 frames" in seen.rejected


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif", "a.tif", "a.avif"])
def test_the_first_page_goes_up_as_a_copy_by_choice(save: Save, name: str):
    """And nothing of the second is in it."""
    first, second = Image.new("RGB", (40, 30), (200, 30, 30)), Image.new("RGB", (40, 30), (30, 30, 200))
    path = save(name, first, save_all=True, append_images=[second])
    seen = see(path, ProbeLimits(first_page=True))
    assert (seen.pixels, seen.rejected) == (Size(40, 30), "")
    assert seen.normalise in ("first of 2 pages", "first of 2 frames")
    data, _ = upright_copy(path)
    with Image.open(io.BytesIO(data)) as sent:
        red, _, blue, *_ = sent.convert("RGBA").resize((1, 1)).tobytes()
        assert (getattr(sent, "n_frames", 1), red > 180, blue < 50) == (1, True, True)


def test_a_verdict_is_not_kept_where_the_terms_have_changed(save: Save):
    """On several pages; whatever else was found stays."""
    picture = two_halves()
    one = save("one.tif", picture)
    two = save("two.tif", picture, save_all=True, append_images=[picture])
    usual, first = ProbeLimits(), ProbeLimits(first_page=True)
    assert first.may_change(see(two, usual))
    assert usual.may_change(see(two, first))
    assert not usual.may_change(see(two, usual))
    assert not first.may_change(see(two, first))
    assert not any(terms.may_change(see(one, other)) for terms in (usual, first) for other in (usual, first))


def test_a_tiff_with_a_preview_inside_is_one_page(tmp_path: Path):
    """Many programs put one in."""
    data = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(data) as writer:
        two_halves().save(writer, "TIFF")
        writer.newFrame()
        two_halves((15, 10)).save(writer, "TIFF", tiffinfo={254: 1})
    (tmp_path / "a.tif").write_bytes(data.getvalue())
    seen = see(tmp_path / "a.tif")
    assert (seen.pixels, seen.rejected) == (Size(60, 40), "")


@pytest.mark.parametrize(
    ("name", "tags"), [("a.nef", {}), ("a.dng", {50706: b"\1\4\0\0"}), ("a.tif", {50706: b"\1\4\0\0"})]
)
def test_a_cameras_raw_file_is_not_taken_for_its_preview(save: Save, name: str, tags: dict[int, bytes]):
    """Pillow would open the small TIFF inside."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info.tagtype[tag] = 1
        info[tag] = value
    assert "camera's raw" in see(save(name, format="TIFF", tiffinfo=info)).rejected


def test_a_bomb_is_refused_from_its_header(put):
    """Nothing is allocated for its pixels."""
    seen = see(put("bomb.png", png((100_000, 100_000), 8, 2, b"")))
    assert "10000 megapixels" in seen.rejected
    seen = see(put("bomb.jpg", _jpeg_that_claims(60_000, 60_000)))
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
    assert see(path).rejected == told
    other = path.rename(tmp_path / "film.mp4")
    assert see(other).rejected == ""


def test_a_large_picture_asks_for_room_first(save: Save):
    """From its header: large ones wait for each other, and what no room would do for is refused."""
    path = save("a.png")
    memory.grant(100)
    try:
        with pytest.raises(memory.NeedsRoom) as asked:
            see(path)
        memory.grant(asked.value.need)
        assert see(path).pixels == Size(60, 40)
    finally:
        memory.grant(None)
    assert MAX_PIXELS > 200_000_000


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.avif"])
def test_the_size_is_that_of_the_upright_photo(save: Save, name: str, turn: int):
    """And what is not upright goes up as a copy."""
    exif = Image.Exif()
    exif[0x0112] = turn
    seen = see(save(name, exif=exif))
    assert seen.pixels == (Size(40, 60) if turn >= 5 else Size(60, 40))
    assert seen.normalise == (f"EXIF orientation {turn}" if turn > 1 else "")


def test_a_heic_is_turned_by_its_decoder_and_by_nobody_else(tmp_path: Path):
    """Its EXIF says it once more: a service that heeds both would turn it twice, so that a copy goes up."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.heic"
    two_halves().save(path, exif=exif)
    seen = see(path)
    assert (seen.pixels, seen.normalise) == (Size(60, 40), "EXIF orientation 6")
    file = pillow_heif.open_heif(path)
    assert file.size == (60, 40)


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0" + bytes(60)])
def test_spoilt_metadata_is_no_reason_to_reject(save: Save, exif: bytes):
    """The picture is whole."""
    seen = see(save("a.jpg", exif=exif))
    assert (seen.pixels, seen.rejected, seen.normalise) == (Size(60, 40), "", "")


def test_a_spoilt_profile_is_no_reason_either(save: Save):
    """It is left out of account."""
    assert see(save("a.jpg", icc_profile=b"not a profile")).normalise == ""


def test_a_file_that_is_being_written_is_left_for_the_next_run(save: Save):
    """It is not the one that the scan saw."""
    path = save("a.jpg")
    stamp = stamp_of(path.stat())
    assert stamp is not None
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(PhotoChanged):
        probe(path, stamp)
    path.unlink()
    with pytest.raises(PhotoChanged):
        probe(path, stamp)


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
    assert see(path).rejected.startswith(probing.UNREADABLE)
