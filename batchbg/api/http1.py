"""One connection that speaks HTTP/1.1: h11 knows the grammar, asyncio the socket. Nothing is sent twice here.

httpx's own transport has the same grammar below httpcore and anyio, and takes more than twice the processor's time.
"""

import asyncio
import re
import select
from collections.abc import Callable
from typing import Any, Final

import h11
import httpx

Origin = tuple[str, str, int]
"""Scheme, host and port."""

MAX_HEAD_BYTES: Final = 100 << 10
"""Of the head of an answer, or of a line between two chunks. httpcore takes as many."""

MAX_UNREAD_BYTES: Final = 256 << 10
"""Of an answer that its reader has not taken yet; with more the server has to wait."""

FULL_PACKET_BYTES: Final = 64 << 10
"""Less than this of a request waits for what follows, so that a small one leaves whole."""

SENDING: Final = "http11.send_request_headers.started"
SENT: Final = "http11.send_request_body.complete"
"""What a request's ``trace`` extension is told; httpcore tells it the same, and more."""

_QUOTED: Final = re.compile(r"\W*\b(bytearray\()?b['\"].*", re.DOTALL)
"""What h11 repeats of a header, which may hold the key or a signed address."""


class Http1Connection(asyncio.Protocol):
    """A connection to one origin, for one exchange after the other.

    Attributes:
        origin: where it leads.
        kept_since: when the last exchange was over, in seconds on the event loop's clock.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.kept_since = 0.0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._timeouts: dict[str, float | None] = {}
        self._answer: h11.Response | None = None
        self._arrived: list[bytes] = []
        self._unread_bytes = 0
        self._is_over = False
        self._lost: Exception | None = None
        self._is_full = False
        self._is_unused = True
        self._change: asyncio.Future[None] | None = None

    async def send(self, request: httpx.Request) -> h11.Response:
        """Send a request and return the head of the final answer, which ends the sending where it comes before that.

        Raises:
            httpx.LocalProtocolError: the request is not HTTP, or its body has not the length that it declares.
            httpx.NetworkError, httpx.RemoteProtocolError, httpx.TimeoutException: no answer came.
        """
        self._is_unused = False
        self._timeouts = request.extensions.get("timeout", {})
        trace = request.extensions.get("trace", _untold)
        head = {"method": request.method, "target": request.url.raw_path, "headers": request.headers.raw}
        unsent, size = [self._framed(h11.Request, **head)], 0
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            unsent.append(self._framed(h11.Data, data=piece))
            size += len(piece)
            if size >= FULL_PACKET_BYTES:
                if not await self._has_room():
                    break
                await trace(SENDING, {})
                self._transport.write(b"".join(unsent))
                unsent, size = [], 0
        else:
            if not self._is_full or await self._has_room():
                unsent.append(self._framed(h11.EndOfMessage))
                await trace(SENDING, {})
                self._transport.write(b"".join(unsent))
        await trace(SENT, {})
        await self._until(self._is_answered, "read", httpx.ReadTimeout)
        assert self._answer is not None
        return self._answer

    async def read(self) -> bytes | None:
        """Return the next piece of the answer's body as it comes; None at its end.

        Raises:
            httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError: it is not whole.
        """
        while (event := self._event()) is None:
            await self._until(lambda: bool(self._arrived) or self._is_over, "read", httpx.ReadTimeout)
        return event.data if isinstance(event, h11.Data) else None

    def renew(self) -> bool:
        """Make it ready for another exchange; False where it is none that can be: the last one must be over, both ways."""
        states = (self._http.our_state, self._http.their_state)
        if self._is_over or self._arrived or self._http.trailing_data[0] or states != (h11.DONE, h11.DONE):
            return False
        self._http.start_next_cycle()
        self._answer = None
        return True

    def is_stale(self) -> bool:
        """Return whether anything came that nobody has asked for, the end of the connection most of all."""
        if self._is_over or self._arrived or self._transport.is_closing():
            return True
        if self._is_unused and self.origin[0] == "https":
            return False  # the session tickets of TLS come unasked
        poll = select.poll()  # of the socket itself: the loop may not have looked for a while
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._transport.abort()

    # -- HTTP

    def _framed(self, kind: type[h11.Event], **fields: Any) -> bytes:
        try:
            return self._http.send(kind(**fields)) or b""
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(_said(error)) from None

    def _event(self) -> h11.Event | None:
        """Return the next event of the answer; None until more has come."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self._arrived:
                    self._http.receive_data(self._take())
                elif self._lost is not None:
                    raise httpx.ReadError(str(self._lost))
                elif self._is_over and self._answer is None and not self._http.trailing_data[0]:
                    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
                elif self._is_over:
                    self._http.receive_data(b"")
                else:
                    return None
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(_said(error)) from None
        assert not isinstance(event, type)
        return event

    def _is_answered(self) -> bool:
        """Return whether the final answer has begun."""
        while self._answer is None and (event := self._event()) is not None:
            if isinstance(event, h11.Response):
                self._answer = event
        return self._answer is not None

    # -- waiting

    async def _has_room(self) -> bool:
        """Wait until more can be written; False where the answer has begun, so that it need not be."""
        for _ in range(2):  # asyncio drops what it has not read where writing fails; it reads in its second round
            await asyncio.sleep(0)
        await self._until(lambda: not self._is_full or self._is_answered(), "write", httpx.WriteTimeout)
        return not self._is_answered()

    async def _until(self, ready: Callable[[], bool], phase: str, late: type[httpx.TimeoutException]) -> None:
        if ready():
            return
        try:
            async with asyncio.timeout(self._timeouts.get(phase)):
                while not ready():
                    self._change = asyncio.get_running_loop().create_future()
                    await self._change
        except TimeoutError as error:
            if not ready():  # what came together with the end of the time came in time
                raise late("") from error

    def _notify(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    def _take(self) -> bytes:
        data = b"".join(self._arrived)
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self._transport.resume_reading()
        self._arrived, self._unread_bytes = [], 0
        return data

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._arrived.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self._transport.pause_reading()
        self._notify()

    def eof_received(self) -> None:
        """Note that no more will come; asyncio then closes the socket."""
        self._is_over = True
        self._notify()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone, and why."""
        self._is_over = True
        self._lost = exc
        self._notify()

    def pause_writing(self) -> None:
        """Note that more has been written than has left."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Note that there is room again."""
        self._is_full = False
        self._notify()


async def _untold(_event: str, _info: dict[str, Any]) -> None:
    """Stand in for a trace that nobody wants."""


def _said(error: h11.ProtocolError) -> str:
    """Return h11's words, without what they quote."""
    return _QUOTED.sub("", str(error))
