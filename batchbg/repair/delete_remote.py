"""``batchbg delete-remote``: older results are deleted at the service, where they are whole on this disk."""

import dataclasses
from collections import Counter
from pathlib import Path

from batchbg.core.model import Output
from batchbg.core.remote_deletion import Found, Kept
from batchbg.disk.results import compare_length
from batchbg.ledger import deletions, jobs
from batchbg.ledger.store import Connection, Ledger
from batchbg.ledger.transaction import Tx
from batchbg.pool.remote_deletion import Claims
from batchbg.run.task import Task


@dataclasses.dataclass(frozen=True)
class Deletable:
    """What `delete-remote` would do, as far as shows without reading the results.

    Attributes:
        jobs: whose results may be deleted at the service.
        kept: how many are old enough and stay there all the same, by the reason.
        oldest, newest: when they were done, seconds since 1970; None without any.
    """

    jobs: tuple[str, ...]
    kept: Counter[Kept]
    oldest: float | None = None
    newest: float | None = None


def find_deletable(connection: Connection, ledger: Ledger, before: float) -> Deletable:
    """Return what is done since before a time (seconds since 1970), or was to be deleted by an earlier run."""
    ids, times = [], []
    kept: Counter[Kept] = Counter()
    for job in deletions.possible(connection, before):
        why = Claims.read(connection, ledger, job).why_kept(_seems)
        if why is not None:
            kept[why] += 1
            continue
        ids.append(job.id)
        times.append(job.ended_at or 0.0)
    return Deletable(tuple(ids), kept, min(times, default=None), max(times, default=None))


def _seems(path: Path, output: Output) -> Found:
    return compare_length(path, output.saved_bytes)


@dataclasses.dataclass(frozen=True)
class Deleted:
    """What `delete-remote` did.

    Attributes:
        jobs: whose results were to be deleted.
        gone: how many of them are deleted at the service.
        left: how many are still to be deleted, since the service did not do it.
    """

    jobs: tuple[str, ...]
    gone: int = 0
    left: int = 0

    @property
    def kept(self) -> int:
        """How many are kept there, since their results turned out to be other than they were saved."""
        return len(self.jobs) - self.gone - self.left


@dataclasses.dataclass(frozen=True)
class DeleteRemote(Task[Deleted]):
    """Delete results at the service, as a person has said: each is compared with its file once more before.

    Attributes:
        jobs: whose results.
    """

    jobs: tuple[str, ...]
    command = "delete-remote"
    creates = False
    deletes = True

    def prepare(self, tx: Tx, ledger: Ledger) -> Deleted:
        """Say what is to be deleted, before anything is sent."""
        deletions.want(tx, self.jobs)
        return Deleted(self.jobs)

    def conclude(self, tx: Tx, found: Deleted) -> Deleted:
        """Count what is gone, and what is left to do."""
        known = [jobs.get(tx.connection, job_id) for job_id in found.jobs]
        gone = sum(job is not None and job.remote_deleted_at is not None for job in known)
        left = set(deletions.wanted(tx.connection)) & set(found.jobs)
        return dataclasses.replace(found, gone=gone, left=len(left))
