"""How many jobs a run still has to do."""

import time

from batchbg.core.lifecycle import OPEN, PAID, JobState
from batchbg.core.poll_schedule import ASKED_FOR_S
from batchbg.ledger import deletions, jobs, outputs
from batchbg.pool.claims import claims_in
from batchbg.run.context import RunContext


def planned(run: RunContext) -> int:
    """Return how many of this run's jobs are yet to be created."""
    with run.ledger.reading() as connection:
        return jobs.counts(connection, run.id)[JobState.PLANNED]


def open_jobs(run: RunContext) -> int:
    """Return how many of this run's jobs are not at their end, and how many done ones lack their result on disk."""
    with run.ledger.reading() as connection:
        states = jobs.counts(connection, run.id)
        lacking = len(outputs.undelivered(connection))
    return sum(number for state, number in states.items() if state in OPEN) + lacking


def is_idle(run: RunContext) -> bool:
    """Return whether there is nothing to do, so that nobody need be asked for anything."""
    if claims_in(run.ledger):
        return False
    with run.ledger.reading() as connection:
        states = jobs.counts(connection)
        idle = not any(states[state] for state in PAID) and not outputs.undelivered(connection)
        idle = idle and not jobs.counts(connection, run.id)[JobState.PLANNED]
        idle = idle and not (run.deletes and deletions.are_wanted(connection))
        return idle and next(jobs.charged_in_vain(connection, time.time() - ASKED_FOR_S), None) is None
