import contextlib
import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchbg.core.model import Stamp
from batchbg.disk.patterns import Rules
from batchbg.disk.scan import Listing, listed, stamp_of, walk
from batchbg.errors import ConfigError, ExitCode
from tests.support.privileges import without_privileges
from tests.support.sockets import plant_socket


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


def files(listings: list[Listing]) -> list[str]:
    return [f"{one.folder}/{name}".lstrip("/") for one in listings for name in sorted(one.files)]


def scan(root: Path, *excluded: Path, **rules: object) -> list[Listing]:
    return list(walk(root, excluded, Rules(**rules)))  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("mtime_ns", "inode", "ctime_ns"),
    [
        (2**63 + 5, 7, 1),
        (2**64 - 1, 7, 1),
        (9, 2**63, 1),
        (9, 2**64 - 1, 1),
        (9, 7, 2**63),
        (2**63 - 1, 2**63 - 1, 2**63 - 1),
        (-(2**63), 7, 1),
    ],
    ids=["late", "latest", "large inode", "largest inode", "changed late", "just held", "early"],
)
def test_a_walk_cuts_such_numbers_as_a_probe_does(tmp_path, monkeypatch, mtime_ns: int, inode: int, ctime_ns: int):
    """A file's stamp is the same wherever it is taken, or the file would pass for one that is being written."""
    tree(tmp_path, "a.jpg")
    told: Any = SimpleNamespace(
        st_mode=stat.S_IFREG, st_size=3, st_mtime_ns=mtime_ns, st_ino=inode, st_ctime_ns=ctime_ns
    )

    class Entry:
        name = "a.jpg"
        is_dir = staticmethod(lambda follow_symlinks=True: False)
        is_symlink = staticmethod(lambda: False)
        stat = staticmethod(lambda: told)

    monkeypatch.setattr(os, "scandir", lambda _folder: contextlib.nullcontext([Entry()]))
    (listing,) = walk(tmp_path, (), Rules())
    stamp = listing.files["a.jpg"]
    assert stamp == stamp_of(told)
    assert -(2**63) <= min(stamp) <= max(stamp) < 2**63
    if max(mtime_ns, inode, ctime_ns) < 2**63:
        assert stamp == Stamp(3, mtime_ns, inode, ctime_ns)


def test_junk_is_skipped_and_counted(tmp_path: Path):
    """What systems, cameras and network disks leave behind."""
    tree(tmp_path, "a.jpg", ".DS_Store", "._a.jpg", "Thumbs.db", "DESKTOP.INI", ".hidden/b.jpg", "__MACOSX/c.jpg")
    tree(tmp_path, "sub/@eaDir/d.jpg", "sub/d.jpg", "lost+found/e.jpg")
    found = scan(tmp_path)
    assert files(found) == ["a.jpg", "sub/d.jpg"]
    assert [one.ignored for one in found] == [7, 1]


def test_links_lead_to_files_inside_the_root_only(tmp_path: Path):
    """No loop can form, nothing outside is read, and no result becomes a photo."""
    root, output = tmp_path / "photos", tmp_path / "photos" / "output"
    tree(tmp_path, "secret.jpg", "photos/a.jpg", "photos/output/result.png")
    links = {"good.jpg": "a.jpg", "out.jpg": "../secret.jpg", "broken.jpg": "nowhere", "loop.jpg": "loop.jpg"}
    links |= {"folder": ".", "folder.jpg": "output", "result.jpg": "output/result.png", "chain.jpg": "good.jpg"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    (found,) = scan(root, output)
    assert files([found]) == ["a.jpg", "chain.jpg", "good.jpg"]
    assert found.ignored == 7


def test_what_is_no_file_is_counted_and_keeps_nobody_waiting(tmp_path: Path):
    """Fifos, sockets, and a folder that is called like a photo."""
    tree(tmp_path, "folder.jpg/a.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    plant_socket(tmp_path / "socket.jpg")
    found = scan(tmp_path)
    assert files(found) == ["folder.jpg/a.jpg"]
    assert found[0].ignored == 2


def test_the_output_folder_is_never_scanned(tmp_path: Path):
    """Nor is a folder of backgrounds; and neither by name."""
    tree(tmp_path, "a.jpg", "deep/output/a.png", "deep/output/sub/b.png", "deep/b.jpg")
    output = tmp_path / "deep" / "output"
    assert files(scan(tmp_path, output)) == ["a.jpg", "deep/b.jpg"]
    found = list(listed(tmp_path, ["a.jpg", "deep/output/a.png", "deep/output/sub/b.png"], [output], Rules()))
    assert files(found) == ["a.jpg"]
    assert sum(one.ignored for one in found) == 2
    with pytest.raises(ConfigError, match="itself"):
        scan(output, output)


def test_filters(tmp_path: Path):
    """By the bare name in any folder, or by the whole path; and so deep."""
    tree(tmp_path, "a.jpg", "b.png", "x/a.jpg", "x/c.jpg", "x/y/a.jpg")
    assert files(scan(tmp_path, include=("a.*",))) == ["a.jpg", "x/a.jpg", "x/y/a.jpg"]
    assert files(scan(tmp_path, include=("x/*",), exclude=("c.jpg",))) == ["x/a.jpg", "x/y/a.jpg"]
    assert files(scan(tmp_path, max_depth=2)) == ["a.jpg", "b.png", "x/a.jpg", "x/c.jpg"]
    assert sum(one.ignored for one in scan(tmp_path, max_depth=1)) == 1


def test_named_files(tmp_path: Path):
    """Each is found, missing, filtered out, or refused where it leads out of the folder."""
    root = tmp_path / "photos"
    tree(tmp_path, "photos/a.jpg", "photos/x/b.jpg", "other/c.jpg")
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
    tree(tmp_path, "a.jpg", "b.jpg")
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
    tree(open_folder, "a.jpg", "shut/b.jpg", "unsearchable/c.jpg", "z/d.jpg")
    (open_folder / "shut").chmod(0o000)
    (open_folder / "unsearchable").chmod(0o444)
    with without_privileges():
        found = [(one.folder, len(one.files), one.trouble) for one in scan(open_folder)]
    refused = "Permission denied"
    assert found == [("", 1, ""), ("shut", 0, refused), ("unsearchable", 0, refused), ("z", 1, "")]
