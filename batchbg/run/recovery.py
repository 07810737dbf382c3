"""Before anything else: what earlier runs left behind, and what the command changes."""

import logging

from batchbg.core.lifecycle import PAID, JobState
from batchbg.core.price import Price
from batchbg.core.words import are
from batchbg.errors import LedgerError
from batchbg.ledger import deletions, jobs, purpose, redos, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.transaction import Tx
from batchbg.pool.previous import discard_accepted
from batchbg.run.context import RunContext
from batchbg.run.task import Found, Task

log = logging.getLogger(__name__)


def prepare(run: RunContext, task: Task[Found]) -> Found:
    """Recover from runs that died, then let the command change jobs, in one transaction; return what it found.

    What a person no longer needs, since its redo is accepted, goes now and not with the verdict, which may be a slip.
    """
    discard_accepted(run.ledger, run.id)
    with run.ledger.transaction(run.id) as tx:
        _recover_lost_creates(tx)
        _drop_overruled(tx)
        if run.settings.sandbox:
            _replan_rehearsed(tx)
        return task.prepare(tx, run.ledger)


def conclude(run: RunContext, task: Task[Found], found: Found) -> Found:
    """Let the command change jobs after the work; return what it has found by then.

    What the run did is told also where the ledger can no longer be written.
    """
    try:
        with run.ledger.transaction(run.id) as tx:
            return task.conclude(tx, found)
    except LedgerError as error:
        log.warning("%s", error)
        return found


def _recover_lost_creates(tx: Tx) -> None:
    """Make unresolved every create that a dead run left without an answer; nobody else can be at work on it."""
    for job in list(jobs.in_states(tx.connection, {JobState.SUBMITTING})):
        jobs.take_up(tx, job.id)
        transitions.lost(tx, job, "the process ended between the create and its answer")


def _drop_overruled(tx: Tx) -> None:
    """Drop what was to be done again where a person has accepted the old result since: that is the later word."""
    overruled = [job for job_id in redos.overruled(tx.connection) if (job := jobs.get(tx.connection, job_id))]
    for job in overruled:
        transitions.drop(tx, job, "the result that was to be done again is accepted")
    if overruled:
        log.warning("%s no longer to be done again: accepted since", are(len(overruled), "result"))


def _replan_rehearsed(tx: Tx) -> None:
    """Plan again what was rendering in a sandbox that ended with its process: it took the renders and the books.

    Only what went to a sandbox of this tool's own: anything else may be paid for. Nor is there anything to delete.
    """
    deletions.withdraw_all(tx)
    since = purpose.rehearsed_since(tx.connection)
    for job in list(jobs.in_states(tx.connection, PAID)):
        if since is None or job.submitted_at is None or job.submitted_at < since:
            continue
        if job.state is JobState.DOWNLOADING:
            job = transitions.reopen(tx, job, JobState.RENDERING, EventKind.SANDBOX_ENDED)
        ended = transitions.ended(tx, job, JobState.FAILED, "its sandbox has ended", Price(0))
        transitions.reopen(tx, ended, JobState.PLANNED, EventKind.PLANNED_AGAIN)
