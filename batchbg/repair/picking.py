"""The ledger, held and open, and the jobs in it that a person named."""

import contextlib
from collections.abc import Iterator, Sequence

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.errors import ConfigError
from batchbg.ledger import jobs
from batchbg.ledger.engine import held, open_ledger
from batchbg.ledger.store import Connection, Ledger
from batchbg.settings import Settings


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


@contextlib.contextmanager
def held_ledger(settings: Settings, command: str) -> Iterator[Ledger]:
    """Yield the ledger, which has to exist, while no other command can spend from it.

    Raises:
        ConfigError, LedgerError: there is none, or another process holds it.
    """
    with (
        held(settings.ledger, command, settings.retry_lock) as database,
        contextlib.closing(open_ledger(database, create=False)) as ledger,
    ):
        yield ledger
