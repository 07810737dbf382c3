from typing import Any

import pytest
from hypothesis import strategies as st

from batchbg.api.wire import ProjectStatus, UploadTarget, account, project, upload_targets
from batchbg.core.price import UNTOLD, Price

GOOD = {
    "id": "p",
    "name": "batchbg x-1",
    "status": "complete",
    "enabled": True,
    "credits_charged": 5,
    "downloads": [{"url": "https://s/x.png", "expires_at": "2026-01-01T00:00:00Z"}],
    "error": None,
}

anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "url", "items"]), inner),
    max_leaves=8,
)


def test_a_project_is_read():
    """Every field that matters."""
    found = project(GOOD, "p")
    assert found is not None
    assert (found.status_word, found.status, found.name) == ("complete", ProjectStatus.COMPLETE, "batchbg x-1")
    assert (found.price.credits, found.downloads, found.error, found.enabled) == (5, ("https://s/x.png",), "", True)


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("queued", ProjectStatus.WAITING),
        ("rendering", ProjectStatus.WAITING),
        ("draft", ProjectStatus.WAITING),
        ("paused", ProjectStatus.WAITING),
        ("", ProjectStatus.WAITING),
        ("complete", ProjectStatus.COMPLETE),
        ("error", ProjectStatus.ERROR),
        ("canceled", ProjectStatus.CANCELED),
    ],
)
def test_an_unknown_status_is_waited_for(status, progress):
    """New words must not end a job that is paid for."""
    found = project({"status": status}, "p")
    assert found is not None
    assert found.status is progress


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"credits_charged": "5"}, "price", Price(5)),
        ({"credits_charged": None}, "price", UNTOLD),
        ({"credits_charged": -5}, "price", Price(None, "-5")),
        ({"credits_charged": 5.5}, "price", Price(6, "5.5")),
        ({"credits_charged": 10**12}, "price", Price(None, "1000000000000")),
        ({"credits_charged": 5, "credits_refunded": 5}, "price", Price(5)),
        ({"status": "error", "credits_charged": 5, "credits_refunded": 5}, "price", Price(0)),
        ({"status": "error", "credits_charged": 0, "credits_refunded": 5}, "price", Price(0)),
        ({"error": {"code": "insufficient_credits"}}, "error_code", "insufficient_credits"),
        ({"error": {"code": 5}}, "error_code", ""),
        ({"name": None}, "name", ""),
        ({"downloads": None}, "downloads", ()),
        ({"downloads": [None, {}, {"url": ""}, {"url": 5}, {"url": "u"}]}, "downloads", ("u",)),
        ({"enabled": False}, "enabled", False),
        ({"enabled": None}, "enabled", True),
        ({"error": {"code": "bad", "message": "first\n second"}}, "error", "bad: first second"),
        ({"error": {"message": "m"}}, "error", "m"),
        ({"error": "text"}, "error", "text"),
        ({"error": 5}, "error", ""),
    ],
)
def test_odd_fields_cost_no_result(changes, field, value):
    """Missing, of another type, half filled."""
    found = project(GOOD | changes, "p")
    assert getattr(found, field) == value


def test_the_record_of_another_project_is_none():
    """What is left over on a connection is the answer to another question."""
    assert project(GOOD, "p") is not None
    assert project(GOOD | {"id": 7}, "7") is not None
    assert project(GOOD | {"id": "q"}, "p") is None


@pytest.mark.parametrize("body", [None, [], "x", {}, {"status": None}, {"status": 5}])
def test_what_has_no_status_is_no_project(body):
    """Asked again later."""
    assert project(body, "p") is None


def test_upload_targets_are_matched_by_position():
    """One for each file, in their order; fewer, more or half ones are none."""
    item = {"upload_url": "https://s/1", "file_path": "api-assets/1", "expires_at": "x"}
    assert upload_targets({"items": [item, item]}, 2) == [UploadTarget("https://s/1", "api-assets/1")] * 2
    bodies: list[Any] = [
        None,
        [],
        {},
        {"items": None},
        {"items": [item]},
        {"items": [item, None]},
        {"items": [item] * 3},
    ]
    for body in bodies:
        assert upload_targets(body, 2) is None
    for key in ("upload_url", "file_path"):
        for value in (None, "", 5):
            assert upload_targets({"items": [item | {key: value}]}, 1) is None


def test_an_account_is_read():
    """Credits may be missing; an id may not."""
    found = account({"id": "a", "credits": 100, "tier": "creator"})
    assert found is not None
    assert (found.id, found.credits, found.tier) == ("a", 100, "creator")
    bare = account({"id": "a"})
    assert bare is not None
    assert (bare.credits, bare.tier) == (None, "")
    bodies: list[Any] = [None, [], {}, {"id": ""}, {"id": 5}]
    for body in bodies:
        assert account(body) is None
