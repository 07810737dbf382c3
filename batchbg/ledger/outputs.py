"""Output paths: which photo owns each, for good, whose result belongs there, and whose is there."""

import functools
import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, KnownJob, Output
from batchbg.ledger.events import EventKind, details, note
from batchbg.ledger.sql import Statement, below, bounds
from batchbg.ledger.tables import LACKING, folders, jobs, outputs, photos, previous_results
from batchbg.ledger.transaction import Tx

_OUTPUT: Final = sa.select(
    outputs.c.id,
    outputs.c.folder_id,
    outputs.c.path,
    outputs.c.photo_folder_id,
    outputs.c.photo_path,
    outputs.c.wanted_job_id,
    outputs.c.saved_job_id,
    outputs.c.saved_photo_sha256,
    outputs.c.saved_sha256,
    outputs.c.saved_bytes,
)
"""In the order of an ``Output``'s fields."""


def of_photos(
    connection: sa.Connection, output_root_id: int, photo_root_id: int, paths: Sequence[str]
) -> dict[str, Output]:
    """Return the outputs of these photos, by photo path."""
    rows = _OF_PHOTOS.all(connection, results=output_root_id, photos=photo_root_id, paths=paths)
    return {output.photo_path: output for output in itertools.starmap(Output, rows)}


_OF_PHOTOS: Final = Statement(
    _OUTPUT.where(
        outputs.c.folder_id == sa.bindparam("results"),
        outputs.c.photo_folder_id == sa.bindparam("photos"),
        outputs.c.photo_path.in_(sa.bindparam("paths", expanding=True)),
    ),
    of="paths",
)


def by_content(connection: sa.Connection, output_root_id: int, contents: Collection[str]) -> dict[str, list[Output]]:
    """Return the outputs in an output folder that hold a result of any of these photo contents (sha256)."""
    found: dict[str, list[Output]] = {}
    rows = _BY_CONTENT.all(connection, results=output_root_id, contents=list(contents))
    for output in itertools.starmap(Output, rows):
        found.setdefault(output.saved_photo_sha256 or "", []).append(output)
    return found


_BY_CONTENT: Final = Statement(
    _OUTPUT.where(
        outputs.c.folder_id == sa.bindparam("results"),
        outputs.c.saved_photo_sha256.in_(sa.bindparam("contents", expanding=True)),
    ).order_by(outputs.c.path),
    of="contents",
)


def get(connection: sa.Connection, output_id: int) -> Output:
    """Return one output."""
    (row,) = _BY_ID.all(connection, output=output_id)
    return Output(*row)


_BY_ID: Final = Statement(_OUTPUT.where(outputs.c.id == sa.bindparam("output")))


def wanting(connection: sa.Connection, job_id: str) -> list[Output]:
    """Return the outputs that want this job's result and do not hold it, in the order of their paths."""
    return list(itertools.starmap(Output, _WANTING.all(connection, job=job_id)))


_WANTING: Final = Statement(
    _OUTPUT.where(
        outputs.c.wanted_job_id == sa.bindparam("job"),
        sa.or_(outputs.c.saved_job_id.is_(None), outputs.c.saved_job_id != sa.bindparam("job")),
    ).order_by(outputs.c.path)
)


def holding(connection: sa.Connection) -> Iterator[Output]:
    """Yield the outputs that hold a result."""
    return itertools.starmap(Output, _HOLDING_ANY.stream(connection))


_HOLDING_ANY: Final = Statement(_OUTPUT.where(outputs.c.saved_job_id.is_not(None)).order_by(outputs.c.id))


def holding_of(connection: sa.Connection, job: Job | KnownJob) -> list[Output]:
    """Return the outputs that hold one job's result."""
    return list(itertools.starmap(Output, _HOLDING.all(connection, job=job.id, photo=job.photo_sha256)))


# By folder and photo, for which there is an index; there are few folders, and very many outputs.
_HELD_BY: Final = _OUTPUT.where(
    outputs.c.folder_id.in_(sa.select(folders.c.id)),
    outputs.c.saved_photo_sha256 == sa.bindparam("photo"),
    outputs.c.saved_job_id == sa.bindparam("job"),
).order_by(outputs.c.id)
_HOLDING: Final = Statement(_HELD_BY)


def saved_contents(connection: sa.Connection) -> frozenset[str]:
    """Return the digests of all results, replaced ones that are kept included, in whichever output folder they are."""
    return frozenset(row[0] for row in _SAVED.stream(connection))


_SAVED: Final = Statement(
    sa.select(outputs.c.saved_sha256)
    .where(outputs.c.saved_sha256.is_not(None))
    .union_all(sa.select(previous_results.c.sha256))
)


def names_of(connection: sa.Connection, output_root_id: int, photo_root_id: int, folder: str) -> dict[str, str]:
    """Return the output paths of one folder's photos, by photo path."""
    names = _names(is_root=not folder)
    return dict(names.all(connection, results=output_root_id, photos=photo_root_id, **bounds(folder)))


@functools.cache
def _names(*, is_root: bool) -> Statement:
    return Statement(
        sa.select(outputs.c.photo_path, outputs.c.path).where(
            outputs.c.folder_id == sa.bindparam("results"),
            outputs.c.photo_folder_id == sa.bindparam("photos"),
            below(outputs.c.photo_path, is_root=is_root),
        )
    )


def paths_in(connection: sa.Connection, output_root_id: int, folder: str) -> Iterator[str]:
    """Yield every output path that lies directly in ``folder``."""
    rows = _paths(is_root=not folder).stream(connection, results=output_root_id, **bounds(folder))
    return (row[0] for row in rows)


@functools.cache
def _paths(*, is_root: bool) -> Statement:
    mine = outputs.c.folder_id == sa.bindparam("results")
    return Statement(sa.select(outputs.c.path).where(mine, below(outputs.c.path, is_root=is_root)))


def assign(tx: Tx, output_root_id: int, photo_root_id: int, paths: Sequence[tuple[str, str]]) -> list[int]:
    """Give output paths to photos, for good; (output path, photo path) each. Return the outputs' ids in that order."""
    if not paths:
        return []
    rows = [
        {"folder_id": output_root_id, "path": path, "photo_folder_id": photo_root_id, "photo_path": photo}
        for path, photo in paths
    ]
    _ASSIGN.run_each(tx.connection, rows)
    owned = of_photos(tx.connection, output_root_id, photo_root_id, [photo for _, photo in paths])
    return [owned[photo].id for _, photo in paths]


_ASSIGN: Final = Statement(sa.insert(outputs))


def want(tx: Tx, wanted: Sequence[tuple[int, str]]) -> None:
    """Say whose results belong in outputs: (output id, job id) each."""
    _UPDATE.run_each(tx.connection, [{"output": output_id, "wanted_job_id": job_id} for output_id, job_id in wanted])


def adopt_moved(tx: Tx, output_root_id: int, photo_root_id: int, folder: str) -> None:
    """Give this folder's photos the outputs they had when they lay below another root: the photo folder was moved."""
    moved = _moved(is_root=not folder)
    first: dict[str, int] = dict(
        moved.all(tx.connection, results=output_root_id, photos=photo_root_id, **bounds(folder))
    )
    _UPDATE.run_each(
        tx.connection, [{"output": output_id, "photo_folder_id": photo_root_id} for output_id in first.values()]
    )


@functools.cache
def _moved(*, is_root: bool) -> Statement:
    mine = outputs.alias("mine")
    results: sa.BindParameter[int] = sa.bindparam("results")
    root: sa.BindParameter[int] = sa.bindparam("photos")
    return Statement(
        sa.select(outputs.c.photo_path, outputs.c.id)
        .join(photos, (photos.c.folder_id == root) & (photos.c.path == outputs.c.photo_path))
        .outerjoin(jobs, jobs.c.id == outputs.c.wanted_job_id)
        .outerjoin(
            mine,
            (mine.c.folder_id == results)
            & (mine.c.photo_folder_id == root)
            & (mine.c.photo_path == outputs.c.photo_path),
        )
        .where(
            outputs.c.folder_id == results,
            outputs.c.photo_folder_id != root,
            below(outputs.c.photo_path, is_root=is_root),
            mine.c.id.is_(None),
            outputs.c.saved_photo_sha256.in_((photos.c.sha256, photos.c.key))
            | jobs.c.photo_sha256.in_((photos.c.sha256, photos.c.key)),
        )
        .order_by(outputs.c.id.desc())
    )


def rename(tx: Tx, output: Output, path: str) -> None:
    """Give an output under whose path nothing was ever saved another one."""
    _UPDATE.run(tx.connection, output=output.id, path=path)


def undelivered(connection: sa.Connection) -> list[str]:
    """Return the done jobs whose result some output still wants."""
    return _UNDELIVERED.column(connection)


_IS_DONE: Final = sa.exists().where(jobs.c.id == outputs.c.wanted_job_id, jobs.c.state == JobState.DONE)
_UNDELIVERED: Final = Statement(sa.select(outputs.c.wanted_job_id).where(LACKING, _IS_DONE).distinct())


def lacking(connection: sa.Connection) -> list[Output]:
    """Return the outputs that still want the result of a done job."""
    return list(itertools.starmap(Output, _OF_DONE.all(connection)))


_OF_DONE: Final = Statement(_OUTPUT.where(LACKING, _IS_DONE).order_by(outputs.c.id))


def awaiting(connection: sa.Connection, output_root_id: int) -> set[str]:
    """Return the paths in an output folder that want a result they do not hold."""
    # A condition on the folder would have the database look at all its outputs, in place of the few that lack theirs.
    return {path for folder_id, path in _AWAITING.stream(connection) if folder_id == output_root_id}


_AWAITING: Final = Statement(sa.select(outputs.c.folder_id, outputs.c.path).where(LACKING))


def mark_missing(tx: Tx, output: Output) -> None:
    """Say that an output's result is no longer on disk: it is wanted again."""
    _UPDATE.run(tx.connection, output=output.id, wanted_job_id=output.saved_job, saved_job_id=None)


def saved(tx: Tx, output_id: int, job_id: str, photo_sha256: str, sha256: str, size: int) -> None:
    """Record that a result is on disk: hex digest and bytes of the file."""
    _UPDATE.run(
        tx.connection,
        output=output_id,
        saved_job_id=job_id,
        saved_photo_sha256=photo_sha256,
        saved_sha256=sha256,
        saved_bytes=size,
        saved_at=tx.at,
    )


_UPDATE: Final = Statement(sa.update(outputs).where(outputs.c.id == sa.bindparam("output")))


def saving(tx: Tx, job_id: str, sha256: str) -> None:
    """Record that a file with this digest is about to become a job's result."""
    note(tx, job_id, EventKind.SAVING, detail=sha256)


def saved_ever(connection: sa.Connection, job_id: str) -> list[str]:
    """Return the digests of files that became a job's results, or were about to when the process ended."""
    return details(connection, job_id, EventKind.SAVING)
