"""Transfers to and from the service's storage, which never see the key.

Signed addresses are credentials: they appear in no message, and an address from the service is checked before anything
is sent to it.
"""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Final
from urllib.parse import urljoin, urlsplit

import httpx

from batchbg.api.exchange import MAX_ANSWER_BYTES, Unpacking
from batchbg.api.transport import AGENT, Carrier, kind_of
from batchbg.api.wire import UploadTarget
from batchbg.core.addresses import check_host
from batchbg.core.create_outcome import retry_after_s
from batchbg.errors import ApiUnreachable, BatchbgError, ConfigError, DiskError, RequestRefused

TIMEOUT: Final = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)
"""Seconds for each phase of a transfer."""

STALLED_S: Final = 900.0
"""Seconds for one whole transfer."""

MAX_RESULT_BYTES: Final = 1 << 30
MAX_REDIRECTS: Final = 5

Body = Callable[[], AsyncIterator[bytes]]
"""Makes the body of an upload, anew for every try."""


class Storage:
    """Where photos go up and results come down."""

    def __init__(self, carrier: Carrier, hide: Callable[[str], str], *, near: bool) -> None:
        """Send through ``carrier``.

        Args:
            carrier: its owner closes it.
            hide: takes the API key out of an address that a server made of it.
            near: whether the service itself is on this machine, so that its storage may be, too.
        """
        self._carrier = carrier
        self._hide = hide
        self._is_near = near

    async def put(self, target: UploadTarget, body: Body, size: int) -> None:
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
                async with self._carrier.send(request) as response:
                    await _passed_over(response)
        except BatchbgError:
            raise  # of the body: its file has changed
        except Exception as error:  # of the wire, or of an address that no client can use
            raise ApiUnreachable(f"upload to {_host(target.upload_url)}: {kind_of(error)}") from error
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
            raise ApiUnreachable(f"download from {_host(url)}: {kind_of(error)}") from error
        except OSError as error:
            raise DiskError(
                f"{part.parent}: {error.strerror or error}; the paid result can still be downloaded"
            ) from error
        raise ApiUnreachable(f"download from {_host(url)}: redirected too often")

    async def _fetch(self, url: str, create: Callable[[], IO[bytes]]) -> str | None:
        """Write one answer's body to a new file; return where a redirect leads instead."""
        self._check_address(url)
        request = httpx.Request("GET", url, headers=AGENT, extensions={"timeout": TIMEOUT.as_dict()})
        async with self._carrier.send(request) as response:
            if response.is_redirect:
                return self._hide(str(urljoin(url, response.headers.get("location", ""))))
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
            raise ApiUnreachable("storage: the service gave something that is not an address") from error
        except ConfigError as error:
            raise ApiUnreachable(str(error)) from error
        if parts.scheme == "http" and not self._is_near:
            raise ApiUnreachable("storage: the service gave an address on this very machine, which is not followed")


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).hostname or "?"
    return "?"


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
