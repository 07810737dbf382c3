"""Output paths: which photo owns each, for good, whose result belongs there, and whose is there."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Output
from batchbg.ledger.events import EventKind, details, note
from batchbg.ledger.sql import below, chunks
from batchbg.ledger.tables import LACKING, jobs, outputs, photos
from batchbg.ledger.transaction import Tx

_OUTPUT: Final[sa.Select[Any]] = sa.select(
    outputs.c.id,
    outputs.c.folder_id,
    outputs.c.path,
    outputs.c.photo_folder_id,
    outputs.c.photo_path,
    outputs.c.wanted_job_id.label("wanted_job"),
    outputs.c.saved_job_id.label("saved_job"),
    outputs.c.saved_photo_sha256,
    outputs.c.saved_sha256,
    outputs.c.saved_bytes,
)


def _as_output(row: sa.Row[Any]) -> Output:
    return Output(**row._mapping)


def of_photos(
    connection: sa.Connection, output_root_id: int, photo_root_id: int, paths: Sequence[str]
) -> dict[str, Output]:
    """Return the outputs of these photos, by photo path."""
    found: dict[str, Output] = {}
    for chunk in chunks(paths):
        query = _OUTPUT.where(
            outputs.c.folder_id == output_root_id,
            outputs.c.photo_folder_id == photo_root_id,
            outputs.c.photo_path.in_(chunk),
        )
        found |= {row.photo_path: _as_output(row) for row in connection.execute(query)}
    return found


def by_content(connection: sa.Connection, output_root_id: int, contents: Collection[str]) -> dict[str, list[Output]]:
    """Return the outputs in an output folder that hold a result of any of these photo contents (sha256)."""
    found: dict[str, list[Output]] = {}
    for chunk in chunks(list(contents)):
        query = _OUTPUT.where(outputs.c.folder_id == output_root_id, outputs.c.saved_photo_sha256.in_(chunk))
        for row in connection.execute(query.order_by(outputs.c.path)):
            output = _as_output(row)
            found.setdefault(output.saved_photo_sha256 or "", []).append(output)
    return found


def get(connection: sa.Connection, output_id: int) -> Output:
    """Return one output."""
    return _as_output(connection.execute(_BY_ID, {"output": output_id}).one())


_BY_ID: Final = _OUTPUT.where(outputs.c.id == sa.bindparam("output"))


def wanting(connection: sa.Connection, job_id: str) -> list[Output]:
    """Return the outputs that want this job's result and do not hold it, in the order of their paths."""
    return [_as_output(row) for row in connection.execute(_WANTING, {"job": job_id})]


_WANTING: Final = _OUTPUT.where(
    outputs.c.wanted_job_id == sa.bindparam("job"),
    sa.or_(outputs.c.saved_job_id.is_(None), outputs.c.saved_job_id != sa.bindparam("job")),
).order_by(outputs.c.path)


def holding(connection: sa.Connection, job_id: str | None = None) -> Iterator[Output]:
    """Yield the outputs that hold a result, of one job or of any."""
    query = _OUTPUT.where(outputs.c.saved_job_id.is_not(None) if job_id is None else outputs.c.saved_job_id == job_id)
    for row in connection.execution_options(yield_per=500).execute(query.order_by(outputs.c.id)):
        yield _as_output(row)


def saved_contents(connection: sa.Connection) -> frozenset[str]:
    """Return the digests of all results, in whichever output folder they are."""
    return frozenset(connection.scalars(sa.select(outputs.c.saved_sha256).where(outputs.c.saved_sha256.is_not(None))))


def names_of(connection: sa.Connection, output_root_id: int, photo_root_id: int, folder: str) -> dict[str, str]:
    """Return the output paths of one folder's photos, by photo path."""
    query = sa.select(outputs.c.photo_path, outputs.c.path).where(
        outputs.c.folder_id == output_root_id,
        outputs.c.photo_folder_id == photo_root_id,
        below(outputs.c.photo_path, folder),
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def paths_in(connection: sa.Connection, output_root_id: int, folder: str) -> Iterator[str]:
    """Yield every output path that lies directly in ``folder``."""
    query = sa.select(outputs.c.path).where(outputs.c.folder_id == output_root_id, below(outputs.c.path, folder))
    yield from connection.scalars(query)


def assign(tx: Tx, output_root_id: int, photo_root_id: int, paths: Sequence[tuple[str, str]]) -> list[int]:
    """Give output paths to photos, for good; (output path, photo path) each. Return the outputs' ids in that order."""
    if not paths:
        return []
    rows = [
        {"folder_id": output_root_id, "path": path, "photo_folder_id": photo_root_id, "photo_path": photo}
        for path, photo in paths
    ]
    return list(tx.connection.scalars(_ASSIGN, rows))


_ASSIGN: Final = sa.insert(outputs).returning(outputs.c.id, sort_by_parameter_order=True)


def want(tx: Tx, wanted: Sequence[tuple[int, str]]) -> None:
    """Say whose results belong in outputs: (output id, job id) each."""
    if wanted:
        tx.connection.execute(_WANT, [{"output": output_id, "job": job_id} for output_id, job_id in wanted])


_WANT: Final = (
    sa.update(outputs).where(outputs.c.id == sa.bindparam("output")).values(wanted_job_id=sa.bindparam("job"))
)


def adopt_moved(tx: Tx, output_root_id: int, photo_root_id: int, folder: str) -> None:
    """Give this folder's photos the outputs they had when they lay below another root: the photo folder was moved."""
    mine = outputs.alias("mine")
    query = (
        sa.select(outputs.c.id, outputs.c.photo_path)
        .join(photos, (photos.c.folder_id == photo_root_id) & (photos.c.path == outputs.c.photo_path))
        .outerjoin(jobs, jobs.c.id == outputs.c.wanted_job_id)
        .outerjoin(
            mine,
            (mine.c.folder_id == output_root_id)
            & (mine.c.photo_folder_id == photo_root_id)
            & (mine.c.photo_path == outputs.c.photo_path),
        )
        .where(
            outputs.c.folder_id == output_root_id,
            outputs.c.photo_folder_id != photo_root_id,
            below(outputs.c.photo_path, folder),
            mine.c.id.is_(None),
            outputs.c.saved_photo_sha256.in_((photos.c.sha256, photos.c.key))
            | jobs.c.photo_sha256.in_((photos.c.sha256, photos.c.key)),
        )
        .order_by(outputs.c.id.desc())
    )
    first = {row[1]: row[0] for row in tx.connection.execute(query)}
    if first:
        tx.connection.execute(_ADOPT, [{"output": output_id, "root": photo_root_id} for output_id in first.values()])


_ADOPT: Final = (
    sa.update(outputs).where(outputs.c.id == sa.bindparam("output")).values(photo_folder_id=sa.bindparam("root"))
)


def rename(tx: Tx, output: Output, path: str) -> None:
    """Give an output under whose path nothing was ever saved another one."""
    tx.connection.execute(_UPDATE, {"output": output.id, "path": path})


def undelivered(connection: sa.Connection) -> list[str]:
    """Return the done jobs whose result some output still wants."""
    is_done = sa.exists().where(jobs.c.id == outputs.c.wanted_job_id, jobs.c.state == JobState.DONE)
    query = sa.select(outputs.c.wanted_job_id).where(LACKING, is_done).distinct()
    return [str(job_id) for job_id in connection.scalars(query)]


def awaiting(connection: sa.Connection, output_root_id: int) -> set[str]:
    """Return the paths in an output folder that want a result they do not hold."""
    # A condition on the folder would have the database look at all its outputs, in place of the few that lack theirs.
    lacking = connection.execute(sa.select(outputs.c.folder_id, outputs.c.path).where(LACKING))
    return {path for folder_id, path in lacking if folder_id == output_root_id}


def mark_missing(tx: Tx, output: Output) -> None:
    """Say that an output's result is no longer on disk: it is wanted again."""
    tx.connection.execute(
        sa.update(outputs).where(outputs.c.id == output.id).values(wanted_job_id=output.saved_job, saved_job_id=None)
    )


def saved(tx: Tx, output_id: int, job_id: str, photo_sha256: str, sha256: str, size: int) -> None:
    """Record that a result is on disk: hex digest and bytes of the file."""
    changes = {
        "saved_job_id": job_id,
        "saved_photo_sha256": photo_sha256,
        "saved_sha256": sha256,
        "saved_bytes": size,
        "saved_at": tx.at,
    }
    tx.connection.execute(_UPDATE, {"output": output_id, **changes})


_UPDATE: Final = sa.update(outputs).where(outputs.c.id == sa.bindparam("output"))


def saving(tx: Tx, job_id: str, sha256: str) -> None:
    """Record that a file with this digest is about to become a job's result."""
    note(tx, job_id, EventKind.SAVING, detail=sha256)


def saved_ever(connection: sa.Connection, job_id: str) -> list[str]:
    """Return the digests of files that became a job's results, or were about to when the process ended."""
    return details(connection, job_id, EventKind.SAVING)
