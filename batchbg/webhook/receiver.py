"""What a request to the webhook is answered with, and what is kept of it."""

import asyncio
import collections
import contextlib
import enum
import logging
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from batchbg.core.webhook_event import MOST_BODY_BYTES, Event, Malformed, NotOurs, read_event
from batchbg.core.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, is_signed
from batchbg.errors import DiskError
from batchbg.ledger.spool import SpoolWriter

log = logging.getLogger(__name__)

ANSWER_S: Final = 8.0
"""Seconds in which a request is answered, come what may. The service waits for 10. Source: docs, create-webhook."""

MOST_WAITING: Final = 1_000
"""Events that wait for the disk at the same time; to more of them the answer is to come again later."""

MOST_TOGETHER: Final = 100
"""Events that share one flush of their folder."""


class Outcome(enum.StrEnum):
    """What became of a request; each is counted."""

    STORED = "stored"
    NOT_OURS = "not ours"  # other types, other programs' projects
    UNSIGNED = "wrongly signed"
    MALFORMED = "malformed"
    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"  # its body did not come
    NOT_STORED = "not stored"  # the disk is full or stuck; the service sends the event again


STATUS: Final = {
    Outcome.STORED: 200,
    Outcome.NOT_OURS: 200,
    Outcome.UNSIGNED: 401,
    Outcome.MALFORMED: 400,
    Outcome.TOO_LARGE: 413,
    Outcome.TOO_SLOW: 408,
    Outcome.NOT_STORED: 503,
}
"""The service sends again, for a day, whatever is not answered with a 2xx."""


class Receiver:
    """Answers requests to the webhook.

    Attributes:
        counts: what became of them so far.
    """

    def __init__(self, secret: bytes, writer: SpoolWriter) -> None:
        self._secret = secret
        self._writer = writer
        self._waiting: collections.deque[tuple[Event, asyncio.Future[None]]] = collections.deque()
        self._storing: asyncio.Task[None] | None = None
        self.counts: collections.Counter[Outcome] = collections.Counter()

    def application(self, path: str) -> Starlette:
        """Return the ASGI application that takes events at ``path``, and nothing else anywhere."""
        application = Starlette(routes=[Route(path, self.answer, methods=["POST"])])
        application.router.redirect_slashes = False
        return application

    async def answer(self, request: Request) -> Response:
        """Answer one request, in time."""
        outcome, what = Outcome.TOO_SLOW, "its body did not come"
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(ANSWER_S):
                body = await _body(request)
                outcome, what = Outcome.NOT_STORED, "the disk takes too long"
                outcome, what = await self._take(request, body)
        self.counts[outcome] += 1
        self._tell(outcome, what)
        return Response(status_code=STATUS[outcome])

    async def _take(self, request: Request, body: bytes | None) -> tuple[Outcome, str]:
        """Check a request, and store the event in it; return what came of it, and a word about that."""
        if body is None:
            return Outcome.TOO_LARGE, f"over {MOST_BODY_BYTES} bytes"
        if not self._is_signed(request, body):
            return Outcome.UNSIGNED, "is the secret that of the service's developer hub?"
        match read_event(body):
            case Malformed(why):
                return Outcome.MALFORMED, why
            case NotOurs(why):
                return Outcome.NOT_OURS, why
            case event:
                return await self._store(event)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        headers = request.headers.raw
        signatures = [value for name, value in headers if name == SIGNATURE_HEADER.encode()]
        timestamps = [value for name, value in headers if name == TIMESTAMP_HEADER.encode()]
        # Of two, which one was signed would be a guess.
        return len(signatures) == len(timestamps) == 1 and is_signed(self._secret, timestamps[0], signatures[0], body)

    async def _store(self, event: Event) -> tuple[Outcome, str]:
        """Have an event stored; it is on disk when this says so."""
        what = f"{event.type} of project {event.project_id} {event.name}".rstrip()
        if len(self._waiting) >= MOST_WAITING:
            return Outcome.NOT_STORED, "too many wait for the disk"
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_waiting())
        try:
            await stored
        except DiskError as error:
            return Outcome.NOT_STORED, str(error)
        return Outcome.STORED, what

    async def _store_waiting(self) -> None:
        """Store what waits, as much together as there is: one flush of the folder serves all of them."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            problem: DiskError | None = None
            try:
                await asyncio.to_thread(self._writer.put, [event for event, _ in batch])
            except DiskError as error:
                problem = error
            except Exception as error:
                log.exception("storing events")
                problem = DiskError(f"{type(error).__name__}: {error}")
            for _, stored in batch:
                if not stored.done():
                    stored.set_exception(problem) if problem else stored.set_result(None)

    def _tell(self, outcome: Outcome, what: str) -> None:
        """Log what came of a request; what is refused is said ever more rarely, for anyone can send anything."""
        number = self.counts[outcome]
        if STATUS[outcome] == 200:
            log.info("%s: %s", outcome, what)
        elif number == 10 ** (len(str(number)) - 1):
            log.warning("a request was %s: %s (%d so far)", outcome, what, number)
        else:
            log.info("a request was %s: %s", outcome, what)


async def _body(request: Request) -> bytes | None:
    """Return the raw body; None where it is too large, of which no more is read than shows that."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MOST_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            return None
    return bytes(body)
