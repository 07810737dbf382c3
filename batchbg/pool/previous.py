"""The result before a redo: copied out of the way before the new one takes its place, gone once that is accepted.

Each step leaves at least one of the two whole under a name of its own: the old one is copied and flushed, then recorded,
and only then replaced, in one rename.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

from batchbg.core.model import Job, Output
from batchbg.core.naming import previous_name
from batchbg.core.remote_deletion import Found
from batchbg.disk import results
from batchbg.disk.file_identity import Identity
from batchbg.disk.folder import opened
from batchbg.errors import OutputRefused
from batchbg.ledger import folders, outputs, previous
from batchbg.ledger.previous import Previous
from batchbg.ledger.store import Ledger

log = logging.getLogger(__name__)

PREVIOUS: Final = ".previous"
"""Folder below the output folder for results that were replaced. It mirrors the output folder. No photo's result is
ever in it, for hidden folders are not scanned; and who takes what is in the output folder to a shop does not find it."""


def takes_place(job: Job, output: Output) -> bool:
    """Return whether a job is a redo of what an output holds."""
    return job.redo_of is not None and output.saved_job not in (None, job.id)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A copy of what stands in an output's place: its path below the output folder, hex digest, bytes."""

    path: str
    sha256: str
    size: int


def keep(job: Job, output: Output, root: Path, new_sha256: str, originals: Collection[Identity] = ()) -> Kept | None:
    """Copy what stands in an output's place out of the way, whoever has changed it since it was saved.

    Args:
        job: whose result is to be put there.
        output: the place.
        root: the output folder.
        new_sha256: hex digest of that result; where it is there already, there is nothing to keep.
        originals: folders in which nothing is written.

    Raises:
        DiskError: the disk refuses.
        OutputRefused: no copy can be written.
    """
    target = root / output.path
    present = results.digest(target)
    if present is None or present == new_sha256:
        return None
    folder, _, name = output.path.rpartition("/")
    path = "/".join(filter(None, [PREVIOUS, folder, previous_name(name, present)]))
    part = results.part_path(root / path, f"{job.id}-{output.id}")
    try:
        results.copy(target, part, root, originals)
        copied = results.digest(part)
        if copied != present:
            raise OutputRefused(f"{output.path} is being changed by another program")
        size = part.stat().st_size
        if not results.put(part, root / path, replace=False, sha256=present, root=root, originals=originals):
            raise OutputRefused(f"{path}, where the previous result is to be kept, is another file; move it away")
    finally:
        results.remove(part, root)
    return Kept(path, present, size)


def discard_accepted(ledger: Ledger, run_id: str = "") -> int:
    """Remove the previous results whose new one a person has accepted; return how many. Others wait for that.

    For who holds the ledger's lock. A file that somebody has changed is no longer ours, and stays. So does each whose
    new result is not on disk: it may be the only one there is.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    with ledger.reading() as connection:
        needless = previous.needless(connection)
        roots = {one.folder_id: ledger.absolute(folders.path_of(connection, one.folder_id)) for one in needless}
        new = {one.output_id: outputs.get(connection, one.output_id) for one in needless}
    gone = [
        one for one in needless if _is_there(new[one.output_id], root := roots[one.folder_id]) and _discard(one, root)
    ]
    if gone:
        with ledger.transaction(run_id) as tx:
            previous.forget(tx, gone)
    return len(gone)


def _is_there(output: Output, root: Path) -> bool:
    return results.compare_length(root / output.path, output.saved_bytes) is Found.SAME


def _discard(one: Previous, root: Path) -> bool:
    """Remove a file; False where it has to be tried again."""
    path = root / one.path
    if results.compare(path, one.sha256) is Found.SAME:
        results.remove(path, root)
        if results.compare(path, one.sha256) is Found.SAME:
            log.info("%s cannot be removed", path)
            return False
    for folder in path.parents:
        if folder == root:
            break
        with contextlib.suppress(OSError, OutputRefused), opened(root, folder.parent) as above:
            above.remove_folder(folder.name)
    return True
