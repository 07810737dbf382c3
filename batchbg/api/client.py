"""The operations of the API, one method each, and transfers to and from its storage.

The key is sent to the API's host and nowhere else: transfers go through a client of their own that never had it.
Signed addresses appear in no message.
"""

import asyncio
import contextlib
import dataclasses
import datetime
import email.utils
import functools
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any, Final, Self
from urllib.parse import quote, urljoin, urlsplit

import httpx

from batchbg import __version__
from batchbg.api import wire
from batchbg.api.deadline import RunningDeadline
from batchbg.api.exchange import MAX_ANSWER_BYTES, Exchange, Unpacking
from batchbg.api.limiter import RateLimiter, Urgency
from batchbg.api.transport import Carrier
from batchbg.core.addresses import check_host, is_loopback
from batchbg.core.backoff import pause_s
from batchbg.core.outcome import (
    Ambiguous,
    Answer,
    Created,
    Outcome,
    Silence,
    classify,
    error_text,
    is_account_refusal,
    retry_after_s,
)
from batchbg.core.text import scrub, scrubbed
from batchbg.errors import (
    AccountRefused,
    AccountUnreadable,
    ApiUnreachable,
    BatchbgError,
    ConfigError,
    DiskError,
    RequestRefused,
)

TIMEOUT: Final = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)
"""Seconds for each phase of a transfer."""

API_TIMEOUT: Final = httpx.Timeout(connect=10.0, read=None, write=None, pool=60.0)
"""Seconds for what comes before a request leaves; from then on the deadlines below count, which read before they end."""

SILENT_S: Final = 60.0
"""Seconds in which nothing comes or goes, after which the API counts as silent. The official SDK waits as long."""

AGENT: Final = {"User-Agent": f"batchbg/{__version__}"}

DEADLINE_S: Final = 120.0
"""Seconds for a whole exchange with the API: a body that drips in for ever is no answer."""

STALLED_S: Final = 900.0
"""Seconds for one whole transfer."""

MAX_RESULT_BYTES: Final = 1 << 30
MAX_REDIRECTS: Final = 5

log = logging.getLogger(__name__)

Body = Callable[[], AsyncIterator[bytes]]
"""Makes the body of an upload, anew for every try."""


class MagicHour:
    """A connection to one account.

    Attributes:
        base_url: the API's host.
        rehearsal: whether the last answer came from the sandbox; None before the first.
    """

    def __init__(self, base_url: str, key: str, limiter: RateLimiter, *, width: int = 32) -> None:
        """Talk to ``base_url`` with ``key``, with up to ``width`` exchanges and as many transfers at once."""
        self.base_url = base_url.rstrip("/")
        self.rehearsal: bool | None = None
        self._dated = ("", 0.0)
        self._key = key
        self._limiter = limiter
        self._refused_in_a_row = 0
        verify = _trust()
        host = urlsplit(base_url).hostname or ""
        self._is_near = is_loopback(host)
        self._api = Carrier(width, verify, direct=self._is_near)
        # What is left over on a connection from an earlier answer must not be taken for a create's.
        self._creating = Carrier(width, verify, direct=self._is_near, reuse=False)
        self._api_headers = AGENT | {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._storage = Carrier(width, verify, direct=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.aclose()
        await self._creating.aclose()
        await self._storage.aclose()

    @property
    def skew_s(self) -> float | None:
        """Seconds by which this machine's clock was ahead of the service's at the last answer; None if none was dated."""
        date, here = self._dated
        try:
            return here - email.utils.parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None

    # -- operations ------------------------------------------------------------------------------------------------

    async def account(self) -> wire.Account | None:
        """GET /v1/account. None where the service has no such operation: older descriptions lack it.

        Raises:
            AccountUnreadable: the key may not ask for it.
            AccountRefused, ApiUnreachable: see ``errors``.
        """
        try:
            found = wire.account(await self._ask("GET", "/v1/account", Urgency.UPLOAD))
        except RequestRefused:
            return None
        except AccountRefused as error:
            if error.status == 403:
                raise AccountUnreadable(str(error)) from error
            if error.status == 401:
                raise
            return None  # whether the plan allows more than this question, the next requests tell
        if found is None:
            raise ApiUnreachable("the account's answer cannot be read")
        return found

    async def upload_targets(self, extensions: list[str]) -> list[wire.UploadTarget]:
        """POST /v1/files/upload-urls: one target for each extension ("jpg"), in their order.

        Raises:
            AccountRefused, ApiUnreachable, RequestRefused: see ``errors``.
        """
        items = [{"type": "image", "extension": extension} for extension in extensions]
        body = await self._ask("POST", "/v1/files/upload-urls", Urgency.UPLOAD, {"items": items})
        targets = wire.upload_targets(body, len(items))
        if targets is None:
            raise ApiUnreachable("the answer to upload-urls cannot be read")
        return targets

    async def create(
        self, name: str, image_path: str, background_path: str | None, exchange: Exchange | None = None
    ) -> Outcome:
        """POST /v1/image-background-remover, the one request that costs credits. Sent once, whatever happens.

        The caller has waited for the request rate and committed the intent. One that stops waiting for the answer
        takes what has come so far from ``exchange`` to ``judge``.
        """
        assets = {"image_file_path": image_path}
        if background_path is not None:
            assets["background_image_file_path"] = background_path
        body = {"name": name, "assets": assets}
        reply = await self._exchange("POST", "/v1/image-background-remover", body, exchange, self._creating)
        return self.judge(reply)

    def judge(self, reply: Answer | Silence) -> Outcome:
        """Decide what a create did."""
        now = datetime.datetime.now(datetime.UTC)
        if isinstance(reply, Answer):
            self._heed(reply, now)
        outcome = classify(reply, now)
        if isinstance(outcome, Created):
            if self._hide(outcome.project_id) == outcome.project_id:
                price = dataclasses.replace(outcome.price, odd=self._hide(outcome.price.odd))
                return dataclasses.replace(outcome, price=price)
            outcome = Ambiguous("the project id in the answer holds the API key")
        return dataclasses.replace(outcome, reason=self._hide(outcome.reason))

    async def project(self, project_id: str) -> wire.Project:
        """GET /v1/image-projects/{id}.

        Raises:
            AccountRefused, ApiUnreachable, RequestRefused: see ``errors``; status 404 where it is not known.
        """
        if project_id in (".", ".."):  # which would be taken for a step in the path
            raise RequestRefused(f"{project_id!r} is no project's id", status=404)
        body = await self._ask("GET", f"/v1/image-projects/{quote(project_id, safe='')}", Urgency.STATUS)
        found = wire.project(body, project_id)
        if found is None:
            raise ApiUnreachable("the project's answer cannot be read, or is that of another project")
        return found

    async def put(self, target: wire.UploadTarget, body: Body, size: int) -> None:
        """PUT ``size`` bytes to an upload address.

        Raises:
            ApiUnreachable: it did not arrive; try again, with a new address after RequestRefused.
            RequestRefused: the address is not taken (any more).
        """
        self._check_address(target.upload_url)
        # Storage refuses a body without its length, which an iterator would be sent as.
        headers = AGENT | {"Content-Length": str(size)}
        try:
            async with asyncio.timeout(STALLED_S):
                request = httpx.Request(
                    "PUT", target.upload_url, content=body(), headers=headers, extensions={"timeout": TIMEOUT.as_dict()}
                )
                async with self._storage.send(request) as response:
                    await _passed_over(response)
        except BatchbgError:
            raise  # of the body: its file has changed
        except Exception as error:  # of the wire, or of an address that no client can use
            raise ApiUnreachable(f"upload to {_host(target.upload_url)}: {_kind(error)}") from error
        if not response.is_success:
            _raise_storage("upload to", target.upload_url, response)

    async def download(self, url: str, part: Path, create: Callable[[], IO[bytes]] | None = None) -> None:
        """GET a signed address into a file, following redirects.

        Args:
            url: the address.
            part: the file.
            create: makes it, in the place of an older one; a plain new file where that is not given.

        Raises:
            ApiUnreachable: it did not arrive whole.
            RequestRefused: the address is not taken (any more).
            DiskError: the file cannot be written.
        """
        try:
            async with asyncio.timeout(STALLED_S):
                for _ in range(MAX_REDIRECTS):
                    onward = await self._fetch(url, create or (lambda: part.open("wb")))
                    if onward is None:
                        return
                    url = onward
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            raise ApiUnreachable(f"download from {_host(url)}: {_kind(error)}") from error
        except OSError as error:
            raise DiskError(f"{part.parent}: {error.strerror or error}; the paid result stays to be had") from error
        raise ApiUnreachable(f"download from {_host(url)}: redirected too often")

    # -- the wire --------------------------------------------------------------------------------------------------

    async def _fetch(self, url: str, create: Callable[[], IO[bytes]]) -> str | None:
        """Write one answer's body to a new file; return where a redirect leads instead."""
        self._check_address(url)
        request = httpx.Request("GET", url, headers=AGENT, extensions={"timeout": TIMEOUT.as_dict()})
        async with self._storage.send(request) as response:
            if response.is_redirect:
                return scrub(str(urljoin(url, response.headers.get("location", ""))), self._key)
            if not response.is_success:
                _raise_storage("download from", url, response)
            size = 0
            with create() as file:
                unpack = Unpacking(response.headers.get("content-encoding", ""))
                async for chunk in response.aiter_raw(1 << 18):
                    for piece in unpack.feed(chunk):
                        size += len(piece)
                        if size > MAX_RESULT_BYTES:
                            raise ApiUnreachable(f"download from {_host(url)}: longer than any picture")
                        file.write(piece)
        return None

    def _check_address(self, url: str) -> None:
        """Refuse an address from the service to which nothing may be sent, without repeating its query.

        Raises:
            ApiUnreachable: it is none, or plain http: to another machine, or to this one from a service elsewhere.
        """
        try:
            parts = urlsplit(url)
            check_host(f"{parts.scheme}://{parts.netloc}", "storage")
        except ValueError as error:
            raise ApiUnreachable("storage: the service gave an address that is none") from error
        except ConfigError as error:
            raise ApiUnreachable(str(error)) from error
        if parts.scheme == "http" and not self._is_near:
            raise ApiUnreachable("storage: the service gave an address on this very machine, which is not followed")

    async def _ask(self, method: str, path: str, urgency: Urgency, body: Any = None) -> Any:
        """Send a request that costs nothing and return the parsed answer."""
        await self._limiter.acquire(urgency)
        reply = await self._exchange(method, path, body)
        what = f"{method} {path.removeprefix('/v1')}"
        if isinstance(reply, Silence):
            raise ApiUnreachable(f"{what}: {reply.reason}")
        now = datetime.datetime.now(datetime.UTC)
        self._heed(reply, now)
        if 200 <= reply.status < 300 and not reply.broken:
            try:
                return scrubbed(json.loads(reply.body), self._key)
            except (ValueError, RecursionError) as error:
                raise ApiUnreachable(f"{what}: {reply.status} with a body that is no JSON") from error
        code, message = map(self._hide, error_text(reply.body))
        text = self._hide(" ".join(part for part in (f"{what}: {reply.status}", code, message, reply.broken) if part))
        if is_account_refusal(reply.status, code):
            raise AccountRefused(text, status=reply.status)
        if 400 <= reply.status < 500 and reply.status not in (408, 425, 429):
            raise RequestRefused(text, status=reply.status)
        raise ApiUnreachable(text, retry_after_s=retry_after_s(reply.headers, now), busy=reply.status in (429, 503))

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        exchange: Exchange | None = None,
        carrier: Carrier | None = None,
    ) -> Answer | Silence:
        """Send one request to the API's host and return what came back, as far as it did."""
        exchange = exchange or Exchange()
        followed = exchange
        try:
            request = httpx.Request(
                method,
                self.base_url + path,
                headers=self._api_headers,
                json=body,
                extensions={"timeout": API_TIMEOUT.as_dict(), "trace": exchange.trace},
            )
            async with (
                RunningDeadline(SILENT_S, DEADLINE_S, lambda: followed.progress),
                (carrier or self._api).send(request) as response,
            ):
                exchange.begin_answer(response.status_code, response.headers)
                self.rehearsal = exchange.headers.get("server") == "batchbg-sandbox"
                self._dated = (exchange.headers.get("date", ""), time.time())
                async for chunk in response.aiter_raw():
                    if not exchange.take(chunk):
                        return exchange.reply("too long")
        except Exception as error:  # whatever goes wrong on the wire: the question is only whether anything left
            if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
                exchange.started = False
            return exchange.reply(self._hide(_kind(error)))
        return exchange.reply()

    def _hide(self, text: str) -> str:
        """Take the key out of a message: a server may echo it, and messages are kept."""
        return scrub(text, self._key)

    def _heed(self, reply: Answer, now: datetime.datetime) -> None:
        """Hold everything back together where the server says that it is too much."""
        if reply.status not in (429, 503):
            self._refused_in_a_row = 0
            return
        wanted = retry_after_s(reply.headers, now)
        if self._limiter.paused_s:  # one of several that were under way together: they count once
            self._limiter.pause(wanted or 0.0)
            return
        self._refused_in_a_row += 1
        seconds = pause_s(self._refused_in_a_row, wanted)
        log.info("the API answers %d: everything pauses for %.1f s", reply.status, seconds)
        self._limiter.pause(seconds)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return the certificates to trust, from the environment as httpx users expect. Loading them takes 20 ms."""
    return httpx.create_ssl_context()


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).hostname or "?"
    return "?"


def _kind(error: Exception) -> str:
    """Describe an error of the wire. Some carry no text of their own, others might repeat a signed address."""
    text = " ".join(str(error).split()) if isinstance(error, httpx.TransportError) else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def _passed_over(response: httpx.Response) -> None:
    """Let an answer of which only the status matters come to its end, where that is near: its connection is kept."""
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            return


def _raise_storage(what: str, url: str, response: httpx.Response) -> None:
    text = f"{what} {_host(url)}: {response.status_code}"
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        now = datetime.datetime.now(datetime.UTC)
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise ApiUnreachable(text, retry_after_s=retry_after_s(headers, now))
    raise RequestRefused(text, status=response.status_code)


def chunks_of(data: bytes) -> Body:
    """Return a body that sends ``data`` in pieces."""

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 1 << 18):
            yield data[start : start + (1 << 18)]

    return body
