"""Opening and naming files where somebody else may have put something odd."""

import contextlib
import errno
import os
import socket
from pathlib import Path

import pytest

from batchbg.disk.files import create, replace, whole
from batchbg.disk.folder import opened
from batchbg.disk.location import identity, lies_in
from batchbg.disk.reading import NotAFile, open_file, read_bytes, read_text
from batchbg.disk.trouble import trouble
from batchbg.errors import DiskError, OutputRefused


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Somebody's file, to which planted links lead."""
    file = tmp_path / "elsewhere" / "victim"
    file.parent.mkdir()
    file.write_bytes(b"somebody's")
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


def odd_things(folder: Path) -> list[Path]:
    """Return what hangs whoever opens it plainly, or never ends."""
    os.mkfifo(folder / "fifo")
    (folder / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
    return [folder / "fifo", folder / "device", folder / "socket"]


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_at_once_and_named(tmp_path: Path):
    """A fifo nobody writes to, a link to a device that never ends, a socket."""
    for odd, name in zip(odd_things(tmp_path), ("fifo", "device", "socket"), strict=True):
        for read in (read_bytes, read_text, open_file):
            with pytest.raises(NotAFile, match=f"a {name}"):
                read(odd)


def test_a_pipe_of_the_shell_can_be_named(tmp_path: Path):
    """As in ``--files-from <(find ...)``."""
    theirs, ours = os.pipe()
    os.write(ours, b"a.jpg\r\n")
    os.close(ours)
    assert read_text(f"/dev/fd/{theirs}") == "a.jpg\n"
    os.close(theirs)


def test_a_link_is_followed_where_photos_are_read_and_not_where_results_are(victim: Path, root: Path):
    (root / "link").symlink_to(victim)
    assert read_bytes(root / "link") == b"somebody's"
    with pytest.raises(NotAFile, match="a link"):
        open_file(root / "link", follow=False)


@pytest.mark.parametrize("leads", ["to a file", "nowhere"])
def test_a_new_file_takes_the_place_of_a_link_and_leaves_what_it_leads_to(victim: Path, root: Path, leads: str):
    target = victim if leads == "to a file" else victim.with_name("nothing")
    part = root / "a.part"
    for is_made in (True, False):
        part.unlink(missing_ok=True)
        part.symlink_to(target)
        create(part).close() if is_made else replace(part, b"new")
        assert not part.is_symlink()
    with whole(root / "a.part", "utf-8") as file:
        file.write("report")
    assert (root / "a.part").read_text() == "report"
    assert victim.read_bytes() == b"somebody's"
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    assert [path.name for path in root.iterdir()] == ["a.part"]


def test_another_name_of_a_file_is_not_written_through(victim: Path, root: Path):
    """A hard link is no link that could be seen: so a file is never written into, only replaced."""
    os.link(victim, root / "a.part")
    create(root / "a.part").close()
    os.link(victim, root / "b.part")
    replace(root / "b.part", b"new")
    assert victim.read_bytes() == b"somebody's"


def test_no_folder_below_the_root_may_be_a_link(victim: Path, root: Path):
    """Not the last, not one on the way; the root itself is what a person named."""
    (root / "sub").symlink_to(victim.parent)
    for path in (root / "sub" / "a.png", root / "sub" / "deeper" / "a.png"):
        with pytest.raises(OutputRefused, match="sub is a link"):
            create(path, root=root)
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    root.with_name("named").symlink_to(root)
    create(root.with_name("named") / "new" / "a.png", root=root.with_name("named")).close()
    assert (root / "new" / "a.png").exists()


def test_a_folder_swapped_for_a_link_while_it_is_open_gains_nothing(victim: Path, root: Path):
    """What is done goes on in the folder that was opened."""
    (root / "sub").mkdir()
    with opened(root, root / "sub") as folder:
        folder.create("a.part").close()
        (root / "sub").rename(root / "moved")
        (root / "sub").symlink_to(victim.parent)
        folder.name_anew("a.part", "a.png")
        folder.create("victim").close()
        folder.remove("victim")
    assert [path.name for path in (root / "moved").iterdir()] == ["a.png"]
    assert victim.read_bytes() == b"somebody's"


def test_nothing_is_written_in_a_folder_of_originals_whatever_way_leads_there(root: Path):
    """Mounted below the output folder, for instance: it is told by what it is, not by its name."""
    (root / "sub" / "deeper").mkdir(parents=True)
    originals = [identity((root / "sub").stat())]
    for path in (root / "sub" / "a.png", root / "sub" / "deeper" / "a.png"):
        with pytest.raises(OutputRefused, match="photos or backgrounds"):
            create(path, root=root, originals=originals)
    create(root / "a.png", root=root, originals=originals).close()


def test_folders_are_compared_by_what_they_are(tmp_path: Path):
    """By whatever name they are called; one that is not there yet lies where it would be made."""
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    (tmp_path / "other").symlink_to("photos")
    photos, other = tmp_path / "photos", tmp_path / "other"
    assert lies_in(other, photos)
    assert lies_in(photos, other)
    assert lies_in(other / "sub" / "new" / "output", photos)
    assert not lies_in(photos, other / "sub")
    assert not lies_in(tmp_path / "output", photos)
    assert not lies_in(photos, tmp_path / "nowhere")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES])
def test_a_folder_that_cannot_be_flushed_is_no_trouble(root: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    """Many file systems cannot; whether the disk itself fails is another matter."""

    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with opened(root, root) as folder:
        folder.sync()
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
        with pytest.raises(OSError, match="I/O error"):
            folder.sync()


def test_a_name_that_something_has_is_not_taken_also_where_files_have_one_name_only(root: Path, monkeypatch):
    """By a link that the system makes or refuses in one step; where there are none, as well as can be."""
    for has_links in (True, False):
        (root / "a.part").write_bytes(b"new")
        (root / "a.png").write_bytes(b"old")
        if not has_links:
            monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no")))
        with opened(root, root) as folder:
            with pytest.raises(FileExistsError):
                folder.name_anew("a.part", "a.png")
            assert (root / "a.png").read_bytes() == b"old"
            folder.name_anew("a.part", "b.png")
        assert (root / "b.png").read_bytes() == b"new"
        assert not (root / "a.part").exists()
        (root / "b.png").unlink()


@pytest.mark.parametrize("name", ["fifo", "folder"])
def test_what_is_no_file_is_not_replaced(root: Path, name: str):
    """A person may need it."""
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()
    with pytest.raises((NotAFile, OSError)), whole(root / name, "utf-8"):
        pass
    with pytest.raises(OutputRefused):
        create(root / name)
    assert sorted(path.name for path in root.iterdir()) == ["fifo", "folder"]


def test_a_file_that_fails_half_way_leaves_the_older_one(root: Path):
    (root / "report.html").write_text("older")
    with contextlib.suppress(RuntimeError), whole(root / "report.html", "utf-8") as file:
        file.write("half")
        raise RuntimeError
    assert {path.name: path.read_text() for path in root.iterdir()} == {"report.html": "older"}


def test_an_error_is_the_disks_where_any_other_path_would_meet_it(root: Path):
    """And one path's where only its name, or its folder, is refused; where the root is gone it is the disk's again."""
    of_the_disk = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ESTALE, errno.ENODEV}
    of_the_path = {
        errno.EINVAL,
        errno.ENAMETOOLONG,
        errno.EILSEQ,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.ELOOP,
    }
    for number in of_the_disk | of_the_path:
        found = trouble(root, root / "a.png", OSError(number, os.strerror(number)))
        assert isinstance(found, DiskError if number in of_the_disk else OutputRefused), errno.errorcode[number]
        assert str(root / "a.png") in str(found)
    gone = root / "gone"
    assert isinstance(trouble(gone, gone / "a.png", OSError(errno.ENOENT, "gone")), DiskError)
