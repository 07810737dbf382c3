"""Results are deleted at the service once they are here: never before, never silently, and what that ends is said."""

import contextlib
import datetime
import itertools
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.cli.test_schemas import check
from tests.support.shop import Shop
from tests.support.terminal import Terminal
from tests.support.tiers import rest_slow


def there(shop: Shop) -> list[str]:
    """Return the photos whose results the service still has."""
    return sorted(create.name.split()[-1] for create in shop.creates() if create.enabled)


def deleted(shop: Shop) -> list[str]:
    return sorted(job["photo"] for job in shop.jobs() if job["remote_deleted"])


def assert_nothing_is_lost(shop: Shop) -> None:
    """Whatever was deleted at the service is on disk, of a done job, and everything adds up."""
    shop.assert_adds_up()
    jobs = {job["project_id"]: job for job in shop.jobs()}
    for create in shop.creates():
        if not create.enabled:
            job = jobs[create.project_id]
            assert job["state"] == "done"
            assert job["output"] in shop.outputs()
    assert set(deleted(shop)).isdisjoint(there(shop))


@pytest.mark.slow
def test_results_are_deleted_at_the_service_where_that_is_asked_for(shop: Shop):
    """Only what that run has saved, copies included; and it is on file."""
    shop.photo("kept.png")
    assert shop.run().code == 0
    shop.photo("a.png", colour=7)
    shop.photo("copy.png", colour=7)
    shop.photo("b.png")
    result = shop.run("--delete-remote")
    assert (result.code, result.err) == (0, "")
    assert result.out == "4 photos: 2 done, 1 reused, 1 skipped; 10 credits spent; 2 results deleted at the service\n"
    assert (there(shop), shop.requests("delete")) == (["kept.png"], 2)
    for job in shop.jobs():
        check("jobs", job)
        if at := job["remote_deleted"]:
            assert datetime.datetime.fromisoformat(at).tzinfo is not None
    assert deleted(shop) == ["a.png", "b.png"]
    assert "b.png  (deleted at the service)" in shop.do("jobs").out
    assert shop.run("--delete-remote").out == "nothing to do: 4 photos: 4 skipped; 0 credits spent\n"
    assert shop.requests("delete") == 2
    assert len(shop.outputs()) == 4
    assert_nothing_is_lost(shop)


@pytest.mark.slow
def test_what_is_lost_after_that_is_said_and_never_paid_again_unasked(shop: Shop):
    """By plan, run, rescue and the report; a copy that is here gives it back, and so does a person."""
    shop.photo("a.png", colour=7)
    shop.photo("copy.png", colour=7)
    assert shop.run("--delete-remote").code == 0
    (shop.output / "a.png").unlink()
    assert shop.do("rescue").out == "1 result missing: fetched again, free\n"
    kept = (shop.output / "a.png").read_bytes()
    for name in ("a.png", "copy.png"):
        (shop.output / name).unlink()
    shop.photo("third.png", colour=7)
    requests = shop.requests("status")
    planned = shop.do("plan")
    assert "2 results are no longer on disk, and were deleted at the service" in planned.out
    assert "1 skipped: its result was deleted at the service, and no file here can be copied for it" in planned.out
    assert "0 new jobs" in planned.out
    result = shop.run()
    assert (result.code, len(shop.creates())) == (0, 1)
    assert "2 results are no longer on disk, and were deleted at the service" in result.err
    rescued = shop.do("rescue")
    assert (rescued.code, rescued.out) == (3, "2 results missing that nobody can fetch: deleted at the service\n")
    assert "a.png: lost: it was deleted at the service" in rescued.err
    assert shop.requests("status") == requests
    (shop.output / "a.png").write_bytes(kept)
    assert "1 copy of another photo's result, free" in shop.do("plan").out
    assert shop.run().code == 0
    assert (shop.output / "third.png").read_bytes() == kept
    assert len(shop.creates()) == 1
    assert_nothing_is_lost(shop)
    assert shop.run("--force", "--include", "copy.png", "--max-credits", "5").code == 0
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_older_results_are_deleted_after_a_question(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """What would go and what stays is shown before; off a terminal it takes --yes."""
    shop.some_photos(4)
    assert shop.run().code == 0
    (shop.output / "photo-000.png").unlink()
    (shop.output / "photo-001.png").write_bytes((shop.photos / "photo-001.png").read_bytes())
    assert shop.do("delete-remote").out == "nothing to delete at the service\n"
    every = ("--older-than", "0")
    shown = shop.do("delete-remote", "-n", *every)
    assert shown.code == 0
    assert "kept at the service: 1: its result is missing on disk" in shown.out
    assert "kept at the service: 1: its result has changed on disk" in shown.out
    assert "to delete at the service: 2 results of 20" in shown.out
    assert "has to be paid for again" in shown.out
    refused = shop.do("delete-remote", *every)
    assert (refused.code, "give --yes" in refused.err) == (2, True)
    Terminal(shop)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, code in (("n", 130), ("y", 0)):
        assert shop.requests("delete") == 0
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda *_, answer=answer: answer)
        answered = shop.do("delete-remote", *every)
        assert answered.code == code, answered
    assert "2 results deleted at the service" in Terminal.plain(answered.out)
    assert there(shop) == ["photo-000.png", "photo-001.png"]
    assert_nothing_is_lost(shop)


# When it does not go well

TROUBLE = [
    ("status", {"status": 500, "commit": False}),
    ("status", {"status": 503, "retry_after": 3600, "commit": False}),
    ("status", {"status": 429, "retry_after": 0.1, "commit": False}),
    ("status", {"status": 403, "commit": False}),
    ("status", {"status": 405, "commit": False}),
    ("status", {"status": 404, "body": "no such host", "commit": False}),
    ("html", {"commit": False}),
    ("hang", {"commit": False}),
    ("hang_up", {"commit": False}),
    ("reset", {}),
]


@pytest.mark.parametrize(("kind", "details"), rest_slow(TROUBLE, 0), ids=lambda value: str(value))
def test_a_service_that_does_not_delete_costs_nothing_and_is_told_once(
    shop: Shop, kind: str, details: dict[str, object], monkeypatch: pytest.MonkeyPatch
):
    """Every job is done, the run ends well and soon; the next ones try again, until it is deleted."""
    monkeypatch.setattr("batchbg.api.connection.SILENT_S", 0.3)
    shop.some_photos(6)
    shop.faults.add("delete", kind, **details)
    result = shop.run("--delete-remote", "--json")
    assert (result.code, result.json["jobs"]["done"]) == (0, 6)
    assert result.err.count("not everything could be deleted at the service: DELETE") == 1
    assert 1 <= shop.requests("delete") <= 8
    again = shop.run("--delete-remote")
    assert (again.code, again.err) == (0, "")
    assert deleted(shop) == []
    asked = shop.requests("delete")
    assert shop.run().code == 0  # which was not told to delete
    assert shop.requests("delete") == asked
    shop.faults.clear()
    assert shop.run("--delete-remote").out.endswith("6 results deleted at the service\n")
    assert there(shop) == []
    assert len(shop.creates()) == 6
    assert_nothing_is_lost(shop)


@pytest.mark.slow
@pytest.mark.parametrize("after_delete", ["disabled", "not_found"])
def test_a_project_that_is_gone_already_counts_as_deleted(shop: Shop, after_delete: str):
    """Somebody has deleted it in the web library, or an answer was lost."""
    shop.some_photos(3)
    shop.sandbox.configure(after_delete=after_delete)
    shop.faults.add("delete", "hang_up", nth=2)
    assert shop.run("--delete-remote").code == 0
    assert shop.run("--delete-remote").code == 0
    assert there(shop) == []
    assert len(deleted(shop)) == 3
    assert_nothing_is_lost(shop)


@pytest.mark.slow
def test_deletions_come_last_and_keep_to_the_request_rate(shop: Shop):
    """After every create, poll and download."""
    shop.some_photos(12)
    assert shop.run("--delete-remote", "--requests-per-second", "20").code == 0
    books = shop.sandbox.books
    last = max(books.starts("create", "status", "upload_urls", "download"))
    starts = books.starts("delete")
    assert len(starts) == 12
    assert min(starts) > last
    every = books.starts()
    assert all(later - first > 0.95 for first, later in itertools.pairwise(every[::20]))


@pytest.mark.slow
def test_a_verb_that_fails_says_so_and_goes_on_when_it_is_typed_again(shop: Shop):
    """With an exit code that a script can use."""
    shop.some_photos(5)
    assert shop.run().code == 0
    shop.faults.add("delete", "status", status=500, commit=False)
    every = ("--older-than", "0", "-y")
    failed = shop.do("delete-remote", *every)
    assert (failed.code, "5 still to delete: run it again" in failed.out) == (5, True)
    shop.faults.clear()
    assert shop.do("delete-remote", "-q", *every).out == ""
    assert there(shop) == []
    shop.setting("API_KEY", "", prefix="MAGIC_HOUR_")
    assert shop.do("delete-remote", "-n", *every).code == 0  # which needs no key
    assert_nothing_is_lost(shop)


@pytest.mark.slow
def test_what_cannot_be_copied_from_a_jpeg_is_skipped(shop: Shop, tmp_path: Path):
    """The result is here, but it has lost something; the one that had not was deleted."""
    shop.photo("a.png", size=(64, 48), colour=7)
    assert shop.run("--format", "jpeg", "--delete-remote").code == 0
    assert shop.outputs() == ["a.jpg"]
    other = ("-o", str(tmp_path / "other"))
    planned = shop.batchbg("plan", str(shop.photos), *other, "--ledger", shop.ledger)
    assert "1 skipped: its result was deleted at the service, and no file here can be copied for it" in planned.out
    as_jpeg = shop.batchbg("plan", str(shop.photos), *other, "--format", "jpeg", "--ledger", shop.ledger)
    assert "1 copy of another photo's result, free" in as_jpeg.out


@pytest.mark.slow
def test_a_rehearsal_that_was_killed_leaves_nothing_to_delete(shop: Shop):
    """Its sandbox took everything along."""
    shop.some_photos(2)
    rehearse = ("run", str(shop.photos), "--sandbox", "--delete-remote", "--json")
    assert shop.batchbg(*rehearse).code == 0
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg-sandbox.db")) as connection, connection as ledger:
        assert ledger.execute("UPDATE deletions SET deleted_at = NULL").rowcount == 2
    assert shop.batchbg(*rehearse).code == 0
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg-sandbox.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM deletions").fetchone() == (0,)


@pytest.mark.slow
def test_a_deleted_project_is_not_attached(shop: Shop):
    """There is nothing to fetch from it, so that the job would only fail later."""
    shop.some_photos(1)
    shop.faults.add("create", "hang_up")
    assert shop.run().code == 3
    (job,) = shop.jobs()
    (made,) = shop.creates()
    shop.project(made.project_id, "DELETE")
    refused = shop.do("resolve", job["id"], "--project-id", made.project_id)
    assert (refused.code, "was deleted at the service" in refused.err) == (2, True)
    assert shop.do("resolve", job["id"], "--charged").code == 0


# Left in the middle


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_while_it_deletes_ends_at_once(shop: Shop, number: int):
    """All jobs are done; the next run goes on with what is left."""
    shop.some_photos(3)
    shop.faults.add("delete", "hang", nth="2-", commit=False)
    process = shop.spawn("run", "--delete-remote")
    shop.wait_for(lambda: shop.requests("delete") == 3)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    shop.faults.clear()
    assert shop.status()["jobs"]["done"] == 3
    assert shop.run("--delete-remote").code == 0
    assert there(shop) == []
    assert_nothing_is_lost(shop)
