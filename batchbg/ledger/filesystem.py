"""Where a ledger may lie: on a disk of this machine."""

import os
import re
import stat
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from batchbg.disk.reading import kind_of
from batchbg.errors import ConfigError

NETWORK_TYPES: Final = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "smb2",
        "afs",
        "afpfs",
        "9p",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "gpfs",
        "orangefs",
        "pvfs2",
        "coda",
        "ncpfs",
        "davfs",
        "webdav",
        "s3fs",
        "juicefs",
        "virtiofs",
        "fakeowner",
        "osxfs",
        "vboxsf",
        "prl_fs",
        "vmhgfs",
    ]
)
"""File systems that other machines share, or a virtual machine with its host: SQLite's write-ahead log needs memory
that all its users share.

Source: sqlite.org, "Write-Ahead Logging", which rules network file systems out; the names are those of Linux's mounts.
"""

NETWORK_PROGRAMS: Final = frozenset(
    [
        "sshfs",
        "rclone",
        "grpcfuse",
        "osxfs",
        "s3fs",
        "gcsfuse",
        "goofys",
        "geesefs",
        "mount-s3",
        "juicefs",
        "curlftpfs",
        "smbnetfs",
        "davfs",
        "davfs2",
        "wdfs",
        "glusterfs",
        "ceph",
        "ceph-fuse",
        "cephfs",
        "lustre",
        "seaweedfs",
        "moosefs",
        "mfs",
        "gvfsd-fuse",
        "vmhgfs-fuse",
        "google-drive-ocamlfuse",
        "blobfuse",
        "blobfuse2",
        "onedriver",
        "virtiofs",
    ]
)
"""The same, as programs that mount them: "rclone" of the type "fuse.rclone"."""

_MOUNTS: Final = Path("/proc/self/mounts")


def sqlite_path(url: str) -> Path:
    """Return the real path of a SQLite ledger.

    Raises:
        ConfigError: the URL is none this version opens.
    """
    if found := re.fullmatch(r"sqlite(?:\+pysqlite)?:///(.+)", url, re.DOTALL):
        # Taken as it stands: a folder may be called "50% off?", and nobody escapes that in a path.
        name = found[1]
        if name == ":memory:":
            raise ConfigError("ledger: it must be a file, for it has to outlive the process")
        if "?" in name.rpartition("/")[2]:
            raise ConfigError(f"ledger: {url!r}: the file's name may not contain '?', and the URL takes no options")
        return Path(os.path.realpath(name))
    try:
        kind = sa.make_url(url).get_backend_name()
    except sa.exc.ArgumentError as error:
        raise ConfigError(f"ledger: {url!r} is not a URL such as sqlite:///batchbg.db") from error
    if kind != "sqlite":
        raise ConfigError(f"ledger: {kind} is not supported; use sqlite:///PATH")
    raise ConfigError("ledger: it must be a file, for it has to outlive the process")


def exists(url: str) -> bool:
    """Return whether the ledger is there already.

    Raises:
        ConfigError: the way there is barred.
    """
    path = sqlite_path(url)
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"ledger: {path}: {error.strerror}") from error


def check_folder(path: Path) -> None:
    """Refuse a ledger whose folder is not there.

    Raises:
        ConfigError: it is not.
    """
    try:
        is_there = path.parent.is_dir()
    except OSError as error:
        raise ConfigError(f"ledger: {path.parent}: {error.strerror}") from error
    if not is_there:
        raise ConfigError(f"ledger: there is no folder {path.parent}")


def refuse_network(path: Path) -> None:
    """Refuse a ledger on a network file system, where this system tells.

    Raises:
        ConfigError: it lies on one.
    """
    kind = file_system(path)
    if is_shared(kind):
        raise ConfigError(
            f"ledger: {path} lies on a network file system ({kind}), where SQLite can lose what is paid for;"
            " name a local disk with --ledger"
        )


def is_shared(kind: str) -> bool:
    """Return whether a type of file system is one that other machines share."""
    head, _, program = kind.partition(".")
    return kind in NETWORK_TYPES or (head in ("fuse", "fuseblk") and program in NETWORK_PROGRAMS | NETWORK_TYPES)


BESIDE: Final = ("", "-wal", "-shm", "-journal", ".lock", ".ballast")
"""Endings of the names of a ledger's own files."""


def refuse_odd(path: Path) -> None:
    """Refuse a ledger where one of its files is something else: what it leads to would be written over, or hang.

    Raises:
        ConfigError: names what stands there.
    """
    for ending in BESIDE:
        own = path.with_name(path.name + ending)
        try:
            mode = own.lstat().st_mode
        except OSError:
            continue  # not there, or told by whoever opens it
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder neither hangs nor is written over
            raise ConfigError(
                f"ledger: {own} is {kind_of(mode)}, not a file; take it away, or name another with --ledger"
            )


def file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``; "" where this system does not tell."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    return type_of(path, mounts)


def type_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds ``path``, by a table like /proc/self/mounts; "" where none does.

    Blanks in its paths stand there as octal escapes.
    """
    found, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        # The later of two mounts on one place hides the earlier.
        if path.is_relative_to(point) and len(point) >= len(found):
            found, kind = point, fields[2]
    return kind
