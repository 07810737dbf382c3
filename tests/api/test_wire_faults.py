"""What a create may meet on the wire: certainly not sent, perhaps made, or told; and never sent a second time."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from batchbg.api import connection
from batchbg.api.client import MagicHour
from batchbg.core.create_outcome import Ambiguous, Created, NotCreated, Refusal
from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.api.support import KEY
from tests.api.test_client import upload

PERHAPS, TOLD, REFUSED = Ambiguous, Created, NotCreated


def raw(*pieces: str, **settings: Any) -> dict[str, Any]:
    return {"kind": "raw", "answer": list(pieces), "interval_s": 0.001, **settings}


def head(*lines: str, status: str = "200 OK", version: str = "1.1") -> str:
    return "\r\n".join((f"HTTP/{version} {status}", *lines, "", ""))


WHOLE = head("Content-Length: <length>") + "<body>"
CHUNKED = head("Transfer-Encoding: chunked")

ANSWERS: dict[str, tuple[type, dict[str, Any]]] = {
    "the end": (PERHAPS, {"kind": "hang_up"}),
    "the end, and nothing made": (PERHAPS, {"kind": "hang_up", "commit": False}),
    "a reset": (PERHAPS, {"kind": "reset"}),
    "silence": (PERHAPS, {"kind": "hang"}),
    "the end within the request": (PERHAPS, {"kind": "deaf"}),
    "no HTTP": (PERHAPS, raw("this is not HTTP\r\n\r\n")),
    "TLS": (PERHAPS, raw("\x16\x03\x01\x02\x00\x01\x00")),
    "HTTP/2": (PERHAPS, raw("\x00\x00\x12\x04\x00\x00\x00\x00\x00")),
    "half a status line": (PERHAPS, raw("HTTP/1.1 20")),
    "half a head": (PERHAPS, raw("HTTP/1.1 200 OK\r\nContent-Le")),
    "a head without end": (PERHAPS, raw("HTTP/1.1 200 OK\r\n" + "X-Filler: filling\r\n" * 20_000)),
    "a line without end": (PERHAPS, raw("HTTP/1.1 200 OK\r\nX-Filler: " + "x" * 300_000)),
    "a header that is none": (PERHAPS, raw(head("no header at all", "Content-Length: <length>") + "<body>")),
    "two lengths": (PERHAPS, raw(head("Content-Length: 5", "Content-Length: 7") + "<body>")),
    "a length that is none": (PERHAPS, raw(head("Content-Length: many") + "<body>")),
    "a protocol nobody asked for": (PERHAPS, raw(head("Upgrade: h2c", status="101 Switching Protocols"))),
    "only informational answers": (PERHAPS, raw(head(status="100 Continue") * 50)),
    "a body cut off before the id": (PERHAPS, {"kind": "truncated", "keep": 0.05}),
    "a chunk cut off before the id": (PERHAPS, raw(CHUNKED + "50\r\n{")),
    "a chunk of no size": (PERHAPS, raw(CHUNKED + "many\r\n<body>")),
    "a reset before the id": (PERHAPS, raw(head("Content-Length: 500") + "{", then="reset")),
    "a redirect": (PERHAPS, {"kind": "status", "status": 307, "headers": {"Location": "/v1/account"}}),
    "a late refusal of the gateway": (PERHAPS, {"kind": "status", "status": 504}),
    "two answers": (TOLD, raw(WHOLE + WHOLE)),
    "an answer in drips": (TOLD, raw(*"HTTP/1.1 200 OK\r\n", "Content-Length: <length>\r\n", "\r\n", "<body>")),
    "informational answers first": (TOLD, raw(head(status="100 Continue"), head(status="103 Early Hints"), WHOLE)),
    "HTTP/1.0": (TOLD, raw(head(version="1.0") + "<body>")),
    "the end of the connection announced": (TOLD, raw(head("Connection: close") + "<body>")),
    "chunks with trailers": (TOLD, raw(CHUNKED + '21\r\n{"id":"<id>"\r\n1\r\n}\r\n0\r\nX-Trailer: x\r\n\r\n')),
    "bare line feeds": (TOLD, raw("HTTP/1.1 200 OK\nContent-Length: <length>\n\n<body>")),
    "a folded header": (TOLD, raw(head("X-Long: begun", "  and gone on", "Content-Length: <length>") + "<body>")),
    "cut off after the id": (TOLD, raw(head("Content-Length: 500") + '{"id": "<id>", "cre')),
    "reset after the id": (TOLD, raw(head("Content-Length: 500") + '{"id": "<id>", "cre', then="reset")),
    "a bad chunk after the id": (TOLD, raw(CHUNKED + '22\r\n{"id":"<id>",\r\nnonsense\r\n')),
    "a refusal": (REFUSED, {"kind": "status", "status": 422}),
}
"""What may come back of a create that was sent, and what has to be concluded from it."""


@pytest.fixture(scope="module")
def serving() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(render_s=0.0, background_cutout="fast", api_key=KEY)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(serving: SandboxServer) -> SandboxServer:
    """One for all of these tests: starting it takes longer than a create."""
    serving.faults.clear()
    return serving


@pytest.mark.parametrize("fault", ANSWERS)
async def test_a_create_is_sent_once_and_judged_by_what_came_back(
    sandbox: SandboxServer, connect: Callable[..., MagicHour], monkeypatch: pytest.MonkeyPatch, fault: str
):
    """Of what may have been made nothing is said to be certain; an id that was told is kept."""
    verdict, settings = ANSWERS[fault]
    api = connect(sandbox.url)
    path = await upload(api)
    if fault == "silence":
        monkeypatch.setattr(connection, "SILENT_S", 0.5)
    sandbox.faults.add("create", **settings)
    before, made = sandbox.books.requests("create"), len(sandbox.books.creates())
    outcome = await api.create("n" * (200_000 if fault == "the end within the request" else 1), path, None)
    assert isinstance(outcome, verdict), outcome
    assert sandbox.books.requests("create") == before + 1
    if isinstance(outcome, Created):
        assert [outcome.project_id] == [create.project_id for create in sandbox.books.creates()[made:]]
    if isinstance(outcome, NotCreated):
        assert outcome.refusal is Refusal.REQUEST


@pytest.mark.parametrize(
    "fault", ["refused", "no such name", "no TLS", "TLS that never begins", "a queue that is full"]
)
async def test_what_never_became_a_connection_made_nothing(
    sandbox: SandboxServer, connect: Callable[..., MagicHour], monkeypatch: pytest.MonkeyPatch, fault: str
):
    """It may be sent again: not a byte of it left."""
    monkeypatch.setattr(connection, "TIMEOUT", httpx.Timeout(0.3, read=None, write=None))
    before = sandbox.books.requests("create")
    with socket.socket() as bound, socket.socket() as waiting:
        bound.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{bound.getsockname()[1]}"
        url = {"no such name": f"https://{'a' * 64}.invalid", "no TLS": sandbox.url.replace("http", "https")}
        if fault == "TLS that never begins":
            bound.listen()
            url[fault] = f"https://{host}"
        elif fault == "a queue that is full":
            bound.listen(0)
            waiting.connect(bound.getsockname())
        outcome = await connect(url.get(fault, f"http://{host}")).create("n", "path", None)
    assert isinstance(outcome, NotCreated), outcome
    assert outcome.refusal is Refusal.UNREACHABLE
    assert sandbox.books.requests("create") == before
