"""What file system a ledger is on: it has to be a disk of this machine."""

from pathlib import Path
from typing import Final

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
