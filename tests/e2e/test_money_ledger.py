"""The ledger in the hands of somebody careless: deleted, replaced, copied, cut, used twice. Nothing is paid twice."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow


def files(shop: Shop) -> list[Path]:
    """The ledger's files."""
    return [path for end in ("", "-wal", "-shm") if (path := shop.folder / f"batchbg.db{end}").exists()]


def paid_twice(shop: Shop) -> int:
    paid = [create.image_sha256 for create in shop.creates() if create.credits_charged]
    return len(paid) - len(set(paid))


def delete(shop: Shop) -> None:
    for path in files(shop):
        path.unlink()


def delete_database(shop: Shop) -> None:
    (shop.folder / "batchbg.db").unlink()


def delete_log(shop: Shop) -> None:
    (shop.folder / "batchbg.db-wal").unlink()


def cut_log(shop: Shop) -> None:
    log = shop.folder / "batchbg.db-wal"
    os.truncate(log, log.stat().st_size // 2)


def put_older_in_its_place(shop: Shop) -> None:
    shutil.copy(shop.folder / "older.db", shop.folder / "new.db")
    (shop.folder / "new.db").replace(shop.folder / "batchbg.db")


def overwrite_with_older(shop: Shop) -> None:
    shutil.copyfile(shop.folder / "older.db", shop.folder / "batchbg.db")


def link(shop: Shop) -> None:
    (shop.folder / "second.db").hardlink_to(shop.folder / "batchbg.db")


@pytest.mark.parametrize(
    "blow",
    rest_slow([delete, link, cut_log, delete_database, delete_log, put_older_in_its_place, overwrite_with_older], 1),
)
def test_no_create_leaves_once_the_ledger_is_not_the_one_at_its_path(
    shop: Shop, blow: Callable[[Shop], None], monkeypatch: pytest.MonkeyPatch
):
    """Exit 5, what is paid for is collected, and every project that nobody knows of any more is named.

    What is cut or overwritten takes with it what says which results are wanted: those are named alone.
    """
    monkeypatch.setattr("batchbg.pool.submit.KEEP_TRYING_S", 0.1)
    shop.some_photos(2)
    assert shop.run().code == 0
    shutil.copy(shop.folder / "batchbg.db", shop.folder / "older.db")
    shop.some_photos_more(10)
    shop.meanwhile("create", lambda: blow(shop), nth=3)
    result = shop.run("--max-in-flight", "2")
    assert result.code == 5, result.err
    creates = shop.creates()
    assert 4 <= len(creates) <= 7
    assert "batchbg.db" in result.err + result.out
    collected = len(list(shop.output.glob("*.png")))
    assert blow in (cut_log, overwrite_with_older) or collected == len(creates), result.err + result.out
    for create in creates[2:]:
        assert create.project_id in result.err, result.err
    shop.run()
    assert paid_twice(shop) == 0


def killed(shop: Shop, creates: int = 4, first: str = "") -> None:
    """Let a run be killed when so many creates have arrived: what it committed is in the log still."""
    process = shop.spawn("run", "--max-in-flight", "2", first=first)
    shop.wait_for(lambda: len(shop.creates()) >= creates)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    "blow", rest_slow([delete_log, cut_log, overwrite_with_older, put_older_in_its_place, delete], 0)
)
def test_a_ledger_that_lost_what_it_knew_is_refused_until_a_person_says_so(shop: Shop, blow: Callable[[Shop], None]):
    """Between two runs: exit 2, nothing is sent, and the way out is named."""
    shop.some_photos(2)
    assert shop.run().code == 0
    shutil.copy(shop.folder / "batchbg.db", shop.folder / "older.db")
    shop.some_photos_more(10)
    killed(shop)
    before = len(shop.creates())
    blow(shop)
    if blow in (put_older_in_its_place, overwrite_with_older):
        delete_log(shop)
    for _ in range(2):
        refused = shop.run()
        assert refused.code == 2, refused.err
        assert "batchbg ledger adopt" in refused.err
        assert len(shop.creates()) == before
    adopted = shop.do("ledger adopt", "-o", str(shop.output))
    assert adopted.code == 0, adopted.err
    assert str(shop.output) in adopted.out
    assert shop.run().code in (0, 3)


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with_without_a_word(shop: Shop):
    """The mark never knows more than the ledger: no false alarm."""
    shop.some_photos(8)
    killed(shop, 2)
    killed(shop, 5)
    result = shop.run()
    assert result.code in (0, 3), result.err
    assert "ledger" not in result.err.replace("batchbg.ledger", "")
    assert paid_twice(shop) == 0


def copied(shop: Shop, name: str = "copy") -> Shop:
    """Copy the whole folder, and return the shop that works in the copy, with the same service."""
    (shop.folder / name).mkdir()
    for path in shop.folder.iterdir():
        if path.is_dir() and path.name != name:
            shutil.copytree(path, shop.folder / name / path.name)
        elif path.is_file():
            shutil.copy2(path, shop.folder / name)
    shutil.rmtree(shop.folder / name / "photos")
    other = Shop.beside(shop, "other")
    other.move_to(shop.folder / name)
    shutil.copytree(shop.photos, other.photos)
    return other


@pytest.mark.slow
def test_a_copied_folder_does_not_pay_for_what_the_original_pays_for(shop: Shop):
    """Exit 2 in the copy, and the original goes on."""
    shop.some_photos(8)
    assert shop.run("--max-files", "2").code == 8
    copy = copied(shop)
    refused = copy.run()
    assert refused.code == 2, refused.err
    assert "second copy" in refused.err
    assert "batchbg ledger adopt" in refused.err
    assert shop.run().code == 0
    assert len(shop.creates()) == 8


@pytest.mark.slow
def test_a_copy_goes_on_once_a_person_says_so(shop: Shop):
    """Each of the two keeps to itself from then on; the original is not refused for it."""
    shop.some_photos(4)
    assert shop.run("--max-files", "2").code == 8
    copy = copied(shop)
    assert copy.do("ledger adopt", "-o", str(copy.output)).code == 0
    assert copy.run().code == 0
    assert shop.run().code == 0
    refused = shop.run("-o", str(copy.output))
    assert refused.code == 2
    assert f"`batchbg ledger adopt -o {copy.output} --ledger {shop.ledger}`" in refused.err


@pytest.mark.slow
@pytest.mark.parametrize("across", rest_slow([False, True]))
def test_a_moved_folder_goes_on_where_it_is(shop: Shop, across: bool):
    """Also on another disk, to which moving is copying and deleting."""
    shop.some_photos(3)
    assert shop.run("--max-files", "1").code == 8
    old, new = shop.folder / "old", shop.folder / "new"
    old.mkdir()
    for path in [*files(shop), shop.photos, shop.output]:
        path.rename(old / path.name)
    shop.move_to(old)
    assert shop.run("--max-files", "1").code == 8
    if across:
        shutil.copytree(old, new)
        shutil.rmtree(old)
    else:
        old.rename(new)
    shop.move_to(new)
    result = shop.run()
    assert result.code == 0, result.err
    assert len(shop.creates()) == 3


@pytest.mark.slow
def test_a_ledger_from_another_machine_asks_for_a_word(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Whether it goes on there too, nobody here can see."""
    shop.some_photos(3)
    assert shop.run("--max-files", "1").code == 8
    new = shop.folder / "new"
    new.mkdir()
    for path in [*files(shop), shop.photos, shop.output]:
        shutil.move(
            shutil.copytree(path, new / path.name) if path.is_dir() else shutil.copy(path, new), new / path.name
        )
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shop.move_to(new)
    monkeypatch.setattr("batchbg.ledger.sqlite._machine", lambda: "another")
    refused = shop.run()
    assert refused.code == 2
    assert "another machine" in refused.err
    assert shop.do("ledger adopt").code == 0
    assert shop.run().code == 0
    assert len(shop.creates()) == 3


@pytest.mark.slow
def test_a_hard_link_is_refused(shop: Shop):
    """A log stands beside each name, and neither knows of the other's."""
    shop.some_photos(2)
    assert shop.run("--max-files", "1").code == 8
    link(shop)
    for ledger in ("second.db", "batchbg.db"):
        refused = shop.run("--ledger", f"sqlite:///{shop.folder / ledger}")
        assert refused.code == 2
        assert "hard links" in refused.err
    assert len(shop.creates()) == 1


@pytest.mark.slow
def test_results_of_another_ledger_are_not_added_to(shop: Shop):
    """Cron with another current folder: no ledger is made, exit 2, and the right one is named."""
    shop.some_photos(3)
    assert shop.run("--max-files", "1").code == 8
    elsewhere = shop.folder / "elsewhere.db"
    refused = shop.run("-q", "--ledger", f"sqlite:///{elsewhere}")
    assert refused.code == 2
    assert str(shop.folder / "batchbg.db") in refused.err
    assert not elsewhere.exists()
    shop.photo("another.png")
    assert shop.run("-q", "--ledger", f"sqlite:///{elsewhere}", "-o", str(shop.folder / "out")).code == 0
    assert shop.run("-q", "--ledger", f"sqlite:///{elsewhere}").code == 2
    assert len(shop.creates()) == 1 + 4


@pytest.mark.slow
def test_a_new_ledger_is_said_with_q_too(shop: Shop):
    shop.photo("a.png")
    assert shop.run("-q").err == f"new ledger: {shop.folder / 'batchbg.db'}\n"
    assert shop.run("-q").err == ""


@pytest.mark.slow
def test_an_empty_file_becomes_a_new_ledger_aloud(shop: Shop):
    (shop.folder / "batchbg.db").touch()
    shop.photo("a.png")
    assert "new ledger" in shop.run("-q").err


@pytest.mark.slow
def test_an_older_copy_is_refused_for_another_output_folder_too(shop: Shop):
    """The ledger knows where its results are, and looks at what stands beside them."""
    shop.some_photos(2)
    assert shop.run().code == 0
    shutil.copy(shop.folder / "batchbg.db", shop.folder / "older.db")
    shop.some_photos_more(2)
    assert shop.run().code == 0
    put_older_in_its_place(shop)
    assert shop.run("-o", str(shop.folder / "out")).code == 2
    assert shop.resume().code == 2
    assert len(shop.creates()) == 4


@pytest.mark.slow
def test_an_output_folder_that_a_person_removed_is_no_foreign_ledger(shop: Shop):
    """Its results are missing, which `rescue` mends."""
    shop.some_photos(2)
    assert shop.run().code == 0
    shutil.rmtree(shop.output)
    assert shop.run().code == 0
    assert shop.do("rescue").code == 0
    assert len(shop.creates()) == 2


def test_where_the_mark_cannot_be_written_no_create_leaves(shop: Shop):
    """Exit 5, with its path."""
    shop.photo("a.png")
    (shop.output / ".batchbg-ledger").mkdir(parents=True)
    result = shop.run()
    assert result.code == 5, result.err
    assert ".batchbg-ledger" in result.err + result.out
    assert shop.creates() == []


def test_a_mark_is_not_written_through_a_link(shop: Shop):
    mine = shop.folder / "mine"
    mine.write_text("mine")
    shop.output.mkdir()
    (shop.output / ".batchbg-ledger").symlink_to(mine)
    shop.photo("a.png")
    assert shop.run().code == 5
    assert mine.read_text() == "mine"
    assert shop.creates() == []


@pytest.mark.slow
def test_a_spoilt_mark_asks_for_a_word(shop: Shop):
    shop.some_photos(2)
    assert shop.run("--max-files", "1").code == 8
    (shop.output / ".batchbg-ledger").write_text("spoilt")
    assert shop.run().code == 2
    assert shop.do("ledger adopt").code == 0
    assert shop.run().code == 0


# What a ledger is for


def set_meta(shop: Shop, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.slow
@pytest.mark.parametrize("reachable", rest_slow([True, False]))
def test_a_ledger_that_paid_is_no_rehearsal_whatever_an_answer_said(shop: Shop, reachable: bool):
    """Bound before the first create, by the address: also where the account could not be asked for at the start."""
    shop.some_photos(4)
    if not reachable:
        shop.faults.add("account", "status", status=503)
    killed(shop, 2, "from batchbg.run import accounts; accounts.ACCOUNT_WAIT_S = 0.1;")
    shop.faults.clear()
    refused = shop.batchbg("run", str(shop.photos), "-o", str(shop.output), "--ledger", shop.ledger, "--sandbox")
    assert refused.code == 2, refused.err
    assert "sandbox" in refused.err
    assert {job["state"] for job in shop.jobs()} & {"rendering", "submitting", "downloading", "done"}
    assert shop.status()["credits"]["refunded"] == 0
    assert shop.run().code in (0, 3)
    assert paid_twice(shop) == 0


@pytest.mark.slow
def test_a_rehearsal_s_ledger_is_refused_for_any_address(shop: Shop):
    shop.photo("a.png")
    rehearsal = ["run", str(shop.photos), "-o", str(shop.output), "--ledger", shop.ledger, "--sandbox"]
    assert shop.batchbg(*rehearsal).code == 0
    assert shop.run().code == 2
    assert shop.resume("--base-url", "https://api.example.invalid").code == 2
    assert shop.requests("account") == 0
    assert shop.batchbg(*rehearsal).code == 0


@pytest.mark.slow
def test_a_ledger_of_the_version_before_is_bound_by_how_it_is_used_now(shop: Shop):
    """That one took an answer's word; where it was sent to the real API it stays the real API's."""
    shop.some_photos(2)
    assert shop.run("--max-files", "1").code == 8
    set_meta(shop, "DELETE FROM meta")
    set_meta(shop, "INSERT INTO meta VALUES ('kind', 'sandbox')")
    (shop.output / ".batchbg-ledger").unlink()
    assert shop.run().code == 0
    set_meta(shop, "DELETE FROM meta")
    set_meta(shop, "UPDATE runs SET base_url = 'https://api.magichour.ai'")
    (shop.output / ".batchbg-ledger").unlink()
    assert shop.run().code == 2


# Days


@pytest.mark.slow
def test_a_day_is_the_same_whatever_the_zone_of_the_machine(shop: Shop):
    """Three values of TZ do not make three days out of one."""
    shop.some_photos(6)
    shop.setting("PER_DAY", "10")
    for zone in ("Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"):
        shop.setting("TZ", zone, prefix="")
        process = shop.spawn("run", "-y")
        process.communicate()
        assert process.returncode == 8
    assert len(shop.creates()) == 2
    assert shop.do("ledger timezone").out == "Pacific/Kiritimati\n"


def test_another_zone_than_the_ledger_s_is_an_error_with_the_way_out(shop: Shop):
    shop.photo("a.png")
    shop.setting("TIMEZONE", "Europe/Berlin")
    assert shop.run().code == 0
    shop.setting("TIMEZONE", "Asia/Tokyo")
    refused = shop.run()
    assert refused.code == 2
    assert "batchbg ledger timezone Asia/Tokyo" in refused.err
    assert shop.do("ledger timezone", "Nowhere/None").code == 2
    assert shop.do("ledger timezone", "Asia/Tokyo").code == 0
    assert shop.run().code == 0


@pytest.mark.slow
def test_a_clock_that_was_once_years_ahead_is_said_and_can_be_set_right(shop: Shop):
    """Until then the day of the ledger is that day, and its budget is used up; no label ever goes back by itself."""
    shop.some_photos(6)
    shop.setting("PER_DAY", "10")
    assert shop.run("-y").code == 8
    ahead = 2_180_000_000.0  # in 2039
    set_meta(shop, "UPDATE events SET at = ? WHERE id = (SELECT max(id) FROM events)", ahead)
    set_meta(shop, "UPDATE runs SET started_at = ?, ended_at = ?", ahead, ahead)
    result = shop.run("-y")
    assert result.code == 8
    assert "2039" in result.err
    assert "batchbg ledger clock --reset" in result.err
    assert len(shop.creates()) == 4
    doctor = shop.do("doctor", "--sandbox")
    assert "warn  clock: the ledger's last entry is of 2039" in doctor.out
    assert "2039" in shop.do("ledger clock").out
    assert shop.do("ledger clock", "--reset").code == 0
    set_meta(shop, "UPDATE credit_totals SET amount = 0 WHERE scope = 'day' AND period < '2039'")  # the day is over
    result = shop.run("-y")
    assert "2039" not in result.err
    assert len(shop.creates()) == 6
    assert "2039" not in shop.do("status").out


# -- a ledger that cannot be written any more ------------------------------------------------------------------------


@pytest.mark.slow
def test_what_a_run_did_is_told_although_its_ledger_is_kept_locked(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Another program keeps it until the end; the next run has the result."""
    monkeypatch.setattr("batchbg.ledger.sqlite.BUSY_TIMEOUT_MS", 50)
    shop.photo("a.png")
    with contextlib.closing(
        sqlite3.connect(shop.folder / "batchbg.db", isolation_level=None, check_same_thread=False)
    ) as other:
        shop.meanwhile("download", lambda: other.execute("BEGIN IMMEDIATE"))
        result = shop.run("--json")
    assert result.code == 5, result
    assert "keeps it locked" in result.err
    assert result.json["jobs"] | {"downloading": 1} == result.json["jobs"]
    assert shop.resume().code == 0
    assert len(shop.creates()) == 1
