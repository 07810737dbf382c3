"""The webhook events that the service sends: when, signed how, and again until they are acknowledged."""

import asyncio
import functools
import heapq
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from batchbg.core.addresses import is_loopback
from batchbg.core.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from batchbg.sandbox.event_effects import EventEffect, Sending
from batchbg.sandbox.faults import Faults
from batchbg.sandbox.records import Operation, Project, Sent
from batchbg.sandbox.service import Service

if TYPE_CHECKING:
    import httpx

ANSWER_S: Final = 10.0
"""Seconds in which an event has to be acknowledged. Source: docs, create-webhook."""

RETRIED_S: Final = 86_400.0
"""Seconds for which an event is sent again, after 1, 2, 4, 8 s and so on. Source: docs, create-webhook."""

GLANCE_S: Final = 0.02
"""Seconds between two looks at the clock, which may be pushed forward."""

_ENDS: Final = {"complete": "image.completed", "error": "image.errored"}
"""Of a status; a cancelled image has no event. Source: docs, event-types."""


class Webhooks:
    """Sends the events of every project that is opened while there is an address for them."""

    def __init__(self, service: Service, faults: Faults) -> None:
        self._service = service
        self._faults = faults
        self._due: list[tuple[float, int, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._order = itertools.count()
        self._running: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None

    def watch(self, project: Project, host: str) -> None:
        """Send the events of a new project, whose client reached the sandbox by ``host``."""
        if self._service.config.webhook_url is not None:
            self._at(project.starts_at_s, functools.partial(self._started, project, host))

    async def _started(self, project: Project, host: str) -> None:
        self._fire("image.started", project, host)
        self._at(project.ends_at_s, functools.partial(self._ended, project, host))

    async def _ended(self, project: Project, host: str) -> None:
        now_s = self._service.clock()
        status = project.status(now_s)
        if status in _ENDS:
            self._fire(_ENDS[status], project, host)
        elif status != "canceled":  # its picture is still being made
            self._at(now_s + GLANCE_S, functools.partial(self._ended, project, host))

    def _fire(self, type_: str, project: Project, host: str) -> None:
        """Send an event, or what faults make of it."""
        sendings = [Sending(type_, self._service.record(project, host), self._service.clock())]
        for effect in self._faults.strike(Operation.WEBHOOK):
            if isinstance(effect, EventEffect):
                sendings = [changed for one in sendings for changed in effect.on_event(one)]
        for sending in sendings:
            self._at(sending.at_s, functools.partial(self._send, sending))

    async def _send(self, sending: Sending, attempt: int = 1, signed: dict[str, str] | None = None) -> None:
        """Send an event; again later, as it is, where it is not acknowledged.

        A retry keeps its signature, and so its timestamp. Which the service does is not documented; this is the harder.
        """
        config = self._service.config
        if config.webhook_url is None:
            return
        body = json.dumps({"type": sending.type, sending.key: sending.payload}).encode()
        signed = signed or _signed(config.webhook_secret or "", sending, body)
        self._service.books.note_request(Operation.WEBHOOK)
        status = await self._post(config.webhook_url, body, signed)
        self._service.books.note_event(
            Sent(sending.type, str(sending.payload["id"]), attempt, status, "name" in sending.payload)
        )
        now_s, pause_s = self._service.clock(), 2.0 ** (attempt - 1)
        if (status is None or not 200 <= status < 300) and now_s + pause_s < sending.at_s + RETRIED_S:
            self._at(now_s + pause_s, functools.partial(self._send, sending, attempt + 1, signed))

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        import httpx  # a tenth of a second, for nothing where no events are sent

        if self._client is None:
            near = is_loopback(urlsplit(url).hostname or "")
            self._client = httpx.AsyncClient(
                verify=httpx.create_ssl_context(), trust_env=not near, timeout=ANSWER_S, follow_redirects=False
            )
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._client.post(url, content=body, headers=headers | _JSON)
        except (httpx.HTTPError, TimeoutError):
            return None
        return answer.status_code

    def _at(self, at_s: float, action: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something at a time of the sandbox's clock."""
        heapq.heappush(self._due, (at_s, next(self._order), action))
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while True:
                while self._due and self._due[0][0] <= self._service.clock():
                    task = asyncio.create_task(heapq.heappop(self._due)[2]())
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)
                await asyncio.sleep(GLANCE_S)
        finally:
            if self._client is not None:
                await self._client.aclose()


_JSON: Final = {"content-type": "application/json"}


def _signed(secret: str, sending: Sending, body: bytes) -> dict[str, str]:
    timestamp = f"{sending.at_s - sending.signed_ago_s:.0f}"
    if sending.is_forged:
        secret += "?"
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret.encode(), timestamp.encode(), body).decode()}
