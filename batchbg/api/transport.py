"""Carrying many requests at once, and cheaply.

httpx has the requests and answers, the errors, and which certificates and proxies count; below them stands a transport
of our own. httpx's, over httpcore 1.0, looks at every connection of a pool for every request, so that with 64 requests
in the air it is several times slower than with 8 (encode/httpcore#1035), and takes its time with 8 as well.
"""

import asyncio
import collections
import contextlib
import functools
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any, Final
from urllib.request import getproxies

import httpx

from batchbg import __version__
from batchbg.api import happy_eyeballs
from batchbg.api.http1 import Http1Connection, Origin

AGENT: Final = {"User-Agent": f"batchbg/{__version__}"}

KEEPALIVE_S: Final = 4.0
"""Idle connections are dropped before the 5 s after which common servers close theirs: a create that goes out on a
connection the server is just closing has an answer nobody will ever read."""


_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)
"""Whether the request that is being sent is one of this package's."""


class _OthersOnly(logging.Filter):
    """Keeps httpx from logging our addresses, whatever level its log has: signed ones are credentials."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_ours.get()


_others_only: Final = _OthersOnly()


class Carrier:
    """Sends requests just as they are, each answer to be read inside a block.

    A client of httpx sees to cookies, redirects and credentials at every request, which takes a fifth of its time, and
    none of it is wanted here. Where the environment names a proxy, such a client with httpx's own transport does it
    all the same: it knows which requests go through the proxy, and how to ask it.
    """

    def __init__(self, width: int, verify: ssl.SSLContext, *, direct: bool, reuse: bool = True) -> None:
        """Carry up to ``width`` requests at once.

        Args:
            width: connections.
            verify: certificates to trust.
            direct: ask for no proxy.
            reuse: keep connections for later requests; otherwise each request has one of its own.
        """
        kept = None if reuse else 0
        self._proxied = not direct and any(getproxies().get(scheme) for scheme in ("http", "https", "all"))
        if self._proxied:
            limits = httpx.Limits(max_connections=width, max_keepalive_connections=kept)
            near = httpx.AsyncHTTPTransport(verify=verify, limits=limits)
            loopback = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"), near)
            self._client = httpx.AsyncClient(verify=verify, limits=limits, mounts=loopback, trust_env=True)
            logging.getLogger("httpx").addFilter(_others_only)
        else:
            self._transport = Http1Transport(width, verify, reuse=reuse)

    @contextlib.asynccontextmanager
    async def send(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Send a request and yield its answer, the body unread.

        Raises:
            httpx.TransportError: see httpx.
        """
        if self._proxied:
            token = _is_ours.set(True)
            try:
                response = await self._client.send(request, stream=True)
            finally:
                _is_ours.reset(token)
        else:
            response = await self._transport.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await (self._client if self._proxied else self._transport).aclose()


class Http1Transport(httpx.AsyncBaseTransport):
    """Connections that are kept for later requests to the same origin; one more than ``width`` requests waits its turn."""

    def __init__(self, width: int, verify: ssl.SSLContext, *, reuse: bool = True) -> None:
        """Carry up to ``width`` requests at once; without ``reuse`` each on a connection of its own."""
        verify.set_alpn_protocols(["http/1.1"])
        self._width = width
        self._verify = verify
        self._reuse = reuse
        self._free = asyncio.Semaphore(width)
        self._kept: collections.deque[Http1Connection] = collections.deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, once; the connection is in use until the answer's body has been read or closed.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol: nothing was sent.
            httpx.TransportError: anything else; see ``Http1Connection.send``.
        """
        origin = _origin(request.url)
        timeouts = request.extensions.get("timeout", {})
        await self._acquire(timeouts.get("pool"))
        connection = None
        try:
            connection = self._take(origin) or await self._open(origin, timeouts.get("connect"))
            answer = await connection.send(request)
            return httpx.Response(
                answer.status_code,
                headers=answer.headers.raw_items(),
                stream=_Body(connection, self._release),
                extensions={"http_version": b"HTTP/" + answer.http_version, "reason_phrase": answer.reason},
            )
        except BaseException:
            self._free.release()
            if connection is not None:
                connection.abort()
            raise

    async def aclose(self) -> None:
        """Close every connection that is kept."""
        while self._kept:
            self._kept.pop().abort()
        await asyncio.sleep(0)  # asyncio closes a socket in its next round, which might not come

    async def _acquire(self, within_s: float | None) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("") from error

    def _take(self, origin: Origin) -> Http1Connection | None:
        """Return a connection that was kept and is still good, the one used last first."""
        expired_s = asyncio.get_running_loop().time() - KEEPALIVE_S
        while self._kept and self._kept[0].kept_since < expired_s:
            self._kept.popleft().abort()
        for connection in [one for one in reversed(self._kept) if one.origin == origin]:
            self._kept.remove(connection)
            if not connection.is_stale():
                return connection
            connection.abort()
        return None

    async def _open(self, origin: Origin, within_s: float | None) -> Http1Connection:
        """Connect.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: it failed, or the server is not willing to listen.
        """
        scheme, host, port = origin
        tls: dict[str, Any] = {"ssl": self._verify, "server_hostname": host} if scheme == "https" else {}
        try:
            async with asyncio.timeout(within_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    functools.partial(Http1Connection, origin), sock=await happy_eyeballs.connect(host, port), **tls
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, ValueError, OverflowError) as error:  # ValueError and OverflowError of odd names and ports
            raise httpx.ConnectError(str(error)) from error
        if connection.is_stale():
            connection.abort()
            raise httpx.ConnectError("the server ended the connection, or spoke, before it was asked anything")
        return connection

    def _release(self, connection: Http1Connection) -> None:
        """Keep a connection that has been used, if it can be used again."""
        self._free.release()
        if self._reuse and connection.renew():
            connection.kept_since = asyncio.get_running_loop().time()
            self._kept.append(connection)
            if len(self._kept) > self._width:
                self._kept.popleft().abort()
        else:
            connection.abort()


class _Body(httpx.AsyncByteStream):
    """The body of an answer, which gives its connection back once: when it is closed, or is not whole."""

    def __init__(self, connection: Http1Connection, release: Callable[[Http1Connection], None]) -> None:
        self._connection = connection
        self._release: Callable[[Http1Connection], None] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (piece := await self._connection.read()) is not None:
                yield piece
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        if self._release is not None:
            self._release(self._connection)
            self._release = None


def _origin(url: httpx.URL) -> Origin:
    port = {"http": 80, "https": 443}.get(url.scheme)
    if port is None or not url.host:
        raise httpx.UnsupportedProtocol("neither http nor https")
    return url.scheme, url.raw_host.decode("ascii"), url.port or port


ERROR_WORDS: Final = (
    (httpx.ConnectTimeout, "no connection came about in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.WriteTimeout, "sending took too long"),
    ((httpx.ReadTimeout, TimeoutError), "nothing came in time"),
    (httpx.NetworkError, "the connection broke off"),
    (httpx.ProxyError, "the proxy does not let it through"),
    (httpx.ProtocolError, "the connection broke off"),
    (httpx.DecodingError, "what came cannot be read"),
)
"""Errors of the wire in words; the first kind that fits counts."""


def kind_of(error: Exception) -> str:
    """Describe an error of the wire. Some have no text of their own, others might repeat a signed address."""
    text = " ".join(str(error).split()) if isinstance(error, httpx.TransportError) else ""
    said = next(
        (words for kind, words in ERROR_WORDS if isinstance(error, kind)), "something went wrong on the network"
    )
    return f"{said}: {text}" if text else said
