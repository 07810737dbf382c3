"""What the books are made of."""

import enum
from dataclasses import dataclass, replace
from typing import Final, Literal


class Operation(enum.StrEnum):
    """What a client can ask for: the first five are the API, the next two are signed URLs. The last is asked of a client."""

    UPLOAD_URLS = "upload_urls"
    CREATE = "create"
    STATUS = "status"
    DELETE = "delete"
    ACCOUNT = "account"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    WEBHOOK = "webhook"

    @property
    def is_transfer(self) -> bool:
        """Whether it runs on a signed URL, without the key and outside the rate limit."""
        return self in (Operation.UPLOAD, Operation.DOWNLOAD)

    @property
    def is_of_api(self) -> bool:
        """Whether it is a request to the API."""
        return not self.is_transfer and self is not Operation.WEBHOOK


ASKED: Final = frozenset(Operation) - {Operation.WEBHOOK}
"""What a client asks for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of credits; ``credits`` is negative for a charge."""

    at_s: float
    kind: Literal["grant", "charge", "refund"]
    credits: int
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """An uploaded file."""

    sha256: str
    size_bytes: int
    uploaded_at_s: float


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job ended in ``error``."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a create call is about to buy; faults may change it.

    Attributes:
        name: as sent, or the service's default.
        image_sha256: of the uploaded bytes.
        background_sha256: of the uploaded bytes, None for a transparent result.
        credits: the price.
        queue_s: least time before the render starts.
        render_s: how long the render takes.
        end: how it ends, as far as the clock is concerned.
        error: set where ``end`` is ``error``.
        refund_after_s: seconds from the end to the refund of a job that fails; None never refunds.
        project_id: what the project is to be called, where that is free; None leaves it to the service.
    """

    name: str
    image_sha256: str
    background_sha256: str | None
    credits: int
    queue_s: float
    render_s: float
    end: Literal["complete", "error", "canceled"] = "complete"
    error: JobError | None = None
    refund_after_s: float | None = 0.0
    project_id: str | None = None

    def failing(self, error: JobError) -> "Order":
        """Return the same order, ending in ``error``."""
        return replace(self, end="error", error=error)


@dataclass(slots=True)
class Project:
    """An image project: one create call that was accepted, and charged."""

    id: str
    order: Order
    created_at_s: float
    starts_at_s: float
    ends_at_s: float
    credits_charged: int
    has_picture: bool = False
    enabled: bool = True
    polls: int = 0

    def status(self, now_s: float) -> str:
        """Return the status the API answers at ``now_s``; complete only once its picture is ready."""
        if now_s < self.starts_at_s:
            return "queued"
        if now_s < self.ends_at_s or (self.order.end == "complete" and not self.has_picture):
            return "rendering"
        return self.order.end


@dataclass(frozen=True, slots=True)
class Sent:
    """One try to deliver an event.

    Attributes:
        type: in the service's words.
        project_id: of the project that it tells of.
        attempt: the first is 1.
        status: of the answer; None where there was none.
        named: whether it told the project's name.
    """

    type: str
    project_id: str
    attempt: int
    status: int | None
    named: bool = True


@dataclass(frozen=True, slots=True)
class Create:
    """What the books say about one accepted create call."""

    project_id: str
    name: str
    image_sha256: str
    background_sha256: str | None
    credits: int  # taken at the create
    credits_charged: int  # what is left of it now
    render_s: float  # without the time in the queue
    status: str
    enabled: bool
    polls: int
    created_at: str
