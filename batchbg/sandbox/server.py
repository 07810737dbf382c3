"""Running the sandbox: in a thread beside a test or a rehearsal, or for as long as a person likes."""

import asyncio
import contextlib
import queue
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

import uvicorn
from starlette.types import ASGIApp

from batchbg.errors import ConfigError
from batchbg.sandbox.app import build_app
from batchbg.sandbox.books import Books
from batchbg.sandbox.config import SandboxConfig
from batchbg.sandbox.faults import Faults
from batchbg.sandbox.service import Service
from batchbg.sandbox.wire import SocketProtocol
from batchbg.serving import plain

SERVER_NAME: Final = "batchbg-sandbox"
"""The Server header of every answer, by which the client knows a rehearsal."""


class SandboxServer:
    """The sandbox on a port of its own, in a thread of its own; see the package's docstring.

    Attributes:
        faults: what goes wrong, may be changed at any time.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self._service = Service(config or SandboxConfig())
        self.faults = Faults(self._service.config.seed)

    @property
    def config(self) -> SandboxConfig:
        """The settings in force."""
        return self._service.config

    @property
    def books(self) -> Books:
        """What was created, charged, given back and asked for; stays readable after the end."""
        return self._service.books

    @property
    def account_id(self) -> str:
        """The id that the account endpoint answers."""
        return self._service.account_id

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end; an address to reach it by where it listens on all."""
        host, port = self._address[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        scheme = "https" if self.config.certificate else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def configure(self, **changes: Any) -> None:
        """Change settings while it runs.

        Raises:
            ConfigError: a setting is unknown, fixed or out of range.
        """
        self._service.configure(changes)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass on the sandbox's clock at once."""
        self._service.clock.advance(seconds)

    def send_events(self, project_id: str) -> None:
        """Send the events of a project once more, as far as it has come."""
        project = self.books.project(project_id)
        if project is not None:
            self._uvicorn.call(lambda: self._service.on_opened(project, self.url))

    def application(self) -> ASGIApp:
        """Return what is served; to be overridden by who wants to stand in between, for instance to listen."""
        return build_app(self._service, self.faults)

    def __enter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigError: the certificate cannot be read.
            OSError: the port is taken.
        """
        config = self.config
        self._uvicorn = _Uvicorn(self.application(), config.certificate)
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        listener = socket.create_server((config.host, config.port), family=family, backlog=2048)
        self._address: tuple[Any, ...] = listener.getsockname()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._uvicorn.serve([listener])), name="batchbg-sandbox", daemon=True
        )
        self._thread.start()
        return self  # already listening: what connects before the thread is up waits in the backlog

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop at once, breaking what is in the air; a second time does nothing."""
        if self._thread.is_alive():
            self._uvicorn.stop()
            self._thread.join()
            self._service.close()


class _Uvicorn(uvicorn.Server):
    """Uvicorn that stops when told to, not at its next tick, and waits for nobody."""

    def __init__(self, app: Any, certificate: str | None) -> None:
        super().__init__(plain(app, http=SocketProtocol, ssl_certfile=certificate, headers=[("server", SERVER_NAME)]))
        try:
            self.config.load()
        except OSError as error:
            raise ConfigError(f"certificate: {certificate}: {error.strerror or error}") from error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up = threading.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop, from another thread."""
        self.call(self._stopping.set)

    def call(self, action: Callable[[], object]) -> None:
        """Do something in the server's own thread."""
        self._up.wait()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(action)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)  # sets the default headers, without which early answers would have no Server
        self._up.set()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        while not self._stopping.is_set():
            await self.on_tick(0)  # renews the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def serve(config: SandboxConfig, on_ready: Callable[[SandboxServer], None] = lambda server: None) -> int:
    """Serve until SIGINT or SIGTERM; to be called from the main thread.

    Args:
        config: the settings.
        on_ready: called once it listens, for instance to print the URL and to plant faults.

    Returns:
        The signal's number.

    Raises:
        ConfigError: an extra package is missing, or the certificate cannot be read.
        OSError: the port is taken.
    """
    # A SimpleQueue may be put to from a signal handler, which an Event may not: it could hold its lock.
    received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def note(number: int, frame: FrameType | None) -> None:
        received.put(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with SandboxServer(config) as server:
            on_ready(server)
            return received.get()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
