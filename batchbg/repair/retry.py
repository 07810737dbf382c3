"""``batchbg retry``: failed and canceled jobs are planned, or asked for, again."""

import dataclasses
from collections.abc import Sequence

from batchbg.core.lifecycle import ENDED_BADLY, JobState
from batchbg.errors import ConfigError
from batchbg.ledger import jobs, prices, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx
from batchbg.repair.picking import held_ledger, is_charged_or_rendered, pick
from batchbg.run.task import Task
from batchbg.settings import Settings


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
    was complete, whatever it took, is only asked for, unless a person says that it is to be paid for again.

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
    with held_ledger(settings, task.command) as ledger:
        with ledger.reading() as connection:
            picked = pick(connection, task.ids, ENDED_BADLY)
        if not task.pay_again and any(is_charged_or_rendered(job) and job.project_id for job in picked):
            return None
        with ledger.transaction(task.command) as tx:
            return task.prepare(tx, ledger)
