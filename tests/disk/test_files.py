"""Opening and naming files where somebody else may have put something odd."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from batchbg.disk.files import create, replace, whole
from batchbg.disk.reading import NotAFile, open_file, read_bytes
from batchbg.errors import OutputRefused


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


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="this system has no memory disk there")
def test_a_memory_disk_is_a_folder_like_any_other():
    """Although it lies among the devices, which are written to as they are."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        report = Path(made, "report.html")
        report.write_text("older")
        with contextlib.suppress(RuntimeError), whole(report, "utf-8") as file:
            file.write("half")
            raise RuntimeError
        assert report.read_text() == "older"
