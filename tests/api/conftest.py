import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.api.support import KEY, Addresses, Resolve
from tests.contract.listening import ListeningSandbox


@pytest.fixture(scope="session")
def certificates() -> ssl.SSLContext:
    """The system's certificates, read once: each client would take some 20 ms over it."""
    return httpx.create_ssl_context()


@pytest.fixture(autouse=True)
def same_certificates(certificates: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every client of a test use them."""
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: certificates)


@pytest.fixture
def start() -> Iterator[Callable[..., SandboxServer]]:
    """Start sandboxes; instantaneous unless told otherwise."""
    with contextlib.ExitStack() as stack:

        def start_one(kind: type[SandboxServer] = SandboxServer, **settings: Any) -> SandboxServer:
            config = SandboxConfig(**{"render_s": 0.0, "background_cutout": "fast", "api_key": KEY, **settings})
            return stack.enter_context(kind(config))

        yield start_one


@pytest.fixture
def sandbox(start: Callable[..., SandboxServer]) -> SandboxServer:
    """An instantaneous sandbox that takes one key alone."""
    return start()


@pytest.fixture
def listening(start: Callable[..., SandboxServer]) -> ListeningSandbox:
    """Another one, which notes what is said to it."""
    sandbox = start(ListeningSandbox)
    assert isinstance(sandbox, ListeningSandbox)
    return sandbox


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., MagicHour]]:
    """Connect to an address; everything is closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def connect_one(url: str, key: str = KEY) -> MagicHour:
            client = MagicHour(url, key, RateLimiter(1000), width=4)
            stack.push_async_exit(client)
            return client

        yield connect_one


@pytest.fixture
async def api(sandbox: SandboxServer, connect: Callable[..., MagicHour]) -> MagicHour:
    """A client of the sandbox."""
    return connect(sandbox.url)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Let every name lead to addresses of one's choice."""

    def resolve_to(addresses: Addresses) -> None:
        async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
            return [(family, socket.SOCK_STREAM, 6, "", address) for family, address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    return resolve_to
