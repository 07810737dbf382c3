"""Reading and picking jobs. What moves them from state to state is in ``transitions``."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import ENDED_BADLY, JobState
from batchbg.core.model import Job, KnownJob, Size, Treatment
from batchbg.core.review import ReviewVerdict
from batchbg.ledger.sql import Row, Statement
from batchbg.ledger.tables import deletions, folders, jobs, outputs, reviews
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
    jobs.c.redo_of,
    reviews.c.verdict,
    sa.func.coalesce(reviews.c.reason, "").label("verdict_reason"),
]


SELECT_JOBS: Final = (
    sa.select(*_FIELDS)
    .join(outputs, outputs.c.id == jobs.c.output_id)
    .join(_photo_folder, _photo_folder.c.id == outputs.c.photo_folder_id)
    .join(_output_folder, _output_folder.c.id == outputs.c.folder_id)
    .outerjoin(_background_folder, _background_folder.c.id == jobs.c.background_folder_id)
    .outerjoin(deletions, deletions.c.job_id == jobs.c.id)
    .outerjoin(reviews, reviews.c.job_id == jobs.c.id)
)


def as_job(row: Row) -> Job:
    """Build a Job from a row of ``SELECT_JOBS``."""
    values = dict(zip(_NAMES, row, strict=True))
    values["state"] = JobState(values["state"])
    values["treatment"] = Treatment(values["treatment"])
    values["verdict"] = ReviewVerdict(values["verdict"]) if values["verdict"] else None
    return Job(**values)


_NAMES: Final = [str(column.key) for column in SELECT_JOBS.exported_columns]


def get(connection: sa.Connection, job_id: str) -> Job | None:
    """Return one job, or None."""
    row = _BY_ID.first(connection, job=job_id)
    return as_job(row) if row else None


_BY_ID: Final = Statement(SELECT_JOBS.where(jobs.c.id == sa.bindparam("job")))


def by_project(connection: sa.Connection, project_id: str) -> str | None:
    """Return the id of the job that a project belongs to, or None."""
    found: str | None = _BY_PROJECT.value(connection, project=project_id)
    return found


_BY_PROJECT: Final = Statement(sa.select(jobs.c.id).where(jobs.c.project_id == sa.bindparam("project")).limit(1))


def by_content(connection: sa.Connection, contents: Collection[str]) -> dict[str, list[KnownJob]]:
    """Return all jobs for any of these photo contents (sha256), in every output folder, newest generation first."""
    found: dict[str, list[KnownJob]] = {}
    for job_id, version, state, *others in _BY_CONTENT.all(connection, contents=list(contents)):
        known = KnownJob(job_id, version, JobState(state), *others)
        found.setdefault(known.photo_sha256, []).append(known)
    return found


_BY_CONTENT: Final = Statement(
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
        outputs.c.folder_id,
        outputs.c.photo_folder_id,
        outputs.c.photo_path,
        jobs.c.error,
        jobs.c.error_code,
        deletions.c.deleted_at.is_not(None),
        jobs.c.redo_of,
    )
    .join(outputs, outputs.c.id == jobs.c.output_id)
    .outerjoin(deletions, deletions.c.job_id == jobs.c.id)
    .where(jobs.c.photo_sha256.in_(sa.bindparam("contents", expanding=True)))
    .order_by(jobs.c.generation.desc()),
    of="contents",
)


def in_states(connection: sa.Connection, states: Collection[JobState]) -> Iterator[Job]:
    """Yield the jobs in any of these states, oldest first."""
    return map(as_job, _IN_STATES.stream(connection, states=list(states)))


_IN_STATES: Final = Statement(
    SELECT_JOBS.where(jobs.c.state.in_(sa.bindparam("states", expanding=True))).order_by(jobs.c.created_at, jobs.c.id),
    of="states",
)


def charged_in_vain(connection: sa.Connection, ended_after: float) -> Iterator[Job]:
    """Yield failed and canceled jobs that are still charged, whose refund may yet come, in the order of their ends."""
    return map(as_job, _CHARGED_IN_VAIN.stream(connection, ended_after=ended_after))


_CHARGED_IN_VAIN: Final = Statement(
    SELECT_JOBS.where(
        jobs.c.state.in_(ENDED_BADLY),
        jobs.c.credits > 0,
        jobs.c.project_id.is_not(None),
        jobs.c.ended_at >= sa.bindparam("ended_after"),
    ).order_by(jobs.c.ended_at, jobs.c.id)
)


def next_planned(connection: sa.Connection, run_id: str, after: tuple[float, str], limit: int) -> Sequence[Job]:
    """Return up to ``limit`` planned jobs that this run took up, after (created_at, id) in that order."""
    created_at, job_id = after
    rows = _NEXT_PLANNED.all(connection, run=run_id, after=created_at, after_id=job_id, most=limit)
    return [as_job(row) for row in rows]


_NEXT_PLANNED: Final = Statement(
    SELECT_JOBS.where(
        jobs.c.state == JobState.PLANNED,
        jobs.c.run_id == sa.bindparam("run"),
        sa.tuple_(jobs.c.created_at, jobs.c.id) > sa.tuple_(sa.bindparam("after"), sa.bindparam("after_id")),
    )
    .order_by(jobs.c.created_at, jobs.c.id)
    .limit(sa.bindparam("most"))
)


def planned_by(connection: sa.Connection, run_id: str) -> list[tuple[str, str, Size]]:
    """Return (job id, photo path, pixels) of every job that a run has planned or taken up and not begun."""
    return [(row[0], row[1], Size(row[2], row[3])) for row in _PLANNED_BY.all(connection, run=run_id)]


_PLANNED_BY: Final = Statement(
    sa.select(jobs.c.id, outputs.c.photo_path, jobs.c.width, jobs.c.height)
    .join(outputs, outputs.c.id == jobs.c.output_id)
    .where(jobs.c.run_id == sa.bindparam("run"), jobs.c.state == JobState.PLANNED)
)


def planned_for_outputs(connection: sa.Connection, output_ids: Collection[int]) -> dict[int, str]:
    """Return the ids of planned jobs by the output they are for."""
    return dict(_PLANNED_FOR.all(connection, outputs=list(output_ids)))


_PLANNED_FOR: Final = Statement(
    sa.select(jobs.c.output_id, jobs.c.id).where(
        jobs.c.output_id.in_(sa.bindparam("outputs", expanding=True)), jobs.c.state == JobState.PLANNED
    ),
    of="outputs",
)


def planned_outputs(connection: sa.Connection, run_id: str) -> list[str]:
    """Return the output folders of the planned jobs that this run took up."""
    return _PLANNED_OUTPUTS.column(connection, run=run_id)


_PLANNED_OUTPUTS: Final = Statement(
    sa.select(folders.c.path)
    .join(outputs, outputs.c.folder_id == folders.c.id)
    .join(jobs, jobs.c.output_id == outputs.c.id)
    .where(jobs.c.run_id == sa.bindparam("run"), jobs.c.state == JobState.PLANNED)
    .distinct()
)


def pairs_made(connection: sa.Connection) -> list[tuple[Size, str]]:
    """Return every (pixels of a photo, sha256 of its background) that there is a job for, each once."""
    return [(Size(row[0], row[1]), row[2]) for row in _PAIRS_MADE.all(connection)]


_PAIRS_MADE: Final = Statement(sa.select(jobs.c.width, jobs.c.height, jobs.c.background_sha256).distinct())


def count_planned(connection: sa.Connection, job_ids: Collection[str]) -> int:
    """Return how many of these jobs are not created yet."""
    return sum(_ARE_PLANNED.column(connection, ids=list(job_ids)))


_ARE_PLANNED: Final = Statement(
    sa.select(sa.literal(1)).where(
        jobs.c.id.in_(sa.bindparam("ids", expanding=True)), jobs.c.state == JobState.PLANNED
    ),
    of="ids",
)


def pixels_to_come(connection: sa.Connection, states: Collection[JobState]) -> int:
    """Return the pixels of all results of jobs in ``states``, for what they will need on disk."""
    return sum(_PIXELS.column(connection, states=list(states)))


_PIXELS: Final = Statement(
    sa.select(sa.func.coalesce(sa.func.sum(jobs.c.width * jobs.c.height), 0)).where(
        jobs.c.state.in_(sa.bindparam("states", expanding=True))
    ),
    of="states",
)


def counts(connection: sa.Connection, run_id: str | None = None) -> dict[JobState, int]:
    """Return the number of jobs in each state, of one run or of the whole ledger."""
    rows = _COUNTS.all(connection) if run_id is None else _COUNTS_OF.all(connection, run=run_id)
    found = {JobState(state): int(number) for state, number in rows}
    return {state: found.get(state, 0) for state in JobState}


_COUNTED: Final = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
_COUNTS: Final = Statement(_COUNTED)
_COUNTS_OF: Final = Statement(_COUNTED.where(jobs.c.run_id == sa.bindparam("run")))


def take_up(tx: Tx, *job_ids: str, order_id: str | None = None) -> None:
    """Count jobs among those of this run, and of an order to pay again where there is one."""
    _CHANGE.run_each(tx.connection, [{"job": job_id, "run_id": tx.run_id} for job_id in job_ids])
    if order_id is not None:
        _CHANGE.run_each(tx.connection, [{"job": job_id, "order_id": order_id} for job_id in job_ids])


_CHANGE: Final = Statement(sa.update(jobs).where(jobs.c.id == sa.bindparam("job")))


def take_up_all(tx: Tx, states: Collection[JobState]) -> None:
    """Count all jobs in these states among those of this run."""
    _TAKE_UP_ALL.run(tx.connection, run_id=tx.run_id, states=list(states))


_TAKE_UP_ALL: Final = Statement(
    sa.update(jobs).where(jobs.c.state.in_(sa.bindparam("states", expanding=True))), of="states"
)
