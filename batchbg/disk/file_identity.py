"""What a file or a folder is, whatever it is called: mounts, links and letter case give one several names."""

import os
from pathlib import Path

Identity = tuple[int, int]
"""What a file or folder is, whatever it is called: numbers of its device and of its inode there."""


def identity(found: os.stat_result) -> Identity:
    """Return what tells one file or folder from every other."""
    return found.st_dev, found.st_ino


def identity_of(path: str | Path) -> Identity | None:
    """Return what a path leads to, links followed; None where it leads nowhere, or where the system does not tell."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path costs more than the system's own work
    except (OSError, ValueError):
        return None
    return identity(found) if found.st_ino else None


def lies_in(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is ``folder`` or lies below it, by whatever name either is called.

    Paths that are not there yet are taken by what is there of them.
    """
    if path.is_relative_to(folder):
        return True
    wanted = identity_of(folder)
    return wanted is not None and any(identity_of(one) == wanted for one in (path, *path.parents))
