"""Writing plans in bulk: a folder of photos costs a handful of statements, not some for each photo."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Size
from batchbg.ledger.catalog import below
from batchbg.ledger.engine import Tx
from batchbg.ledger.jobs import NewJob
from batchbg.ledger.tables import PathText, events, jobs, outputs, photos, runs

_OPEN: Final = sa.insert(outputs).returning(outputs.c.id, sort_by_parameter_order=True)
_INSERT_JOBS: Final = sa.insert(jobs)
_INSERT_EVENTS: Final = sa.insert(events)
_WANT: Final = sa.update(outputs).where(outputs.c.id == sa.bindparam("slot")).values(wanted_job_id=sa.bindparam("job"))
_TAKE_UP: Final = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(run_id=sa.bindparam("run"))
_ORDER: Final = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(order_id=sa.bindparam("of_order"))


def open_slots(tx: Tx, output_root_id: int, photo_root_id: int, paths: Sequence[tuple[str, str]]) -> list[int]:
    """Give output paths to photos, for good; (output path, photo path) each. Return the slots' ids in that order."""
    if not paths:
        return []
    rows = [
        {"folder_id": output_root_id, "path": path, "photo_folder_id": photo_root_id, "photo_path": photo}
        for path, photo in paths
    ]
    return list(tx.connection.scalars(_OPEN, rows))


def plan_jobs(tx: Tx, new: Sequence[tuple[str, NewJob]]) -> None:
    """Record planned jobs under the ids given; each is what its output wants from now on."""
    if not new:
        return
    # The cap that was given to this run holds for what it begins, whoever goes on with it.
    budget_id = tx.connection.scalar(sa.select(runs.c.budget_id).where(runs.c.id == tx.run_id)) or ""
    rows = [_job_row(tx, job_id, one) | {"budget_run_id": budget_id} for job_id, one in new]
    tx.connection.execute(_INSERT_JOBS, rows)
    tx.connection.execute(
        _INSERT_EVENTS,
        [
            {"at": tx.at, "run_id": tx.run_id, "job_id": job_id, "kind": "planned", "new_state": JobState.PLANNED}
            for job_id, _ in new
        ],
    )
    want(tx, [(one.output_id, job_id) for job_id, one in new])


def _job_row(tx: Tx, job_id: str, new: NewJob) -> dict[str, Any]:
    return {
        "id": job_id,
        "state": JobState.PLANNED,
        "photo_sha256": new.photo_sha256,
        "background_sha256": new.background_sha256,
        "output_id": new.output_id,
        "background_folder_id": new.background_folder_id,
        "background_path": new.background_path,
        "treatment": new.treatment,
        "width": new.width,
        "height": new.height,
        "distortion": new.distortion,
        "blur": new.blur,
        "excess": new.excess,
        "generation": new.generation,
        "replace": new.replace,
        "order_id": new.order_id,
        "run_id": tx.run_id,
        "created_at": tx.at,
        "updated_at": tx.at,
    }


def want(tx: Tx, wanted: Sequence[tuple[int, str]]) -> None:
    """Say whose results belong in slots: (slot id, job id) each."""
    if wanted:
        tx.connection.execute(_WANT, [{"slot": slot_id, "job": job_id} for slot_id, job_id in wanted])


def take_up(tx: Tx, job_ids: Sequence[str], order_id: str | None = None) -> None:
    """Count jobs among those of this run, and of an order to pay again where there is one."""
    if job_ids:
        tx.connection.execute(_TAKE_UP, [{"job": job_id, "run": tx.run_id} for job_id in job_ids])
    if job_ids and order_id is not None:
        tx.connection.execute(_ORDER, [{"job": job_id, "of_order": order_id} for job_id in job_ids])


def known_photos(
    connection: sa.Connection, photo_root_id: int, output_root_id: int, folder: str, *, deep: bool, paired: bool
) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield (path, size, mtime_ns, inode, output) of every photo of one folder that was ever looked at, some at a time.

    ``output`` is the path of its result where its content, when last looked at, had its own; else None. There may be
    100,000 rows, night after night: no more is read of each than the question needs.

    Args:
        connection: to read from.
        photo_root_id: number of the photo folder.
        output_root_id: number of the output folder.
        folder: path below the photo folder.
        deep: it has subfolders, whose photos are left out.
        paired: the rows go on with (width, height, photo's sha256, sha256 of the background it was put on).
    """
    query = _known(is_root=not folder, deep=deep, paired=paired)
    bounds = {"low": f"{folder}/", "high": f"{folder}0", "rest": len(folder) + 2} if folder else {}
    cursor = connection.execute(query, {"photos": photo_root_id, "results": output_root_id, **bounds}).cursor
    assert cursor is not None  # a SELECT has one, and its bare rows cost a third of SQLAlchemy's
    while rows := cursor.fetchmany(1000):
        # What is called after a photo is of ASCII where the photo's own path is.
        yield [row if row[0].isascii() else (_as_path(row[0]), *row[1:4], _as_path(row[4]), *row[5:]) for row in rows]


@functools.cache
def _known(*, is_root: bool, deep: bool, paired: bool) -> sa.Select[Any]:
    """Return the query of ``known_photos``: to put it together takes as long as to read a hundred photos."""
    own_result = (
        (outputs.c.folder_id == sa.bindparam("results"))
        & (outputs.c.photo_folder_id == photos.c.folder_id)
        & (outputs.c.photo_path == photos.c.path)
        & outputs.c.saved_photo_sha256.in_((photos.c.sha256, photos.c.key))
        & (photos.c.picture != "")
        & (outputs.c.saved_job_id == outputs.c.wanted_job_id)
    )
    query = sa.select(*_KNOWN, *(_PAIRED if paired else ())).outerjoin(outputs, own_result)
    if paired:
        query = query.outerjoin(jobs, jobs.c.id == outputs.c.saved_job_id)
    query = query.where(photos.c.folder_id == sa.bindparam("photos"))
    if is_root:
        return query.where(below(photos.c.path, ""))
    query = query.where(photos.c.path >= sa.bindparam("low"), photos.c.path < sa.bindparam("high"))
    rest = sa.func.substr(photos.c.path, sa.bindparam("rest"))
    return query.where(sa.func.instr(rest, "/") == 0) if deep else query


def _as_path(stored: str | None) -> str | None:
    return _PATH.process_result_value(stored, _ANY)


_PATH: Final = PathText()
_ANY: Final = sa.engine.default.DefaultDialect()


_KNOWN: Final = (photos.c.path, photos.c.size, photos.c.mtime_ns, photos.c.inode, outputs.c.path.label("output"))
_PAIRED: Final = (photos.c.width, photos.c.height, photos.c.sha256, jobs.c.background_sha256)


def pairs_made(connection: sa.Connection) -> list[tuple[Size, str]]:
    """Return every (pixels of a photo, sha256 of its background) that there is a job for, each once."""
    query = sa.select(jobs.c.width, jobs.c.height, jobs.c.background_sha256).distinct()
    return [(Size(row[0], row[1]), row[2]) for row in connection.execute(query)]


def adopt_moved(tx: Tx, output_root_id: int, photo_root_id: int, folder: str) -> None:
    """Give this folder's photos the slots they had when they lay below another root: the photo folder was moved."""
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
        tx.connection.execute(_ADOPT, [{"slot": slot_id, "root": photo_root_id} for slot_id in first.values()])


_ADOPT: Final = (
    sa.update(outputs).where(outputs.c.id == sa.bindparam("slot")).values(photo_folder_id=sa.bindparam("root"))
)


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


def planned_by(connection: sa.Connection, run_id: str) -> list[tuple[str, str, Size]]:
    """Return (job id, photo path, pixels) of every job that a run has planned or taken up and not begun."""
    query = (
        sa.select(jobs.c.id, outputs.c.photo_path, jobs.c.width, jobs.c.height)
        .join(outputs, outputs.c.id == jobs.c.output_id)
        .where(jobs.c.run_id == run_id, jobs.c.state == JobState.PLANNED)
    )
    return [(row[0], row[1], Size(row[2], row[3])) for row in connection.execute(query)]
