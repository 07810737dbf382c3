"""What happened, in order: only ever appended to. The last of them tells the ledger's time."""

import dataclasses
import enum
import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.ledger.sql import Row, Statement
from batchbg.ledger.tables import events
from batchbg.ledger.transaction import Tx


class EventKind(enum.StrEnum):
    """What an event tells of. Ledgers in use hold these very words, and scripts read them."""

    # A job's way, as ``transitions`` moves it.
    PLANNED = "planned"
    DROPPED = "dropped"
    RESERVED = "reserved"
    CREATED = "created"
    NOT_CREATED = "not created"
    ANSWER_LOST = "answer lost"
    MISATTRIBUTED = "misattributed"
    REFUSED = "refused"
    COMPLETE = "complete"
    SAVING = "saving"
    DONE = "done"
    UNUSABLE = "unusable"
    ENDED = "ended"
    PLANNED_AGAIN = "planned again"
    RENAMED = "its result has another name now"
    SANDBOX_ENDED = "its sandbox has ended"
    # What it counts, without a move.
    PRICED = "priced"
    REFUNDED = "refunded"
    PRICE_ACCEPTED = "price accepted"
    PRICE_DISMISSED = "price dismissed"
    # Of its project, once its result is on disk.
    REMOTE_DELETED = "deleted at the service"
    REMOTE_KEPT = "kept at the service"
    # A person's word.
    RETRY = "retry"
    RETRY_FOR_FREE = "retry, asked for again"
    RETRY_PAID_AGAIN = "retry, paid again"
    RETRY_REFUNDED = "retry, refund seen"
    RESCUE = "rescue"
    RESOLVED_PROJECT = "resolved: project"
    RESOLVED_WEBHOOK = "resolved: webhook"  # nobody's word but the service's own
    RESOLVED_CHARGED = "resolved: charged"
    RESOLVED_NOT_CHARGED = "resolved: not charged"
    REDO = "redo"
    REVIEW_ACCEPTED = "review: accepted"
    REVIEW_REJECTED = "review: rejected"
    REVIEW_WITHDRAWN = "review: undecided again"
    # Of no job.
    RUN_BEGUN = "run begun"
    RUN_CONTINUED = "run continued"
    RUN_ENDED = "run ended"
    CLOCK_RESET = "clock reset"
    COPIED = "copied from another ledger"


def note(
    tx: Tx,
    job_id: str | None,
    kind: EventKind,
    *,
    old: JobState | None = None,
    new: JobState | None = None,
    detail: str | dict[str, Any] = "",
) -> None:
    """Append an event."""
    text = storable(detail) if isinstance(detail, str) else json.dumps(detail, ensure_ascii=True)
    _APPEND.run(
        tx.connection,
        at=tx.at,
        run_id=tx.run_id,
        job_id=job_id,
        kind=kind,
        old_state=old,
        new_state=new,
        detail=text,
    )


def note_planned(tx: Tx, job_ids: Sequence[str]) -> None:
    """Append the event that jobs were planned, one for each."""
    event = {"at": tx.at, "run_id": tx.run_id, "kind": EventKind.PLANNED, "new_state": JobState.PLANNED}
    _APPEND.run_each(tx.connection, [event | {"job_id": job_id} for job_id in job_ids])


_APPEND: Final = Statement(sa.insert(events))


def storable(text: str) -> str:
    """Return a text that any database takes: names of files and messages of servers need not be Unicode."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def details(connection: sa.Connection, job_id: str, kind: EventKind) -> list[str]:
    """Return what one kind of a job's events told, oldest first."""
    return _DETAILS.column(connection, job=job_id, of_kind=kind)


_DETAILS: Final = Statement(
    sa.select(events.c.detail)
    .where(events.c.job_id == sa.bindparam("job"), events.c.kind == sa.bindparam("of_kind"))
    .order_by(events.c.id)
)


def has_last(tx: Tx, job_id: str, kind: EventKind, *, new: JobState | None = None, among: int = 1) -> bool:
    """Return whether one of the last events of a job is of a kind, led to a state, and was written by this run."""
    rows = _LAST_OF.all(tx.connection, job=job_id, most=among)
    return (kind, new, tx.run_id) in rows


_LAST_OF: Final = Statement(
    sa.select(events.c.kind, events.c.new_state, events.c.run_id)
    .where(events.c.job_id == sa.bindparam("job"))
    .order_by(events.c.id.desc())
    .limit(sa.bindparam("most"))
)


def settled_by_webhook(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return (job, project) of every create whose answer was lost and whose project an event named, oldest first."""
    query = sa.select(events.c.job_id, events.c.detail).where(events.c.kind == EventKind.RESOLVED_WEBHOOK)
    rows = connection.execute(query.order_by(events.c.id))
    return [(row.job_id, str(json.loads(row.detail)["project_id"])) for row in rows]


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One event of a ledger; ``at`` in seconds since 1970, ``job`` "" where it is of none. Event 0 is before all."""

    id: int = 0
    at: float = 0.0
    job: str = ""


BEFORE_ALL: Final = Event()


def last(connection: sa.Connection) -> Event:
    """Return the last event there is; event 0 where there is none."""
    return _as_event(_LAST.first(connection))


def last_reservation(connection: sa.Connection) -> Event:
    """Return the event of the last reservation; event 0 where there is none."""
    return _as_event(_LAST_RESERVATION.first(connection))


_EVENT: Final = sa.select(events.c.id, events.c.at, events.c.job_id)
_LAST: Final = Statement(_EVENT.order_by(events.c.id.desc()).limit(1))
_LAST_RESERVATION: Final = Statement(
    _EVENT.where(events.c.kind == EventKind.RESERVED).order_by(events.c.id.desc()).limit(1)
)
_BY_ID: Final = Statement(_EVENT.where(events.c.id == sa.bindparam("event")))


def _as_event(row: Row | None) -> Event:
    return Event(row[0], row[1], row[2] or "") if row else BEFORE_ALL


def has(connection: sa.Connection, event: Event) -> bool:
    """Return whether the ledger has that very event."""
    if not event.id:
        return True
    return _as_event(_BY_ID.first(connection, event=event.id)) == event
