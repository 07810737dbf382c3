"""Other limits, other troubles: files, time, stale uploads, photos that change, a service that is down."""

import contextlib
import hashlib
import socket
import sqlite3
from unittest import mock

import pytest
from PIL import Image

from batchbg.ledger import jobs
from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.support.shop import Shop

pytestmark = pytest.mark.slow


def counted(result: dict[str, dict[str, int]]) -> int:
    photos = result["photos"]
    return sum(result["jobs"].values()) + photos["reused"] + photos["skipped"] + photos["rejected"]


def test_max_files_counts_what_may_have_been_made(shop: Shop):
    """A refused create is none; a lost one is one."""
    shop.some_photos(9)
    shop.faults.add("create", "status", status=422, nth=1)
    shop.faults.add("create", "hang_up", nth=3)
    result = shop.run("--json", "--max-files", "4", "--max-in-flight", "64")
    assert result.code == 8, result
    assert result.json["jobs"] | {"failed": 1, "unresolved": 1, "done": 3, "planned": 4} == result.json["jobs"]
    assert "jobs done" in result.json["reasons"][0]
    assert shop.run("--max-files", "4", "--json").code == 3
    assert len(shop.creates()) == 8


def test_max_files_that_is_just_enough_is_no_limit(shop: Shop):
    """Exit 0: no job remains."""
    shop.some_photos(3)
    assert shop.run("--max-files", "3").code == 0


@pytest.mark.slow
def test_max_duration_stops_creates_and_collects(shop: Shop):
    """Exit 10."""
    shop.some_photos(8)
    shop.sandbox.configure(render_s=0.5)
    result = shop.run("--json", "--max-duration", "1s", "--max-in-flight", "1")
    assert result.code == 10
    assert result.json["jobs"]["rendering"] == 0
    assert result.json["jobs"]["done"] == len(shop.creates()) < 8


def test_an_upload_that_the_service_has_forgotten_is_made_again_and_the_create_sent_once_more(shop: Shop):
    """Then the job fails; nothing is charged for a refusal."""
    shop.some_photos(3)
    shop.background("b.png")
    assert shop.run("--max-credits", "5").code == 8
    shop.sandbox.configure(asset_ttl_s=0.0)
    result = shop.run("--json", "--max-credits", "100")
    assert result.code == 3
    assert result.json["jobs"]["failed"] == 2
    assert result.json["credits"]["spent"] == 0
    shop.sandbox.configure(asset_ttl_s=1000.0)
    assert shop.do("retry").code == 0
    assert shop.resume().code == 0
    assert len(shop.creates()) == 3
    shop.assert_adds_up()


@pytest.mark.slow
def test_invariant_10_a_photo_that_changes_meanwhile_is_left_out_and_counted(shop: Shop):
    """Nothing is paid for it; the next run takes it as it is then."""
    shop.some_photos(4)

    def change_all() -> None:
        for path in shop.photos.iterdir():
            shop.photo(path.name, size=(70, 50))

    shop.meanwhile("create", change_all)
    for number in range(1, 5):  # so that some go up before it and some after it
        shop.faults.add("upload", "delay", nth=number, seconds=0.2 * number)
    result = shop.run("--json", "--max-in-flight", "1")
    assert counted(result.json) == result.json["photos"]["seen"] == 4, result
    again = shop.run("--json")
    assert again.code == 0, again
    assert counted(again.json) == 4
    assert len(shop.outputs()) == 4
    for name in shop.outputs():
        with Image.open(shop.output / name) as picture:
            assert picture.info["Photo"] == hashlib.sha256((shop.photos / name).read_bytes()).hexdigest()


def test_invariant_8_a_service_that_is_down_is_given_up(shop: Shop, monkeypatch):
    """Exit 5 after `give_up_after`; nothing is charged, everything can go on."""
    monkeypatch.setattr("batchbg.run.accounts.ACCOUNT_WAIT_S", 0.1)
    shop.some_photos(3)
    shop.setting("GIVE_UP_AFTER", "1")
    with socket.socket() as bound:  # to a port that nobody listens on, and that nobody else can take
        bound.bind(("127.0.0.1", 0))
        shop.base_url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        result = shop.run("--json")
    assert result.code == 5
    assert result.json["jobs"]["planned"] == 3
    assert result.json["credits"]["spent"] == 0
    shop.base_url = shop.sandbox.url
    assert shop.run().code == 0


@pytest.mark.slow
def test_invariant_11_only_the_same_accounts_jobs_are_polled(shop: Shop):
    """Another key's projects look as if they were gone, and a 404 would prove nothing."""
    with SandboxServer(SandboxConfig(background_cutout="fast")) as other:
        shop.sandbox.configure(render_s=3600)
        shop.setting("RENDER_PATIENCE", "1")
        shop.photo("a.png")
        assert shop.run().code == 5
        shop.base_url = other.url
        assert shop.resume().code == 5
        assert other.books.requests("account") > 0
        assert other.books.requests("status") == 0
        shop.base_url = shop.sandbox.url
        shop.sandbox.advance(3600)
        assert shop.resume().code == 0
        assert shop.requests() == 1


def test_invariant_11_resolve_keeps_sandbox_and_api_apart(shop: Shop):
    """A project of the real API is not attached to a rehearsal's job."""
    shop.photo("a.png")
    shop.faults.add("create", "hang_up")
    assert shop.run().code == 3
    (job,) = shop.jobs()
    (made,) = shop.creates()
    assert made.name == job["name"]
    arguments = ["resolve", job["id"], "--project-id", made.project_id, "--ledger", shop.ledger]
    refused = shop.batchbg(*arguments, "--base-url", "https://api.invalid")
    assert refused.code == 2
    assert "real API" in refused.err
    assert shop.do("resolve", job["id"], "--project-id", made.project_id).code == 0


@pytest.mark.slow
def test_what_is_paid_for_is_collected_before_anything_new(shop: Shop):
    """A resumed run with a cap that is used up still fetches every result."""
    shop.some_photos(6)
    shop.sandbox.configure(render_s=3600)  # so that it cannot be over before it is killed
    process = shop.spawn("run", "--max-credits", "20", "--max-in-flight", "8")
    shop.wait_for(lambda: len(shop.creates()) == 4)
    process.kill()
    process.communicate()
    shop.sandbox.advance(3600)
    result = shop.run("--json")
    assert result.json["credits"]["cap"] == 20, "a killed run goes on under its cap"
    assert result.code in (8, 3)
    assert result.json["jobs"]["done"] + result.json["jobs"]["unresolved"] == 4
    assert len(shop.creates()) == 4
    shop.assert_adds_up()


@pytest.mark.slow
def test_thousands_of_failures_in_the_ledger_cost_a_later_run_nothing(shop: Shop, monkeypatch):
    """They are asked after by a query, not one by one in memory: no more jobs are read than without them."""
    shop.photo("a.png")
    shop.faults.add("create", "job_error")
    assert shop.run().code == 3
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as connection, connection as ledger:
        ledger.row_factory = sqlite3.Row
        (row,) = ledger.execute("SELECT * FROM jobs").fetchall()
        names = row.keys()
        insert = f"INSERT INTO jobs ({', '.join(map(repr, names))}) VALUES ({', '.join('?' * len(names))})"
        rows = ({**row, "id": f"job{n:09d}", "photo_sha256": f"{n:064x}"} for n in range(20_000))
        ledger.executemany(insert, (tuple(one[name] for name in names) for one in rows))
    shop.photo("b.png")
    shop.faults.clear()
    as_job = mock.Mock(wraps=jobs.as_job)
    monkeypatch.setattr(jobs, "as_job", as_job)
    assert shop.run().code == 0
    assert 0 < as_job.call_count < 50
    assert shop.status()["jobs"]["failed"] == 20_001


def test_a_service_that_takes_three_jobs_at_a_time_gets_three(shop: Shop):
    """Sixty refused at once are one refusal: one pause, and a width of what was taken."""
    shop.some_photos(20)
    shop.sandbox.configure(in_flight_limit=3, over_limit="refuse", render_s=0.1, retry_after="none")
    assert shop.run("--max-in-flight", "64").code == 0
    assert shop.requests() < 60
    shop.assert_adds_up()
