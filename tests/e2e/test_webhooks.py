"""A shop whose service sends events: lost creates find themselves, and renders are asked about once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.ledger.spool import Spool
from batchbg.webhook.receiver import Receiver
from tests.support.shop import Shop
from tests.support.tiers import rest_slow
from tests.webhook.support import PATH, SECRET, serving


@contextlib.contextmanager
def receiving(shop: Shop) -> Iterator[Receiver]:
    """Receive the events of the shop's service."""
    with Spool(Path(shop.folder) / "batchbg.db").receiving() as writer:
        receiver = Receiver(SECRET, writer)
        with serving(receiver) as server:
            shop.sandbox.configure(webhook_url=f"{server.address}{PATH}", webhook_secret=SECRET.decode())
            try:
                yield receiver
            finally:
                shop.sandbox.configure(webhook_url=None, webhook_secret=None)


def unread(shop: Shop) -> int:
    return len(Spool(Path(shop.folder) / "batchbg.db").fresh())


def settled(shop: Shop) -> list[str]:
    """Return the jobs that audit says were settled by events."""
    return [one["id"] for one in shop.do("audit", "--json").json["settled_by_webhook"]]


def test_a_lost_create_is_settled_in_the_run_that_lost_it(shop: Shop):
    """Its picture is fetched, its credits are charged, nobody is needed; and audit tells."""
    shop.some_photos(4)
    shop.faults.add("create", "hang_up", nth=3)
    with receiving(shop):
        ran = shop.run("--json", "-y")
    assert (ran.code, ran.json["jobs"]["done"], ran.json["jobs"]["unresolved"]) == (0, 4, 0)
    assert ran.json["credits"] == ran.json["credits"] | {"charged": 20, "unresolved": 0, "spent": 20}
    assert len(shop.outputs()) == len(shop.creates()) == 4
    (job,) = settled(shop)
    assert f"settled by a webhook event: {job}" in shop.do("audit", "-q").out
    shop.assert_adds_up()


def lose_a_create(shop: Shop) -> str:
    """Run while one create is lost and no event comes; let those of its project come then, and return its id."""
    shop.some_photos(2)
    shop.faults.add("create", "hang_up", nth=2)
    shop.faults.add("webhook", "dropped")
    with receiving(shop):
        assert shop.run("-y").code == 3
        shop.faults.clear()
        (project_id,) = [made.project_id for made in shop.creates() if not made.polls]
        shop.sandbox.send_events(project_id)
        shop.wait_for(lambda: unread(shop) == 2)
    return project_id


@pytest.mark.slow
@pytest.mark.parametrize("command", rest_slow(["resume", "run"]))
def test_an_event_that_came_while_no_run_was_at_work_settles_too(shop: Shop, command: str):
    """The next run that would have had nothing to do does it."""
    lose_a_create(shop)
    ran = shop.do(command, "--json")
    assert (ran.code, len(shop.outputs()), len(shop.creates())) == (0, 2, 2)
    assert len(settled(shop)) == 1
    shop.assert_adds_up()


@pytest.mark.slow
@pytest.mark.parametrize("word", ["--not-charged", "--charged"])
def test_an_event_is_worth_more_than_a_persons_word(shop: Shop, word: str):
    """Told that it made nothing, the photo would be paid for again."""
    project_id = lose_a_create(shop)
    told = shop.do("resolve --all", word, "--base-url", shop.base_url)
    assert told.code == 0
    assert f"an event names its project: {project_id}" in told.err
    assert shop.resume().code == 0
    assert len(shop.creates()) == len(shop.outputs()) == 2
    shop.assert_adds_up()


@pytest.mark.slow
def test_a_persons_word_counts_where_the_service_does_not_confirm_an_event(shop: Shop):
    """It is said; and a project that cannot be asked for settles nothing."""
    project_id = lose_a_create(shop)
    shop.faults.add("status", "replace", fields={"name": "another's"}, times=2)
    told = shop.do("resolve --all", "--charged", "--base-url", shop.base_url)
    assert f"project {project_id} is called" in told.err
    assert "failed" in told.out


@pytest.mark.slow
def test_without_names_nothing_is_guessed(shop: Shop):
    """An event tells of the end of a render all the same."""
    shop.some_photos(3)
    shop.faults.add("create", "hang_up", nth=2)
    shop.faults.add("webhook", "nameless")
    with receiving(shop):
        ran = shop.run("--json", "-y")
    assert (ran.code, ran.json["jobs"]["unresolved"], ran.json["jobs"]["done"]) == (3, 1, 2)
    assert settled(shop) == []
    shop.assert_adds_up()
