import os
import socket
from pathlib import Path

import pytest

from batchbg.disk.scan import Listing, Rules, listed, walk
from batchbg.errors import ConfigError
from tests.photos.conftest import without_privileges


def files(listings: list[Listing]) -> list[str]:
    return [f"{one.folder}/{name}".lstrip("/") for one in listings for name in sorted(one.files)]


def scan(root: Path, *excluded: Path, **rules: object) -> list[Listing]:
    return list(walk(root, excluded, Rules(**rules)))  # type: ignore[arg-type]


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"x")


def test_junk_is_skipped_and_counted(tmp_path: Path):
    """What systems, cameras and network disks leave behind."""
    touch(tmp_path, "a.jpg", ".DS_Store", "._a.jpg", "Thumbs.db", "DESKTOP.INI", ".hidden/b.jpg", "__MACOSX/c.jpg")
    touch(tmp_path, "sub/@eaDir/d.jpg", "sub/d.jpg", "lost+found/e.jpg")
    found = scan(tmp_path)
    assert files(found) == ["a.jpg", "sub/d.jpg"]
    assert [one.ignored for one in found] == [7, 1]


def test_links_lead_to_files_inside_the_root_only(tmp_path: Path):
    """No loop can form, nothing outside is read, and no result becomes a photo."""
    root, output = tmp_path / "photos", tmp_path / "photos" / "output"
    touch(tmp_path, "secret.jpg", "photos/a.jpg", "photos/output/result.png")
    links = {"good.jpg": "a.jpg", "out.jpg": "../secret.jpg", "broken.jpg": "nowhere", "loop.jpg": "loop.jpg"}
    links |= {"folder": ".", "folder.jpg": "output", "result.jpg": "output/result.png", "chain.jpg": "good.jpg"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    (found,) = scan(root, output)
    assert files([found]) == ["a.jpg", "chain.jpg", "good.jpg"]
    assert found.ignored == 7


def test_what_is_no_file_is_counted_and_keeps_nobody_waiting(tmp_path: Path):
    """Fifos, sockets, and a folder that is called like a photo."""
    touch(tmp_path, "folder.jpg/a.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.jpg"))
        found = scan(tmp_path)
    assert files(found) == ["folder.jpg/a.jpg"]
    assert found[0].ignored == 2


def test_the_output_folder_is_never_scanned(tmp_path: Path):
    """Nor is a folder of backgrounds; and neither by name."""
    touch(tmp_path, "a.jpg", "deep/output/a.png", "deep/output/sub/b.png", "deep/b.jpg")
    output = tmp_path / "deep" / "output"
    assert files(scan(tmp_path, output)) == ["a.jpg", "deep/b.jpg"]
    found = list(listed(tmp_path, ["a.jpg", "deep/output/a.png", "deep/output/sub/b.png"], [output], Rules()))
    assert files(found) == ["a.jpg"]
    assert sum(one.ignored for one in found) == 2
    with pytest.raises(ConfigError, match="itself"):
        scan(output, output)


def test_filters(tmp_path: Path):
    """By the bare name in any folder, or by the whole path; and so deep."""
    touch(tmp_path, "a.jpg", "b.png", "x/a.jpg", "x/c.jpg", "x/y/a.jpg")
    assert files(scan(tmp_path, include=("a.*",))) == ["a.jpg", "x/a.jpg", "x/y/a.jpg"]
    assert files(scan(tmp_path, include=("x/*",), exclude=("c.jpg",))) == ["x/a.jpg", "x/y/a.jpg"]
    assert files(scan(tmp_path, max_depth=2)) == ["a.jpg", "b.png", "x/a.jpg", "x/c.jpg"]
    assert sum(one.ignored for one in scan(tmp_path, max_depth=1)) == 1


def test_named_files(tmp_path: Path):
    """Each is found, missing, filtered out, or refused where it leads out of the folder."""
    root = tmp_path / "photos"
    touch(tmp_path, "photos/a.jpg", "photos/x/b.jpg", "other/c.jpg")
    (root / "link").symlink_to(tmp_path / "other")
    names = ["a.jpg", "./x/b.jpg", str(root / "a.jpg"), "x/gone.jpg"]
    found = list(listed(root, names, [], Rules()))
    assert files(found) == ["a.jpg", "x/b.jpg"]
    assert [one.missing for one in found] == [(), ("gone.jpg",)]
    for name in ["../other/c.jpg", "link/c.jpg", str(tmp_path / "other" / "c.jpg"), "."]:
        with pytest.raises(ConfigError, match="not a file inside"):
            list(listed(root, [name], [], Rules()))


def test_names_keep_their_bytes(tmp_path: Path):
    """New lines, emoji, and bytes that are no text."""
    names = [b"new\nline.jpg", "\U0001f45f.jpg".encode(), b"caf\xe9.jpg", b"n" * 251 + b".jpg"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    assert sorted(map(os.fsencode, files(scan(tmp_path)))) == sorted(names)


def test_a_file_that_goes_while_it_is_listed_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is counted as ignored."""
    touch(tmp_path, "a.jpg", "b.jpg")
    listed_before = os.scandir

    class Entries:
        def __init__(self, folder: str) -> None:
            self.inner = listed_before(folder)

        def __enter__(self) -> list["os.DirEntry[str]"]:
            found = list(self.inner)
            (tmp_path / "b.jpg").unlink(missing_ok=True)
            return found

        def __exit__(self, *args: object) -> None:
            self.inner.close()

    monkeypatch.setattr(os, "scandir", Entries)
    (found,) = scan(tmp_path)
    assert (files([found]), found.ignored, found.trouble) == (["a.jpg"], 1, "")


def test_a_folder_that_cannot_be_read_says_why(open_folder: Path):
    """Whether it cannot be listed or its files cannot be told apart; the rest goes on."""
    touch(open_folder, "a.jpg", "shut/b.jpg", "unsearchable/c.jpg", "z/d.jpg")
    (open_folder / "shut").chmod(0o000)
    (open_folder / "unsearchable").chmod(0o444)
    with without_privileges():
        found = [(one.folder, len(one.files), one.trouble) for one in scan(open_folder)]
    refused = "Permission denied"
    assert found == [("", 1, ""), ("shut", 0, refused), ("unsearchable", 0, refused), ("z", 1, "")]
