"""One answer on its way out, down to the socket: whole, in pieces, or not at all."""

import asyncio
import socket
import struct
import sys
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_CHUNK_BYTES = 65_536


class SocketProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1, which hands its transport to the application as ``scope["state"]["transport"]``.

    ASGI knows no way to break a connection, and how a connection breaks is what clients have to be tested with.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the transport where each request of this connection finds it."""
        super().connection_made(transport)
        # asyncio does this only for sockets opened with an explicit IPPROTO_TCP, which socket.create_server's are not.
        # Without it a body waits 40 ms for the acknowledgement of its head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


class Wire:
    """The way back to the client of one request, whose body has been read."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._transport: asyncio.Transport = scope["state"]["transport"]
        self._socket: Any = self._transport.get_extra_info("socket")

    async def answer(self, response: Response) -> None:
        """Send a whole answer."""
        await response(self._scope, self._receive, self._send)

    async def drip(self, response: Response, chunk_bytes: int, interval_s: float) -> None:
        """Send a whole answer ``chunk_bytes`` at a time, with a pause after each, while the client stays."""
        body = bytes(response.body)
        await self.begin(response, len(body))
        for start in range(0, len(body), chunk_bytes):
            await self.write(body[start : start + chunk_bytes])
            await asyncio.sleep(interval_s)
            if self._transport.is_closing():
                return
        await self.end()

    async def throttled(self, response: Response, bytes_per_s: float) -> None:
        """Send a whole answer no faster than ``bytes_per_s``."""
        chunk_bytes = max(1, min(_CHUNK_BYTES, int(bytes_per_s / 20)))
        await self.drip(response, chunk_bytes, chunk_bytes / bytes_per_s)

    async def begin(self, response: Response, length: int | None) -> None:
        """Send the head, announcing ``length`` bytes; None announces nothing and sends chunks."""
        headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": response.status_code, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Finish the body."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def raw(self, pieces: list[bytes], interval_s: float, *, closing: bool) -> None:
        """Send ``pieces`` past HTTP, as they are, with a pause between two, while the client stays.

        Where the connection is ``closing`` after them, the end goes out in one packet with the last bytes: who has read
        the answer can know that there will be no other.
        """
        for number, piece in enumerate(pieces, start=1):
            if number > 1:
                await asyncio.sleep(interval_s)
            if self._transport.is_closing():
                return
            last = closing and number == len(pieces)
            if last and hasattr(socket, "TCP_CORK"):  # holds bytes back for 200 ms at most
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            self._transport.write(piece)
            if last:
                self._transport.write_eof()
        # A reset would drop what has not left yet, and asyncio tells nobody but the protocol when it has.
        while self._transport.get_write_buffer_size() and not self._transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def hang_up(self) -> None:
        """Close the connection in the ordinary way, after what was written and nothing more."""
        self._transport.close()
        await self.gone()

    async def reset(self) -> None:
        """Break the connection with an RST, as a crashing host or a firewall does."""
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()
        await self.gone()

    async def hang(self, seconds: float) -> None:
        """Say nothing until the client goes or ``seconds`` have passed, then hang up."""
        try:
            await asyncio.wait_for(self.gone(), seconds)
        except TimeoutError:
            await self.hang_up()

    async def gone(self) -> None:
        """Return when the connection is closed; uvicorn takes it for a crash if the application returns earlier."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
