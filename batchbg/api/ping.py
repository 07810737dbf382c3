"""Telling a monitoring service that a run begins and how it ends, in the way of healthchecks.io.

Whatever goes wrong with that stays here: a run neither fails nor waits for it, but for a few seconds at its end.
"""

import logging
import re
import threading
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from batchbg import __version__

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 4.0
WAIT_AT_END_S: Final = 5.0
"""Seconds for which the end of a run waits for both messages."""

MOST_BYTES: Final = 10_000
"""Of a body. Source: healthchecks.io docs, "attaching logs"; longer ones are cut there too."""

_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")


class Ping:
    """One run's messages to one address: ``<url>/start``, then ``<url>/<exit code>``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._last: threading.Thread | None = None

    def start(self) -> None:
        """Say that the run begins; does not wait."""
        self._send("start", b"")

    def end(self, exit_code: int, body: str) -> None:
        """Say how the run ended, and wait a little for it to be heard."""
        self._send(str(exit_code), body.encode("utf-8", "replace")[-MOST_BYTES:])
        if self._last is not None:
            self._last.join(WAIT_AT_END_S)

    def _send(self, word: str, body: bytes) -> None:
        """Send from a thread that the process does not wait for, after the message before it."""
        sender = threading.Thread(target=self._post, args=(word, body, self._last), name="batchbg-ping", daemon=True)
        self._last = sender
        sender.start()

    def _post(self, word: str, body: bytes, before: threading.Thread | None) -> None:
        if before is not None:
            before.join(TIMEOUT_S)
        host = urlsplit(self._url).hostname
        try:
            headers = {"user-agent": f"batchbg/{__version__}"}
            answer = httpx.post(_below(self._url, word), content=body, headers=headers, timeout=TIMEOUT_S)
            # The address is a credential of its own: anyone who knows it can silence the alarm.
            log.debug("ping %s: %s answers %d", word, host, answer.status_code)
        except Exception as error:
            log.debug("ping %s: %s: %s", word, host, type(error).__name__)


def _below(url: str, word: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{word}"))


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """Return text without the secrets and without the queries of addresses, which may sign them."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return _QUERY.sub(r"\1?***", text)
