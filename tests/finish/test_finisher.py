import contextlib
import errno
import hashlib
import json
import os
import shutil
import sqlite3
import time
from typing import Any
from unittest import mock

import pytest
from PIL import Image

from batchbg.core.review import ReviewVerdict
from batchbg.disk import decoding
from batchbg.disk.finished import RECORD
from batchbg.disk.write_errors import write_error
from batchbg.errors import ExitCode
from batchbg.finish.record import Record
from batchbg.ledger import reviews
from batchbg.ledger.engine import open_ledger
from tests.finish.support import CONFIG, Finishing
from tests.library.support import batch
from tests.support.privileges import read_only
from tests.support.shop import Shop
from tests.support.tiers import rest_slow


def test_results_are_finished_into_a_folder_of_their_own_and_stay_as_they_came(finishing: Finishing):
    """Folders are mirrored, names follow the pattern, several profiles go at once."""
    finishing.config()
    before = finishing.masters()
    found = finishing.finish("web", "shopify")
    assert found.code == 0, found
    assert sorted(finishing.pictures("web")) == ["mug-1.png", "mug-2.png", "sub/cup-1.png"]
    assert sorted(finishing.pictures("shopify")) == ["mug_01.jpg", "mug_02.jpg", "sub/cup.jpg"]
    assert finishing.masters() == before
    with Image.open(finishing.folder("web") / "mug-1.png") as picture:
        assert picture.size[0] == picture.size[1] <= 64
        assert picture.mode == "RGBA"
    assert len(finishing.shop.creates()) == 3


def test_what_is_there_and_unchanged_is_not_made_again(finishing: Finishing):
    """Nothing is opened; a new profile, another name or a lost file are reasons to."""
    finishing.config()
    assert finishing.outcome("web")["made"] == 3
    first = finishing.pictures("web")
    with mock.patch.object(decoding, "finish", side_effect=AssertionError("it is made again")):
        found = finishing.outcome("web")
    assert (found["made"], found["unchanged"]) == (0, 3)
    (finishing.folder("web") / "mug-1.png").unlink()
    found = finishing.outcome("web")
    assert (found["made"], found["unchanged"]) == (1, 2)
    assert finishing.pictures("web") == first
    finishing.config(CONFIG.replace("64", "48"))
    assert finishing.outcome("web")["made"] == 3
    assert finishing.pictures("web").keys() == first.keys()
    assert set(finishing.pictures("web").values()).isdisjoint(first.values())


def test_other_names_take_the_place_of_the_old_ones(finishing: Finishing):
    finishing.config()
    finishing.finish("web")
    finishing.config(CONFIG.replace("{sku}-{n}", "{stem}"))
    assert finishing.outcome("web")["made"] == 3
    assert sorted(finishing.pictures("web")) == ["mug_01.png", "mug_02.png", "sub/cup.png"]


def test_a_changed_result_is_finished_anew(finishing: Finishing):
    """A retouched one, too, which is told."""
    finishing.finish("shopify")
    master = finishing.shop.output / "mug_01.png"
    with Image.open(master) as picture:
        retouched = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    retouched.save(master)
    found = finishing.outcome("shopify")
    assert (found["made"], found["unchanged"]) == (1, 2)
    assert found["remarks"] == [
        {"remark": "the result is not the file that was saved; finished as it is now", "results": ["mug_01.png"]}
    ]


def test_missing_damaged_and_waiting_results_are_told_and_counted(finishing: Finishing):
    """Exit code 3; the others are finished, and a picture made before of one that is missing now is kept."""
    finishing.finish("shopify")
    (finishing.shop.output / "mug_01.png").unlink()
    (finishing.shop.output / "mug_02.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    finishing.shop.photo("late.png")
    finishing.shop.faults.add("create", "hang_up")
    finishing.shop.run("-y")
    result = finishing.finish("shopify", "--json")
    (found,) = result.json["profiles"]
    assert result.code == result.json["exit_code"] == 3
    assert found["waiting"] == 1
    assert found["unchanged"] == 1
    problems = {one["result"]: one["why"] for one in found["problems"]}
    assert problems.keys() == {"mug_01.png", "mug_02.png"}
    assert "missing" in problems["mug_01.png"]
    assert "damaged" in problems["mug_02.png"]
    assert sorted(finishing.pictures("shopify")) == ["mug_01.jpg", "mug_02.jpg", "sub/cup.jpg"]
    told = finishing.finish("shopify")
    assert "1 not done yet, 2 cannot be made" in told.out


def test_what_does_not_meet_the_rule_is_said_with_its_reason_and_its_source(finishing: Finishing):
    """These results are far too small, and are not enlarged; --check saves nothing."""
    found = finishing.finish("--check", "amazon")
    assert found.code == 3
    assert "mug_01.png: its longer side has" in found.out
    assert "at least 500" in found.out
    assert "sellercentral.amazon.com" in found.out
    assert not finishing.folder("amazon").exists()
    made = finishing.finish("amazon")
    assert made.code == 3
    again = finishing.outcome("amazon")
    assert (again["made"], again["unchanged"], len(again["unmet"])) == (0, 3, 3)


def test_a_dry_run_opens_and_writes_nothing(finishing: Finishing):
    with mock.patch.object(decoding, "finish", side_effect=AssertionError("a picture is opened")):
        found = finishing.finish("-n", "shopify")
    assert found.code == 0
    assert "3 to make" in found.out
    assert not finishing.folder("shopify").exists()


# -- what is not ours


def test_a_file_that_was_not_made_here_is_never_replaced(finishing: Finishing):
    """Nor one that somebody has changed since, whatever changes; each is told."""
    folder = finishing.folder("shopify")
    folder.mkdir()
    (folder / "mug_01.jpg").write_bytes(b"somebody's")
    found = finishing.outcome("shopify")
    assert found["made"] == 2
    assert "was not made here" in found["problems"][0]["why"]
    (folder / "mug_02.jpg").write_bytes(b"retouched")
    finishing.config("[finishing.shopify]\nlongest = 40\nmax_bytes = 100000\n")
    finishing.finish("shopify")
    finishing.config("[finishing.shopify]\nlongest = 150\n")
    found = finishing.outcome("shopify")
    assert {one["result"] for one in found["problems"]} == {"mug_01.png", "mug_02.png"}
    assert (folder / "mug_01.jpg").read_bytes() == b"somebody's"
    assert (folder / "mug_02.jpg").read_bytes() == b"retouched"


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_nothing_is_written_through_a_link(finishing: Finishing, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"somebody's")
    folder = finishing.folder("shopify")
    folder.mkdir()
    (folder / "mug_01.jpg").symlink_to(victim)
    (folder / "sub").symlink_to(tmp_path)
    found = finishing.outcome("shopify")
    assert {one["result"] for one in found["problems"]} == {"mug_01.png", "sub/cup.png"}
    assert victim.read_bytes() == b"somebody's"
    assert not (tmp_path / "cup.jpg").exists()


def test_pictures_of_results_that_are_no_more_are_taken_away(finishing: Finishing):
    """Not those that somebody has changed."""
    finishing.finish("shopify")
    with contextlib.closing(sqlite3.connect(finishing.shop.folder / "batchbg.db")) as ledger, ledger:
        ledger.execute("UPDATE outputs SET saved_sha256 = NULL, saved_job_id = NULL WHERE path LIKE 'mug%'")
    (finishing.folder("shopify") / "mug_02.jpg").write_bytes(b"retouched")
    found = finishing.outcome("shopify")
    assert found["removed"] == 1
    assert sorted(finishing.pictures("shopify")) == ["mug_02.jpg", "sub/cup.jpg"]


def test_rejected_results_are_left_out_and_lose_their_picture(finishing: Finishing):
    """A bad cut-out does not go to the shop; where the verdict is taken back, it does again."""
    finishing.finish("shopify")
    (job,) = [job["id"] for job in finishing.shop.jobs() if job["output"] == "mug_01.png"]
    ledger = open_ledger(finishing.shop.ledger)
    with ledger.transaction() as tx:
        reviews.give(tx, job, ReviewVerdict.REJECTED, "a hole")
    found = finishing.finish("shopify")
    assert found.code == 0
    assert "1 removed: their results are not wanted, 1 left out: rejected" in found.out
    assert sorted(finishing.pictures("shopify")) == ["mug_02.jpg", "sub/cup.jpg"]
    with ledger.transaction() as tx:
        reviews.give(tx, job, ReviewVerdict.ACCEPTED)
    ledger.close()
    assert finishing.outcome("shopify")["made"] == 1


# -- where it may be


@pytest.mark.parametrize(
    "place", rest_slow(["output", "photos/web", "output/web", "backgrounds", ".", "photos"], fast=2)
)
def test_a_folder_that_would_mix_is_refused(finishing: Finishing, place):
    """Masters, photos and backgrounds stay among themselves, whatever the folder is called."""
    finishing.shop.background("wood.png")
    finishing.shop.photo("another.png")
    finishing.shop.run("-y")
    finishing.config(f'[finishing.web]\noutput = "{place}"\n')
    before = sorted(finishing.shop.folder.rglob("*"))
    for command in (("finish", "web"), ("run", str(finishing.shop.photos), "--finish", "web", "-y")):
        known = ["--ledger", finishing.shop.ledger, "-o", str(finishing.shop.output)]
        known += ["-b", str(finishing.shop.backgrounds)] if command[0] == "run" else []
        result = finishing.shop.batchbg(*command, *known)
        assert result.code == 2, result
        assert "would mix" in result.err
    assert sorted(finishing.shop.folder.rglob("*")) == before


def test_two_profiles_never_share_a_folder(finishing: Finishing):
    """At once, or one after the other; nor do two output folders."""
    finishing.config('[finishing.a]\noutput = "x"\n[finishing.b]\noutput = "x"\n[finishing.c]\noutput = "x/y"\n')
    assert "each profile needs a folder of its own" in finishing.finish("a", "b").err
    assert "each profile needs a folder of its own" in finishing.finish("a", "c").err
    assert finishing.finish("a").code == 0
    second = finishing.finish("b")
    assert second.code == 2
    assert "holds the pictures that profile 'a' made" in second.err


def test_finished_pictures_are_never_taken_for_photos(finishing: Finishing):
    """Wherever they lie, and when the folder is moved."""
    shop = finishing.shop
    finishing.finish("shopify")
    shutil.move(finishing.folder("shopify"), shop.photos / "moved")
    planned = shop.do("plan", "--json").json
    assert planned["jobs"]["new"] == 0
    assert planned["ignored"]["finished pictures"] == 1
    itself = shop.batchbg("plan", str(shop.photos / "moved"), "--ledger", shop.ledger, "-o", str(shop.output))
    assert itself.code == 2
    assert "holds finished pictures" in itself.err
    (shop.folder / "names").write_text("moved/mug_01.jpg\nmoved/sub/cup.jpg\n")
    named = shop.do("plan", "--json", "--files-from", "names").json
    assert named["jobs"]["new"] == 0


def test_without_results_that_is_said(shop: Shop):
    shop.photo("a.png")
    assert "there is no ledger" in shop.do("finish", "amazon").err
    shop.run("-y")
    found = shop.batchbg("finish", "amazon", "--ledger", shop.ledger, "-o", "elsewhere")
    assert found.code == 2
    assert "it has some in output: name it with -o" in found.err


@pytest.mark.slow
def test_a_rehearsal_has_folders_of_its_own(finishing: Finishing):
    shop = finishing.shop
    finishing.config('[finishing.web]\noutput = "web"\n')
    ran = shop.batchbg("run", str(shop.photos), "--sandbox", "--finish", "web", "--finish", "shopify")
    assert ran.code == 0, ran
    assert sorted(path.name for path in shop.folder.iterdir() if path.is_dir()) == [
        "output",
        "output-sandbox",
        "output-sandbox-shopify",
        "photos",
        "web-sandbox",
    ]
    assert shop.batchbg("finish", "--sandbox", "web").out.startswith("web: 0 made, 3 unchanged")


# -- at the end of a run


def test_a_run_finishes_what_it_has_saved(shop: Shop):
    """Its summary says so; with the key in config.toml it does so every night."""
    shop.photo("a.png", (90, 60))
    ran = shop.run("-y", "--finish", "shopify")
    assert ran.code == 0, ran
    assert "shopify: 1 made" in ran.out
    shop.photo("b.png", (90, 60))
    (shop.folder / "config.toml").write_text('finish = ["shopify"]\n')
    again = shop.run("-y")
    assert "shopify: 1 made, 1 unchanged" in again.out
    assert sorted(path.name for path in (shop.folder / "output-shopify").glob("*.jpg")) == ["a.jpg", "b.jpg"]


def test_a_run_from_python_finishes_too(shop: Shop, capfd):
    """Nothing is printed; a program reads of it in the notes."""
    shop.photo("a.png", (90, 60))
    summary = batch(shop, yes=True, finish=["shopify"]).run()
    assert summary.exit_code is ExitCode.OK
    assert any(note.startswith("shopify: 1 made") for note in summary.notes)
    assert (shop.folder / "output-shopify" / "a.jpg").is_file()
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_finished_is_no_fault_of_the_run(shop: Shop):
    """Everything is saved and paid for once; the exit code is 3, with the reason."""
    shop.photo("a.png", (90, 60))
    (shop.folder / "output-shopify").mkdir()
    (shop.folder / "output-shopify" / "a.jpg").write_bytes(b"somebody's")
    ran = shop.run("-y", "--json", "--finish", "shopify", "--finish", "amazon")
    assert ran.code == ran.json["exit_code"] == 3
    assert ran.json["jobs"]["done"] == 1
    assert len(ran.json["reasons"]) == 2
    assert "shopify: 1 result without a good picture" in ran.json["reasons"][0]


def test_a_folder_that_cannot_be_written_is_told(finishing: Finishing):
    finishing.folder("shopify").mkdir()
    with read_only(finishing.folder("shopify")):
        assert finishing.finish("shopify").code == 5
        assert finishing.shop.run("-y", "--finish", "shopify").code == 3


def test_a_full_disk_stops_the_work_and_leaves_what_is_whole(finishing: Finishing):
    """Exit code 5; of a run 3, with the reason. Later the rest is made."""
    original = Record._write
    left = 1

    def write(self, part, data):
        nonlocal left
        left -= 1
        if left < 0:
            raise write_error(self.folder, part, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        original(self, part, data)

    with mock.patch.object(Record, "_write", write):
        found = finishing.finish("shopify")
        assert found.code == 5
        assert "No space left" in found.err
        assert list(finishing.pictures("shopify")) == ["mug_01.jpg"]
        ran = finishing.shop.run("-y", "--finish", "shopify")
        assert ran.code == 3
        assert "not finished" in ran.out
    later = finishing.outcome("shopify")
    assert (later["made"], later["unchanged"], later["problems"]) == (2, 1, [])


def test_who_interrupts_a_run_while_it_finishes_hears_what_the_run_did(finishing: Finishing):
    """And finishing goes on later."""
    for leaving, code in ((KeyboardInterrupt(), 130), (SystemExit(143), 143)):
        with mock.patch.object(decoding, "finish", side_effect=leaving):
            ran = finishing.shop.run("-y", "--finish", "shopify")
        assert ran.code == code
        assert "3 skipped" in ran.out
        assert "batchbg finish shopify" in ran.out


# -- crashes


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("nth", rest_slow([2, 1, 3, 4]))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_between_any_two_steps_leaves_whole_pictures_that_are_known_again(finishing: Finishing, nth, when):
    """Before or after a line of the record was written: the next call makes what is missing and refuses nothing."""
    finishing.config()
    finishing.finish("web")
    expected = finishing.pictures("web")
    finishing.config(CONFIG.replace("64", "48"))
    shutil.copytree(finishing.folder("web"), finishing.shop.folder / "before")
    notes = 0
    original = Record._note

    def note(self, line):
        nonlocal notes
        notes += 1
        if notes == nth and when == "before":
            raise Crash
        at = original(self, line)
        if notes == nth:
            raise Crash
        return at

    with mock.patch.object(Record, "_note", note), pytest.raises(Crash):
        finishing.finish("web")
    finishing.config()  # the first profile again: what the crash left behind is neither as that one has it
    found = finishing.outcome("web")
    assert found["problems"] == []
    assert finishing.pictures("web") == expected


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing(finishing: Finishing):
    """The processes are killed for good; what is left is whole, and the last call completes it."""
    shop = finishing.shop
    for number in range(12):
        shop.photo(f"more-{number}.png", (300, 200))
    shop.run("-y")
    for number in range(8):
        process = shop.spawn("finish shopify", "-o", str(shop.output))
        time.sleep(0.4 + number * 0.15)
        process.kill()
        process.communicate()
        for path in finishing.folder("shopify").rglob("*.jpg"):
            with Image.open(path) as picture:
                picture.load()
    found = finishing.outcome("shopify")
    assert found["problems"] == []
    assert found["made"] + found["unchanged"] == 15
    assert len(finishing.pictures("shopify")) == 15


@pytest.mark.slow
def test_two_at_once_give_way(finishing: Finishing):
    """The second ends with 11 and changes nothing."""
    inner: list[Any] = []
    original = decoding.finish

    def meanwhile(*arguments):
        if not inner:
            inner.append(None)
            inner[0] = finishing.shop.spawn("finish shopify", "-o", str(finishing.shop.output)).wait()
        return original(*arguments)

    with mock.patch.object(decoding, "finish", meanwhile):
        assert finishing.finish("shopify").code == 0
    assert inner == [11]


@pytest.mark.parametrize("spoilt", rest_slow([b"no json\n", b"", b'{"batchbg":1}\n', b"\xff\xfe\n[1,2]\n{}\n"]))
def test_a_spoilt_record_loses_nothing(finishing: Finishing, spoilt):
    """Pictures that would be made just so are known by their bytes."""
    finishing.finish("shopify")
    record = finishing.folder("shopify") / ".batchbg-finished.jsonl"
    record.write_bytes(spoilt)
    found = finishing.outcome("shopify")
    assert (found["made"], found["problems"]) == (3, [])
    assert finishing.outcome("shopify")["unchanged"] == 3


def test_a_record_that_leads_elsewhere_removes_nothing(finishing: Finishing):
    """Somebody else may have written into it."""
    finishing.finish("shopify")
    victim = finishing.shop.photos / "mug_01.png"
    found = victim.lstat()
    line = finishing.record("shopify")[-1]
    planted = {**line, "master": "gone.png", "sha256": hashlib.sha256(victim.read_bytes()).hexdigest()}
    planted["file"] = [found.st_size, found.st_mtime_ns]
    with (finishing.folder("shopify") / RECORD).open("a") as record:
        for path in ("../photos/mug_01.png", str(victim), "sub/../../photos/mug_01.png"):
            record.write(json.dumps({**planted, "path": path}) + "\n")
    assert finishing.outcome("shopify")["removed"] == 0
    assert victim.exists()


def test_a_record_that_has_grown_long_is_written_anew(finishing: Finishing):
    """With all that still holds."""
    finishing.finish("shopify")
    with (finishing.folder("shopify") / RECORD).open("a") as record:
        record.write('{"master":"x.png","gone":true}\n' * 1100)
    assert finishing.outcome("shopify")["unchanged"] == 3
    lines = finishing.record("shopify")
    assert [line.get("master") for line in lines] == [None, "mug_01.png", "mug_02.png", "sub/cup.png"]
    assert finishing.outcome("shopify")["unchanged"] == 3


def test_odd_names_are_finished_and_shown(finishing: Finishing):
    """A newline, bytes that are no text, what a terminal would obey."""
    shop = finishing.shop
    for name in ("a\nb.png", os.fsdecode(b"\xff\xfe.png"), "\x1b[31mred.png"):
        shop.photo(name, (90, 60))
    shop.run("-y")
    found = finishing.finish("amazon")
    assert found.code == 3
    assert "\x1b" not in found.out
    assert "a\\nb.png" in found.out
    assert len(finishing.pictures("amazon")) == 6
    assert finishing.outcome("amazon")["unchanged"] == 6
