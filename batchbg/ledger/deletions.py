"""Deletions at the service: which are wanted, and which are done. Of a result deleted there, the one on disk is all."""

from collections.abc import Collection, Iterator
from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.ledger.events import EventKind, note, storable
from batchbg.ledger.jobs import SELECT_JOBS, as_job
from batchbg.ledger.sql import Statement, insert
from batchbg.ledger.tables import deletions, jobs, outputs
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import MAX_TEXT


def want(tx: Tx, job_ids: Collection[str]) -> None:
    """Say that these jobs' projects are to be deleted, before anything is sent for it."""
    if job_ids:
        statement = insert(tx.connection.dialect.name, deletions).on_conflict_do_nothing()
        tx.connection.execute(statement, [{"job_id": job_id, "wanted_at": tx.at} for job_id in job_ids])


def are_wanted(connection: sa.Connection) -> bool:
    """Return whether any deletion is wanted and not done."""
    return connection.scalar(sa.select(deletions.c.job_id).where(_IS_PENDING).limit(1)) is not None


def wanted(connection: sa.Connection, accounts: Collection[str] | None = None) -> list[str]:
    """Return the jobs, of these accounts or of all, whose deletion is wanted and not done; those that failed last."""
    query = sa.select(deletions.c.job_id).join(jobs, jobs.c.id == deletions.c.job_id).where(_IS_PENDING)
    if accounts is not None:
        query = query.where(jobs.c.account.in_(accounts))
    return list(connection.scalars(query.order_by(deletions.c.trouble != "", deletions.c.wanted_at, jobs.c.id)))


def have_failed(connection: sa.Connection) -> bool:
    """Return whether any deletion that is still wanted was tried in vain."""
    query = sa.select(deletions.c.job_id).where(_IS_PENDING, deletions.c.trouble != "").limit(1)
    return connection.scalar(query) is not None


_IS_PENDING = deletions.c.deleted_at.is_(None)


def possible(connection: sa.Connection, before: float) -> Iterator[Job]:
    """Yield the done jobs whose project is still there, of those that were done before a time or that are wanted."""
    is_old = (jobs.c.ended_at < before) | deletions.c.wanted_at.is_not(None)
    query = SELECT_JOBS.where(jobs.c.state == JobState.DONE, _IS_PENDING, is_old).order_by(jobs.c.ended_at, jobs.c.id)
    for row in connection.execute(query.execution_options(yield_per=500)):
        yield as_job(row)


def shares_project(connection: sa.Connection, job: Job) -> bool:
    """Return whether another job names the same project."""
    return _SHARED.value(connection, project=job.project_id, of_account=job.account, job=job.id) is not None


_SHARED: Final = Statement(
    sa.select(jobs.c.id)
    .where(
        jobs.c.project_id == sa.bindparam("project"),
        jobs.c.account == sa.bindparam("of_account"),
        jobs.c.id != sa.bindparam("job"),
    )
    .limit(1)
)


def deleted_paths(connection: sa.Connection, output_root_id: int) -> Iterator[str]:
    """Yield the paths in an output folder of the results whose project is deleted."""
    query = sa.select(outputs.c.path).join(deletions, deletions.c.job_id == outputs.c.saved_job_id)
    yield from connection.scalars(query.where(outputs.c.folder_id == output_root_id, ~_IS_PENDING))


def record(tx: Tx, job: Job) -> None:
    """Record that a job's project is deleted at the service."""
    tx.connection.execute(_of(job).values(deleted_at=tx.at, trouble=""))
    note(tx, job.id, EventKind.REMOTE_DELETED, detail={"project_id": job.project_id})


def failed(tx: Tx, job: Job, why: str) -> None:
    """Record that the service did not delete a job's project; a later run tries again."""
    tx.connection.execute(_of(job).values(trouble=storable(why)[:MAX_TEXT]))


def _of(job: Job) -> sa.Update:
    return sa.update(deletions).where(deletions.c.job_id == job.id)


def withdraw(tx: Tx, job: Job, why: str) -> None:
    """Want a deletion no longer: the project may be needed."""
    tx.connection.execute(sa.delete(deletions).where(deletions.c.job_id == job.id, _IS_PENDING))
    note(tx, job.id, EventKind.REMOTE_KEPT, detail=why)


def withdraw_all(tx: Tx) -> None:
    """Want no deletion any more: the service is gone, as a sandbox that has ended."""
    tx.connection.execute(sa.delete(deletions).where(_IS_PENDING))
