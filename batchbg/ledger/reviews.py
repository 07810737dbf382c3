"""Verdicts on results: a person's word on a job, one paid render. They move no state and no credits."""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.review import Review, ReviewCounts, ReviewVerdict
from batchbg.errors import ConfigError
from batchbg.ledger.events import EventKind, note, storable
from batchbg.ledger.sql import Statement, upsert
from batchbg.ledger.tables import jobs, outputs, reviews
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import MAX_TEXT

_EVENT_OF: Final = {
    ReviewVerdict.ACCEPTED: EventKind.REVIEW_ACCEPTED,
    ReviewVerdict.REJECTED: EventKind.REVIEW_REJECTED,
}


def give(tx: Tx, job_id: str, verdict: ReviewVerdict, reason: str = "") -> bool:
    """Take a person's verdict on a job's result, in place of the one before; return whether it is another than that.

    Raises:
        ConfigError: there is no such job, or it has no result.
    """
    state = _STATE.value(tx.connection, job=job_id)
    if state is None:
        raise ConfigError(f"there is no job {job_id}")
    if state != JobState.DONE:
        raise ConfigError(f"job {job_id} is {state}: only what is done has a result to accept or reject")
    reason = storable(reason)[:MAX_TEXT]
    before = of(tx.connection, job_id)
    if before is not None and (before.verdict, before.reason) == (verdict, reason):
        return False
    _GIVE.run(tx.connection, job_id=job_id, verdict=verdict, reason=reason, at=tx.at)
    note(tx, job_id, _EVENT_OF[verdict], detail=reason)
    return True


_STATE: Final = Statement(sa.select(jobs.c.state).where(jobs.c.id == sa.bindparam("job")))
_GIVE: Final = upsert(reviews, "verdict", "reason", "at")


def withdraw(tx: Tx, job_id: str) -> bool:
    """Make a job undecided again; return whether there was a verdict."""
    if not _WITHDRAW.run(tx.connection, job=job_id):
        return False
    note(tx, job_id, EventKind.REVIEW_WITHDRAWN)
    return True


_WITHDRAW: Final = Statement(sa.delete(reviews).where(reviews.c.job_id == sa.bindparam("job")))


def of(connection: sa.Connection, job_id: str) -> Review | None:
    """Return the verdict on a job; None where it is undecided."""
    row = _OF.first(connection, job=job_id)
    return None if row is None else Review(ReviewVerdict(row[0]), row[1], row[2])


_OF: Final = Statement(
    sa.select(reviews.c.verdict, reviews.c.reason, reviews.c.at).where(reviews.c.job_id == sa.bindparam("job"))
)


def given(connection: sa.Connection) -> Iterator[tuple[str, Review]]:
    """Yield every verdict beside its job's id, oldest first."""
    for job_id, verdict, reason, at in _GIVEN.stream(connection):
        yield job_id, Review(ReviewVerdict(verdict), reason, at)


_GIVEN: Final = Statement(
    sa.select(reviews.c.job_id, reviews.c.verdict, reviews.c.reason, reviews.c.at).order_by(
        reviews.c.at, reviews.c.job_id
    )
)


def are_any(connection: sa.Connection) -> bool:
    """Return whether there is any verdict."""
    return bool(_ARE_ANY.value(connection))


_ARE_ANY: Final = Statement(sa.select(sa.exists(sa.select(reviews.c.job_id))))


def counts(connection: sa.Connection) -> ReviewCounts:
    """Return how many of the results that are in their places are accepted, rejected and undecided."""
    found: dict[str | None, int] = dict(_COUNTS.all(connection))
    return ReviewCounts(found.get(ReviewVerdict.ACCEPTED, 0), found.get(ReviewVerdict.REJECTED, 0), found.get(None, 0))


_COUNTS: Final = Statement(
    sa.select(reviews.c.verdict, sa.func.count(outputs.c.saved_job_id.distinct()))
    .select_from(outputs.outerjoin(reviews, reviews.c.job_id == outputs.c.saved_job_id))
    .where(outputs.c.saved_job_id.is_not(None))
    .group_by(reviews.c.verdict)
)
