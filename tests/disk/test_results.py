import errno
import hashlib
import io
import os
import stat
from pathlib import Path

import pytest
from PIL import Image

from batchbg.core.model import Size
from batchbg.disk.folder import Folder
from batchbg.disk.results import Result, check, copy, digest, is_odd, make_folder, part_path, put, try_out
from batchbg.errors import DiskError, ExitCode, OutputRefused, ResultUnusable
from tests.support.pictures import Save, bomb, encoded, noise, quarters


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def part(tmp_path):
    """The temporary file of a result."""
    return part_path(tmp_path / "a.png", "job")


USUAL = Size(40, 24)


def checked(part: Path, content: bytes, wanted: Size = USUAL) -> Result:
    part.write_bytes(content)
    return check(part, wanted)


# Checking


def test_a_whole_png_stays_byte_for_byte(part):
    """Nothing is re-encoded; its digest and length go into the ledger."""
    content = encoded(quarters().convert("RGBA"), "PNG")
    found = checked(part, content)
    assert part.read_bytes() == content
    assert (found.sha256, found.size, found.pixels, found.remark) == (sha256(content), len(content), Size(40, 24), "")
    assert not is_odd(found, Size(40, 24))


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_png_is_refused(part, keep):
    """200 OK and a short body: never under the final name."""
    content = encoded(noise(), "PNG")
    with pytest.raises(ResultUnusable):
        checked(part, content[: int(len(content) * keep)], Size(200, 150))


def test_flipped_bytes_are_refused(part):
    """The length is right, the pixels are not."""
    content = bytearray(encoded(noise(), "PNG"))
    middle = len(content) // 2
    content[middle : middle + 16] = bytes(byte ^ 0xFF for byte in content[middle : middle + 16])
    with pytest.raises(ResultUnusable):
        checked(part, bytes(content), Size(200, 150))


@pytest.mark.parametrize(
    "content", [b"", b"<html><body>Bad gateway</body></html>", b'{"error":"expired"}', b"\0" * 999]
)
def test_what_is_no_picture_is_refused(part, content):
    """An error page with 200 OK."""
    with pytest.raises(ResultUnusable, match="not a whole picture"):
        checked(part, content)


def test_a_bomb_is_refused_from_its_header(part):
    """Before anything is allocated."""
    with pytest.raises(ResultUnusable, match="pixels"):
        checked(part, bomb())


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("WEBP", "RGBA"), ("TIFF", "RGB")])
def test_other_formats_become_a_png_with_a_remark(part, kind, mode):
    """Losslessly: pixel for pixel what came."""
    content = encoded(quarters().convert(mode), kind)
    with Image.open(io.BytesIO(content)) as came:
        pixels = came.convert("RGBA").tobytes()
    found = checked(part, content)
    assert f"came as {kind}" in found.remark
    with Image.open(part) as saved:
        assert saved.format == "PNG"
        assert saved.convert("RGBA").tobytes() == pixels
    assert (found.sha256, found.size) == (sha256(part.read_bytes()), part.stat().st_size)


def test_a_cmyk_result_is_saved_too(part):
    """It is paid for: a PNG of what it shows is better than nothing."""
    found = checked(part, encoded(quarters().convert("CMYK"), "JPEG"))
    assert "came as JPEG" in found.remark
    with Image.open(part) as saved:
        assert saved.format == "PNG"


@pytest.mark.parametrize(
    ("came", "wanted", "odd"),
    [
        (Size(40, 24), Size(40, 24), ""),
        (Size(80, 48), Size(40, 24), ""),
        (Size(1024, 683), Size(1500, 1000), "smaller"),
        (Size(20, 12), Size(40, 24), "smaller"),
        (Size(24, 40), Size(40, 24), "another shape"),
        (Size(40, 40), Size(40, 24), "another shape"),
        (Size(400, 241), Size(400, 240), ""),
        (Size(3, 2), Size(2, 1), ""),
    ],
)
def test_another_shape_or_a_smaller_size_is_remarked(part, came, wanted, odd):
    """Worth one more download, then kept; a pixel of rounding is neither."""
    found = checked(part, encoded(Image.new("RGB", came), "PNG"), wanted)
    assert is_odd(found, wanted) is bool(odd)
    assert odd in found.remark
    if odd:
        assert str(came) in found.remark


# Giving a result its name


def test_a_result_gets_its_name_and_the_temporary_file_is_gone(tmp_path, part):
    """Beside its target until then."""
    assert part.parent == tmp_path
    assert part.name == ".batchbg-job.part"
    part.write_bytes(b"result")
    assert put(part, tmp_path / "a.png", replace=False, sha256=sha256(b"result"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"result"}


def test_a_foreign_file_is_not_replaced(tmp_path, part):
    """It stays as it is, and the temporary file goes."""
    (tmp_path / "a.png").write_bytes(b"by hand")
    part.write_bytes(b"result")
    assert not put(part, tmp_path / "a.png", replace=False, sha256=sha256(b"result"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"by hand"}


def test_a_foreign_file_is_replaced_where_a_person_said_so(tmp_path, part):
    """--force, or an older result of this ledger."""
    (tmp_path / "a.png").write_bytes(b"by hand")
    part.write_bytes(b"result")
    assert put(part, tmp_path / "a.png", replace=True, sha256=sha256(b"result"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"result"}


@pytest.mark.parametrize("replace", [False, True])
def test_the_same_content_is_ours_from_before_a_crash(tmp_path, part, replace):
    """Renamed, but not yet in the ledger."""
    (tmp_path / "a.png").write_bytes(b"result")
    part.write_bytes(b"result")
    assert put(part, tmp_path / "a.png", replace=replace, sha256=sha256(b"result"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"result"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_of_that_name_is_not_replaced(tmp_path, part, replace):
    """Nothing in it is touched."""
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "x").write_bytes(b"x")
    part.write_bytes(b"result")
    assert not put(part, tmp_path / "a.png", replace=replace, sha256=sha256(b"result"))
    assert (tmp_path / "a.png" / "x").read_bytes() == b"x"
    assert not part.exists()


def test_a_link_of_that_name_is_foreign_also_where_it_is_broken(tmp_path, part):
    """What it leads to is not written through it."""
    (tmp_path / "a.png").symlink_to("nowhere")
    part.write_bytes(b"result")
    assert not put(part, tmp_path / "a.png", replace=False, sha256=sha256(b"result"))
    assert not (tmp_path / "nowhere").exists()
    part.write_bytes(b"result")
    assert put(part, tmp_path / "a.png", replace=True, sha256=sha256(b"result"))
    assert not (tmp_path / "a.png").is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_result_is_on_disk_before_it_has_its_name(tmp_path, part, monkeypatch):
    """Its bytes are flushed, then the name is given, then the folder is flushed."""
    order = []
    fsync, name_anew = os.fsync, Folder.name_anew

    def note_fsync(descriptor):
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_rename(self, old, new):
        order.append("rename")
        return name_anew(self, old, new)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Folder, "name_anew", note_rename)
    part.write_bytes(b"result")
    put(part, tmp_path / "a.png", replace=False, sha256=sha256(b"result"))
    assert order == ["file", "rename", "folder"]


def refuse_names(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let no file be given a name any more: as many disks do that know no second name for a file."""

    def refuse(*_args, **_options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_refuses_is_temporary_trouble(tmp_path, part, monkeypatch, number):
    """Exit code 5 with the path and the reason; what is paid for is not lost."""
    part.write_bytes(b"result")
    refuse_names(monkeypatch, number)
    with pytest.raises(DiskError, match=os.strerror(number)) as caught:
        put(part, tmp_path / "a.png", replace=False, sha256=sha256(b"result"))
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert "a.png" in str(caught.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ, errno.EPERM])
def test_a_name_that_is_refused_is_that_paths_trouble_alone(tmp_path, part, monkeypatch, number):
    """The disk takes every other; the message says what to do about this one."""
    part.write_bytes(b"result")
    refuse_names(monkeypatch, number)
    with pytest.raises(OutputRefused, match=os.strerror(number)) as caught:
        put(part, tmp_path / "a.png", replace=False, sha256=sha256(b"result"))
    assert "a.png" in str(caught.value)
    assert "--portable-names" in str(caught.value) or "writable" in str(caught.value)


def test_a_full_disk_while_re_encoding_is_the_disk_s_fault(part, monkeypatch):
    """Not the result's: it is fetched again when there is space."""
    content = encoded(quarters(), "JPEG")

    part.write_bytes(content)

    def refuse(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("batchbg.disk.files.replace", refuse)
    with pytest.raises(DiskError, match="No space left"):
        check(part, USUAL)


def test_a_copy_is_made_beside_another_target(tmp_path):
    """In a folder that may be new."""
    (tmp_path / "a.png").write_bytes(b"result")
    copied = part_path(tmp_path / "sub" / "deep" / "b.png", "job")
    copy(tmp_path / "a.png", copied)
    assert copied.read_bytes() == b"result"
    assert digest(copied) == sha256(b"result")
    assert digest(tmp_path / "missing") is None
    with pytest.raises(DiskError):
        copy(tmp_path / "missing", copied)


def test_the_output_folder_is_tried_before_anything_is_paid_for(tmp_path):
    """Made where it is missing, and left empty; a file in its place is said."""
    try_out(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    for refused in (tmp_path / "file", tmp_path / "file" / "sub"):
        with pytest.raises(DiskError, match="file"):
            make_folder(refused)
        with pytest.raises(DiskError, match="file"):
            try_out(refused)


def test_a_png_cut_in_its_last_chunk_is_no_whole_picture(tmp_path):
    """Pillow decodes it; what was paid for is fetched once more all the same."""
    part = tmp_path / "a.part"
    Image.new("RGB", (30, 20), "red").save(part, "PNG")
    whole = part.read_bytes()
    for missing in (1, 4, 8, 12):
        part.write_bytes(whole[:-missing])
        with pytest.raises(ResultUnusable):
            check(part, Size(30, 20))
    part.write_bytes(whole + b"trailing")
    assert check(part, Size(30, 20)).pixels == Size(30, 20)


def test_results_that_show_nothing_or_nothing_new_get_a_remark(save: Save, tmp_path: Path):
    """They are paid for and kept; a person should look."""
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = Image.merge("RGB", [Image.effect_noise((20, 10), sigma) for sigma in (40, 50, 60)]).resize((200, 100))
    photo = save("photo.jpg", noise, quality=90, exif=exif)
    upright = noise.transpose(Image.Transpose.ROTATE_270)
    part = tmp_path / ".part"

    def remark(result: Image.Image, photo: Path | None = photo) -> str:
        result.save(part, "PNG")
        return check(part, Size(100, 200), photo).remark

    assert remark(upright) == "the result looks just like the photo"
    assert remark(upright, None) == ""
    assert remark(upright, tmp_path / "gone.jpg") == ""
    assert "blank" in remark(Image.new("RGB", (100, 200), 7))
    cut = upright.convert("RGBA")
    cut.putalpha(Image.linear_gradient("L").resize(cut.size))
    assert remark(cut) == ""
    cut.putalpha(0)
    assert "transparent" in remark(cut)
    assert "smaller than the photo" in remark(upright.rotate(180).resize((50, 100)))
