"""Serving the receiver: plain HTTP, behind whatever ends TLS."""

import asyncio
import socket
from typing import Any, Final

import uvicorn

from batchbg.serving import plain

MOST_AT_ONCE: Final = 100
"""Connections; further requests are told to come again. Each may hold a body of a megabyte."""

FINISH_S: Final = 5
"""Seconds for requests that are being answered when the receiver is stopped."""


class WebhookServer:
    """Serves an application at an address until it is stopped, or a signal ends it."""

    def __init__(self, host: str, port: int, application: Any) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the address cannot be had.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=2048)
        self._server = uvicorn.Server(
            plain(application, http="h11", limit_concurrency=MOST_AT_ONCE, timeout_graceful_shutdown=FINISH_S)
        )

    @property
    def address(self) -> str:
        """The address without a path, as ``http://127.0.0.1:8788``."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Serve; in the main thread SIGINT and SIGTERM end it in order, and take effect once it has ended."""
        asyncio.run(self._server.serve([self._listener]))

    def stop(self) -> None:
        """End serving, from any thread; what is being answered is."""
        self._server.should_exit = True
