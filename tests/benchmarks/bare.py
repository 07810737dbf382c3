"""Bare loops: the five requests of a job, over one client or another, and nothing else.

Each photo after the other in as many tasks as there may be requests: upload-urls, upload, create, look, download. No
ledger is kept, nothing is checked, nothing is renamed.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import httpx

from batchbg.api.connection import TIMEOUT
from batchbg.api.transport import AGENT, Carrier
from tests.benchmarks.serving import KEY, Service, Work

Ask = Callable[..., Awaitable[bytes]]
"""Sends (method, address, body, headers) and returns the body of the answer."""


@contextlib.asynccontextmanager
async def over_httpx(width: int) -> AsyncIterator[Ask]:
    """One client of httpx, as its users have it."""
    limits = httpx.Limits(max_connections=width, max_keepalive_connections=width)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def ask(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
            answer = await client.request(method, url, content=body, headers=headers)
            return answer.raise_for_status().content

        yield ask


@contextlib.asynccontextmanager
async def over_aiohttp(width: int) -> AsyncIterator[Ask]:
    """One session of aiohttp, which is no dependency of this project."""
    aiohttp, yarl = import_module("aiohttp"), import_module("yarl")
    connector = aiohttp.TCPConnector(limit=width, ssl=httpx.create_ssl_context())
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:

        async def ask(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
            async with session.request(method, yarl.URL(url, encoded=True), data=body, headers=headers) as answer:
                found: bytes = await answer.read()
                return found

        yield ask


@contextlib.asynccontextmanager
async def over_kept(width: int) -> AsyncIterator[Ask]:
    """Batchbg's transport, where a create goes on any connection."""
    async with _over_carriers(width, reuse=True) as ask:
        yield ask


@contextlib.asynccontextmanager
async def over_batchbg(width: int) -> AsyncIterator[Ask]:
    """Batchbg's transport as it is used: a create has a connection of its own."""
    async with _over_carriers(width, reuse=False) as ask:
        yield ask


@contextlib.asynccontextmanager
async def _over_carriers(width: int, *, reuse: bool) -> AsyncIterator[Ask]:
    verify = httpx.create_ssl_context()
    usual, creating = Carrier(width, verify, direct=True), Carrier(width, verify, direct=True, reuse=reuse)
    extensions = {"timeout": TIMEOUT.as_dict()}

    async def ask(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        request = httpx.Request(method, url, content=body, headers=AGENT | headers, extensions=extensions)
        carrier = creating if url.endswith("image-background-remover") else usual
        async with carrier.send(request) as answer:
            assert answer.is_success, answer
            return b"".join([piece async for piece in answer.aiter_raw()])

    try:
        yield ask
    finally:
        for carrier in (usual, creating):
            await carrier.aclose()


CLIENTS: Final = {
    "httpx": over_httpx,
    "batchbg's transport": over_batchbg,
    "the same, creates on any connection": over_kept,
    "aiohttp": over_aiohttp,
}


def without_missing(names: Iterable[str]) -> list[str]:
    """Return the clients that are installed, and say which is not."""
    names = list(names)
    if "aiohttp" in names and find_spec("aiohttp") is None:
        print("aiohttp is not installed, its figures are left out: pip install aiohttp", file=sys.stderr)
        names.remove("aiohttp")
    return names


async def jobs(client: str, service: Service, made: Work, width: int) -> int:
    """Take the photos of ``made`` the whole way, on its background, and return how many requests that were."""
    photos = made.photos.rglob("*.jpg")
    (background,) = made.backgrounds.iterdir()
    output = made.folder / "output"
    output.mkdir(exist_ok=True)
    requests = 0
    async with CLIENTS[client](width) as sent:

        async def ask(method: str, url: str, body: bytes | None = None, **headers: str) -> bytes:
            nonlocal requests
            requests += 1
            return await sent(method, url, body, headers)

        async def tell(method: str, path: str, content: Any = None) -> Any:
            body = None if content is None else json.dumps(content).encode()
            return json.loads(await ask(method, service.url + path, body, Authorization=f"Bearer {KEY}"))

        async def upload(content: bytes) -> str:
            items = [{"type": "image", "extension": "jpg"}]
            (target,) = (await tell("POST", "/v1/files/upload-urls", {"items": items}))["items"]
            await ask("PUT", target["upload_url"], content)
            return str(target["file_path"])

        background_path = await upload(background.read_bytes())

        async def worker() -> None:
            for photo in photos:
                assets = {
                    "image_file_path": await upload(photo.read_bytes()),
                    "background_image_file_path": background_path,
                }
                body = {"name": photo.stem, "assets": assets}
                project = (await tell("POST", "/v1/image-background-remover", body))["id"]
                found: dict[str, Any] = {"status": ""}
                while found["status"] != "complete":  # an instantaneous service needs one look, or two
                    found = await tell("GET", f"/v1/image-projects/{project}")
                result = await ask("GET", found["downloads"][0]["url"])
                (output / f"{photo.stem}.png").write_bytes(result)

        await asyncio.gather(*(worker() for _ in range(width)))
    return requests
