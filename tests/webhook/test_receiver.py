import asyncio
import threading
from collections.abc import AsyncIterator
from unittest import mock

import httpx
import pytest

from batchbg.core.webhook_event import Event, EventType
from batchbg.core.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from batchbg.errors import DiskError
from batchbg.ledger.spool import Spool
from batchbg.webhook import receiver as receiver_module
from batchbg.webhook.receiver import Outcome, Receiver
from tests.core.test_webhook_signature import BODY, SIGNATURE, TIMESTAMP
from tests.webhook.support import NAME, PATH, Sender, body_of, headers_of

OURS = Event(EventType.COMPLETED, "p1", NAME)


def events(spool: Spool) -> list[Event]:
    return sorted((stored.event for stored in spool.fresh()), key=lambda event: event.project_id)


async def test_an_event_is_stored_and_acknowledged(spool: Spool, sender: Sender):
    """Again where it comes again."""
    assert await sender.event() == 200
    assert await sender.event() == 200
    assert events(spool) == [OURS]


async def test_the_vector_is_taken(spool: Spool, sender: Sender):
    """Although it is two years old: an event is a hint at any age, for it is not known whether retries are signed anew."""
    headers = {SIGNATURE_HEADER: SIGNATURE.decode(), TIMESTAMP_HEADER: TIMESTAMP.decode()}
    assert await sender.post(BODY, headers) == 200
    assert [event.project_id for event in events(spool)] == ["clx8abc123def456ghi789"]


async def test_what_is_right_and_not_ours_is_acknowledged_and_not_kept(
    spool: Spool, receiver: Receiver, sender: Sender
):
    """Else the service would send it again for a day."""
    assert await sender.event(name="Background Remover - 2026-11-27") == 200
    assert await sender.event("video.completed") == 200
    assert await sender.event("something.new") == 200
    assert events(spool) == []
    assert receiver.counts == {Outcome.NOT_OURS: 3}


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: {},
        lambda headers: {SIGNATURE_HEADER: headers[SIGNATURE_HEADER]},
        lambda headers: {TIMESTAMP_HEADER: headers[TIMESTAMP_HEADER]},
        lambda headers: headers | {SIGNATURE_HEADER: "0" * 64},
        lambda headers: headers | {SIGNATURE_HEADER: headers[SIGNATURE_HEADER][:-1]},
        lambda headers: headers | {TIMESTAMP_HEADER: "1"},
        lambda headers: headers | {TIMESTAMP_HEADER: ""},
        lambda headers: [*headers.items(), (SIGNATURE_HEADER, "0" * 64)],
        lambda headers: [*headers.items(), *headers.items()],
    ],
    ids=range(9),
)
async def test_what_is_not_rightly_signed_is_refused(spool: Spool, sender: Sender, change):
    """Also where one of two signatures is right."""
    body = body_of()
    assert await sender.post(body, change(headers_of(body))) == 401
    assert events(spool) == []


async def test_another_secret_is_refused(spool: Spool, sender: Sender):
    """And so is any other body under the signature of this one."""
    body = body_of()
    assert await sender.post(body, headers_of(body, secret=b"other")) == 401
    assert await sender.post(body_of(project_id="p2"), headers_of(body)) == 401
    assert events(spool) == []


async def test_what_is_signed_and_no_event_is_refused(spool: Spool, receiver: Receiver, sender: Sender):
    for body in (b"", b"{", b"[" * 100_000, b'{"type": "image.completed"}', body_of(project_id=None)):
        assert await sender.post(body, headers_of(body)) == 400
    assert events(spool) == []
    assert receiver.counts == {Outcome.MALFORMED: 5}


async def test_what_is_too_large_is_refused_before_it_is_read(spool: Spool, receiver: Receiver, sender: Sender):
    """By its length, and where that is not told, as soon as it has become too large."""
    large = body_of(pad="x" * 1_000_000)
    assert await sender.post(large, headers_of(large)) == 413
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65_536
            yield bytes(65_536)

    # In this process the client hands over a whole body at once; what is counted is what the receiver took of it.
    chunks = endless()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    answers = []

    async def send(message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
    await receiver.application(PATH)(scope, receive, send)
    assert answers[0]["status"] == 413
    assert sent < 1_200_000
    assert receiver.counts == {Outcome.TOO_LARGE: 2}
    assert events(spool) == []


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", PATH, 405), ("POST", "/", 404), ("POST", f"{PATH}/", 404)]
)
async def test_nothing_else_is_served(receiver: Receiver, method: str, path: str, status: int):
    transport = httpx.ASGITransport(receiver.application(PATH))
    async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
        assert (await client.request(method, path)).status_code == status


async def test_what_cannot_be_stored_is_to_come_again(
    spool: Spool, receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    """By any error; the next one is stored, if it can be."""
    with monkeypatch.context() as patched:
        for problem in (DiskError("the disk is full"), RuntimeError("a bug")):
            patched.setattr(receiver._writer, "put", mock.Mock(side_effect=problem))
            assert await sender.event() == 503
    assert await sender.event() == 200
    assert events(spool) == [OURS]
    assert receiver.counts == {Outcome.NOT_STORED: 2, Outcome.STORED: 1}


async def test_an_answer_comes_in_time_whatever_the_disk_does(
    spool: Spool, receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    """One that hangs holds nobody up for longer; what was given to it is stored once it goes on."""
    monkeypatch.setattr(receiver_module, "ANSWER_S", 0.05)
    released, put = threading.Event(), receiver._writer.put

    def hang(batch) -> None:
        released.wait(60)
        put(batch)

    monkeypatch.setattr(receiver._writer, "put", hang)
    assert await sender.event() == 503
    assert await sender.event(project_id="p2") == 503
    monkeypatch.setattr(receiver_module, "ANSWER_S", 60.0)
    released.set()
    assert await sender.event(project_id="p3") == 200
    assert {"p1", "p3"} <= {event.project_id for event in events(spool)}


async def test_there_is_an_end_to_what_waits_for_the_disk(
    receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(receiver_module, "MOST_WAITING", 2)
    released = threading.Event()
    monkeypatch.setattr(receiver._writer, "put", lambda _: released.wait(60))
    posts = [asyncio.create_task(sender.event(project_id=f"p{number}")) for number in range(5)]
    done, _ = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
    released.set()
    statuses = await asyncio.gather(*posts)
    assert all(task.result() == 503 for task in done)
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 2


async def test_what_comes_together_is_flushed_together(
    spool: Spool, receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    sizes, put = [], receiver._writer.put

    def note(batch) -> None:
        sizes.append(len(batch))
        put(batch)

    monkeypatch.setattr(receiver._writer, "put", note)
    assert set(await asyncio.gather(*(sender.event(project_id=f"p{number}") for number in range(40)))) == {200}
    assert sum(sizes) == 40
    assert len(sizes) < 20
    assert len(events(spool)) == 40


async def test_a_body_that_does_not_come_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(receiver_module, "ANSWER_S", 0.05)

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    answers = []

    async def send(message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
    await receiver.application(PATH)(scope, receive, send)
    assert answers[0]["status"] == 408


async def test_whoever_goes_in_the_middle_of_a_body_is_no_trouble(receiver: Receiver):
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(_message) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
    await receiver.application(PATH)(scope, receive, send)
    assert receiver.counts == {Outcome.TOO_SLOW: 1}


async def test_a_flood_of_refusals_fills_no_log(sender: Sender, caplog):
    """Anyone who knows the address can send anything. Said at 1, 10, 100; and neither secret nor signature is."""
    body = body_of()
    for _ in range(20):
        await sender.post(body, headers_of(body, secret=b"other"))
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[1] == "a request was wrongly signed: is the secret that of the service's developer hub? (10 so far)"
    assert headers_of(body, secret=b"other")[SIGNATURE_HEADER] not in caplog.text
