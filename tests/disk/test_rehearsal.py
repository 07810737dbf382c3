"""What a save does is tried out before anything is paid for; and what dead runs left is removed."""

import errno
import os
import time
from pathlib import Path

import pytest

from batchbg.disk.file_identity import identity_of
from batchbg.disk.folder import opened
from batchbg.disk.rehearsal import NAME_SUFFIX, Rehearsal, forget_name
from batchbg.disk.results import part_path, try_out
from batchbg.disk.sweep import STALE_S, sweep
from batchbg.errors import DiskError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, part: str, number: int, *, but: str = "\0") -> None:
    """Let one of the system's calls fail for names in which ``part`` occurs, and which do not begin with ``but``."""
    call = getattr(os, name)

    def refusing(*arguments, **options):
        last = os.fsdecode(arguments[1] if name in ("replace", "link") else arguments[0])
        if isinstance(last, str) and part in last and not last.startswith(but):
            raise OSError(number, os.strerror(number), last)
        return call(*arguments, **options)

    monkeypatch.setattr(os, name, refusing)


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.mark.parametrize(
    "path",
    [
        "a.png",
        "mug 12:30.png",
        "sub/deep/ä?.png",
        "con.png",
        "a*b/mug.png",
        "dot./a.png",
        f"{'x' * 251}.png",
        "\udcff.png",
    ],
)
def test_nothing_of_a_rehearsal_stays(root: Path, path: str):
    """No file, and no folder that was not there."""
    (root / "there").mkdir()
    rehearsal = Rehearsal()
    assert [rehearsal.refuses(root, path) for _ in range(2)] == ["", ""]
    assert everything(root) == ["there"]


def test_a_name_that_is_there_is_left_as_it_is(root: Path):
    (root / "mug 12:30.png").write_bytes(b"a result")
    assert Rehearsal().refuses(root, "mug 12:30.png") == ""
    assert (root / "mug 12:30.png").read_bytes() == b"a result"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ])
def test_a_name_the_disk_refuses_is_found_and_the_others_are_not_harmed(root, monkeypatch, number: int):
    """At the file's name, or already at a folder's."""
    for call in ("link", "replace", "mkdir"):
        refuse(monkeypatch, call, ":", number)
    rehearsal = Rehearsal()
    assert os.strerror(number) in rehearsal.refuses(root, "mug 12:30.png")
    assert os.strerror(number) in rehearsal.refuses(root, "12:30/mug.png")
    assert "--portable-names" in rehearsal.refuses(root, "12:30/mug.png")
    assert rehearsal.refuses(root, "mug.png") == ""
    assert rehearsal.refuses(root, "mug 12-30.png") == ""
    assert everything(root) == []


def test_a_rename_that_is_refused_for_all_but_temporary_names_is_found(root: Path, monkeypatch):
    """On such a disk every result would be paid for and none saved."""
    refuse(monkeypatch, "link", "", errno.EPERM)
    refuse(monkeypatch, "replace", "", errno.EXDEV, but=".batchbg-")
    assert "batchbg-probe" not in Rehearsal().refuses(root, "mug.png")
    assert Rehearsal().refuses(root, "mug.png")
    with pytest.raises(DiskError):
        try_out(root)
    assert everything(root) == []


@pytest.mark.parametrize("call", ["open", "link", "replace", "fsync"])
def test_the_whole_of_a_save_is_tried_in_the_output_folder(root: Path, monkeypatch, call: str):
    """Each step of it may be the one that a disk refuses."""
    if call == "replace":
        refuse(monkeypatch, "link", "", errno.EPERM)  # then files are renamed
    real = getattr(os, call)

    def full(*arguments, **options):
        if call == "open" and not arguments[1] & os.O_CREAT:
            return real(*arguments, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    if call != "link":  # without which a disk can be
        monkeypatch.setattr(os, call, full)
        with pytest.raises(DiskError, match="No space left"):
            try_out(root)
        monkeypatch.setattr(os, call, real)
    try_out(root)
    assert everything(root) == []


def test_a_full_disk_stops_everything_and_not_one_path(root: Path, monkeypatch):
    refuse(monkeypatch, "link", "", errno.ENOSPC)
    refuse(monkeypatch, "replace", "", errno.ENOSPC)
    with pytest.raises(DiskError, match="No space left"):
        Rehearsal().refuses(root, "mug.png")


def test_a_folder_of_originals_is_refused(root: Path):
    (root / "sub").mkdir()
    rehearsal = Rehearsal()
    rehearsal.originals.add(identity_of(root / "sub") or (0, 0))
    assert "photos or backgrounds" in rehearsal.refuses(root, "sub/a.png")
    assert rehearsal.refuses(root, "a.png") == ""


# -- what dead runs left -------------------------------------------------------------------------------------------


def test_parts_of_this_ledgers_jobs_are_swept_and_those_of_others_stay(root: Path):
    """Another ledger's run may be at work in the same folder this very moment; after a day nobody's is."""
    (root / "sub").mkdir()
    ours = part_path(root / "sub" / "a.png", "mine")
    ours_too = part_path(root / "b.png", "mine-7")
    theirs, dead = part_path(root / "a.png", "theirs"), part_path(root / "b.png", "longdead")
    for path in (
        ours,
        ours_too,
        theirs,
        dead,
        root / ".somerun-0123456789ab.batchbg-probe",
        root / "a.png",
        root / ".batchbg-x",
    ):
        path.write_bytes(b"x")
    long_ago = time.time() - STALE_S - 60
    os.utime(dead, (long_ago, long_ago))
    os.utime(root / ".somerun-0123456789ab.batchbg-probe", (long_ago, long_ago))
    os.utime(root / "a.png", (long_ago, long_ago))
    assert sweep(root, lambda job_id: job_id == "mine") == 4
    assert everything(root) == [".batchbg-theirs.part", ".batchbg-x", "a.png", "sub"]


def test_nothing_is_swept_through_a_link_nor_among_originals(root: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "photos").mkdir()
    for folder in (tmp_path / "elsewhere", root / "photos"):
        part_path(folder / "a.png", "mine").write_bytes(b"x")
    assert sweep(root, lambda _: True, {identity_of(root / "photos") or (0, 0)}) == 0
    assert part_path(tmp_path / "elsewhere" / "a.png", "mine").exists()


def test_a_name_left_by_a_killed_rehearsal_is_none_of_anybodys(root: Path):
    """It is empty, and the note beside it says so; a file that has something in it is somebody's."""
    for name, content in (("mug 12:30.png", b""), ("by hand.png", b"by hand"), ("empty.png", b"")):
        (root / name).write_bytes(content)
    for number, name in enumerate(("mug 12:30.png", "by hand.png", "../output/empty.png", "", "nothing")):
        (root / f".batchbg-{number:012}{NAME_SUFFIX}").write_bytes(name.encode())
    sweep(root, lambda _: False)
    assert everything(root) == ["by hand.png", "empty.png"]
    with opened(root, root) as folder:
        forget_name(folder, "nothing")
