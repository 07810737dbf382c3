"""Sending events to a receiver as the service does."""

import contextlib
import json
import threading
import time
from collections.abc import AsyncIterable, Iterator
from typing import Any

import httpx

from batchbg.core.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from batchbg.webhook.receiver import Receiver
from batchbg.webhook.server import WebhookServer

SECRET = b"whsec_abc123def456"
PATH = "/webhook"
NAME = "batchbg a3e8zd28g3ae-1 mug.jpg"


def body_of(type_: str = "image.completed", project_id: Any = "p1", name: Any = NAME, **more: Any) -> bytes:
    """Return the body of an event, with all that the service puts into it."""
    payload = {
        "id": project_id,
        "name": name,
        "status": "complete",
        "image_count": 1,
        "type": "BACKGROUND_REMOVER",
        "created_at": "2026-11-27T05:10:19.027Z",
        "enabled": True,
        "credits_charged": 5,
        "downloads": [{"url": "https://storage.example/output.png?signature=1", "expires_at": "2026-11-28T05:10:19Z"}],
        "error": None,
    }
    return json.dumps({"type": type_, "payload": payload | more}).encode()


def headers_of(body: bytes, secret: bytes = SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers that sign a body, at a time in seconds since 1970, by default now."""
    timestamp = str(int(time.time() if at is None else at))
    signature = sign(secret, timestamp.encode(), body).decode()
    return {SIGNATURE_HEADER: signature, TIMESTAMP_HEADER: timestamp}


class Sender:
    """Sends requests to a receiver in this process, past any network."""

    def __init__(self, receiver: Receiver) -> None:
        transport = httpx.ASGITransport(receiver.application(PATH))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://receiver")

    async def post(self, body: bytes | AsyncIterable[bytes], headers: Any = (), path: str = PATH) -> int:
        """Return the status of the answer."""
        return (await self._client.post(path, content=body, headers=headers)).status_code

    async def event(self, *args: Any, **more: Any) -> int:
        """Send an event, rightly signed; return the status of the answer."""
        body = body_of(*args, **more)
        return await self.post(body, headers_of(body))


@contextlib.contextmanager
def serving(receiver: Receiver, host: str = "127.0.0.1") -> Iterator[WebhookServer]:
    """Let a receiver take requests from a network."""
    server = WebhookServer(host, 0, receiver.application(PATH))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
