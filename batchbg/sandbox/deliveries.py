"""What can happen in the place of an answer: other answers, parts of one, or none."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import ClassVar, Final, Literal

from starlette.responses import JSONResponse, Response

from batchbg.errors import ConfigError
from batchbg.sandbox.effects import Delivery
from batchbg.sandbox.records import Operation
from batchbg.sandbox.wire import Wire

_CODES: Final = {
    400: "invalid_request",
    401: "unauthorized",
    402: "insufficient_credits",
    404: "not_found",
    422: "unprocessable_entity",
    429: "rate_limited",
    500: "internal_server_error",
}
"""Source: spec; ``rate_limited`` is in no document, it stands in the service's own client's tests."""


@dataclass(frozen=True, kw_only=True)
class Status(Delivery):
    """Answer with a status of your choice, before or after the work is done.

    Attributes:
        status: 200 to 599.
        code: of the JSON body; None takes the documented one.
        message: of the JSON body.
        retry_after: seconds, sent as Retry-After.
        retry_after_date: send it as an HTTP date instead.
        headers: further headers.
        body: sent as it is in the place of the JSON body.
        after_s: waited before.
        commit: whether the work is done, and charged, all the same.
    """

    kind: ClassVar[str] = "status"
    status: int = 500
    code: str | None = None
    message: str = "a fault was planted here"
    retry_after: float | None = None
    retry_after_date: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    after_s: float = 0.0
    commit: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 200 <= self.status <= 599:
            raise ConfigError(f"status must be 200 to 599, not {self.status}")

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Send the status."""
        await asyncio.sleep(self.after_s)
        headers = dict(self.headers)
        if self.retry_after is not None:
            date = formatdate(time() + self.retry_after, usegmt=True)
            headers["Retry-After"] = date if self.retry_after_date else f"{self.retry_after:g}"
        if self.status in (204, 304):
            await wire.answer(Response(status_code=self.status, headers=headers))
        elif self.body is not None:
            await wire.answer(Response(self.body, self.status, headers))
        else:
            content = {"code": self.code or _CODES.get(self.status, "error"), "message": self.message}
            await wire.answer(JSONResponse(content, self.status, headers))


@dataclass(frozen=True, kw_only=True)
class Raw(Delivery):
    """Answer with bytes of your choice, from the status line on, whether they are HTTP or not; then the connection ends.

    Attributes:
        answer: what is sent, each character one byte (so up to U+00FF), line ends as they stand. A list is sent piece
            by piece. In it ``<body>`` stands for the body of the true answer, ``<length>`` for that body's length and
            ``<id>`` for the id in it; all are empty where ``commit`` is false.
        interval_s: between two pieces.
        then: ``close`` the connection in the ordinary way together with the last byte, ``reset`` it, or ``hang``.
        seconds: how long it hangs before it is closed.
        after_s: waited before.
        commit: whether the work is done, and charged, all the same.
    """

    kind: ClassVar[str] = "raw"
    answer: str | list[str] = "this is not HTTP\r\n\r\n"
    interval_s: float = 0.05
    then: Literal["close", "reset", "hang"] = "close"
    seconds: float = 60.0
    after_s: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for piece in self._pieces:
            if not isinstance(piece, str) or max(piece, default="") > "\xff":
                raise ConfigError(f"answer must be text in which each character is one byte, not {piece!r}")

    @property
    def _pieces(self) -> list[str]:
        return [self.answer] if isinstance(self.answer, str) else self.answer

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Send the pieces, then end the connection."""
        await asyncio.sleep(self.after_s)
        body = b"" if answer is None else bytes(answer.body)
        truth = {b"<body>": body, b"<length>": b"%d" % len(body), b"<id>": _id_in(body)}
        pieces = [_filled_in(piece.encode("latin-1"), truth) for piece in self._pieces]
        await wire.raw(pieces, self.interval_s, closing=self.then == "close")
        match self.then:
            case "close":
                await wire.hang_up()
            case "reset":
                await wire.reset()
            case "hang":
                await wire.hang(self.seconds)


def _filled_in(piece: bytes, truth: dict[bytes, bytes]) -> bytes:
    """Put what is true in the place of its names, in one pass: a body may hold such a name too."""
    return re.sub(b"|".join(truth), lambda found: truth[found[0]], piece)


def _id_in(body: bytes) -> bytes:
    """Return the id in the JSON object ``body``, as it stands between its quotes there, or nothing."""
    try:
        content = json.loads(body)
    except ValueError:
        return b""
    found = content.get("id") if isinstance(content, dict) else None
    return json.dumps(found)[1:-1].encode() if isinstance(found, str) else b""


@dataclass(frozen=True, kw_only=True)
class Html(Delivery):
    """Answer with a web page, as proxies and captive portals do."""

    kind: ClassVar[str] = "html"
    status: int = 200
    after_s: float = 0.0

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Send the page."""
        await asyncio.sleep(self.after_s)
        page = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>cloud provider</body></html>"
        await wire.answer(Response(page, self.status, media_type="text/html"))


@dataclass(frozen=True, kw_only=True)
class HangUp(Delivery):
    """Close the connection without a byte."""

    kind: ClassVar[str] = "hang_up"
    after_s: float = 0.0

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Close."""
        await asyncio.sleep(self.after_s)
        await wire.hang_up()


@dataclass(frozen=True, kw_only=True)
class Deaf(Delivery):
    """Close the connection as soon as the head of the request is in, without reading its body."""

    kind: ClassVar[str] = "deaf"
    hears_out: ClassVar[bool] = False
    commit: bool = False

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Close."""
        await wire.hang_up()


@dataclass(frozen=True, kw_only=True)
class Reset(Delivery):
    """Break the connection with an RST."""

    kind: ClassVar[str] = "reset"
    after_s: float = 0.0

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Break it."""
        await asyncio.sleep(self.after_s)
        await wire.reset()


@dataclass(frozen=True, kw_only=True)
class Hang(Delivery):
    """Never answer; after ``seconds`` hang up, so that a test ends."""

    kind: ClassVar[str] = "hang"
    seconds: float = 60.0

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Wait."""
        await wire.hang(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Expired(Delivery):
    """Refuse a signed URL as expired, with a storage service's 403."""

    kind: ClassVar[str] = "expired"
    operations: ClassVar[frozenset[Operation]] = frozenset({Operation.UPLOAD, Operation.DOWNLOAD})
    commit: bool = False

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Send the 403."""
        body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        await wire.answer(Response(body, 403, media_type="application/xml"))


@dataclass(frozen=True, kw_only=True)
class Truncated(Delivery):
    """Send only the first part of the body.

    Attributes:
        keep: the part of the body that is sent, 0 to 1.
        length: ``declared`` announces the whole and hangs up; ``actual`` announces what is sent; ``chunked``
            announces nothing and ends in good order. Only the first can be seen without looking at the content.
    """

    kind: ClassVar[str] = "truncated"
    keep: float = 0.5
    length: Literal["declared", "actual", "chunked"] = "declared"

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Send the part."""
        if answer is None:
            return await wire.hang_up()
        whole = bytes(answer.body)
        part = whole[: int(len(whole) * self.keep)]
        lengths = {"declared": len(whole), "actual": len(part), "chunked": None}
        await wire.begin(answer, lengths[self.length])
        await wire.write(part)
        await (wire.hang_up() if self.length == "declared" else wire.end())


@dataclass(frozen=True, kw_only=True)
class Slow(Delivery):
    """Send the body in drips."""

    kind: ClassVar[str] = "slow"
    chunk_bytes: int = 1024
    interval_s: float = 0.05

    async def deliver(self, wire: Wire, answer: Response | None) -> None:
        """Drip."""
        await wire.drip(answer or Response(), max(1, self.chunk_bytes), self.interval_s)
