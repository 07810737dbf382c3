"""What can go wrong, one class a kind; ``kind`` is its name on the command line and in JSON.

An effect acts at one of three points: on the order a create is about to place, on the answer before it leaves, or in
the place of the answer (those are in `deliveries`). Only the last sort knows ``commit``: whether what was asked for is
done first.
"""

import abc
import asyncio
import io
import json
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from PIL import Image
from starlette.responses import JSONResponse, Response

from batchbg.sandbox.checks import check_fields
from batchbg.sandbox.records import ASKED, JobError, Operation, Order
from batchbg.sandbox.rendering import encode
from batchbg.sandbox.wire import Wire

_ANSWERED_IN_JSON: Final = frozenset({Operation.UPLOAD_URLS, Operation.CREATE, Operation.STATUS, Operation.ACCOUNT})


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What every kind can do; each overrides one method."""

    kind: ClassVar[str]
    operations: ClassVar[frozenset[Operation]] = ASKED

    def __post_init__(self) -> None:
        check_fields(self)

    def on_order(self, order: Order) -> Order:
        """Return the order in the place of the one a create call asked for."""
        return order

    async def on_answer(self, answer: Response) -> Response:
        """Return the answer in the place of a successful one."""
        return answer


@dataclass(frozen=True, kw_only=True)
class Delivery(Effect, abc.ABC):
    """An effect that takes the place of the answer.

    Attributes:
        commit: whether the work is done, and charged, all the same.
        hears_out: whether the body of the request is read where the work is not done.
    """

    hears_out: ClassVar[bool] = True
    commit: bool = True

    @abc.abstractmethod
    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Do to the client whatever this kind does; ``answer`` is None where ``commit`` is false."""


# On the answer


@dataclass(frozen=True, kw_only=True)
class Delay(Effect):
    """Answer late; the work was done in time."""

    kind: ClassVar[str] = "delay"
    seconds: float = 1.0

    async def on_answer(self, answer: Response) -> Response:
        """Wait."""
        await asyncio.sleep(self.seconds)
        return answer


@dataclass(frozen=True, kw_only=True)
class BrokenJson(Effect):
    """Answer with something that was nearly JSON."""

    kind: ClassVar[str] = "broken_json"
    operations: ClassVar[frozenset[Operation]] = _ANSWERED_IN_JSON

    async def on_answer(self, answer: Response) -> Response:
        """Replace the body."""
        return Response(b"{'id': undefined,", answer.status_code, media_type="application/json")


@dataclass(frozen=True, kw_only=True)
class TruncatedJson(Effect):
    """Answer with the beginning of the JSON, in a complete HTTP message; the id can still be read from it, or not."""

    kind: ClassVar[str] = "truncated_json"
    operations: ClassVar[frozenset[Operation]] = _ANSWERED_IN_JSON
    keep_id: bool = True

    async def on_answer(self, answer: Response) -> Response:
        """Cut the body: after its last comma, or within the id, which always comes first."""
        whole = bytes(answer.body)
        part = whole[: whole.rfind(b",") + 1] if self.keep_id else whole[:12]
        return Response(part, answer.status_code, media_type="application/json")


@dataclass(frozen=True, kw_only=True)
class Missing(Effect):
    """Leave fields out of the JSON object."""

    kind: ClassVar[str] = "missing"
    operations: ClassVar[frozenset[Operation]] = _ANSWERED_IN_JSON
    fields: list[str] = field(default_factory=lambda: ["frame_cost", "credits_charged"])

    async def on_answer(self, answer: Response) -> Response:
        """Drop the fields."""
        content = _json_object(answer)
        return JSONResponse({name: content[name] for name in content if name not in self.fields}, answer.status_code)


@dataclass(frozen=True, kw_only=True)
class Replace(Effect):
    """Put other values into the JSON object: an unknown status, ``enabled: false``, no downloads."""

    kind: ClassVar[str] = "replace"
    operations: ClassVar[frozenset[Operation]] = _ANSWERED_IN_JSON
    fields: dict[str, Any] = field(default_factory=lambda: {"status": "paused"})

    async def on_answer(self, answer: Response) -> Response:
        """Replace the values."""
        return JSONResponse(_json_object(answer) | self.fields, answer.status_code)


def _json_object(answer: Response) -> dict[str, Any]:
    try:
        content = json.loads(bytes(answer.body))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Corrupt(Effect):
    """Flip bytes in the middle, in a PNG those of its pixels; the length stays right."""

    kind: ClassVar[str] = "corrupt"

    async def on_answer(self, answer: Response) -> Response:
        """Flip them."""
        body = bytearray(answer.body)
        pixels = body.find(b"IDAT")
        start = pixels + 6 if pixels >= 0 else len(body) // 2
        body[start : start + 16] = bytes(byte ^ 0xFF for byte in body[start : start + 16])
        return Response(bytes(body), answer.status_code, media_type=answer.media_type)


@dataclass(frozen=True, kw_only=True)
class Resized(Effect):
    """Deliver a result of another size; different factors change the aspect ratio."""

    kind: ClassVar[str] = "resized"
    operations: ClassVar[frozenset[Operation]] = frozenset({Operation.DOWNLOAD})
    width: float = 0.5
    height: float = 0.5

    async def on_answer(self, answer: Response) -> Response:
        """Scale the picture."""
        body = await asyncio.to_thread(self._scale, bytes(answer.body))
        return Response(body, answer.status_code, media_type="image/png")

    def _scale(self, png: bytes) -> bytes:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            size = (max(1, round(image.width * self.width)), max(1, round(image.height * self.height)))
            return encode(image.resize(size))


@dataclass(frozen=True, kw_only=True)
class Jpeg(Effect):
    """Deliver a JPEG where a PNG is expected."""

    kind: ClassVar[str] = "jpeg"
    operations: ClassVar[frozenset[Operation]] = frozenset({Operation.DOWNLOAD})

    async def on_answer(self, answer: Response) -> Response:
        """Re-encode the picture."""
        body = await asyncio.to_thread(self._convert, bytes(answer.body))
        return Response(body, answer.status_code, media_type="image/jpeg")

    def _convert(self, png: bytes) -> bytes:
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.convert("RGB").save(buffer, "JPEG")
        return buffer.getvalue()


# On the order


@dataclass(frozen=True, kw_only=True)
class OrderEffect(Effect):
    """An effect on what a create buys."""

    operations: ClassVar[frozenset[Operation]] = frozenset({Operation.CREATE})


@dataclass(frozen=True, kw_only=True)
class Price(OrderEffect):
    """Charge another price than the documented one."""

    kind: ClassVar[str] = "price"
    credits: int = 7

    def on_order(self, order: Order) -> Order:
        """Set the price."""
        return replace(order, credits=self.credits)


@dataclass(frozen=True, kw_only=True)
class ProjectId(OrderEffect):
    """Call the project something else, from then on and in every answer; an id that is taken is not given twice."""

    kind: ClassVar[str] = "project_id"
    id: str = "../a b?c=d#e"

    def on_order(self, order: Order) -> Order:
        """Set the id."""
        return replace(order, project_id=self.id)


@dataclass(frozen=True, kw_only=True)
class JobFails(OrderEffect):
    """Let the job end in ``error``.

    Attributes:
        code: of the job's error.
        message: of the job's error.
        refund_after_s: seconds between its end and its refund; None never refunds.
    """

    kind: ClassVar[str] = "job_error"
    code: str = "unknown_error"
    message: str = "Something went wrong while rendering"
    refund_after_s: float | None = 0.0

    def on_order(self, order: Order) -> Order:
        """Set the end."""
        return replace(order, end="error", error=JobError(self.code, self.message), refund_after_s=self.refund_after_s)


@dataclass(frozen=True, kw_only=True)
class JobCanceled(OrderEffect):
    """Let the job end in ``canceled``, as when somebody stops it in the web app."""

    kind: ClassVar[str] = "job_canceled"
    refund_after_s: float | None = 0.0

    def on_order(self, order: Order) -> Order:
        """Set the end."""
        return replace(order, end="canceled", refund_after_s=self.refund_after_s)


@dataclass(frozen=True, kw_only=True)
class RenderTime(OrderEffect):
    """Let the job take its time, whatever the configuration says."""

    kind: ClassVar[str] = "render_time"
    render_s: float = 3600.0
    queue_s: float = 0.0

    def on_order(self, order: Order) -> Order:
        """Set the times."""
        return replace(order, render_s=self.render_s, queue_s=self.queue_s)
