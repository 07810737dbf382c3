"""What a person does about jobs that a run does not move on: retry, resolve, rescue."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.retry_reads import retry_read
from batchbg.api.wire import Project
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.price import UNTOLD, Verdict
from batchbg.disk.results import digest
from batchbg.errors import ConfigError, RequestRefused
from batchbg.ledger import folders, jobs, outputs, prices, transitions
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.events import EventKind
from batchbg.ledger.lock import held
from batchbg.ledger.store import Connection, Ledger
from batchbg.ledger.transaction import Tx
from batchbg.run.binding import bind_purpose
from batchbg.run.task import Task
from batchbg.settings import Settings

log = logging.getLogger(__name__)

ENDED_BADLY = frozenset({JobState.FAILED, JobState.CANCELED})


def pick(connection: Connection, ids: Sequence[str], states: frozenset[JobState]) -> list[Job]:
    """Return the named jobs, or all in ``states`` where none is named.

    Raises:
        ConfigError: there is no such job, or it is in another state.
    """
    if not ids:
        return list(jobs.in_states(connection, states))
    found = []
    for job_id in dict.fromkeys(ids):
        job = jobs.get(connection, job_id)
        if job is None:
            raise ConfigError(f"there is no job {job_id}; `batchbg jobs` lists them")
        if job.state not in states:
            raise ConfigError(f"job {job_id} is {job.state}, not {' or '.join(sorted(states))}")
        found.append(job)
    return found


def is_charged_or_rendered(job: Job) -> bool:
    """Return whether a job that ended badly is still charged, or has a complete render: either is no reason to pay."""
    return bool(job.credits) or (job.rendered and job.project_id is not None)


@dataclasses.dataclass(frozen=True)
class Retried:
    """What `retry` did.

    Attributes:
        planned: jobs planned again.
        asked: jobs whose paid result was asked for.
        refunded: those of ``asked`` that turned out to be refunded and were planned again.
        left: jobs that stay as they are.
    """

    planned: tuple[str, ...]
    asked: tuple[str, ...]
    left: tuple[str, ...]
    refunded: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Retry(Task[Retried]):
    """Open failed and canceled jobs again.

    A job that was never created or whose refund was seen is planned again. One that is still charged, or whose render
    was complete, whatever it took, is only asked for, unless a person says that it shall be paid for once more.

    Attributes:
        ids: of the jobs; none for all.
        pay_again: a person has said so.
    """

    ids: Sequence[str]
    pay_again: bool
    command = "retry"
    creates = False

    def prepare(self, tx: Tx, ledger: Ledger) -> Retried:
        """Open the jobs.

        Raises:
            ConfigError: one is not there, in another state, or its price has to be judged first.
        """
        planned, asked, left = [], [], []
        for job in pick(tx.connection, self.ids, ENDED_BADLY):
            if self.pay_again and job.credits != job.charged:
                raise ConfigError(f"job {job.id} was given an odd price; decide about it first: {prices.HOW_TO_JUDGE}")
            if self.pay_again or not is_charged_or_rendered(job):
                transitions.reopen(
                    tx, job, JobState.PLANNED, EventKind.RETRY_PAID_AGAIN if job.credits else EventKind.RETRY
                )
                planned.append(job.id)
            elif job.project_id:
                transitions.reopen(tx, job, JobState.RENDERING, EventKind.RETRY_FOR_FREE)
                asked.append(job.id)
            else:
                left.append(job.id)
        return Retried(tuple(planned), tuple(asked), tuple(left))

    def conclude(self, tx: Tx, found: Retried) -> Retried:
        """Plan those of the jobs again that turned out to be refunded."""
        refunded = []
        for job_id in found.asked:
            job = jobs.get(tx.connection, job_id)
            if job is not None and job.state in ENDED_BADLY and not is_charged_or_rendered(job):
                transitions.reopen(tx, job, JobState.PLANNED, EventKind.RETRY_REFUNDED)
                refunded.append(job_id)
        return dataclasses.replace(found, refunded=tuple(refunded))


def retry_alone(settings: Settings, task: Retry) -> Retried | None:
    """Open the jobs where the service need not be asked for any of them; None where it has to be.

    Raises:
        ConfigError, LedgerError: as ``Retry.prepare``; the ledger is held.
    """
    with (
        held(settings.ledger, task.command, settings.retry_lock),
        contextlib.closing(open_ledger(settings.ledger, create=False)) as ledger,
    ):
        with ledger.reading() as connection:
            picked = pick(connection, task.ids, ENDED_BADLY)
        if not task.pay_again and any(is_charged_or_rendered(job) and job.project_id for job in picked):
            return None
        with ledger.transaction(task.command) as tx:
            return task.prepare(tx, ledger)


@dataclasses.dataclass(frozen=True)
class Missing:
    """What `rescue` found.

    Attributes:
        paths: results that were no longer on disk.
        jobs: failed ones that are paid for.
        changed: files that are not what was saved.
        fetched: how many of ``paths`` and ``jobs`` came back.
    """

    paths: tuple[Path, ...]
    jobs: tuple[str, ...]
    changed: tuple[str, ...]
    fetched: int = 0

    @property
    def missing(self) -> int:
        """How many results were wanted."""
        return len(self.paths) + len(self.jobs)


@dataclasses.dataclass(frozen=True)
class Rescue(Task[Missing]):
    """Fetch every paid result that is no longer on disk."""

    command = "rescue"
    creates = False

    def prepare(self, tx: Tx, ledger: Ledger) -> Missing:
        """Mark such results as wanted, and failed jobs that are paid for as rendering."""
        return _look_for_results(tx, ledger)

    def conclude(self, tx: Tx, found: Missing) -> Missing:
        """Count what came back."""
        done = [job for name in found.jobs if (job := jobs.get(tx.connection, name)) and job.state is JobState.DONE]
        return dataclasses.replace(found, fetched=sum(path.exists() for path in found.paths) + len(done))


def _look_for_results(tx: Tx, ledger: Ledger) -> Missing:
    paths, wanted, changed = [], [], []
    for output in list(outputs.holding(tx.connection)):
        path = ledger.absolute(folders.path_of(tx.connection, output.folder_id)) / output.path
        present = digest(path)
        if output.wanted_job != output.saved_job:
            continue  # a newer result is on its way to this place
        if present is None and not path.exists():
            outputs.mark_missing(tx, output)
            paths.append(path)
        elif present != output.saved_sha256:
            changed.append(output.path)
    for job in list(jobs.in_states(tx.connection, ENDED_BADLY)):
        if is_charged_or_rendered(job) and job.project_id:
            transitions.reopen(tx, job, JobState.RENDERING, EventKind.RESCUE)
            wanted.append(job.id)
    return Missing(tuple(paths), tuple(wanted), tuple(changed))


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
    with held(settings.ledger, "resolve", settings.retry_lock):
        ledger = open_ledger(settings.ledger, create=False)
        try:
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
        finally:
            ledger.close()


def judge_prices(settings: Settings, verdict: Verdict) -> list[str]:
    """Take a person's word on every odd price that is open; return a line for each.

    Raises:
        ConfigError, LedgerError: there is no ledger, or it is held.
    """
    with held(settings.ledger, "account", settings.retry_lock):
        ledger = open_ledger(settings.ledger, create=False)
        try:
            with ledger.transaction("account") as tx:
                return [
                    f"{verdict}: {line}"
                    for account in prices.doubted_accounts(tx.connection)
                    for line in _judge(tx, account, verdict)
                ]
        finally:
            ledger.close()


def _judge(tx: Tx, account: str, verdict: Verdict) -> list[str]:
    lines = prices.in_doubt(tx.connection, account)
    transitions.judge_prices(tx, account, verdict)
    return lines


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
        ConfigError: it bears another name, or none and nobody has vouched for it, or another job has it.
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
    with ledger.reading() as connection:
        other = jobs.by_project(connection, project_id)
    if other is not None:
        raise ConfigError(f"project {project_id} belongs to job {other} already")


def _settle(tx: Tx, job: Job, project_id: str | None, project: Project | None, *, charged: bool) -> Job:
    if project_id is not None:
        return transitions.resolve_project(tx, job, project_id, project.price if project else UNTOLD)
    return transitions.resolve_charged(tx, job) if charged else transitions.resolve_not_charged(tx, job)
