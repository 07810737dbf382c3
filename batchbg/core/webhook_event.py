"""What a webhook event says, read from a body that may be anything. It is a hint: the project itself is the truth."""

import dataclasses
import enum
import json
from typing import Any, Final

from batchbg.core.create_outcome import identifier
from batchbg.core.model import job_named

MOST_BODY_BYTES: Final = 1_000_000
"""Of an event; the service's have under one thousand."""

MOST_NAME: Final = 500
"""Characters of a project's name that are kept; its first two words say whose it is."""


class EventType(enum.StrEnum):
    """What has happened, in the service's words; others are nothing to us. A cancelled image has no event."""

    STARTED = "image.started"  # may be missing where a render is quick
    COMPLETED = "image.completed"
    ERRORED = "image.errored"
    TRIAL = "batchbg.trial"  # sent by `batchbg doctor`, to itself


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        type: what has happened.
        project_id: to which project.
        name: the project's; "" where the event does not tell it.
    """

    type: EventType
    project_id: str
    name: str = ""

    @property
    def is_end(self) -> bool:
        """Whether the render has ended, well or not."""
        return self.type in (EventType.COMPLETED, EventType.ERRORED)

    @property
    def job(self) -> tuple[str, int] | None:
        """The job and the attempt that the project's name tells; None where it tells none."""
        return job_named(self.name)

    @property
    def is_foreign(self) -> bool:
        """Whether the project's name says that it is not this program's."""
        return bool(self.name) and self.job is None


@dataclasses.dataclass(frozen=True, slots=True)
class NotOurs:
    """A body that is right, and of no concern here; ``why`` says in what way."""

    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Malformed:
    """A body that is no event; ``why`` says what is wrong with it."""

    why: str


def read_event(body: bytes) -> Event | NotOurs | Malformed:
    """Read the body of a webhook request: ``{"type": ..., "payload": ...}``, in older samples ``object``."""
    if len(body) > MOST_BODY_BYTES:
        return Malformed("too large")
    try:
        content = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Malformed("not JSON")
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        return Malformed("no type")
    if content["type"] not in list(EventType):
        return NotOurs("of another type")
    payload = content.get("payload", content.get("object"))
    if not isinstance(payload, dict):
        return Malformed("no payload")
    project_id = identifier(payload.get("id"))
    if not project_id:
        return Malformed("no project id")
    event = Event(EventType(content["type"]), project_id, _name(payload.get("name")))
    return NotOurs("of another program's project") if event.is_foreign else event


def _name(value: Any) -> str:
    """Return a project's name in a form that can be written anywhere; "" where it is none."""
    return value[:MOST_NAME].encode(errors="replace").decode() if isinstance(value, str) else ""


def as_line(event: Event) -> bytes:
    """Return what is kept of an event: no more than tells whose it is, and above all no signed address."""
    payload = {"id": event.project_id, "name": event.name or None}
    return json.dumps({"type": event.type, "payload": payload}).encode("ascii") + b"\n"
