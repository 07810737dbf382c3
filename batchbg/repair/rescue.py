"""``batchbg rescue``: paid results that are missing on disk are fetched again."""

import dataclasses
from pathlib import Path

from batchbg.core.lifecycle import ENDED_BADLY, JobState
from batchbg.core.model import Output
from batchbg.core.remote_deletion import Found
from batchbg.disk.output_formats import can_become, kind_of
from batchbg.disk.results import compare, digest
from batchbg.ledger import folders, jobs, outputs, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx
from batchbg.pool.remote_deletion import Claims
from batchbg.repair.picking import is_charged_or_rendered
from batchbg.run.task import Task


@dataclasses.dataclass(frozen=True)
class Missing:
    """What `rescue` found.

    Attributes:
        paths: results that are no longer on disk, or were not when they were last wanted.
        jobs: failed ones that are paid for.
        changed: files that are not what was saved.
        lost: results that are no longer on disk either since they were deleted at the service.
        left: those of ``paths`` and ``jobs`` that did not come back.
    """

    paths: tuple[Path, ...]
    jobs: tuple[str, ...]
    changed: tuple[str, ...]
    lost: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

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
        """Find out what did not come back."""
        left = [str(path) for path in found.paths if not path.exists()]
        for name in found.jobs:
            job = jobs.get(tx.connection, name)
            left += [] if job is None or job.state is JobState.DONE else [f"job {name}"]
        return dataclasses.replace(found, left=tuple(left))


def _look_for_results(tx: Tx, ledger: Ledger) -> Missing:
    paths = [_path(tx, ledger, output) for output in outputs.lacking(tx.connection)]
    wanted, changed, lost = [], [], []
    for output in list(outputs.holding(tx.connection)):
        path = _path(tx, ledger, output)
        present = digest(path)
        if output.wanted_job != output.saved_job:
            continue  # a newer result is on its way to this place
        if present is None and not path.exists():
            if _is_nowhere(tx, ledger, output):
                lost.append(output.path)
                continue
            outputs.mark_missing(tx, output)
            paths.append(path)
        elif present != output.saved_sha256:
            changed.append(output.path)
    for job in list(jobs.in_states(tx.connection, ENDED_BADLY)):
        if is_charged_or_rendered(job) and job.project_id:
            transitions.reopen(tx, job, JobState.RENDERING, EventKind.RESCUE)
            wanted.append(job.id)
    return Missing(tuple(paths), tuple(wanted), tuple(changed), tuple(lost))


def _path(tx: Tx, ledger: Ledger, output: Output) -> Path:
    return ledger.absolute(folders.path_of(tx.connection, output.folder_id)) / output.path


def _is_nowhere(tx: Tx, ledger: Ledger, output: Output) -> bool:
    """Return whether a result was deleted at the service, and no copy that is here can give it back."""
    job = jobs.get(tx.connection, output.saved_job or "")
    if job is None or job.remote_deleted_at is None:
        return False
    kind = kind_of(Path(output.path))
    copies = Claims.read(tx.connection, ledger, job).places
    return not any(
        can_become(kind_of(path), kind) and compare(path, copy.saved_sha256) is Found.SAME for path, copy in copies
    )
