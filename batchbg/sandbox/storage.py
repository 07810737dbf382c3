"""The storage service behind signed URLs: anyone who holds one may use it, until it expires."""

import asyncio
import hashlib
import hmac
import re
import secrets
from typing import Final
from urllib.parse import quote

from starlette.requests import Request

from batchbg.sandbox.requests import StorageRefusal

PREFIX: Final = "/storage/"
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")


def origin(request: Request) -> str:
    """Return scheme, host and port by which the client reached the sandbox."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        address, port = request.scope["server"]
        host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"{request.scope['scheme']}://{host}"


class Signer:
    """Makes and checks signed URLs; nothing about them has to be remembered."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, method: str, path: str, expires_at_s: float) -> str:
        """Return the URL's path and query that allow ``method`` on ``path`` until then."""
        expires = f"{expires_at_s:.3f}"
        return f"{PREFIX}{quote(path)}?expires={expires}&signature={self._signature(method, path, expires)}"

    def check(self, request: Request, method: str, path: str, now_s: float) -> None:
        """Raise `StorageRefusal` unless the request's URL is one of ours and still good."""
        expires = request.query_params.get("expires", "")
        given = request.query_params.get("signature", "")
        # As bytes: compare_digest takes no text outside ASCII.
        if not hmac.compare_digest(given.encode(), self._signature(method, path, expires).encode()):
            raise StorageRefusal(403, "SignatureDoesNotMatch", "The signature does not fit the request")
        if now_s >= float(expires):
            raise StorageRefusal(403, "AccessDenied", "Request has expired")

    def _signature(self, method: str, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{method}\n{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


async def receive_upload(
    request: Request, max_bytes: int, bytes_per_s: float | None, chunked: bool
) -> tuple[bytes, str]:
    """Return the body of an upload and its sha256.

    Args:
        request: the PUT.
        max_bytes: what is larger is refused, before it is read where its length is announced.
        bytes_per_s: read no faster; the client feels it, since what is not read fills its socket.
        chunked: whether an upload without Content-Length is taken.
    """
    too_large = StorageRefusal(413, "EntityTooLarge", f"Uploads hold at most {max_bytes} bytes")
    length = request.headers.get("content-length")
    if length is None and not chunked:
        raise StorageRefusal(411, "MissingContentLength", "Content-Length is required")
    if length is not None and int(length) > max_bytes:
        raise too_large
    digest, parts, size = hashlib.sha256(), [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        digest.update(chunk)
        parts.append(chunk)
        if bytes_per_s:
            await asyncio.sleep(len(chunk) / bytes_per_s)
    return b"".join(parts), digest.hexdigest()
