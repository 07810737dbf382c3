import errno
import os
from pathlib import Path

import pytest

from batchbg.disk.file_identity import identity
from batchbg.disk.files import create
from batchbg.disk.folder import opened
from batchbg.errors import OutputRefused


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
