"""Results that are done again by a person's word: found by path or verdict, and planned."""

from collections.abc import Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, Output, Treatment, new_id
from batchbg.core.review import ReviewVerdict
from batchbg.ledger import outputs as output_rows
from batchbg.ledger.events import EventKind, note
from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import folders, jobs, outputs, reviews
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import NewJob, plan_jobs


def rejected(connection: sa.Connection) -> list[int]:
    """Return the ids of outputs that hold a rejected result, the job's own before its copies."""
    return _REJECTED.column(connection)


_REJECTED: Final = Statement(
    sa.select(outputs.c.id)
    .join(reviews, reviews.c.job_id == outputs.c.saved_job_id)
    .join(jobs, jobs.c.id == outputs.c.saved_job_id)
    .where(reviews.c.verdict == ReviewVerdict.REJECTED)
    .order_by(reviews.c.at, jobs.c.id, outputs.c.id != jobs.c.output_id, outputs.c.path)
)


def at(connection: sa.Connection, folder_id: int, path: str) -> list[int]:
    """Return the ids of the outputs of a photo, or of the one whose result is at a path, below a folder."""
    return [
        *_OF_PHOTO.column(connection, folder=folder_id, at=path),
        *_OF_RESULT.column(connection, folder=folder_id, at=path),
    ]


# By output folder first, for which there is an index; there are few of those, and very many outputs.
_OF_PHOTO: Final = Statement(
    sa.select(outputs.c.id).where(
        outputs.c.folder_id.in_(sa.select(folders.c.id)),
        outputs.c.photo_path == sa.bindparam("at"),
        outputs.c.photo_folder_id == sa.bindparam("folder"),
    )
)
_OF_RESULT: Final = Statement(
    sa.select(outputs.c.id).where(outputs.c.folder_id == sa.bindparam("folder"), outputs.c.path == sa.bindparam("at"))
)


def photos(connection: sa.Connection) -> Iterator[tuple[int, str]]:
    """Yield (number of the photo folder, path below it) of every photo that has an output."""
    for row in _PHOTOS.stream(connection):
        yield row[0], row[1]


_PHOTOS: Final = Statement(sa.select(outputs.c.photo_folder_id, outputs.c.photo_path).distinct())


def plan(tx: Tx, old: Job, output: Output, generation: int) -> str:
    """Plan a job that makes an old one's result again, for every place that holds it; return its id.

    Args:
        tx: the transaction to write in.
        old: done.
        output: whose photo is sent.
        generation: of the new job.
    """
    folder_id, distortion, blur, excess = _PAIRING.all(tx.connection, job=old.id)[0]
    job_id = new_id()
    new = NewJob(
        photo_sha256=old.photo_sha256,
        background_sha256=old.background_sha256,
        output_id=output.id,
        background_folder_id=folder_id,
        background_path=old.background_path,
        treatment=Treatment(old.treatment),
        width=old.width,
        height=old.height,
        distortion=distortion,
        blur=blur,
        excess=excess,
        generation=generation,
        redo_of=old.id,
    )
    plan_jobs(tx, [(job_id, new)])
    share(tx, old, job_id)
    note(tx, old.id, EventKind.REDO, detail={"job": job_id})
    return job_id


_PAIRING: Final = Statement(
    sa.select(jobs.c.background_folder_id, jobs.c.distortion, jobs.c.blur, jobs.c.excess).where(
        jobs.c.id == sa.bindparam("job")
    )
)


def planned(connection: sa.Connection) -> list[str]:
    """Return the jobs that are to make a result again and are not created yet, the first planned first."""
    return _PLANNED.column(connection)


_TO_CREATE: Final = sa.select(jobs.c.id).where(jobs.c.state == JobState.PLANNED, jobs.c.redo_of.is_not(None))
_PLANNED: Final = Statement(_TO_CREATE.order_by(jobs.c.created_at, jobs.c.id))


def overruled(connection: sa.Connection) -> list[str]:
    """Return those whose old result was accepted since they were planned."""
    return _OVERRULED.column(connection)


_OVERRULED: Final = Statement(
    _TO_CREATE.join(reviews, reviews.c.job_id == jobs.c.redo_of).where(
        reviews.c.verdict == ReviewVerdict.ACCEPTED, reviews.c.at > jobs.c.created_at
    )
)


def share(tx: Tx, old: Job, job_id: str) -> None:
    """Say that a job's result belongs in every place that holds an old one's and wants no other."""
    held: Sequence[Output] = output_rows.holding_of(tx.connection, old)
    output_rows.want(tx, [(one.id, job_id) for one in held if one.wanted_job == old.id])


def adopt(tx: Tx, old: Job, job_id: str) -> None:
    """Make a redo of a job that was planned, or begun, for the same place without a person's word on its result."""
    _ADOPT.run(tx.connection, job=job_id, redo_of=old.id)
    note(tx, old.id, EventKind.REDO, detail={"job": job_id})


_ADOPT: Final = Statement(sa.update(jobs).where(jobs.c.id == sa.bindparam("job"), jobs.c.redo_of.is_(None)))
