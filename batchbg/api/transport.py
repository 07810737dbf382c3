"""Carrying many requests at once, and cheaply.

httpx 0.28 over httpcore 1.0 looks at every connection of a pool for every request, so that one pool with 64 requests
in the air is several times slower than with 8 (encode/httpcore#1035). Several small pools side by side are not.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Final
from urllib.request import getproxies

import httpx

from batchbg import __version__

AGENT: Final = {"User-Agent": f"batchbg/{__version__}"}

CONNECTIONS_A_SHARD: Final = 4
KEEPALIVE_S: Final = 4.0
"""Idle connections are dropped before the 5 s after which common servers close theirs: a create that goes out on a
connection the server is just closing has an answer nobody will ever read."""


class Carrier:
    """Sends requests just as they are, each answer to be read inside a block.

    A client of httpx sees to cookies, redirects and credentials at every request, which takes a fifth of its time, and
    none of it is wanted here. Where the environment names a proxy, a client knows which requests go through it.
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
        else:
            self._transport = ShardedTransport(width, verify, CONNECTIONS_A_SHARD if reuse else 0)

    @contextlib.asynccontextmanager
    async def send(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Send a request and yield its answer, the body unread.

        Raises:
            httpx.TransportError: see httpx.
        """
        if self._proxied:
            response = await self._client.send(request, stream=True)
        else:
            response = await self._transport.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await (self._client if self._proxied else self._transport).aclose()


class ShardedTransport(httpx.AsyncBaseTransport):
    """Several small connection pools behind one interface; each request takes the least busy one."""

    def __init__(self, width: int, verify: ssl.SSLContext, kept: int = CONNECTIONS_A_SHARD) -> None:
        """Carry up to ``width`` requests at once, more wait; ``kept`` connections of a pool are for later requests."""
        self._shards = [
            httpx.AsyncHTTPTransport(
                verify=verify,
                limits=httpx.Limits(
                    max_connections=CONNECTIONS_A_SHARD,
                    max_keepalive_connections=kept,
                    keepalive_expiry=KEEPALIVE_S,
                ),
            )
            for _ in range(-(-width // CONNECTIONS_A_SHARD))
        ]
        self._busy = [0] * len(self._shards)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the shard counts as busy until the answer's body has been read or closed."""
        shard = self._busy.index(min(self._busy))
        self._busy[shard] += 1
        try:
            response = await self._shards[shard].handle_async_request(request)
        except BaseException:
            self._busy[shard] -= 1
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, self, shard)
        return response

    def release(self, shard: int) -> None:
        """Count one request of a shard as over."""
        self._busy[shard] -= 1

    async def aclose(self) -> None:
        """Close every connection."""
        for shard in self._shards:
            await shard.aclose()


class _Counted(httpx.AsyncByteStream):
    """A body that gives its place back when it is closed, which httpx does at the end of every read."""

    def __init__(self, stream: httpx.AsyncByteStream, owner: ShardedTransport, shard: int) -> None:
        self._stream = stream
        self._owner = owner
        self._shard = shard
        self._open = True

    async def __aiter__(self):  # type: ignore[no-untyped-def]  # an async generator, which the base class cannot say
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._owner.release(self._shard)
        await self._stream.aclose()


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
