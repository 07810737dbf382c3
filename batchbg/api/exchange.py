"""Answers as they come: raw, bounded, unpacked without growing, and readable at any moment."""

import contextlib
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchbg.core.create_outcome import Answer, Silence

MAX_ANSWER_BYTES: Final = 4 << 20
"""Of an answer, as it comes and as it is once decoded."""

MAX_CODINGS: Final = 3

PIECE_BYTES: Final = 1 << 20
"""Of a body that is unpacked piece by piece."""

_STEP: Final = 512
"""Bytes inflated at a time."""


class Exchange:
    """Follows one request out and its answer in.

    Attributes:
        started: whether any of the request left.
        status: of the answer; 0 before its headers are in.
        headers: names in lower case.
        progress: rises whenever something leaves or arrives.
    """

    def __init__(self) -> None:
        self.started = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.progress = 0
        self._received = bytearray()
        self._sent_at = time.monotonic()
        self._waited_s = 0.0

    def begin_answer(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the answer."""
        self._waited_s = time.monotonic() - self._sent_at
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.status = status
        self.progress += 1

    def take(self, chunk: bytes) -> bool:
        """Take a piece of the body as it came; False where that makes it longer than any answer."""
        self._received += chunk
        self.progress += 1
        return len(self._received) <= MAX_ANSWER_BYTES

    def reply(self, broken: str = "") -> Answer | Silence:
        """Return what came back; ``broken`` says what cut it short."""
        if not self.status:
            return Silence(sent=self.started, reason=broken)
        body = decoded(bytes(self._received[:MAX_ANSWER_BYTES]), self.headers.get("content-encoding", ""))
        return Answer(self.status, self.headers, body, self._waited_s, broken)

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        """Take an event of the request's ``trace`` extension."""
        self.progress += 1
        if event.endswith("send_request_headers.started"):
            self.started = True
        elif event.endswith("send_request_body.complete"):
            self._sent_at = time.monotonic()


def decoded(body: bytes, codings: str) -> bytes:
    """Return a body without its content codings, never more than ``MAX_ANSWER_BYTES`` of it.

    A body that is not what its header says is returned as it is, and one that breaks off as far as it goes: an id
    that was told must not be lost for it.

    Args:
        body: as it came.
        codings: of the Content-Encoding header, in the order in which they were applied.
    """
    names = [name.strip().lower() for name in codings.split(",") if name.strip()]
    for name in reversed(names[-MAX_CODINGS:]):
        if name in ("gzip", "x-gzip"):
            body = _inflated(body, zlib.MAX_WBITS | 16) or body
        elif name == "deflate":  # with the head that it should have, or without it, as some send it
            body = _inflated(body, zlib.MAX_WBITS) or _inflated(body, -zlib.MAX_WBITS, to_the_end=True) or body
    return body


def _inflated(body: bytes, window: int, *, to_the_end: bool = False) -> bytes:
    """Return what can be inflated; b"" where nothing can. What has no head might be anything unless it ends well."""
    inflating = zlib.decompressobj(window)
    found = bytearray()
    for start in range(0, len(body), _STEP):
        before = inflating.copy()
        piece = body[start : start + _STEP]
        try:
            found += inflating.decompress(piece, MAX_ANSWER_BYTES + 1)
        except zlib.error:
            with contextlib.suppress(zlib.error):  # up to the byte that is spoilt
                for at in range(len(piece)):
                    found += before.decompress(piece[at : at + 1], MAX_ANSWER_BYTES + 1)
            break
        if inflating.eof or len(found) > MAX_ANSWER_BYTES:
            break
    return b"" if to_the_end and not inflating.eof else bytes(found[:MAX_ANSWER_BYTES])


class Unpacking:
    """Takes the content codings off a body that is too long to hold, in pieces of bounded size."""

    def __init__(self, codings: str) -> None:
        """Take the Content-Encoding header: the codings in the order in which they were applied."""
        names = [name.strip().lower() for name in codings.split(",") if name.strip()]
        self._layers = [_Layer() for name in reversed(names[-MAX_CODINGS:]) if name in ("gzip", "x-gzip", "deflate")]

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the next part of the body comes to.

        Raises:
            ValueError: it is spoilt.
        """
        yield from self._through(chunk, 0)

    def _through(self, chunk: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield chunk
            return
        for piece in self._layers[depth].feed(chunk):
            yield from self._through(piece, depth + 1)


class _Layer:
    """One coding; where the body does not begin like one, it is passed on as it is."""

    def __init__(self) -> None:
        self._head = b""
        self._inflating: Any = None
        self._is_plain = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._inflating is None and not self._is_plain:
            self._head += chunk
            if len(self._head) < 2:
                return
            chunk = self._head
            # The first two bytes of gzip, and of zlib, which RFC 1950 makes a multiple of 31.
            self._is_plain = chunk[:2] != b"\x1f\x8b" and (chunk[0] & 15 != 8 or (chunk[0] << 8 | chunk[1]) % 31 != 0)
            self._inflating = None if self._is_plain else zlib.decompressobj(zlib.MAX_WBITS | 32)
        if self._is_plain:
            yield chunk
            return
        try:
            while chunk and not self._inflating.eof:
                if piece := self._inflating.decompress(chunk, PIECE_BYTES):
                    yield piece
                chunk = self._inflating.unconsumed_tail
        except zlib.error as error:
            raise ValueError("the body is no longer what it was when it was packed") from error
