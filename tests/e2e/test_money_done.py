"""Done means done; and what a person says about the rest: resolve, retry, rescue, audit."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.shop import Shop

pytestmark = pytest.mark.slow


def creates(shop: Shop) -> int:
    return len(shop.creates())


# -- invariant 2: done means done ----------------------------------------------------------------------------------


def test_invariant_2_new_and_edited_backgrounds_make_no_new_work(shop: Shop):
    """A photo that has its result is done, whatever pairing would choose today; the summary says how many."""
    shop.some_photos(2)
    shop.background("one.png", size=(40, 30))
    assert shop.run().code == 0
    shop.background("two.png", size=(64, 48))
    shop.background("one.png", size=(50, 30))
    result = shop.run()
    assert result.code == 0
    assert creates(shop) == 2


def test_invariant_2_changed_photos_are_new_work_and_replace_their_result(shop: Shop):
    """Only changed bytes count, not a new modification time."""
    path = shop.photo("a.png")
    assert shop.run().code == 0
    before = (shop.output / "a.png").read_bytes()
    path.touch()
    assert shop.run().code == 0
    assert creates(shop) == 1
    shop.photo("a.png")
    assert shop.run().code == 0
    assert creates(shop) == 2
    assert (shop.output / "a.png").read_bytes() != before
    assert shop.outputs() == ["a.png"]


def test_invariant_2_another_output_gets_copies(shop: Shop):
    """The same key is paid for once; the result is copied, from disk or from the service."""
    shop.some_photos(3)
    assert shop.run().code == 0
    (shop.output / "photo-001.png").unlink()
    first, shop.output = shop.output, shop.folder / "elsewhere"
    result = shop.run("--json")
    assert result.code == 0
    assert result.json["photos"] | {"seen": 3, "reused": 3} == result.json["photos"]
    assert creates(shop) == 3
    assert len(shop.outputs()) == 3
    for name in ("photo-000.png", "photo-002.png"):
        assert (shop.output / name).read_bytes() == (first / name).read_bytes()


def test_invariant_2_force_pays_again_once_and_replaces(shop: Shop):
    """Also a file that the ledger does not know; and the next run without it pays nothing."""
    shop.some_photos(2)
    assert shop.run().code == 0
    assert shop.run("--force").code == 0
    assert creates(shop) == 4
    shop.photo("c.png")
    (shop.output / "c.png").write_text("mine")
    skipped = shop.run("--json")
    assert skipped.code == 0
    assert skipped.json["photos"] | {"skipped": 3, "seen": 3} == skipped.json["photos"]
    assert (shop.output / "c.png").read_text() == "mine"
    assert shop.run("--force", "--include", "c.png").code == 0
    assert creates(shop) == 5
    assert (shop.output / "c.png").read_bytes().startswith(b"\x89PNG")
    assert shop.run().code == 0
    assert creates(shop) == 5


@pytest.mark.parametrize(("flags", "content"), [((), b"mine"), (("--force",), None)])
def test_invariant_5_a_job_that_was_forced_once_replaces_nothing_later(shop: Shop, flags, content):
    """A second photo of the same content turns up where somebody else's file has its result's name."""
    shop.photo("a/1.png", colour=7)
    assert shop.run("--force").code == 0
    shop.photo("b/2.png", colour=7)
    theirs = shop.output / "b" / "2.png"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    ran = shop.run("-y", *flags)
    assert ran.code == 0
    assert ran.err.count("not in this ledger") == (content is not None)
    assert theirs.read_bytes() == (content or (shop.output / "a" / "1.png").read_bytes())


def test_invariant_2_force_with_duplicates_pays_once(shop: Shop):
    """One job a key also then."""
    shop.photo("a.png", colour=5)
    shop.photo("b.png", colour=5)
    assert shop.run().code == 0
    assert shop.run("--force").code == 0
    assert creates(shop) == 2


def test_invariant_2_leftover_planned_jobs_are_kept_dropped_or_left_alone(shop: Shop):
    """Kept where the scan wants the same pair, dropped where it wants another, left alone for other folders."""
    shop.some_photos(3)
    shop.background("one.png", size=(40, 30))
    assert shop.run("--max-credits", "5").code == 8
    kept = {job["id"] for job in shop.jobs() if job["state"] == "planned"}
    assert shop.run("--max-credits", "5").code == 8
    now = {job["id"]: job["state"] for job in shop.jobs()}
    assert kept <= set(now)
    shop.background("two.png", size=(64, 48))
    other = Shop.beside(shop, "other")
    other.photo("x.png", colour=9)
    assert other.run().code == 0
    assert [job["state"] for job in shop.jobs()].count("planned") == 1
    assert shop.run().code == 0
    assert [job["background"] for job in shop.jobs() if job["photo"] != "x.png"].count("two.png") == 1
    assert creates(shop) == 4
    shop.assert_adds_up()


def test_invariant_2_moved_and_renamed_folders_and_photos_are_not_paid_again(shop: Shop):
    """Paths are relative to their roots; a photo of another name gets a copy."""
    shop.photo("a.png")
    shop.photo("sub/b.png")
    assert shop.run().code == 0
    moved = shop.folder / "moved"
    shop.photos.rename(moved)
    shop.photos = moved
    result = shop.run("--json")
    assert result.json["photos"] | {"skipped": 2, "seen": 2} == result.json["photos"]
    (moved / "a.png").rename(moved / "sub" / "c.png")
    result = shop.run("--json")
    assert result.json["photos"] | {"skipped": 1, "reused": 1} == result.json["photos"]
    assert "sub/c.png" in shop.outputs()
    assert creates(shop) == 2


def test_invariant_2_a_moved_project_is_not_paid_again(shop: Shop, tmp_path: Path):
    """Photos, results and ledger moved together."""
    shop.some_photos(2)
    assert shop.run("--max-credits", "5").code == 8
    new = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.move(tmp_path, new)
    shop.move_to(new)
    assert shop.run("--max-credits", "100").code == 0
    assert creates(shop) == 2
    assert len(shop.outputs()) == 2
    shop.assert_adds_up()


def test_invariant_2_a_deleted_result_is_skipped_and_rescued_for_nothing(shop: Shop):
    """An edited one is reported, not replaced."""
    shop.some_photos(3)
    assert shop.run().code == 0
    (shop.output / "photo-000.png").unlink()
    (shop.output / "photo-001.png").write_text("edited")
    result = shop.run("--json")
    assert result.json["photos"]["skipped"] == 3
    assert not (shop.output / "photo-000.png").exists()
    rescued = shop.do("rescue")
    assert rescued.code == 0, rescued
    assert "photo-001.png" in rescued.err
    assert (shop.output / "photo-001.png").read_text() == "edited"
    assert len(shop.outputs()) == 3
    assert creates(shop) == 3


def test_rescue_leaves_the_place_to_a_newer_result_that_is_on_its_way(shop: Shop):
    """The photo has changed, its old result was deleted: what is paid for next still gets its place."""
    shop.photo("a.png")
    assert shop.run().code == 0
    shop.photo("a.png")
    assert shop.run("--max-credits", "1").code == 8
    (shop.output / "a.png").unlink()
    assert shop.do("rescue").code == 0
    assert shop.resume("--max-credits", "5").code == 0
    assert shop.outputs() == ["a.png"]
    assert creates(shop) == 2


def test_a_failed_job_is_left_alone_until_retry(shop: Shop):
    """Known failures leave 0; --strict counts them."""
    shop.photo("a.png")
    shop.faults.add("create", "job_error", nth=1)
    assert shop.run().code == 3
    assert shop.run().code == 0
    assert shop.run("--strict").code == 3
    assert creates(shop) == 1
    assert shop.do("retry").code == 0
    assert shop.run().code == 0
    assert creates(shop) == 2
    assert shop.outputs() == ["a.png"]
    shop.assert_adds_up()


# -- resolve -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(shop: Shop) -> Shop:
    """Two photos, one of which is paid for without an answer."""
    shop.some_photos(2)
    shop.faults.add("create", "hang_up", nth=2)
    assert shop.run().code == 3
    return shop


def unresolved(shop: Shop) -> str:
    return str(next(job["id"] for job in shop.jobs() if job["state"] == "unresolved"))


def test_an_unresolved_job_blocks_its_key_by_every_way(lost: Shop):
    """Run, --force, another output, another path with the same content, retry, resume."""
    photo = next(job["photo"] for job in lost.jobs() if job["state"] == "unresolved")
    shutil.copy(lost.photos / photo, lost.photos / "same.png")
    assert lost.run().code == 3
    assert lost.do("retry").code == 0
    assert lost.resume().code == 3
    home, lost.output = lost.output, lost.folder / "elsewhere"
    assert lost.run().code == 3
    lost.output = home
    assert creates(lost) == 2
    assert lost.run("--force", "--include", photo).code == 3
    assert lost.run("--force", "--include", "same.png").code == 3
    assert creates(lost) == 2


def test_resolve_attaches_the_project_whose_name_holds_the_job(lost: Shop):
    """And refuses any other."""
    job = unresolved(lost)
    mine = next(create for create in lost.creates() if job in create.name)
    other = next(create for create in lost.creates() if job not in create.name)
    refused = lost.do("resolve", job, "--project-id", other.project_id)
    assert refused.code == 2
    assert "is not job" in refused.err
    assert lost.do("resolve", job, "--project-id", "nowhere").code == 2
    lost.faults.add("status", "status", status=500, nth=1)  # is asked again
    assert lost.do("resolve", job, "--project-id", mine.project_id).code == 0
    assert lost.resume().code == 0
    assert len(lost.outputs()) == 2
    assert creates(lost) == 2
    assert lost.status()["credits"] | {"charged": 10, "unresolved": 0} == lost.status()["credits"]
    lost.assert_adds_up()


def test_resolve_charged_counts_it_as_failed_and_charged(lost: Shop):
    """It is not sent again by `retry` without a person's word."""
    assert lost.do("resolve", "--all", "--charged").code == 0
    assert lost.status()["credits"] | {"charged": 10, "unresolved": 0} == lost.status()["credits"]
    assert lost.run().code == 0
    assert lost.do("retry").code == 0
    assert lost.resume().code == 0
    assert creates(lost) == 2
    assert lost.do("retry", "--pay-again").code == 0
    assert lost.resume().code == 0
    assert creates(lost) == 3
    assert len(lost.outputs()) == 2


def test_resolve_not_charged_plans_it_again(lost: Shop):
    """Its credits are free again."""
    assert lost.do("resolve", "--all", "--not-charged").code == 0
    assert lost.status()["credits"]["spent"] == 5
    assert lost.run().code == 0
    assert creates(lost) == 3
    assert len(lost.outputs()) == 2
    assert lost.do("ledger check").code == 0


def test_audit_and_ledger_check_agree_or_differ(lost: Shop):
    """The account is evidence: here the lost create was charged."""
    assert lost.do("audit").code == 0
    lost.sandbox.configure(credits=5000)
    differing = lost.do("audit", "--json")
    assert differing.code == 3
    assert differing.json["account"]["difference"] != 0
    assert lost.do("ledger check").code == 0


# -- retry ---------------------------------------------------------------------------------------------------------


def test_retry_of_what_was_never_created_plans_it(shop: Shop):
    """A refused request cost nothing."""
    shop.photo("a.png")
    shop.faults.add("create", "status", status=422, nth=1)
    assert shop.run().code == 3
    assert shop.do("retry").code == 0
    assert shop.resume().code == 0
    assert creates(shop) == 1


def test_retry_of_what_is_still_charged_asks_again_for_nothing(shop: Shop, monkeypatch):
    """A result that could not be used is downloaded again; no create leaves."""
    shop.photo("a.png")
    shop.faults.add("download", "corrupt")
    assert shop.run().code == 3
    shop.faults.clear()
    result = shop.do("retry", "--json")
    assert result.code == 0, result
    assert creates(shop) == 1
    assert shop.outputs() == ["a.png"]


def test_retry_and_rescue_of_many_unrefunded_errors_are_quick_and_stop_nothing(shop: Shop, monkeypatch):
    """Their end was seen before: nothing is waited for, and no brake is pulled where no create can leave."""
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (0.01, 0.02))
    monkeypatch.setattr("batchbg.core.circuit_breaker.MAX_ERRORS", 100)
    shop.some_photos(12)
    shop.faults.add("create", "job_error", refund_after_s=None)
    assert shop.run().code == 3
    monkeypatch.setattr("batchbg.pool.refunds.ASKED_AFTER_S", (3600.0, 3600.0))  # whoever waits does not end
    monkeypatch.setattr("batchbg.core.circuit_breaker.MAX_ERRORS", 10)
    for command in ("rescue", "retry"):
        result = shop.do(command)
        assert result.code == 3, result
    assert creates(shop) == 12
    shop.assert_adds_up()


def test_retry_and_rescue_ask_nobody_however_many_are_planned(shop: Shop):
    """They create nothing: there is nothing to agree to, and what is paid for is fetched."""
    shop.setting("CONFIRM_BATCH_OVER", "1")
    shop.some_photos(3)
    shop.faults.add("create", "status", status=422, nth=1)
    shop.faults.add("create", "status", status=422, nth=2)
    shop.faults.add("download", "corrupt")
    assert shop.run("--yes", "--max-in-flight", "1").code == 3
    shop.faults.clear()
    result = shop.do("retry", "--json")
    assert "no terminal to ask on" not in result.err
    assert creates(shop) == 1
    assert len(shop.outputs()) == 1
    assert shop.status()["jobs"] | {"planned": 2, "done": 1} == shop.status()["jobs"]


# -- invariant 4: the run that was killed --------------------------------------------------------------------------


def test_invariant_4_rescue_between_leaves_a_killed_runs_cap_to_the_next_run(shop: Shop):
    """Only a run that spends goes on under it."""
    shop.some_photos(6)
    assert shop.run("--max-credits", "20").code == 8
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as connection, connection as ledger:
        ledger.execute("UPDATE runs SET ended_at = NULL, exit_code = NULL")  # as a kill leaves it
    assert shop.do("rescue").code == 0
    result = shop.run("--json")
    assert result.code == 8
    assert result.json["credits"] | {"cap": 20, "spent": 20} == result.json["credits"]
    assert creates(shop) == 4
    assert shop.run("--max-credits", "100").code == 0
