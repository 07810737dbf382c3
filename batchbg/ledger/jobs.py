"""Reading and picking jobs. What moves them from state to state is in ``transitions``."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.lifecycle import ENDED_BADLY, JobState
from batchbg.core.model import Job, KnownJob, Size, Treatment
from batchbg.ledger.sql import chunks
from batchbg.ledger.tables import deletions, folders, jobs, outputs
from batchbg.ledger.transaction import Tx

_photo_folder = folders.alias("photo_folder")
_output_folder = folders.alias("output_folder")
_background_folder = folders.alias("background_folder")


_FIELDS: Final = [
    jobs.c.id,
    jobs.c.version,
    jobs.c.state,
    jobs.c.account,
    jobs.c.photo_sha256,
    _photo_folder.c.path.label("photo_folder"),
    outputs.c.photo_path,
    jobs.c.background_sha256,
    sa.func.coalesce(_background_folder.c.path, "").label("background_folder"),
    jobs.c.background_path,
    jobs.c.treatment,
    jobs.c.width,
    jobs.c.height,
    _output_folder.c.path.label("output_folder"),
    outputs.c.path.label("output_path"),
    jobs.c.output_id,
    jobs.c.attempt,
    jobs.c.project_id,
    jobs.c.credits,
    jobs.c.charged,
    jobs.c.rendered,
    jobs.c.submitted_at,
    jobs.c.ended_at,
    jobs.c.error,
    jobs.c.error_code,
    jobs.c.remark,
    jobs.c.replace,
    jobs.c.created_at,
    jobs.c.budget_run_id,
    jobs.c.budget_day,
    jobs.c.budget_month,
    deletions.c.deleted_at.label("remote_deleted_at"),
]


SELECT_JOBS: Final = (
    sa.select(*_FIELDS)
    .join(outputs, outputs.c.id == jobs.c.output_id)
    .join(_photo_folder, _photo_folder.c.id == outputs.c.photo_folder_id)
    .join(_output_folder, _output_folder.c.id == outputs.c.folder_id)
    .outerjoin(_background_folder, _background_folder.c.id == jobs.c.background_folder_id)
    .outerjoin(deletions, deletions.c.job_id == jobs.c.id)
)


def as_job(row: sa.Row[Any]) -> Job:
    """Build a Job from a row of ``SELECT_JOBS``."""
    values = dict(row._mapping)
    values["state"] = JobState(values["state"])
    values["treatment"] = Treatment(values["treatment"])
    return Job(**values)


def get(connection: sa.Connection, job_id: str) -> Job | None:
    """Return one job, or None."""
    row = connection.execute(_BY_ID, {"job": job_id}).first()
    return as_job(row) if row else None


_BY_ID: Final = SELECT_JOBS.where(jobs.c.id == sa.bindparam("job"))


def by_project(connection: sa.Connection, project_id: str) -> str | None:
    """Return the id of the job that a project belongs to, or None."""
    found: str | None = connection.scalar(sa.select(jobs.c.id).where(jobs.c.project_id == project_id).limit(1))
    return found


def by_content(connection: sa.Connection, contents: Collection[str]) -> dict[str, list[KnownJob]]:
    """Return all jobs for any of these photo contents (sha256), in every output folder, newest generation first."""
    found: dict[str, list[KnownJob]] = {}
    for chunk in chunks(list(contents)):
        query = (
            sa.select(
                jobs.c.id,
                jobs.c.version,
                jobs.c.state,
                jobs.c.photo_sha256,
                jobs.c.background_sha256,
                jobs.c.generation,
                jobs.c.output_id,
                jobs.c.order_id,
                jobs.c.run_id,
                outputs.c.folder_id.label("output_folder_id"),
                outputs.c.photo_folder_id,
                outputs.c.photo_path,
                jobs.c.error,
                jobs.c.error_code,
                deletions.c.deleted_at.is_not(None).label("is_remote_deleted"),
            )
            .join(outputs, outputs.c.id == jobs.c.output_id)
            .outerjoin(deletions, deletions.c.job_id == jobs.c.id)
            .where(jobs.c.photo_sha256.in_(chunk))
            .order_by(jobs.c.generation.desc())
        )
        for row in connection.execute(query):
            known = KnownJob(**{**row._mapping, "state": JobState(row.state)})
            found.setdefault(known.photo_sha256, []).append(known)
    return found


def in_states(connection: sa.Connection, states: Collection[JobState]) -> Iterator[Job]:
    """Yield the jobs in any of these states, oldest first."""
    query = SELECT_JOBS.where(jobs.c.state.in_(states)).order_by(jobs.c.created_at, jobs.c.id)
    for row in connection.execution_options(yield_per=500).execute(query):
        yield as_job(row)


def charged_in_vain(connection: sa.Connection, ended_after: float) -> Iterator[Job]:
    """Yield failed and canceled jobs that are still charged, whose refund may yet come, in the order of their ends."""
    query = SELECT_JOBS.where(
        jobs.c.state.in_(ENDED_BADLY),
        jobs.c.credits > 0,
        jobs.c.project_id.is_not(None),
        jobs.c.ended_at >= ended_after,
    ).order_by(jobs.c.ended_at, jobs.c.id)
    for row in connection.execution_options(yield_per=500).execute(query):
        yield as_job(row)


def next_planned(connection: sa.Connection, run_id: str, after: tuple[float, str], limit: int) -> Sequence[Job]:
    """Return up to ``limit`` planned jobs that this run took up, after (created_at, id) in that order."""
    query = (
        SELECT_JOBS.where(
            jobs.c.state == JobState.PLANNED,
            jobs.c.run_id == run_id,
            sa.tuple_(jobs.c.created_at, jobs.c.id) > sa.tuple_(*map(sa.literal, after)),
        )
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(limit)
    )
    return [as_job(row) for row in connection.execute(query)]


def planned_by(connection: sa.Connection, run_id: str) -> list[tuple[str, str, Size]]:
    """Return (job id, photo path, pixels) of every job that a run has planned or taken up and not begun."""
    query = (
        sa.select(jobs.c.id, outputs.c.photo_path, jobs.c.width, jobs.c.height)
        .join(outputs, outputs.c.id == jobs.c.output_id)
        .where(jobs.c.run_id == run_id, jobs.c.state == JobState.PLANNED)
    )
    return [(row[0], row[1], Size(row[2], row[3])) for row in connection.execute(query)]


def planned_for_outputs(connection: sa.Connection, output_ids: Collection[int]) -> dict[int, str]:
    """Return the ids of planned jobs by the output they are for."""
    found: dict[int, str] = {}
    for chunk in chunks(list(output_ids)):
        query = sa.select(jobs.c.output_id, jobs.c.id).where(
            jobs.c.output_id.in_(chunk), jobs.c.state == JobState.PLANNED
        )
        found |= {row[0]: row[1] for row in connection.execute(query)}
    return found


def planned_outputs(connection: sa.Connection, run_id: str) -> list[str]:
    """Return the output folders of the planned jobs that this run took up."""
    query = (
        sa.select(folders.c.path)
        .join(outputs, outputs.c.folder_id == folders.c.id)
        .join(jobs, jobs.c.output_id == outputs.c.id)
        .where(jobs.c.run_id == run_id, jobs.c.state == JobState.PLANNED)
        .distinct()
    )
    return list(connection.scalars(query))


def pairs_made(connection: sa.Connection) -> list[tuple[Size, str]]:
    """Return every (pixels of a photo, sha256 of its background) that there is a job for, each once."""
    query = sa.select(jobs.c.width, jobs.c.height, jobs.c.background_sha256).distinct()
    return [(Size(row[0], row[1]), row[2]) for row in connection.execute(query)]


def pixels_to_come(connection: sa.Connection, states: Collection[JobState]) -> int:
    """Return the pixels of all results of jobs in ``states``, for what they will need on disk."""
    query = sa.select(sa.func.sum(jobs.c.width * jobs.c.height)).where(jobs.c.state.in_(states))
    return connection.scalar(query) or 0


def counts(connection: sa.Connection, run_id: str | None = None) -> dict[JobState, int]:
    """Return the number of jobs in each state, of one run or of the whole ledger."""
    query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
    if run_id is not None:
        query = query.where(jobs.c.run_id == run_id)
    found = {JobState(state): int(number) for state, number in connection.execute(query)}
    return {state: found.get(state, 0) for state in JobState}


def take_up(tx: Tx, *job_ids: str, order_id: str | None = None) -> None:
    """Count jobs among those of this run, and of an order to pay again where there is one."""
    if job_ids:
        tx.connection.execute(_TAKE_UP, [{"job": job_id, "run": tx.run_id} for job_id in job_ids])
    if job_ids and order_id is not None:
        tx.connection.execute(_ORDER, [{"job": job_id, "of_order": order_id} for job_id in job_ids])


_TAKE_UP: Final = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(run_id=sa.bindparam("run"))
_ORDER: Final = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(order_id=sa.bindparam("of_order"))


def take_up_all(tx: Tx, states: Collection[JobState]) -> None:
    """Count all jobs in these states among those of this run."""
    tx.connection.execute(sa.update(jobs).where(jobs.c.state.in_(states)).values(run_id=tx.run_id))
