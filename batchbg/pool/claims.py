"""Events that name a create whose answer was lost, and whether the project that they name is what it made."""

import dataclasses
import json
from collections.abc import Iterable

from batchbg.api.wire import Project
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.core.webhook_event import Event
from batchbg.errors import DiskError
from batchbg.ledger import events, jobs, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.spool import Spool, Stored
from batchbg.ledger.store import Connection, Ledger
from batchbg.ledger.transaction import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """An event, and the unresolved job whose last create it names."""

    stored: Stored
    job: Job

    @property
    def project_id(self) -> str:
        """The project that the event is about."""
        return self.stored.event.project_id


def job_of(connection: Connection, event: Event) -> Job | None:
    """Return the job whose last create an event is about; None where this ledger has none."""
    if event.job is not None:
        job_id, attempt = event.job
        job = jobs.get(connection, job_id)
        return job if job is not None and job.attempt == attempt else None
    job_id_of_project = jobs.by_project(connection, event.project_id)
    return jobs.get(connection, job_id_of_project) if job_id_of_project else None


def claims_in(ledger: Ledger, stored: Iterable[Stored] | None = None) -> list[Claim]:
    """Return what the events beside a ledger, or those given, say about its unresolved jobs; of each project one claim.

    Where the folder cannot be read nothing is claimed: a run that works tells of that.
    """
    if stored is None:
        try:
            stored = Spool(ledger.path).fresh()
        except DiskError:
            return []
    found: dict[tuple[str, str], Claim] = {}
    named = [one for one in stored if one.event.job is not None]
    if named:
        with ledger.reading() as connection:
            for one in named:
                job = job_of(connection, one.event)
                if job is not None and job.state is JobState.UNRESOLVED:
                    found.setdefault((job.id, one.event.project_id), Claim(one, job))
    return list(found.values())


def is_unaccounted(connection: Connection, event: Event) -> bool:
    """Return whether an event names a create of this ledger's, and a project that the ledger never had for that job.

    It counted as having made nothing, then; or it was carried out twice.
    """
    if event.job is None or jobs.get(connection, event.job[0]) is None:
        return False
    kinds = (EventKind.CREATED, EventKind.RESOLVED_PROJECT, EventKind.RESOLVED_WEBHOOK)
    details = (detail for kind in kinds for detail in events.details(connection, event.job[0], kind))
    return event.project_id not in {json.loads(detail)["project_id"] for detail in details}


def why_not(connection: Connection, job: Job, project_id: str, project: Project) -> str:
    """Return why a project, as the service shows it, cannot be taken for what a job's last create made; "" if it can.

    One whose name the service does not tell can be taken only by a person's word.
    """
    if not project.name:
        return f"the service reports no name for project {project_id}, so nothing shows that it belongs to job {job.id}"
    if not job.owns(project.name):
        return (
            f"project {project_id} is called {project.name!r}: it is not job {job.id}'s, or that of an earlier attempt,"
            f" and is not attached; its last create is called {job.name!r}"
        )
    if not project.enabled:
        return (
            f"project {project_id} was deleted at the service, so that nothing can be fetched; settle job {job.id} with"
            " --charged"
        )
    other = jobs.by_project(connection, project_id)
    return f"project {project_id} belongs to job {other} already" if other is not None else ""


def attach(tx: Tx, job: Job, project_id: str, project: Project) -> Job:
    """Attach the project of which an event told to its job, which counts among this run's from now on.

    Raises:
        StaleJobError: the job has moved.
    """
    jobs.take_up(tx, job.id)
    return transitions.resolve_project(tx, job, project_id, project.price, EventKind.RESOLVED_WEBHOOK)
