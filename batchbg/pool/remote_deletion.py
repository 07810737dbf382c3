"""Deleting at the service what is whole on this disk, once a run has nothing else to ask for."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from batchbg import log_context
from batchbg.core.backoff import pause_s
from batchbg.core.model import Job, Output
from batchbg.core.remote_deletion import Facts, Found, Kept, why_kept
from batchbg.core.words import counted
from batchbg.disk import results
from batchbg.errors import AccountRefused, ApiError, ApiUnreachable, DiskError, LedgerError
from batchbg.ledger import deletions, folders, jobs, outputs
from batchbg.ledger.store import Connection, Ledger
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Deletions at the same time: enough for the request rate where an answer takes a while."""

FAILURES: Final = 3
"""Deletions in a row that fail before the rest is left for a later run: nothing here is worth waiting for."""

LONGEST_PAUSE_S: Final = 30.0
"""Seconds that the service may ask to wait; for longer no run is kept from its end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """What speaks for and against deleting a job's project.

    Attributes:
        job: whose project it is.
        shared: another job names the same project.
        awaited: some output wants the result and does not hold it.
        places: the files that hold the result, each with what the ledger knows of it.
    """

    job: Job
    shared: bool
    awaited: bool
    places: Sequence[tuple[Path, Output]]

    @classmethod
    def read(cls, connection: Connection, ledger: Ledger, job: Job) -> Self:
        """Read them from the ledger."""
        places = [
            (ledger.absolute(folders.path_of(connection, output.folder_id)) / output.path, output)
            for output in outputs.holding_of(connection, job)
        ]
        awaited = bool(outputs.wanting(connection, job.id))
        return cls(job, deletions.shares_project(connection, job), awaited, places)

    def why_kept(self, look: Callable[[Path, Output], Found]) -> Kept | None:
        """Return why the project has to stay, None where it may go; ``look`` says what lies in a place."""
        found = [look(path, output) for path, output in self.places]
        return why_kept(Facts(self.job.state, self.shared, self.awaited, found))


class RemoteDeletion:
    """Deletes the projects whose deletion is wanted, each only where its result is as it was saved.

    Whatever goes wrong with that changes no job, and is told once until all goes well again.

    Attributes:
        deleted: how many are gone now.
    """

    def __init__(self, session: PoolSession) -> None:
        self._session = session
        self._failures = 0
        self._trouble = ""
        self.deleted = 0

    async def settle(self) -> None:
        """Delete what may be deleted, unless the run is left; the rest stays wanted, for a later run."""
        session = self._session
        with session.ledger.reading() as connection:
            wanted = deletions.wanted(connection, session.accounts)
            is_told = deletions.have_failed(connection)
        if not wanted:
            return
        log.info("deleting %s at the service", counted(len(wanted), "result"))
        await session.stop.before_leaving(self._delete_all(wanted))
        if self._trouble:
            level = logging.INFO if is_told else logging.WARNING  # every night anew it would be noise
            log.log(level, "not everything could be deleted at the service: %s; a later run tries again", self._trouble)

    async def _delete_all(self, wanted: Sequence[str]) -> None:
        waiting = iter(wanted)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._delete_each(waiting))
        except* _GivenUp:
            pass  # the others' requests are broken off: a later run asks whether anything came of them

    async def _delete_each(self, waiting: Iterator[str]) -> None:
        for job_id in waiting:
            log_context.JOB.set(job_id)
            try:
                await self._delete(job_id)
            except (DiskError, LedgerError) as error:
                self._give_up(str(error))

    async def _delete(self, job_id: str) -> None:
        """Look at the disk, and only then delete one job's project."""
        ledger, writer = self._session.ledger, self._session.writer
        with ledger.reading() as connection:
            job = jobs.get(connection, job_id)
            assert job is not None  # a done job is never removed
            claims = Claims.read(connection, ledger, job)
        kept = await asyncio.to_thread(claims.why_kept, _settled)
        if kept is Kept.AWAITED:
            return  # until the copy is made
        if kept is not None:
            log.warning("%s: kept at the service: %s", job.output_path, kept)
            await writer.do(deletions.withdraw, job, kept)
            return
        if ledger.is_lost:
            self._give_up("the ledger is no longer in its place")  # and could not tell what was deleted
        assert job.project_id is not None
        try:
            await self._session.api.delete(job.project_id)
        except ApiError as error:
            await writer.do(deletions.failed, job, str(error))
            await self._pause_after(error)
            return
        await writer.do(deletions.record, job)
        log.info("%s: deleted at the service (project %s)", job.output_path, job.project_id)
        self._failures = 0
        self.deleted += 1

    async def _pause_after(self, error: ApiError) -> None:
        """Wait a little after a failure; give up where waiting would not help, or be too long."""
        self._trouble = self._trouble or str(error)
        self._failures += 1
        wanted_s = error.retry_after_s if isinstance(error, ApiUnreachable) else None
        if isinstance(error, AccountRefused) or self._failures >= FAILURES or (wanted_s or 0.0) > LONGEST_PAUSE_S:
            self._give_up(str(error))
        await asyncio.sleep(pause_s(self._failures, wanted_s))

    def _give_up(self, why: str) -> None:
        """Delete nothing more in this run."""
        self._trouble = self._trouble or why
        raise _GivenUp


class _GivenUp(Exception):
    """Nothing more is to be deleted in this run."""


def _settled(path: Path, output: Output) -> Found:
    """Return whether a result is as it was saved, and on its disk for good.

    Raises:
        DiskError: the disk refuses to say so.
    """
    found = results.compare(path, output.saved_sha256)
    if found is Found.SAME:
        results.flush(path, path.parents[output.path.count("/")])
    return found
