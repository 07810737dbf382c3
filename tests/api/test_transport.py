"""Many connections: which is used again, which is not, how many there are, and that none is left behind."""

import asyncio
import contextlib
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from batchbg.api import happy_eyeballs, transport
from batchbg.api.client import MagicHour
from batchbg.api.http1 import Http1Connection
from batchbg.api.transport import Http1Transport
from batchbg.core.create_outcome import Created
from batchbg.sandbox import SandboxServer
from tests.api.support import KEY, Resolve
from tests.api.test_client import upload
from tests.contract.listening import ListeningSandbox
from tests.support.tiers import rest_slow

Transports = Callable[..., Http1Transport]


@pytest.fixture
async def make(certificates: ssl.SSLContext) -> AsyncIterator[Transports]:
    """Make transports; each is closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def make_one(width: int = 4, **settings: Any) -> Http1Transport:
            made = Http1Transport(width, certificates, **settings)
            stack.push_async_callback(made.aclose)
            return made

        yield make_one


async def ask(carrier: Http1Transport, url: str, **seconds: float) -> int:
    """Ask for the account, and return the status of the answer once it is there."""
    headers = {"Authorization": f"Bearer {KEY}"}
    request = httpx.Request("GET", f"{url}/v1/account", headers=headers, extensions={"timeout": seconds})
    response = await carrier.handle_async_request(request)
    await response.aread()
    return response.status_code


def ports(listening: ListeningSandbox) -> list[int]:
    return [one.port for one in listening.heard]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Http1Connection]:
    """Every connection that came about."""
    made: list[Http1Connection] = []

    class Noted(Http1Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            made.append(self)

    monkeypatch.setattr(transport, "Http1Connection", Noted)
    return made


def is_open(connection: Http1Connection) -> bool:
    return bool(connection._transport.get_extra_info("socket").fileno() != -1)


# -- which connection


async def test_a_connection_serves_one_request_after_the_other(make: Transports, listening: ListeningSandbox):
    carrier = make()
    for _ in range(5):
        assert await ask(carrier, listening.url) == 200
    assert len(set(ports(listening))) == 1


async def test_as_many_connections_as_requests_at_once_and_no_more(make: Transports, listening: ListeningSandbox):
    """The others wait their turn."""
    carrier = make(3)
    listening.configure(latency_s=0.02)
    await asyncio.gather(*(ask(carrier, listening.url) for _ in range(12)))
    assert len(ports(listening)) == 12
    assert len(set(ports(listening))) == 3


async def test_without_reuse_every_request_has_a_connection_of_its_own(make: Transports, listening: ListeningSandbox):
    carrier = make(reuse=False)
    for _ in range(5):
        await ask(carrier, listening.url)
    assert len(set(ports(listening))) == 5


async def test_a_create_goes_where_nothing_was_read_before(
    connect: Callable[..., MagicHour], listening: ListeningSandbox
):
    """Of what an earlier answer left nothing can be taken for its own; and nothing follows it there either."""
    api = connect(listening.url)
    path = await upload(api)
    for _ in range(2):
        created = await api.create("n", path, None)
        assert isinstance(created, Created)
        await api.project(created.project_id)
    creates = [one.port for one in listening.heard if one.path == "/v1/image-background-remover"]
    others = [one.port for one in listening.heard if one.path != "/v1/image-background-remover"]
    assert len({*creates, *others}) == len(creates) + len(set(others)) == 2 + 1


async def test_a_connection_that_is_idle_for_long_is_closed(make: Transports, listening: ListeningSandbox, monkeypatch):
    """Before common servers do it."""
    carrier = make()
    await ask(carrier, listening.url)
    monkeypatch.setattr(transport, "KEEPALIVE_S", -1.0)
    await ask(carrier, listening.url)
    assert len(set(ports(listening))) == 2


async def test_a_connection_that_the_server_has_closed_is_not_written_to(make: Transports, sandbox: SandboxServer):
    """However soon the next request comes."""
    carrier = make()
    sandbox.faults.add("account", "raw", answer="HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    for _ in range(20):
        assert await ask(carrier, sandbox.url) == 200


async def test_kept_connections_are_no_more_than_the_width(
    make: Transports, start: Callable[..., SandboxServer], opened: list[Http1Connection]
):
    """To whichever hosts they lead."""
    carrier = make(2)
    for server in [start() for _ in range(3)]:
        await ask(carrier, server.url)
    await asyncio.sleep(0)
    assert [is_open(one) for one in opened] == [False, True, True]
    await carrier.aclose()
    assert not any(map(is_open, opened))


# -- what goes wrong


async def test_where_no_connection_is_free_in_time_nothing_is_sent(make: Transports, sandbox: SandboxServer):
    carrier = make(1)
    sandbox.faults.add("account", "hang", nth=1)
    hanging = asyncio.ensure_future(ask(carrier, sandbox.url))
    while not sandbox.books.requests("account"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    with pytest.raises(httpx.PoolTimeout):
        await ask(carrier, sandbox.url, pool=0.01)
    assert sandbox.books.requests("account") == 1
    hanging.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await hanging
    assert await ask(carrier, sandbox.url) == 200


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "/v1", "http://", "https:///x"])
async def test_an_address_of_another_kind_is_refused(make: Transports, url: str):
    with pytest.raises(httpx.UnsupportedProtocol):
        await make().handle_async_request(httpx.Request("GET", url))


FAILURES: dict[str, dict[str, Any]] = {
    "hang_up": {},
    "reset": {},
    "raw": {},
    "truncated": {"keep": 0.5},
}


@pytest.mark.parametrize("fault", FAILURES)
async def test_what_fails_gives_its_place_back(make: Transports, sandbox: SandboxServer, fault: str):
    carrier = make(1)
    sandbox.faults.add("account", fault, times=3, **FAILURES[fault])
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            await ask(carrier, sandbox.url)
    assert await ask(carrier, sandbox.url, pool=1.0) == 200
    assert sandbox.books.requests("account") == 4


@pytest.mark.parametrize("turns", rest_slow([3, *range(3), *range(4, 12)]))
async def test_who_is_interrupted_gives_its_place_back_and_leaves_no_socket(
    make: Transports, sandbox: SandboxServer, opened: list[Http1Connection], turns: int
):
    """At every turn of the loop: while it waits, connects, sends, or reads."""
    carrier = make(1)
    sandbox.faults.add("account", "slow", chunk_bytes=1, interval_s=0.01)
    async with asyncio.timeout(100):
        asking = asyncio.ensure_future(ask(carrier, sandbox.url))
        for _ in range(turns):
            await asyncio.sleep(0)
        if turns > 8:  # the head has come, and some of the body
            while not (opened and opened[0]._answer):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    await asyncio.sleep(0)
    assert not any(map(is_open, opened))
    gc.collect()  # what connected and was told to nobody would be complained of here
    sandbox.faults.clear()
    assert await ask(carrier, sandbox.url, pool=10.0) == 200


async def test_who_stops_waiting_for_an_answer_leaves_no_socket(
    make: Transports, sandbox: SandboxServer, opened: list[Http1Connection]
):
    carrier = make(1)
    sandbox.faults.add("account", "hang", nth=1)
    asking = asyncio.ensure_future(ask(carrier, sandbox.url))
    while not sandbox.books.requests("account"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert not any(map(is_open, opened))
    assert await ask(carrier, sandbox.url, pool=10.0) == 200


async def test_a_server_that_speaks_before_it_is_asked_is_not_asked(
    make: Transports, sandbox: SandboxServer, opened: list[Http1Connection], monkeypatch: pytest.MonkeyPatch
):
    """What it says would be taken for the answer; nothing has been sent, for certain."""

    class SpokenTo(Http1Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            opened.append(self)
            self.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setattr(transport, "Http1Connection", SpokenTo)
    with pytest.raises(httpx.ConnectError, match="before it was asked"):
        await ask(make(), sandbox.url)
    await asyncio.sleep(0)
    assert [is_open(one) for one in opened] == [False]
    assert sandbox.books.requests("account") == 0


# -- which address


async def test_where_ipv6_leads_nowhere_ipv4_is_taken(make: Transports, sandbox: SandboxServer, resolve: Resolve):
    """Nobody listens on the first address."""
    port = httpx.URL(sandbox.url).port
    resolve([(socket.AF_INET6, ("::1", port, 0, 0)), (socket.AF_INET, ("127.0.0.1", port))])
    assert await ask(make(), f"http://shop.example:{port}") == 200


@pytest.mark.slow
async def test_an_address_that_says_nothing_is_not_waited_for(
    make: Transports, sandbox: SandboxServer, resolve: Resolve, opened: list[Http1Connection]
):
    """The next one is tried beside it, after a quarter of a second."""
    port = httpx.URL(sandbox.url).port
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())
        resolve([(socket.AF_INET, full.getsockname()), (socket.AF_INET, ("127.0.0.1", port))])
        assert await ask(make(), f"http://shop.example:{port}") == 200
    assert len(opened) == 1
    gc.collect()


async def test_where_no_address_leads_anywhere_nothing_was_sent(make: Transports, resolve: Resolve):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        resolve([(socket.AF_INET6, ("::1", port, 0, 0)), (socket.AF_INET, ("127.0.0.1", port))])
        with pytest.raises(httpx.ConnectError):
            await ask(make(), f"http://shop.example:{port}")


async def test_the_families_take_turns(monkeypatch: pytest.MonkeyPatch, resolve: Resolve):
    """Of a host with many addresses of a family that leads nowhere, the other family's comes second."""
    tried = []

    async def attempt(info: tuple[Any, ...]) -> socket.socket:
        tried.append(info[4][0])
        raise OSError("no route")

    monkeypatch.setattr(happy_eyeballs, "_attempt", attempt)
    six, four = socket.AF_INET6, socket.AF_INET
    resolve([(six, ("a", 1)), (six, ("b", 1)), (six, ("c", 1)), (four, ("1", 1)), (four, ("2", 1))])
    with pytest.raises(OSError, match="no route"):
        await happy_eyeballs.connect("shop.example", 1)
    assert tried == ["a", "1", "b", "2", "c"]
