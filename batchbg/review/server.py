"""Serving the page on this machine, to one person."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from batchbg.ledger import purpose
from batchbg.ledger.engine import open_current
from batchbg.review.application import Application, Redo
from batchbg.review.catalogue import Catalogue
from batchbg.review.gate import TOKEN, Gate
from batchbg.review.look_cache import LookCache, key_of
from batchbg.review.looks import Looks
from batchbg.review.verdicts import Verdicts
from batchbg.serving import plain

HOST: Final = "127.0.0.1"

FINISH_S: Final = 1
"""Seconds for what is being answered when it is stopped."""


class ReviewServer:
    """Serves a ledger's review until it is stopped, or a signal ends it."""

    def __init__(self, application: Application, port: int) -> None:
        """Listen on this machine only; port 0 takes a free one.

        Raises:
            OSError: the port cannot be had.
        """
        self._listener = socket.create_server((HOST, port), family=socket.AF_INET, backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._gate = Gate(application.starlette(), self.port)
        self._server = uvicorn.Server(plain(self._gate, http="h11", timeout_graceful_shutdown=FINISH_S))

    @property
    def address(self) -> str:
        """The address to open, with its secret."""
        return f"http://{HOST}:{self.port}/?{TOKEN}={self._gate.token}"

    def address_for_once(self) -> str:
        """Return an address that opens the page a single time, for who hands it to another program."""
        return f"http://{HOST}:{self.port}/?{TOKEN}={self._gate.token_for_once()}"

    def run(self) -> None:
        """Serve; in the main thread SIGINT and SIGTERM end it in order, and take effect once it has ended."""
        asyncio.run(self._server.serve([self._listener]))

    def stop(self) -> None:
        """End serving, from any thread."""
        self._server.should_exit = True


@contextlib.contextmanager
def reviewing(ledger_url: str, port: int, cache: Path | None, redo: Redo | None = None) -> Iterator[ReviewServer]:
    """Yield the server of a ledger's review, listening.

    Args:
        ledger_url: an existing ledger.
        port: to listen on; 0 takes a free one.
        cache: the folder for what is kept of results that were looked at; None for none.
        redo: plans all that is rejected anew, or only shows what that would be; None where that is not offered.

    Raises:
        ConfigError: there is no such ledger, or it is an older one.
        LedgerError: it cannot be read.
        OSError: the port cannot be had.
    """
    ledger = open_current(ledger_url)
    looks = Looks(LookCache(cache, key_of(ledger.name)))
    try:
        with ledger.reading() as connection:
            is_rehearsal = purpose.of(connection) == purpose.SANDBOX
        catalogue = Catalogue(ledger, looks.suspicion)
        about = {"ledger": ledger.name, "rehearsal": is_rehearsal}
        yield ReviewServer(Application(catalogue, looks, Verdicts(ledger), about, redo), port)
    finally:
        looks.close()
        ledger.close()
