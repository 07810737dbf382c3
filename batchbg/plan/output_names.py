"""What results are called: names for photos that have none yet, and others where the disk does not take the first."""

import functools
from collections.abc import Mapping, Sequence

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Output
from batchbg.core.naming import SUFFIXES, output_names, promised_names
from batchbg.core.planning import UNSAVABLE
from batchbg.disk.scan import Listing
from batchbg.ledger import jobs, outputs, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.transaction import Tx
from batchbg.plan.request import Request
from batchbg.plan.roots import Roots


def name_outputs(tx: Tx, roots: Roots, listing: Listing, photos: Sequence[str], request: Request) -> dict[str, str]:
    """Return the output paths of at least these photos; all of a folder's have to be known, for two could meet.

    A name that a saved plan gives stands where it is still free.
    """
    settings, saved = request.settings, request.saved or {}
    make_valid = _portable if settings.portable_names else str
    folder = portable_path(listing.folder) if settings.portable_names else listing.folder
    outputs.adopt_moved(tx, roots.output_root, roots.photo_root, listing.folder)
    mine = outputs.names_of(tx.connection, roots.output_root, roots.photo_root, listing.folder)
    if all(path in mine for path in photos):
        return mine
    own = set(mine.values())
    taken = [_name_of(path) for path in outputs.paths_in(tx.connection, roots.output_root, folder) if path not in own]
    taken += listing.subfolders
    kept = {_name_of(photo): _name_of(path) for photo, path in mine.items()}
    promised = {_name_of(path): saved[path].output for path in photos if path in saved and path not in mine}
    kept |= promised_names(folder, promised, [*kept.values(), *taken])
    names = output_names(
        listing.folder, [_name_of(path) for path in photos], kept, taken, make_valid, SUFFIXES[settings.format]
    )
    return {path: mine.get(path) or _join(folder, names[_name_of(path)]) for path in photos}


def rename_unsaved(
    tx: Tx, roots: Roots, listing: Listing, names: Mapping[str, str], photos: Sequence[str], request: Request
) -> dict[str, str]:
    """Give portable names to results of these photos that have none yet; return all names.

    What is paid for and could not be saved under the old name is asked for again, what was never created is planned.
    """
    owned = outputs.of_photos(tx.connection, roots.output_root, roots.photo_root, photos)
    unsaved = [path for path in photos if path not in owned or owned[path].saved_sha256 is None]
    kept = {path: name for path, name in names.items() if path not in unsaved}
    folder = portable_path(listing.folder)
    own = set(names.values())
    taken = [_name_of(path) for path in outputs.paths_in(tx.connection, roots.output_root, folder) if path not in own]
    taken += [*listing.subfolders, *(_name_of(name) for name in kept.values())]
    new = output_names(
        listing.folder, [_name_of(path) for path in unsaved], {}, taken, _portable, SUFFIXES[request.settings.format]
    )
    renamed = {path: _join(folder, new[_name_of(path)]) for path in unsaved}
    for path, output in owned.items():
        if path in renamed:
            outputs.rename(tx, output, renamed[path])
            _reopen(tx, output)
    return kept | renamed


def _reopen(tx: Tx, output: Output) -> None:
    job = jobs.get(tx.connection, output.wanted_job) if output.wanted_job else None
    if job is None or job.state is not JobState.FAILED or not job.error.startswith(UNSAVABLE):
        return
    transitions.reopen(tx, job, JobState.RENDERING if job.project_id else JobState.PLANNED, EventKind.RENAMED)


def portable_path(path: str) -> str:
    """Return a path below the output folder as Windows takes it."""
    return "/".join(_portable(part) for part in path.split("/")) if path else ""


@functools.lru_cache(maxsize=1000)
def _portable(name: str) -> str:
    """Return the name as Windows takes it: no forbidden characters, device names, trailing dots or blanks."""
    import pathvalidate  # only for --portable-names, and it takes its time

    cleaned = pathvalidate.sanitize_filename(name, platform="universal", replacement_text="_")
    return str(cleaned) or "_"


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]
