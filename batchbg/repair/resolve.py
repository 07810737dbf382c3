"""``batchbg resolve``: creates whose answer was lost are settled, by their project or by a person's word."""

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.retry_reads import retry_read
from batchbg.api.wire import Project
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import UNTOLD
from batchbg.errors import ConfigError, DiskError, RequestRefused
from batchbg.ledger import transitions
from batchbg.ledger.spool import Spool
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx
from batchbg.pool.claims import Claim, attach, claims_in, why_not
from batchbg.repair.picking import held_ledger, pick
from batchbg.run.binding import bind_purpose
from batchbg.settings import Settings

log = logging.getLogger(__name__)


def resolve(
    settings: Settings,
    key: Callable[[], str],
    ids: Sequence[str],
    *,
    project_id: str | None,
    charged: bool,
    unnamed: bool = False,
) -> list[Job]:
    """Settle unresolved jobs by a person's word, or by the project that a person found; return them as they are then.

    Where an event names a job's project and the service confirms it, that comes before a person's word that there is none.

    Args:
        settings: checked.
        key: returns the API key; called where the service has to be asked.
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
        project, by_event = None, []
        if project_id is not None:
            if len(picked) != 1:
                raise ConfigError("--project-id settles one job; name it")
            bind_purpose(ledger, settings)
            project = asyncio.run(_look_up(settings, key(), project_id))
            _check_project(ledger, picked[0], project_id, project, unnamed=unnamed)
        elif claims := [claim for claim in claims_in(ledger) if claim.job in picked]:
            bind_purpose(ledger, settings)
            by_event = asyncio.run(_settle_by_events(ledger, settings, key(), claims))
            settled = {job.id for job in by_event}
            picked = [job for job in picked if job.id not in settled]
        with ledger.transaction("resolve") as tx:
            return by_event + [_settle(tx, job, project_id, project, charged=charged) for job in picked]


async def _settle_by_events(ledger: Ledger, settings: Settings, key: str, claims: Sequence[Claim]) -> list[Job]:
    """Attach the projects that events name, as far as the service confirms them; return the jobs.

    Raises:
        ApiError: a project cannot be asked for, and what it would say is not known.
    """
    settled: dict[str, Job] = {}
    async with MagicHour(settings.base_url, key, RateLimiter(settings.requests_per_second), width=4) as api:
        for claim in claims:
            if claim.job.id in settled:
                continue
            asking = functools.partial(api.project, claim.project_id)
            try:
                project = await retry_read(asking)
            except RequestRefused as error:
                log.warning("%s: an event names project %s: %s", claim.job.photo_path, claim.project_id, error)
                continue
            with ledger.reading() as connection:
                why = why_not(connection, claim.job, claim.project_id, project)
            if why:
                log.warning("%s: %s", claim.job.photo_path, why)
                continue
            with ledger.transaction("resolve") as tx:
                settled[claim.job.id] = attach(tx, claim.job, claim.project_id, project)
            log.warning("%s: an event names its project: %s", claim.job.photo_path, claim.project_id)
    with contextlib.suppress(DiskError):
        Spool(ledger.path).remove(claim.stored.name for claim in claims if claim.job.id in settled)
    return list(settled.values())


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
    if unnamed and not project.name:
        project = dataclasses.replace(project, name=job.name)
    with ledger.reading() as connection:
        why = why_not(connection, job, project_id, project)
    if why:
        advice = "" if project.name else "; look at it in the web library, then say --yes-it-is"
        raise ConfigError(f"{why}{advice}")


def _settle(tx: Tx, job: Job, project_id: str | None, project: Project | None, *, charged: bool) -> Job:
    if project_id is not None:
        return transitions.resolve_project(tx, job, project_id, project.price if project else UNTOLD)
    return transitions.resolve_charged(tx, job) if charged else transitions.resolve_not_charged(tx, job)
