"""Ledgers in places where they must not be."""

import sqlite3
from pathlib import Path

import pytest

from batchbg.errors import ConfigError
from batchbg.ledger import filesystem
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.location import sqlite_path

from .support import url_of

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/photos /mnt/photos nfs4 rw 0 0
//nas/two\\040words /mnt/two\\040words cifs rw 0 0
tmpfs /mnt/photos/local tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/batchbg.db", "ext4"),
        ("/mnt/photos/batchbg.db", "nfs4"),
        ("/mnt/photos/local/batchbg.db", "tmpfs"),
        ("/mnt/photos-2/batchbg.db", "ext4"),
        ("/mnt/two words/batchbg.db", "cifs"),
    ],
)
def test_the_nearest_mount_tells_the_type(path, kind):
    """Also below another, and with blanks in its name."""
    assert filesystem.type_of(Path(path), MOUNTS) == kind


def test_a_ledger_on_a_network_is_refused(tmp_path, monkeypatch):
    """With the type and what to do; nothing is made there."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(filesystem, "_MOUNTS", mounts)
    with pytest.raises(ConfigError, match=r"network file system \(nfs4\)"):
        open_ledger(f"sqlite:///{tmp_path / 'batchbg.db'}")
    assert not (tmp_path / "batchbg.db").exists()


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "9p",
        "ceph",
        "virtiofs",
        "fakeowner",
        "fuse.grpcfuse",
        "vboxsf",
        "prl_fs",
        "davfs",
        "fuse.davfs",
        "lustre",
        "fuse.rclone",
        "fuse.sshfs",
        "fuse.s3fs",
        "fuse.glusterfs",
    ],
)
def test_what_other_machines_share_is_no_place_for_a_ledger(kind):
    assert filesystem.is_shared(kind)


@pytest.mark.parametrize(
    "kind",
    ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse", "fuse.mergerfs", "apfs", "vfat", "ntfs3"],
)
def test_a_disk_of_this_machine_is(kind):
    assert not filesystem.is_shared(kind)


def test_another_programs_database_is_left_as_it_is(tmp_path):
    """No table of ours is added to it."""
    path = tmp_path / "browser.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(ConfigError, match="other program"):
        open_ledger(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    connection.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("no url at all", "not a URL"),
        ("mysql://host/db", "mysql"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
    ],
)
def test_a_url_that_names_no_ledger_is_refused(url, said):
    """Exit code 2, and what would do."""
    with pytest.raises(ConfigError, match=said):
        sqlite_path(url)


@pytest.mark.parametrize("folder", ["50% off?", "a%20b", "what?", "q?x=1&y", "über?"])
def test_a_folder_may_be_called_anything(tmp_path, folder):
    """Nothing in a path is an option or an escape."""
    (tmp_path / folder).mkdir()
    url = url_of(tmp_path / folder / "batchbg.db")
    assert sqlite_path(url) == tmp_path / folder / "batchbg.db"
    open_ledger(url).close()
    assert (tmp_path / folder / "batchbg.db").exists()


def test_options_in_a_url_are_refused_rather_than_made_part_of_a_name(tmp_path):
    with pytest.raises(ConfigError, match="no options"):
        open_ledger(url_of(tmp_path / "batchbg.db?mode=ro"))
