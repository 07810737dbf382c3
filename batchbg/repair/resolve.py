"""``batchbg resolve``: creates whose answer was lost are settled, by their project or by a person's word."""

import asyncio
from collections.abc import Sequence

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.retry_reads import retry_read
from batchbg.api.wire import Project
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import UNTOLD
from batchbg.errors import ConfigError, RequestRefused
from batchbg.ledger import jobs, transitions
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx
from batchbg.repair.picking import held_ledger, pick
from batchbg.run.binding import bind_purpose
from batchbg.settings import Settings


def resolve(
    settings: Settings,
    key: str,
    ids: Sequence[str],
    *,
    project_id: str | None,
    charged: bool,
    unnamed: bool = False,
) -> list[Job]:
    """Settle unresolved jobs by a person's word, or by the project that a person found; return them as they are then.

    Args:
        settings: checked.
        key: the API key, needed with ``project_id`` only.
        ids: of unresolved jobs; none for all.
        project_id: the project that the create made; for one job only.
        charged: without a project: whether the create was charged.
        unnamed: take a project whose name the service does not tell, by a person's word.

    Raises:
        ConfigError: no such job, or the project is not its.
        ApiError: the project cannot be looked up.
    """
    with held_ledger(settings, "resolve") as ledger:
        with ledger.reading() as connection:
            picked = pick(connection, ids, frozenset({JobState.UNRESOLVED}))
        project = None
        if project_id is not None:
            if len(picked) != 1:
                raise ConfigError("--project-id settles one job; name it")
            bind_purpose(ledger, settings)
            project = asyncio.run(_look_up(settings, key, project_id))
            _check_project(ledger, picked[0], project_id, project, unnamed=unnamed)
        with ledger.transaction("resolve") as tx:
            return [_settle(tx, job, project_id, project, charged=charged) for job in picked]


async def _look_up(settings: Settings, key: str, project_id: str) -> Project:
    """Return the project."""
    limiter = RateLimiter(settings.requests_per_second)
    async with MagicHour(settings.base_url, key, limiter, width=4) as api:
        try:
            return await retry_read(lambda: api.project(project_id))
        except RequestRefused as error:
            raise ConfigError(f"project {project_id} was not found: {error}") from error


def _check_project(ledger: Ledger, job: Job, project_id: str, project: Project, *, unnamed: bool) -> None:
    """Refuse a project that is not that of the job's last create.

    Raises:
        ConfigError: it has another name, or none and nobody has vouched for it, or another job has it.
    """
    if not project.name and not unnamed:
        raise ConfigError(
            f"the service reports no name for project {project_id}, so nothing shows that it belongs to job {job.id}; look"
            " at it in the web library, then say --yes-it-is"
        )
    if project.name and not job.owns(project.name):
        raise ConfigError(
            f"project {project_id} is called {project.name!r}: it is not job {job.id}'s, or that of an earlier attempt,"
            f" and is not attached; its last create is called {job.name!r}"
        )
    if not project.enabled:
        raise ConfigError(
            f"project {project_id} was deleted at the service, so that nothing can be fetched; settle job {job.id} with"
            " --charged"
        )
    with ledger.reading() as connection:
        other = jobs.by_project(connection, project_id)
    if other is not None:
        raise ConfigError(f"project {project_id} belongs to job {other} already")


def _settle(tx: Tx, job: Job, project_id: str | None, project: Project | None, *, charged: bool) -> Job:
    if project_id is not None:
        return transitions.resolve_project(tx, job, project_id, project.price if project else UNTOLD)
    return transitions.resolve_charged(tx, job) if charged else transitions.resolve_not_charged(tx, job)
