import pytest
from PIL import TiffImagePlugin

from batchbg.disk.not_pictures import names_another_kind
from tests.support.pictures import Save, probed, two_halves

OF_ITS_OWN = b"\x01\x02\x03 something of its own"


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
        ("a.svg", OF_ITS_OWN, "export it as PNG"),
        ("a.cr2", OF_ITS_OWN, "develop it to JPEG"),
        ("a.psd", OF_ITS_OWN, "Photoshop"),
        ("a.jpg", b"\0" * 1000, ""),
        ("a.jpg", b"\xff\xd8\xff", ""),
        ("a.jpg", b"\xff\xd8\xff\xe0", ""),
        ("a.png", b"\x89PNG\r\n\x1a\n", ""),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(30), "corrupt"),
        ("a.webp", b"RIFF\x20\0\0\0WEBPVP8 " + bytes(30), "corrupt"),
        ("a.j2k", b"\xff\x4f\xff\x51" + bytes(30), "corrupt"),
        ("a.bmp", b"BM" + bytes(10), "corrupt"),
        ("a.heic", b"\0\0\0\x14ftypqt  " + bytes(30), "a video"),
        ("a.jpg", b"\0\0\0\x18ftypmp42" + bytes(30), "a video"),
    ],
)
def test_what_is_no_picture_is_rejected_with_a_reason(put, name: str, data: bytes, told: str):
    """It says what the file is and what to do; nothing of it is paid for."""
    seen = probed(put(name, data))
    assert seen.pixels is None
    assert told in seen.rejected
    assert any(word in seen.rejected for word in ("copy it", "save", "export", "download it", "develop"))


@pytest.mark.parametrize("name", ["notes.txt", "film.mp4", "list.csv", "archive.zip", "noending", "a.jpg.part"])
@pytest.mark.parametrize("data", [b"\0\0\x02\0" * 100, b"", b"some notes", b"<html></html>", b"\0" * 1000])
def test_what_does_not_claim_to_be_a_picture_is_ignored(put, name: str, data: bytes):
    """No reject, and no more than its first bytes are read."""
    seen = probed(put(name, data))
    assert (seen.pixels, seen.rejected, seen.sha256) == (None, "", "")


@pytest.mark.parametrize("name", ["a.ico", "a.ppm", "a.pcx", "a.qoi", "a.sgi", "a.tga", "a.dds", "a.icns"])
@pytest.mark.parametrize("ending", ["", ".jpg"])
def test_formats_of_no_use_to_a_shop_are_not_decoded(save: Save, name: str, ending: str):
    """Each decoder is one more way in for a spoilt file; what to do instead is said."""
    path = save(name, two_halves((64, 64)))
    seen = probed(path.rename(path.with_name(name + ending)))
    assert seen.pixels is None
    assert "save it as JPEG or PNG" in seen.rejected or (ending and "not a picture" in seen.rejected)


@pytest.mark.parametrize(
    ("name", "tags"), [("a.nef", {}), ("a.dng", {50706: b"\1\4\0\0"}), ("a.tif", {50706: b"\1\4\0\0"})]
)
def test_a_cameras_raw_file_is_not_taken_for_its_preview(save: Save, name: str, tags: dict[int, bytes]):
    """Pillow would open the small TIFF inside."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info.tagtype[tag] = 1
        info[tag] = value
    assert "camera's raw" in probed(save(name, format="TIFF", tiffinfo=info)).rejected


@pytest.mark.parametrize("name", ["a.jpg", "a.PNG", "a.heic"])
def test_an_empty_file_is_rejected(tmp_path, name):
    """An aborted copy."""
    assert probed(tmp_path / name, b"").rejected.startswith("empty")


@pytest.mark.parametrize(
    ("name", "another"),
    [
        *[(f"a.{ending}", True) for ending in ("dat", "txt", "mp4", "PDF", "jpg.bak", "jpg.zip", "tmp")],
        *[
            (f"a.{ending}", False)
            for ending in ("jpg", "JPEG", "pjpeg", "jif", "MPO", "jps", "btf", "dib", "heics", "CR2", "psd", "dat.png")
        ],
        *[(name, False) for name in ("noending", "mug 12.30", "v1.", "IMG_1.2024-05-01", "a.jpg?v=2", "x.jpg_large")],
    ],
)
def test_which_names_say_that_a_file_is_something_else(name: str, another: bool):
    """An ending of letters that is no picture's; a number, or nothing, says nothing."""
    assert names_another_kind(name) is another
