"""Cassettes: what was said between batchbg and a service, without what must not be kept.

A cassette says on its first line what it was recorded against. Scrubbed are the key, every header that is not needed,
the queries of signed addresses, the account's id and e-mail address. Uploads are kept as their sha256, pictures as
empty ones of the same size. Hosts are replaced by names that do not exist, so nothing is reached by accident.
"""

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

import httpx
import vcr  # type: ignore[import-untyped]
from PIL import Image
from vcr.serializers import yamlserializer  # type: ignore[import-untyped]

from batchbg.api.transport import Http1Transport

FOLDER: Final = Path(__file__).resolve().parents[1] / "cassettes"

API, STORAGE = "https://api.invalid", "https://storage.invalid"
KEY: Final = "replayed-key"

KEPT_HEADERS: Final = frozenset({"content-type", "content-length", "server", "retry-after", "location"})

_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_JOB_NAME: Final = re.compile(r"batchbg \w+-(\d+)")


class RecordableTransport(httpx.MockTransport):
    """batchbg's transport in the clothes of one of httpx's, which are those that vcrpy knows how to stand before."""

    def __init__(self, *settings: Any, **more: Any) -> None:
        self._transport = Http1Transport(*settings, **more)
        super().__init__(self._transport.handle_async_request)

    async def aclose(self) -> None:
        await self._transport.aclose()


class Cassettes:
    """Plays cassettes, or records them where ``about`` says what they are recorded against."""

    def __init__(self, key: str = KEY, about: str = "") -> None:
        self._key = key
        self._about = about
        self._recorder = vcr.VCR(
            serializer="labelled",
            record_mode=vcr.mode.ALL if about else vcr.mode.NONE,
            # Without the body concurrent creates would get each other's answers. No repeats: a poll would see the
            # first status for ever.
            match_on=("method", "path", "query", "body"),
            before_record_request=self._scrub_request,
            before_record_response=self._scrub_answer,
        )
        self._recorder.register_serializer("labelled", self)

    @contextlib.contextmanager
    def use(self, name: str) -> Iterator[Any]:
        """Record everything that is sent inside the block, or answer it from the cassette, which is yielded."""
        path = FOLDER / f"{name}.yaml"
        if self._about:
            path.unlink(missing_ok=True)
        recordable = mock.patch("batchbg.api.transport.Http1Transport", RecordableTransport)
        with self._recorder.use_cassette(str(path)) as cassette, recordable:
            yield cassette

    # -- the file

    def serialize(self, content: dict[str, Any]) -> str:
        return f"# {self._about}\n{yamlserializer.serialize(content)}"

    def deserialize(self, text: str) -> Any:
        return yamlserializer.deserialize(text)

    # -- what is kept. Applied to what is recorded, to what is asked for, and once more to what was loaded.

    def _scrub_request(self, request: Any) -> Any:
        is_api = request.path.startswith("/v1/")
        request.uri = _bare(request.uri, API if is_api else STORAGE)
        request.headers = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        if request.method == "PUT" and not (request.body or b"").startswith(b"sha256 "):
            request.body = f"sha256 {hashlib.sha256(request.body or b'').hexdigest()}".encode()
        elif request.body:
            request.body = self._scrub_text(request.body.decode()).encode()
        return request

    def _scrub_answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        body: bytes = answer["body"]["string"]
        headers = {name.lower(): values for name, values in answer["headers"].items() if name.lower() in KEPT_HEADERS}
        kind = str(headers.get("content-type", "")).lower()
        if "json" in kind:
            body = self._scrub_text(json.dumps(_without_secrets(json.loads(body)))).encode()
        elif "image" in kind:
            body = _empty_picture(body)
        else:
            body = self._scrub_text(body.decode("utf-8", "replace")).encode()
        if "content-length" in headers:
            headers["content-length"] = [str(len(body))]
        return {**answer, "headers": headers, "body": {"string": body}}

    def _scrub_text(self, text: str) -> str:
        return _EMAIL.sub("e-mail", _JOB_NAME.sub(r"batchbg JOB-\1", text.replace(self._key, "KEY")))


def _bare(url: str, origin: str) -> str:
    return origin + urlsplit(url).path


def _without_secrets(value: Any) -> Any:
    """Return JSON without addresses' queries, e-mail addresses and the account's id."""
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    clean = {name: _without_secrets(each) for name, each in value.items()}
    for name in ("url", "upload_url"):
        if isinstance(clean.get(name), str):
            clean[name] = _bare(clean[name], STORAGE)
    if "email" in clean:
        clean |= {"email": None, "id": "account"}
    return clean


def _empty_picture(content: bytes) -> bytes:
    """Return an empty picture of the same size, transparent where the picture had transparency."""
    with Image.open(io.BytesIO(content)) as picture:
        empty = Image.new("LA" if picture.has_transparency_data else "1", picture.size)
    buffer = io.BytesIO()
    empty.save(buffer, "PNG")
    return buffer.getvalue()
