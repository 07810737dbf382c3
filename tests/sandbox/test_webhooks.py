"""The events that the sandbox sends, as the receiver takes them: signed, in time, again where they are not acknowledged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from batchbg.core.webhook_event import Event, EventType
from batchbg.errors import ConfigError, DiskError
from batchbg.ledger.spool import Spool
from batchbg.sandbox import Fault, SandboxConfig
from batchbg.sandbox.records import Operation
from batchbg.webhook.receiver import Outcome, Receiver
from tests.support.client import Client
from tests.support.shop import Meanwhile, Shop
from tests.webhook.support import NAME, PATH, SECRET, serving

STARTED, COMPLETED, ERRORED = EventType.STARTED, EventType.COMPLETED, EventType.ERRORED


class Hook:
    """A receiver of a sandbox's events."""

    def __init__(self, spool: Spool, receiver: Receiver, url: str, start: Callable[..., Client]) -> None:
        self.spool = spool
        self.receiver = receiver
        self.client = start(webhook_url=url, webhook_secret=SECRET.decode())

    def create(self, name: str = NAME) -> str:
        """Order an image; return the project's id."""
        return self.client.created(name=name)

    def until_answered(self, number: int) -> None:
        """Wait until so many tries to deliver events have come to an end."""
        Shop.wait_for(lambda: len(self.client.books.events()) >= number)

    def events(self) -> set[Event]:
        return {stored.event for stored in self.spool.fresh()}


@pytest.fixture
def hook(tmp_path: Path, start: Callable[..., Client]) -> Iterator[Hook]:
    spool = Spool(tmp_path / "batchbg.db")
    with spool.receiving() as writer:
        receiver = Receiver(SECRET, writer)
        with serving(receiver) as server:
            yield Hook(spool, receiver, f"{server.address}{PATH}", start)


def test_a_project_is_told_of_when_it_starts_and_when_it_ends(hook: Hook):
    """With its id and its name; it counts as no request to the API."""
    project_id = hook.create()
    hook.until_answered(2)
    assert hook.events() == {Event(STARTED, project_id, NAME), Event(COMPLETED, project_id, NAME)}
    assert [sent.status for sent in hook.client.books.events()] == [200, 200]
    assert hook.client.books.requests("webhook") == 2
    assert len(hook.client.books.starts()) == 2  # upload-urls and the create


@pytest.mark.slow
def test_a_render_that_fails_is_told_of_and_one_that_is_cancelled_is_not(hook: Hook):
    hook.client.faults.add("create", "job_canceled", nth=1)
    hook.client.faults.add("create", "job_error", nth=2)
    canceled, failed = hook.create(), hook.create()
    hook.until_answered(3)
    assert hook.events() == {Event(STARTED, canceled, NAME), Event(STARTED, failed, NAME), Event(ERRORED, failed, NAME)}


def test_events_may_come_before_the_creates_answer(hook: Hook):
    """Where that is slow: here it waits for them."""
    fault = Fault(Operation.CREATE, Meanwhile(action=lambda: hook.until_answered(2)))
    hook.client.faults.plant(fault)
    project_id = hook.create()
    assert hook.events() == {Event(STARTED, project_id, NAME), Event(COMPLETED, project_id, NAME)}


@pytest.mark.slow
def test_what_is_not_acknowledged_is_sent_again_for_a_day(hook: Hook, monkeypatch: pytest.MonkeyPatch):
    """After 1, 2, 4, 8 s and so on, by the sandbox's clock; by then it is given up."""
    monkeypatch.setattr(hook.receiver._writer, "put", mock.Mock(side_effect=DiskError("full")))
    hook.client.faults.add("webhook", "dropped", nth=1)
    hook.create()
    tries = 0
    while tries < 17:
        tries += 1
        hook.until_answered(tries)
        hook.client.sandbox.advance(2.0 ** (tries - 1))
    hook.client.sandbox.advance(86_400.0)
    sent = hook.client.books.events()
    assert [(one.attempt, one.status) for one in sent] == [(number, 503) for number in range(1, 18)]


@pytest.mark.slow
def test_a_retry_arrives_once_it_is_taken(hook: Hook, monkeypatch: pytest.MonkeyPatch):
    """Under the signature that it had at first."""
    with monkeypatch.context() as patched:
        patched.setattr(hook.receiver._writer, "put", mock.Mock(side_effect=DiskError("full")))
        project_id = hook.create()
        hook.until_answered(2)
    hook.client.sandbox.advance(1.0)
    hook.until_answered(4)
    assert hook.events() == {Event(STARTED, project_id, NAME), Event(COMPLETED, project_id, NAME)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "settings", "tries", "counts"),
    [
        ("doubled", {"copies": 3}, 6, {Outcome.STORED: 6}),
        ("late", {"seconds": 0.1}, 2, {Outcome.STORED: 2}),
        ("stale", {"seconds": 86_400.0}, 2, {Outcome.STORED: 2}),
        ("object", {}, 2, {Outcome.STORED: 2}),
        ("foreign", {}, 4, {Outcome.STORED: 2, Outcome.NOT_OURS: 2}),
    ],
)
def test_what_is_odd_about_events_changes_nothing(
    hook: Hook, kind: str, settings: dict[str, Any], tries: int, counts: dict[Outcome, int]
):
    """They tell of the same project, by the same name."""
    hook.client.faults.add("webhook", kind, **settings)
    project_id = hook.create()
    hook.until_answered(tries)
    assert hook.receiver.counts == counts
    assert hook.events() == {Event(STARTED, project_id, NAME), Event(COMPLETED, project_id, NAME)}


def test_an_event_may_lack_the_name(hook: Hook):
    hook.client.faults.add("webhook", "nameless", nth=2)
    project_id = hook.create()
    hook.until_answered(2)
    assert hook.events() == {Event(STARTED, project_id, NAME), Event(COMPLETED, project_id)}


def test_what_is_forged_is_refused(hook: Hook):
    """And what is dropped never comes."""
    hook.client.faults.add("webhook", "forged", nth=1)
    hook.client.faults.add("webhook", "dropped", nth=2)
    hook.create()
    hook.until_answered(1)
    assert hook.client.books.events()[0].status == 401
    assert hook.events() == set()


def test_nobody_listening_is_no_matter(hook: Hook):
    """The event is sent again later."""
    hook.client.sandbox.configure(webhook_url="http://127.0.0.1:9/")
    hook.create()
    hook.until_answered(2)
    assert {sent.status for sent in hook.client.books.events()} == {None}


def test_only_events_can_be_dropped_and_only_requests_refused(hook: Hook):
    for operation, kind in (("create", "dropped"), ("webhook", "status")):
        with pytest.raises(ConfigError, match="cannot happen to"):
            hook.client.faults.add(operation, kind)


@pytest.mark.parametrize("settings", [{}, {"webhook_secret": ""}])
def test_events_are_signed(settings: dict[str, Any]):
    with pytest.raises(ConfigError, match="give webhook_secret too"):
        SandboxConfig(webhook_url="https://shop.example/webhook", **settings)


def test_events_go_unprotected_to_no_other_machine():
    with pytest.raises(ConfigError, match="plain http"):
        SandboxConfig(webhook_url="http://shop.example/webhook", webhook_secret="s")


def test_the_secret_is_not_shown(hook: Hook):
    shown = hook.client.api.get("/_sandbox/config").json()
    assert "webhook_url" in shown
    assert SECRET.decode() not in str(shown)
