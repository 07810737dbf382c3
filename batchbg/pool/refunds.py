"""Asking after refunds: a job that ended in error counts as charged until its record says otherwise."""

import asyncio
import logging
import time
from typing import Final

from batchbg.core.model import Job
from batchbg.errors import ApiError, StaleJobError
from batchbg.ledger import transitions
from batchbg.pool.admission import Admission
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)

ASKED_AFTER_S: Final = (10.0, 60.0)
"""Seconds after the end was seen at which a missing refund is asked after in the same run."""


class Refunds:
    """Watches ended jobs that are still charged."""

    def __init__(self, session: PoolSession, admission: Admission) -> None:
        self._session = session
        self._stop = session.stop
        self._admission = admission
        self._watches: set[asyncio.Task[None]] = set()

    def watch(self, job: Job) -> None:
        """Ask after a refund that was not there when the job ended."""
        self._start(job, ASKED_AFTER_S)

    def ask_once(self, job: Job) -> None:
        """Ask after a refund that an earlier run did not see."""
        self._start(job, (0.0,))

    async def settle(self) -> None:
        """Wait for every question that is still to be asked, unless the run is left."""
        if self._watches:
            log.info("waiting up to %.0f s for %d refunds", ASKED_AFTER_S[-1], len(self._watches))
        while self._watches and not self._stop.leaving:
            await self._stop.before_leaving(asyncio.wait(set(self._watches)))
        for task in list(self._watches):
            task.cancel()

    def _start(self, job: Job, after_s: tuple[float, ...]) -> None:
        self._admission.refund_expected()
        task = asyncio.create_task(self._follow(job, after_s))
        self._watches.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._watches.discard(task)
        self._admission.refund_settled()
        if not task.cancelled() and (error := task.exception()):
            log.warning("asking after a refund: %s", error)

    async def _follow(self, job: Job, after_s: tuple[float, ...]) -> None:
        assert job.project_id is not None
        started = time.monotonic()
        for seconds in after_s:
            await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
            try:
                project = await self._session.api.project(job.project_id)
                if project.name and not job.owns(project.name):
                    return  # another's record says nothing of this job's credits
                after = await self._session.writer.do(transitions.refunded, job, project.price)
            except (ApiError, StaleJobError) as error:
                log.info("job %s: no word of a refund: %s", job.id, error)
                continue
            if after.credits < job.credits:
                log.info("job %s: %d credits came back", job.id, job.credits - after.credits)
                return
            job = after
