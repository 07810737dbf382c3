import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchbg.core.model import Stamp
from batchbg.disk.scan import Rules, listed, stamp_of, walk
from batchbg.errors import ConfigError, ExitCode


def tree(root: Path, *names: str) -> Path:
    """Make files, one byte each more than the last, and the folders they need."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * number)
    return root


def found(root: Path, excluded: Collection[Path] = (), **rules: Any) -> list[str]:
    """The files of a walk, in its order, as paths below the root."""
    return [
        f"{listing.folder}/{name}".removeprefix("/")
        for listing in walk(root, excluded, Rules(**rules))
        for name in sorted(listing.files)
    ]


def ignored(root: Path, excluded: Collection[Path] = (), **rules: Any) -> int:
    return sum(listing.ignored for listing in walk(root, excluded, Rules(**rules)))


def test_every_file_is_found_with_its_stamp(tmp_path):
    """Size, time to the nanosecond, inode: what tells later that it is unchanged."""
    tree(tmp_path, "a.jpg", "sub/b.png", "sub/deep/c")
    by_folder = {listing.folder: listing for listing in walk(tmp_path, (), Rules())}
    assert list(by_folder) == ["", "sub", "sub/deep"]
    status = (tmp_path / "sub" / "b.png").stat()
    assert by_folder["sub"].files == {
        "b.png": Stamp(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    }
    assert by_folder["sub"].subfolders == ("deep",)
    assert [listing.ignored for listing in by_folder.values()] == [0, 0, 0]


def test_the_order_is_that_of_bytes_and_parents_come_first(tmp_path):
    """The same on every disk and in every language; two runs see the same list."""
    tree(tmp_path, "b.jpg", "B.jpg", "a.jpg", "é.jpg", "e\u0301.jpg", "z/1.jpg", "z/y/1.jpg", "A/2.jpg", "A/1.jpg")
    assert found(tmp_path) == [
        "B.jpg",
        "a.jpg",
        "b.jpg",
        "e\u0301.jpg",
        "é.jpg",
        "A/1.jpg",
        "A/2.jpg",
        "z/1.jpg",
        "z/y/1.jpg",
    ]


@pytest.mark.parametrize(
    "junk",
    [
        ".DS_Store",
        "._a.jpg",
        ".hidden.jpg",
        "Thumbs.db",
        "thumbs.DB",
        "desktop.ini",
        "__MACOSX/a.jpg",
        "@eaDir/a.jpg",
        ".git/a.jpg",
        "$RECYCLE.BIN/a.jpg",
        ".batchbg-abc.part",
    ],
)
def test_what_systems_leave_behind_is_ignored(tmp_path, junk):
    """Hidden files and folders too; counted, but a folder as one."""
    tree(tmp_path, "a.jpg", junk, f"sub/{junk}")
    assert found(tmp_path) == ["a.jpg"]
    assert ignored(tmp_path) == 2


def test_a_hidden_root_is_walked_all_the_same(tmp_path):
    """A person named it."""
    assert found(tree(tmp_path / ".photos", "a.jpg")) == ["a.jpg"]


def test_links_to_files_inside_are_photos(tmp_path):
    """With the stamp of what they lead to."""
    tree(tmp_path, "sub/x", "sub/a.jpg")
    (tmp_path / "link.jpg").symlink_to("sub/a.jpg")
    (listing, *_) = walk(tmp_path, (), Rules())
    assert listing.files == {"link.jpg": stamp_of((tmp_path / "sub" / "a.jpg").stat())}


def test_links_out_of_the_folder_are_ignored(tmp_path):
    """Somebody else's pictures are not paid for by accident; neither are a sibling's with a longer name."""
    root = tree(tmp_path / "photos", "a.jpg")
    tree(tmp_path, "outside.jpg", "photos2/b.jpg")
    for name, target in (("1.jpg", "../outside.jpg"), ("2.jpg", "../photos2/b.jpg"), ("3.jpg", "/etc/hostname")):
        (root / name).symlink_to(target)
    assert found(root) == ["a.jpg"]
    assert ignored(root) == 3


def test_links_to_folders_are_ignored_and_form_no_loop(tmp_path):
    """To a parent, to itself, to a folder beside, and through each other."""
    tree(tmp_path, "sub/a.jpg")
    for name, target in (("up", "."), ("sub/up", ".."), ("self", "self"), ("beside", "sub"), ("x", "y"), ("y", "x")):
        (tmp_path / name).symlink_to(target)
    assert found(tmp_path) == ["sub/a.jpg"]
    assert ignored(tmp_path) == 6


def test_broken_links_are_ignored(tmp_path):
    """What they led to is gone."""
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    assert (found(tmp_path), ignored(tmp_path)) == ([], 1)


def test_a_root_that_is_a_link_is_followed(tmp_path):
    """A person named it; what lies in it counts as inside."""
    tree(tmp_path / "real", "a.jpg", "sub/b.jpg")
    (tmp_path / "link").symlink_to("real")
    assert found(tmp_path / "link") == ["a.jpg", "sub/b.jpg"]


def test_a_fifo_does_not_hang_a_scan(tmp_path):
    """Nor do sockets and devices: nothing is opened."""
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    assert (found(tmp_path), ignored(tmp_path)) == ([], 2)


def test_a_folder_named_like_a_photo_is_a_folder(tmp_path):
    """And walked."""
    assert found(tree(tmp_path, "x.jpg/a.jpg")) == ["x.jpg/a.jpg"]


def test_names_that_are_no_text_are_found(tmp_path):
    """Any bytes make a name."""
    (tmp_path / "\udcff\udcfe.jpg").write_bytes(b"x")
    assert found(tmp_path) == ["\udcff\udcfe.jpg"]


def test_a_folder_that_cannot_be_read_is_said_and_the_others_are_walked(tmp_path, monkeypatch):
    """It costs that folder."""
    tree(tmp_path, "a.jpg", "locked/b.jpg", "open/c.jpg")
    real_scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listings = {listing.folder: listing for listing in walk(tmp_path, (), Rules())}
    assert listings["locked"].trouble == "Permission denied"
    assert [name for listing in listings.values() for name in sorted(listing.files)] == ["a.jpg", "c.jpg"]


def test_a_root_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    """An empty result would look like an empty folder."""

    def refuse(_path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigError, match="Permission denied"):
        list(walk(tmp_path, (), Rules()))


@pytest.mark.parametrize(("name", "said"), [("missing", "no folder"), ("file", "not a folder")])
def test_a_root_that_is_no_folder_is_an_error(tmp_path, name, said):
    """Exit code 2, before anything is done."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=said) as caught:
        list(walk(tmp_path / name, (), Rules()))
    assert caught.value.exit_code is ExitCode.USAGE


# What never becomes an input


def test_excluded_folders_are_not_entered(tmp_path):
    """The output folder inside the photo folder, also where it is named through a link."""
    tree(tmp_path, "a.jpg", "out/a.png", "sub/backgrounds/b.jpg", "sub/out/c.jpg")
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path)
    excluded = [tmp_path.parent / f"{tmp_path.name}-link" / "out", tmp_path / "sub" / "backgrounds"]
    assert found(tmp_path, excluded) == ["a.jpg", "sub/out/c.jpg"]
    assert ignored(tmp_path, excluded) == 2


def test_a_root_that_is_excluded_itself_is_an_error(tmp_path):
    """Results are no photos."""
    with pytest.raises(ConfigError, match="results or backgrounds"):
        list(walk(tmp_path, [tmp_path], Rules()))


def test_a_link_into_an_excluded_folder_is_no_way_in(tmp_path):
    """A result never becomes an input, by whatever name it is reached."""
    tree(tmp_path, "a.jpg", "out/a.png")
    (tmp_path / "link.png").symlink_to("out/a.png")
    assert found(tmp_path, [tmp_path / "out"]) == ["a.jpg"]


# Filters


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ({"include": ("*.jpg",)}, ["a.jpg", "s/b.jpg", "s/d/c.jpg"]),
        ({"include": ("*.png", "a*")}, ["a.jpg", "a.png"]),
        ({"exclude": ("*.jpg",)}, ["a.png"]),
        ({"include": ("*.jpg",), "exclude": ("b*",)}, ["a.jpg", "s/d/c.jpg"]),
        ({"include": ("s/*",)}, ["s/b.jpg", "s/d/c.jpg"]),
        ({"exclude": ("s/d/*",)}, ["a.jpg", "a.png", "s/b.jpg"]),
        ({"include": ("/a.*",)}, ["a.jpg", "a.png"]),
        ({"include": ("[ab].jpg",)}, ["a.jpg", "s/b.jpg"]),
        ({"include": ("*.JPG",)}, []),
        ({"max_depth": 1}, ["a.jpg", "a.png"]),
        ({"max_depth": 2}, ["a.jpg", "a.png", "s/b.jpg"]),
        ({"max_depth": 2, "include": ("b*",)}, ["s/b.jpg"]),
    ],
)
def test_filters_leave_out_and_count(tmp_path, rules, wanted):
    """Patterns without "/" match the name in any folder; depth 1 is the root alone."""
    tree(tmp_path, "a.jpg", "a.png", "s/b.jpg", "s/d/c.jpg")
    assert found(tmp_path, **rules) == wanted
    if "max_depth" not in rules:
        assert ignored(tmp_path, **rules) == 4 - len(wanted)


# Lists of files


def named(root: Path, *names: str, excluded: Collection[Path] = (), **rules: Any) -> tuple[list[str], list[str]]:
    """(found, missing) of a list of files, as paths below the root."""
    listings = list(listed(root, names, excluded, Rules(**rules)))
    files = [f"{one.folder}/{name}".removeprefix("/") for one in listings for name in sorted(one.files)]
    return files, [f"{one.folder}/{name}".removeprefix("/") for one in listings for name in one.missing]


def test_a_list_names_files_and_nothing_else_is_looked_at(tmp_path):
    """In any order, with dots and as full paths; twice is once; what is not there is told."""
    tree(tmp_path, "a.jpg", "b.jpg", "sub/c.jpg", "sub/d.jpg", "..odd.jpg")
    found = named(tmp_path, "sub/c.jpg", "./a.jpg", "sub/../a.jpg", str(tmp_path / "b.jpg"), "sub/x.jpg", "no/y.jpg")
    assert sorted(found[0]) == ["a.jpg", "b.jpg", "sub/c.jpg"]
    assert sorted(found[1]) == ["no/y.jpg", "sub/x.jpg"]
    assert named(tmp_path, "..odd.jpg") == (["..odd.jpg"], [])
    assert named(tmp_path, "a.jpg", "sub/c.jpg", exclude=("c*",)) == (["a.jpg"], [])


@pytest.mark.parametrize("name", ["../outside.jpg", "..", ".", "/etc/hostname", "sub/../../outside.jpg"])
def test_a_list_does_not_lead_out_of_the_folder(tmp_path, name):
    """Exit code 2, with the name."""
    root = tree(tmp_path / "photos", "a.jpg")
    tree(tmp_path, "outside.jpg")
    with pytest.raises(ConfigError, match="not a file inside"):
        named(root, name)


def test_a_list_does_not_make_inputs_of_results(tmp_path):
    """Names in the output folder are ignored, also those of links into it."""
    tree(tmp_path, "a.jpg", "out/a.png", "out/sub/b.png")
    (tmp_path / "link.png").symlink_to("out/a.png")
    names = ("a.jpg", "out/a.png", "out/sub/b.png", "link.png")
    assert named(tmp_path, *names, excluded=[tmp_path / "out"])[0] == ["a.jpg"]


def test_a_list_does_not_lead_out_through_a_link(tmp_path):
    """A folder behind a link is not entered by a scan, so not by a list."""
    root = tree(tmp_path / "photos", "a.jpg")
    tree(tmp_path, "elsewhere/b.jpg")
    (root / "link").symlink_to("../elsewhere")
    with pytest.raises(ConfigError, match="not a file inside"):
        named(root, "a.jpg", "link/b.jpg")


def test_only_regular_files_have_a_stamp(tmp_path):
    """Folders and devices have none."""
    assert stamp_of(tmp_path.stat()) is None
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert stamp_of(Path("/dev/null").stat()) is None


def test_a_scan_changes_nothing(tmp_path):
    """No file is opened, no folder is written to."""
    tree(tmp_path, "a.jpg", "sub/b.jpg")
    times = {path: (path.stat().st_mtime_ns, path.stat().st_atime_ns) for path in tmp_path.rglob("*.jpg")}
    found(tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_atime_ns) for path in tmp_path.rglob("*.jpg")} == times


def test_numbers_of_files_and_times_that_no_database_holds_are_cut_to_what_it_does():
    """Inodes above 2^63, times past the year 2262: the same each time, so that the file is not new every night."""
    found: Any = SimpleNamespace(
        st_mode=stat.S_IFREG, st_size=3, st_mtime_ns=2**63 + 5, st_ino=2**64 - 1, st_ctime_ns=2**63 + 7
    )
    stamp = stamp_of(found)
    assert stamp == stamp_of(found)
    assert stamp is not None
    assert max(stamp) < 2**63
