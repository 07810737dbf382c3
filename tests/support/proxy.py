"""A proxy that leads wherever it is asked to the same sandbox, and notes what it is asked."""

import asyncio
import base64
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from batchbg.sandbox import SandboxConfig, SandboxServer


class ProxySandbox(SandboxServer):
    """It only knows CONNECT.

    Attributes:
        asked: where to, and every byte of what a request to it said, in its order.
    """

    def __init__(self, target: SandboxServer, login: str = "", certificate: str | None = None) -> None:
        super().__init__(SandboxConfig(certificate=certificate))
        self._target = target
        self._login = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
        self.asked: list[tuple[str, str]] = []

    def application(self) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.asked.append((scope["path"], str(headers)))
            if self._login and headers.get("proxy-authorization") != self._login:
                await Response(status_code=407)(scope, receive, send)
            else:
                await self._lead(scope["state"]["transport"])

        return serve

    async def _lead(self, near: asyncio.Transport) -> None:
        host, port = self._target.url.partition("://")[2].split(":")
        protocol: Any = near.get_protocol()
        far, relay = await asyncio.get_running_loop().create_connection(lambda: _Relay(near), host, int(port))
        near.set_protocol(_Relay(far))
        near.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        near.resume_reading()  # which uvicorn stopped at a CONNECT
        await relay.over.wait()
        protocol.connection_lost(None)


class _Relay(asyncio.Protocol):
    """Passes on what comes to another transport, and its end."""

    def __init__(self, to: asyncio.Transport) -> None:
        self._to = to
        self.over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._to.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._to.close()
        self.over.set()
