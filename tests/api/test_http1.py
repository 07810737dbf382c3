"""One connection, with the other end of its socket in the test's hands."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from batchbg.api.http1 import MAX_UNREAD_BYTES, SENDING, SENT, Http1Connection
from tests.api.support import KEY

URL = "http://shop.example/v1/thing?a=b"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """The server's end."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._loop = asyncio.get_running_loop()

    async def hear(self, size: int = 1 << 16) -> bytes:
        async with asyncio.timeout(100):
            return await self._loop.sock_recv(self.end, size)

    async def hear_until(self, ending: bytes) -> bytes:
        heard = b""
        while not heard.endswith(ending):
            heard += await self.hear()
        return heard

    async def say(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.end, data)


Pair = tuple[Http1Connection, Peer]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Http1Connection(("http", "shop.example", 80)), sock=ours
        )
        yield connection, Peer(theirs)
        connection.abort()
        await asyncio.sleep(0)


def request(method: str = "GET", **settings: Any) -> httpx.Request:
    return httpx.Request(method, URL, **settings)


def upload(pieces: list[bytes], length: int, **extensions: Any) -> httpx.Request:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return request("PUT", content=body(), headers={"Content-Length": str(length)}, extensions=extensions)


def waiting_for(**seconds: float) -> dict[str, Any]:
    return {"timeout": seconds}


async def whole(connection: Http1Connection, request: httpx.Request | None = None) -> bytes:
    """Return the body of the answer, after sending the request where that has not been done."""
    if request is not None:
        await connection.send(request)
    body = b""
    while (piece := await connection.read()) is not None:
        body += piece
    return body


@contextlib.asynccontextmanager
async def under_way(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Let something run beside the block."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, httpx.TransportError):
            await task


# -- an exchange


async def test_one_exchange_follows_the_other(pair: Pair):
    """Head and body as they came, and the connection is ready for more."""
    connection, peer = pair
    for _ in range(3):
        async with under_way(connection.send(request("POST", json={"a": 1}))) as sending:
            heard = await peer.hear_until(b'{"a":1}')
            assert heard.startswith(b"POST /v1/thing?a=b HTTP/1.1\r\nHost: shop.example\r\n")
            await peer.say(ANSWER)
            answer = await sending
        assert (answer.status_code, dict(answer.headers)) == (200, {b"content-length": b"2"})
        assert await whole(connection) == b"ok"
        assert connection.renew()
        assert not connection.is_stale()


async def test_a_small_request_leaves_whole(pair: Pair):
    """In one packet: a server that is told a head alone waits for the rest."""
    connection, peer = pair
    async with under_way(connection.send(upload([b"x" * 100] * 20, 2000))):
        assert (await peer.hear()).endswith(b"\r\n\r\n" + b"x" * 2000)


async def test_a_request_is_said_to_be_sent_before_its_first_byte_is(pair: Pair):
    """Who is interrupted then must take it for sent."""
    connection, peer = pair
    told = []

    async def trace(event: str, _info: dict[str, Any]) -> None:
        with pytest.raises(BlockingIOError) if event == SENDING else contextlib.nullcontext():
            peer.end.recv(1, socket.MSG_PEEK)
        told.append(event)

    async with under_way(connection.send(request("POST", content=b"x", extensions={"trace": trace}))):
        await peer.hear()
    assert told == [SENDING, SENT]


async def test_what_is_no_request_is_not_said_to_be_sent(pair: Pair):
    connection, peer = pair
    told = []

    async def trace(event: str, _info: dict[str, Any]) -> None:
        told.append(event)

    for odd in (
        request(headers={"X": "a\nb"}, extensions={"trace": trace}),
        upload([b"12345"], 6, trace=trace),
    ):
        with pytest.raises(httpx.LocalProtocolError):
            await connection.send(odd)
    assert told == []
    with pytest.raises(BlockingIOError):
        peer.end.recv(1)


@pytest.mark.parametrize(
    ("pieces", "declared"),
    [([b"12345"], 6), ([], 6), ([b"x" * 100_000], 100_001), ([b"1234567"], 6)],
    ids=["shorter", "nothing", "shorter, and begun", "longer"],
)
async def test_an_upload_of_another_length_than_declared_fails_at_once(pair: Pair, pieces: list[bytes], declared: int):
    """Nobody waits for a server that waits for more; and the connection is of no more use."""
    connection, _ = pair
    with pytest.raises(httpx.LocalProtocolError, match=r"declared Content-Length"):
        await connection.send(upload(pieces, declared))
    assert not connection.renew()


async def test_a_body_without_a_length_goes_in_chunks(pair: Pair):
    connection, peer = pair

    async def body() -> AsyncIterator[bytes]:
        yield b"hello"

    async with under_way(connection.send(request("PUT", content=body()))):
        assert (await peer.hear()).endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


async def test_an_answer_before_the_upload_is_over_ends_it(pair: Pair):
    """What the server will not have need not be sent; the connection is not used again."""
    connection, peer = pair
    async with under_way(connection.send(upload([b"x" * 100_000] * 1000, 100_000_000))) as sending:
        await peer.hear()
        await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        assert (await sending).status_code == 413
    assert await whole(connection) == b"no"
    assert not connection.renew()


async def test_an_answer_that_is_none_yet_does_not_end_an_upload(pair: Pair):
    """100 Continue, which nobody asked for."""
    connection, peer = pair
    async with under_way(connection.send(upload([b"x" * 100_000] * 10, 1_000_000))) as sending:
        await peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        heard = 0
        while heard < 1_000_000:
            heard += len(await peer.hear())
        await peer.say(ANSWER)
        assert (await sending).status_code == 200


async def test_an_answer_is_read_although_the_server_is_gone_by_then(pair: Pair):
    """It refused the upload, and hung up."""
    connection, peer = pair
    async with under_way(connection.send(upload([b"x" * 300_000] * 100, 30_000_000))) as sending:
        await peer.hear()
        await peer.say(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        peer.end.close()
        assert (await sending).status_code == 401
    assert await whole(connection) == b""
    assert not connection.renew()


async def test_an_answer_is_read_before_more_is_written_to_a_server_that_is_gone(pair: Pair):
    """Writing would fail, and what has come would be lost with it."""
    connection, peer = pair

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 70_000
        peer.end.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        peer.end.close()
        yield b"x" * 70_000

    answer = await connection.send(request("PUT", content=body(), headers={"Content-Length": "140000"}))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", "Server disconnected without sending a response"),
        (b"HTTP/1.1 200 O", "peer unexpectedly closed connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", r"\(received 2 bytes, expected 9\)"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "incomplete chunked read"),
    ],
)
async def test_an_answer_that_breaks_off_is_said(pair: Pair, said: bytes, error: str):
    connection, peer = pair
    await peer.say(said)
    peer.end.shutdown(socket.SHUT_WR)
    with pytest.raises(httpx.RemoteProtocolError, match=error):
        await whole(connection, request())
    assert not connection.renew()


@pytest.mark.parametrize(
    "said",
    [
        f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n",
        f"{KEY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n'{KEY}'\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n",
    ],
)
async def test_an_error_repeats_nothing_of_what_was_said(pair: Pair, said: str):
    """Neither the key, nor an address that is signed, whichever side has written it."""
    connection, peer = pair
    await peer.say(said.encode())
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await whole(connection, request())
    assert str(caught.value)
    assert KEY[:10] not in repr(caught.value)
    assert KEY[:10] not in repr(caught.value.__cause__)


async def test_an_error_in_a_request_does_not_repeat_it(pair: Pair):
    with pytest.raises(httpx.LocalProtocolError) as caught:
        await pair[0].send(request(headers={"Authorization": f"Bearer '{KEY}\n"}))
    assert str(caught.value) == "Illegal header value"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# -- waiting


async def test_what_is_not_read_is_not_taken(pair: Pair):
    """However much a server has to say: a few hundred kilobytes, then it waits. In the end all is there."""
    connection, peer = pair
    size = 20 * MAX_UNREAD_BYTES
    async with under_way(peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)) as saying:
        await connection.send(request())
        for _ in range(100):
            await asyncio.sleep(0)
            assert connection._unread_bytes < 3 * MAX_UNREAD_BYTES
        assert not saying.done()
        assert len(await whole(connection)) == size
    assert connection.renew()


async def test_silence_ends_the_wait(pair: Pair):
    with pytest.raises(httpx.ReadTimeout):
        await pair[0].send(request(extensions=waiting_for(read=0.01)))


async def test_a_body_that_stops_coming_ends_the_wait(pair: Pair):
    connection, peer = pair
    await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
    await connection.send(request(extensions=waiting_for(read=0.05)))
    with pytest.raises(httpx.ReadTimeout):
        await whole(connection)
    assert not connection.renew()


@pytest.mark.parametrize("pieces", [1, 10])
async def test_a_server_that_takes_nothing_ends_the_wait(pair: Pair, pieces: int):
    with pytest.raises(httpx.WriteTimeout):
        await pair[0].send(upload([b"x" * 1_000_000] * pieces, pieces * 1_000_000, **waiting_for(write=0.01, read=1)))


async def test_what_came_together_with_the_end_of_the_time_came_in_time(pair: Pair):
    """The process was stopped: both are found when it goes on."""
    connection, peer = pair
    async with under_way(connection.send(request(extensions=waiting_for(read=0.05)))) as sending:
        await peer.hear()
        peer.end.sendall(ANSWER)
        time.sleep(0.1)  # noqa: ASYNC251 - as Ctrl-Z does
        assert (await sending).status_code == 200


PHASES: dict[str, Callable[[], httpx.Request]] = {
    "sending": lambda: upload([b"x" * 1_000_000] * 10, 10_000_000),
    "waiting": request,
}


@pytest.mark.parametrize("phase", PHASES)
async def test_who_is_interrupted_leaves_a_connection_that_nobody_takes_for_good(pair: Pair, phase: str):
    connection, peer = pair
    async with under_way(connection.send(PHASES[phase]())) as sending:
        await peer.hear()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert not connection.renew()


# -- between two exchanges


@pytest.mark.parametrize(
    "said",
    [
        ANSWER + b"HTTP/1.1 200 OK\r\n",
        ANSWER + b"\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["another answer", "a line too many", "the end announced", "HTTP/1.0"],
)
async def test_a_connection_is_not_used_again(pair: Pair, said: bytes):
    """What is left over would be taken for the next answer."""
    connection, peer = pair
    await peer.say(said)
    await connection.send(request())
    assert await whole(connection) == b"ok"
    assert not connection.renew()


async def test_an_answer_that_was_not_read_to_its_end_is_in_the_way(pair: Pair):
    connection, peer = pair
    await peer.say(ANSWER)
    await connection.send(request())
    assert not connection.renew()


def hang_up(end: socket.socket) -> None:
    end.close()


def speak(end: socket.socket) -> None:
    end.sendall(ANSWER)


@pytest.mark.parametrize("used", [True, False], ids=["used", "new"])
@pytest.mark.parametrize("happens", [hang_up, speak])
async def test_what_came_unasked_is_seen_before_the_loop_has_looked(pair: Pair, used: bool, happens: Any):
    """A request would be lost on a connection that is gone, or take what lies there for its answer."""
    connection, peer = pair
    if used:
        await peer.say(ANSWER)
        await connection.send(request())
        await whole(connection)
        assert connection.renew()
        await peer.hear()
    assert not connection.is_stale()
    happens(peer.end)
    assert connection.is_stale()
    for _ in range(3):
        await asyncio.sleep(0)
    assert connection.is_stale()
