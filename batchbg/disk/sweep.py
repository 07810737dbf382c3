"""Removing the temporary files that dead runs left beside results."""

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from batchbg.disk.file_identity import Identity, identity
from batchbg.disk.folder import HAS_DIR_FD, Folder
from batchbg.disk.rehearsal import NAME_SUFFIX, PART_PREFIX, PART_SUFFIX, PROBE, forget_name

STALE_S: Final = 86_400.0
"""Seconds after which a temporary file is nobody's any more, whichever ledger's run made it."""


def sweep(root: Path, is_ours: Callable[[str], bool], originals: Collection[Identity] = ()) -> int:
    """Remove what dead runs left below an output folder; return how many files.

    Another ledger's run may be at work in the same folder: its temporary files stay until they are a day old.

    Args:
        root: the output folder.
        is_ours: whether this ledger, which nobody else holds, has a job or a run with that id.
        originals: folders in which nothing is removed.
    """
    removed = 0
    for folder, names in _folders(root, originals):
        for name in names:
            if name.startswith(PART_PREFIX) and name.endswith(NAME_SUFFIX):
                forget_name(folder, name)
            elif (owner := _owner_of(name)) and (is_ours(owner) or _is_stale(folder, name)):
                with contextlib.suppress(OSError):
                    folder.remove(name)
                    removed += 1
    return removed


def _folders(root: Path, originals: Collection[Identity]) -> Iterator[tuple[Folder, list[str]]]:
    """Yield every folder, and the names in it of what is no folder; links are not followed."""
    with contextlib.suppress(OSError):
        if not HAS_DIR_FD:
            for parent, _, names in os.walk(root):
                yield Folder(Path(parent), None), names
            return
        for parent, below, names, descriptor in os.fwalk(root, follow_symlinks=False):
            if identity(os.fstat(descriptor)) in originals:
                below.clear()
            else:
                yield Folder(Path(parent), descriptor), names


def _owner_of(name: str) -> str:
    """Return the id by which a temporary file is known; "" for any other file."""
    if name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX):
        return name[len(PART_PREFIX) : -len(PART_SUFFIX)].partition("-")[0] or "nobody"
    probe = PROBE.fullmatch(name)
    return probe[1] if probe else ""


def _is_stale(folder: Folder, name: str) -> bool:
    with contextlib.suppress(OSError):
        found = folder.found(name)
        return found is not None and time.time() - found.st_mtime > STALE_S
    return False
