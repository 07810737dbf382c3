import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchbg.core.model import new_id, project_name
from batchbg.core.webhook_event import Event, EventType, Malformed, NotOurs, as_line, read_event
from tests.core.test_webhook_signature import BODY

NAME = "batchbg a3e8zd28g3ae-1"

texts = st.text(st.characters(exclude_categories=()))  # halves of characters, too, which JSON can write
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


def body(type_: Any = "image.completed", key: str = "payload", **payload: Any) -> bytes:
    return json.dumps({"type": type_, key: {"id": "p1", "name": NAME} | payload}).encode()


def test_an_event_tells_the_project_the_job_and_the_attempt():
    """Of the service's own form."""
    event = read_event(BODY)
    assert event == Event(EventType.COMPLETED, "clx8abc123def456ghi789", f"{NAME} \u2615")
    assert event.job == ("a3e8zd28g3ae", 1)


@pytest.mark.parametrize(
    ("type_", "is_end"), [("image.started", False), ("image.completed", True), ("image.errored", True)]
)
def test_a_render_ends_well_or_not(type_: str, is_end: bool):
    event = read_event(body(type_))
    assert isinstance(event, Event)
    assert event.is_end is is_end


def test_the_old_samples_are_understood():
    """They say ``object`` for ``payload``; where there are both, the new one counts."""
    assert read_event(body(key="object")) == read_event(body())
    both = json.dumps({"type": "image.started", "object": {"id": "old"}, "payload": {"id": "new"}}).encode()
    assert read_event(both) == Event(EventType.STARTED, "new")


@pytest.mark.parametrize("name", [None, "", 5, ["batchbg"], {}])
def test_an_event_need_not_tell_the_name(name: Any):
    """Guides' samples leave it out; then nothing is guessed."""
    event = read_event(body(name=name))
    assert event == Event(EventType.COMPLETED, "p1")
    assert event.job is None


@pytest.mark.parametrize(
    "name",
    [
        *("Background Remover - 2026-11-27", "batchbg", "batchbg ", "batchbg  a3e8zd28g3ae", "Batchbg a3e8zd28g3ae-1"),
        *("batchbg a3e8zd28g3ae-0", "batchbg a3e8zd28g3ae-01", "batchbg a3e8zd28g3ae-\u0661", "a3e8zd28g3ae-1"),
        *("batchbg -1", "batchbg a3e8zd28g3ae-1x", " ", "batchbg a3e8zd28g3ae-1234567890"),
    ],
)
def test_other_programs_projects_are_none_of_ours(name: str):
    """Events are of the whole account."""
    assert read_event(body(name=name)) == NotOurs("of another program's project")


@given(st.integers(1, 999_999_999), st.text())
def test_the_name_of_a_job_tells_the_job(attempt: int, photo: str):
    """Whatever the photo is called; and no name tells a job that would not own it."""
    job_id = new_id()
    event = read_event(body(name=project_name(job_id, attempt, photo)))
    assert isinstance(event, Event)
    assert event.job == (job_id, attempt)


@pytest.mark.parametrize(
    "type_", ["video.completed", "image.canceled", "image.started.v2", "", "IMAGE.COMPLETED", "toString"]
)
def test_types_that_nobody_knows_concern_nobody(type_: str):
    assert read_event(body(type_)) == NotOurs("of another type")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 500_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"9" * 5_000, "not JSON"),
        (b"[]", "no type"),
        (b"null", "no type"),
        (b'{"type": 1}', "no type"),
        (b'{"type": ["image.completed"]}', "no type"),
        (b'{"type": "image.completed"}', "no payload"),
        (b'{"type": "image.completed", "payload": []}', "no payload"),
        (b'{"type": "image.completed", "payload": null, "object": {"id": "p1"}}', "no payload"),
        (body(id=None), "no project id"),
        (body(id=""), "no project id"),
        (body(id=" "), "no project id"),
        (body(id=True), "no project id"),
        (body(id=1.5), "no project id"),
        (body(id=["p1"]), "no project id"),
        (body(id="p" * 1001), "no project id"),
        (body(id="\ud800"), "no project id"),
        (body(pad="x" * 1_000_000), "too large"),
    ],
    ids=range(22),
)
def test_what_is_no_event_is_told_why(sent: bytes, why: str):
    assert read_event(sent) == Malformed(why)


def test_what_is_large_and_right_is_read():
    """As long as it is below the limit; a number is an id as well, as it is in the answer to a create."""
    assert read_event(body(pad="x" * 990_000, id=12)) == Event(EventType.COMPLETED, "12", NAME)


@given(st.binary() | values.map(lambda value: json.dumps(value).encode()))
@example(b'{"type": "image.completed", "payload": {"id": "\\ud800"}}')
def test_anything_is_read_as_something(sent: bytes):
    """Nothing that is sent ends the receiver."""
    assert isinstance(read_event(sent), Event | NotOurs | Malformed)


@given(st.sampled_from(list(EventType)), values, values, st.dictionaries(texts, values, max_size=3))
@example(EventType.COMPLETED, "p1", "batchbg a-1 \ud800", {"downloads": [{"url": "https://storage.example/?sig=1"}]})
def test_what_is_kept_of_an_event_is_all_that_was_understood(type_: EventType, project_id: Any, name: Any, more: Any):
    """And nothing else: no address that is signed, no line end within the line, nothing but ASCII."""
    event = read_event(json.dumps({"type": type_, "payload": more | {"id": project_id, "name": name}}).encode())
    if isinstance(event, Event):
        line = as_line(event)
        assert read_event(line) == event
        assert set(json.loads(line)["payload"]) == {"id", "name"}
        assert line.isascii()
        assert line.count(b"\n") == 1
        event.name.encode()
        event.project_id.encode()
