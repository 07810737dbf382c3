"""`batchbg watch`: real processes, into whose folder photos come one after another, slowly, many at once."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from batchbg.ledger.engine import held
from tests.support.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

BRIEF = "import batchbg.core.stillness as s; s.FIRST_S = 0.3; import batchbg.watch.watcher as w; w.LOCK_S = 0.2;"
WITHOUT_WATCHFILES = "import sys; sys.modules['watchfiles'] = None;"
LEFT_TO_POLLING = pytest.mark.parametrize("first", ["", WITHOUT_WATCHFILES])


def watching(shop: Shop, *extra: str, first: str = "", cap: bool = True) -> "subprocess.Popen[str]":
    arguments = ["--still-for", "300ms", "--poll-every", "500ms", *(["--max-credits", "10000"] if cap else [])]
    return shop.spawn("watch", *arguments, *extra, first=BRIEF + first)


def ended(process: "subprocess.Popen[str]", number: int = signal.SIGTERM, code: int = 143) -> tuple[str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return out, err


def printed(process: "subprocess.Popen[str]", number: int) -> list[str]:
    """Return so many lines that it prints."""
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(number)]


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """Return what it says up to some words."""
    said = ""
    assert process.stderr is not None
    while words not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


@LEFT_TO_POLLING
def test_photos_are_taken_as_they_come(shop: Shop, first: str):
    """One after another, into new folders too; the ledger is free between turns."""
    shop.photo("first.png")
    process = watching(shop, first=first)
    Shop.wait_for(lambda: shop.outputs() == ["first.png"])
    shop.photo("new/second.png")
    Shop.wait_for(lambda: shop.outputs() == ["first.png", "new/second.png"])
    (shop.photos / "readme.txt").write_text("no photo")
    shop.photo("third.png")
    Shop.wait_for(lambda: "third.png" in shop.outputs())
    Shop.wait_for(lambda: shop.do("retry").code == 0)
    assert "".join(printed(process, 3)).count("1 done") == 3
    ended(process)
    assert len(shop.creates()) == 3
    shop.assert_adds_up()


@LEFT_TO_POLLING
def test_a_file_that_is_being_written_is_left_until_it_is_whole(shop: Shop, first: str):
    """Pause after pause; what was there meanwhile is not a reject, and is not paid for."""
    whole = shop.photo("whole.png", size=(400, 300)).read_bytes()
    (shop.photos / "whole.png").unlink()
    shop.photos.joinpath("other").mkdir()
    process = watching(shop, first=first)
    with (shop.photos / "slow.png").open("wb") as file:
        for start in range(0, len(whole), max(len(whole) // 15, 1)):
            file.write(whole[start : start + max(len(whole) // 15, 1)])
            file.flush()
            time.sleep(0.1)
        shop.photo("other/quick.png")
        Shop.wait_for(lambda: shop.outputs() == ["other/quick.png"])
        time.sleep(1.0)  # longer than still: it is open
        assert shop.outputs() == ["other/quick.png"]
    Shop.wait_for(lambda: shop.outputs() == ["other/quick.png", "slow.png"])
    ended(process)
    assert shop.do("jobs", "--state", "rejected").out == ""
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


def test_a_burst_is_taken_in_a_few_turns(shop: Shop):
    elsewhere = shop.folder / "elsewhere"
    elsewhere.mkdir()
    files = shop.some_photos(200)
    for file in files:
        file.rename(elsewhere / file.name)
    process = watching(shop, "--max-in-flight", "32")
    Shop.wait_for(lambda: (shop.folder / "batchbg.db").exists())
    for file in sorted(elsewhere.iterdir()):
        shutil.copyfile(file, shop.photos / file.name)
    Shop.wait_for(lambda: len(shop.outputs()) == 200)
    Shop.wait_for(lambda: shop.status()["jobs"]["done"] == 200)
    ended(process)
    assert len(shop.creates()) == 200
    runs = [json.loads(line) for line in shop.do("ledger export", "--table", "runs").out.splitlines()]
    assert 2 <= len(runs) <= 20
    shop.assert_adds_up()


def test_a_hangup_reads_the_settings_anew(shop: Shop):
    """A cap that was reached and is raised; a file that is broken is said, and changes nothing."""
    config = shop.folder / "config.toml"
    config.write_text("[budget]\nper_day = 5\n")
    shop.some_photos(2)
    process = watching(shop, "--config", "config.toml", cap=False)
    Shop.wait_for(lambda: len(shop.outputs()) == 1)
    config.write_text("[budget\n")
    process.send_signal(signal.SIGHUP)
    said = read_until(process, "the settings stay as they were")
    config.write_text("")  # without any cap
    process.send_signal(signal.SIGHUP)
    said += read_until(process, "nobody is there to stop it")
    assert len(shop.creates()) == 1
    config.write_text("[budget]\nper_day = 500\n")
    process.send_signal(signal.SIGHUP)
    Shop.wait_for(lambda: len(shop.outputs()) == 2)
    _, err = ended(process)
    assert "the settings were read anew" in err
    assert said.count("tried again in") == 1  # that the cap is reached is said once
    shop.assert_adds_up()


def test_a_cap_of_each_turn_holds_each_turn(shop: Shop):
    """What is left is for the next, after a pause; that is said once."""
    shop.some_photos(3)
    process = watching(shop, "--max-credits", "5", cap=False)
    Shop.wait_for(lambda: len(shop.outputs()) == 3)
    said = read_until(process, "working again")
    ended(process)
    assert said.count("tried again in") == 1
    runs = [json.loads(line) for line in shop.do("ledger export", "--table", "runs").out.splitlines()]
    assert {run["cap_credits"] for run in runs} == {5}
    assert len(runs) >= 4
    shop.assert_adds_up()


def test_terminated_in_the_middle_of_a_turn_it_ends_in_order(shop: Shop):
    """Invariant 9: the create in the air is awaited and noted, no other leaves."""
    shop.some_photos(4)
    shop.meanwhile("create", lambda: process.send_signal(signal.SIGTERM), nth=2)
    process = watching(shop, "--max-in-flight", "1")
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert len(shop.creates()) == 2
    assert shop.status()["jobs"]["unresolved"] == 0
    again = watching(shop)
    Shop.wait_for(lambda: shop.status()["jobs"]["done"] == 4)
    ended(again, signal.SIGINT, 130)
    assert len(shop.creates()) == 4
    shop.assert_adds_up()


def test_killed_it_goes_on_at_its_next_start(shop: Shop):
    shop.some_photos(3)
    shop.meanwhile("create", lambda: process.kill(), nth=2)
    process = watching(shop, "--max-in-flight", "1")
    process.communicate(timeout=60)
    again = watching(shop)
    Shop.wait_for(lambda: shop.status()["jobs"]["done"] == 2)
    ended(again)
    assert len(shop.creates()) == 3
    assert shop.status()["jobs"]["unresolved"] == 1
    shop.assert_adds_up()


def test_a_folder_that_is_away_is_said_once_and_looked_for_again(shop: Shop):
    shop.some_photos(1)
    process = watching(shop)
    Shop.wait_for(lambda: len(shop.outputs()) == 1)
    away = shop.folder / "away"
    shop.photos.rename(away)
    time.sleep(3.0)
    away.rename(shop.photos)
    shop.photo("more.png")
    Shop.wait_for(lambda: len(shop.outputs()) == 2)
    said = read_until(process, "working again")
    ended(process)
    assert said.count("there is no folder") == 1


def test_a_ledger_that_another_process_holds_is_waited_for(shop: Shop):
    shop.some_photos(1)
    with held(shop.ledger, "run"):
        process = watching(shop)
        assert "another run holds" in read_until(process, "waiting for it")
    Shop.wait_for(lambda: len(shop.outputs()) == 1)
    _, err = ended(process)
    assert "another run holds" not in err


def test_without_a_cap_or_with_what_is_for_a_single_run_it_does_not_begin(shop: Shop):
    shop.some_photos(1)
    result = shop.do("watch")
    assert (result.code, "nobody is there to stop it" in result.err) == (2, True)
    shop.setting("FORCE", "1")
    result = shop.do("watch", "--max-credits", "5")
    assert (result.code, "force: it is for a single run" in result.err) == (2, True)
    assert shop.requests() == 0


def test_each_turn_prints_its_object_and_starts_programs(shop: Shop):
    shop.some_photos(1)
    copies = shop.folder / "copies"
    copies.mkdir()
    process = watching(shop, "--json", "--exec", f"cp {{}} {copies}", "--metrics-file", str(shop.folder / "a.prom"))
    Shop.wait_for(lambda: len(list(copies.iterdir())) == 1)
    shop.photo("more.png")
    Shop.wait_for(lambda: len(list(copies.iterdir())) == 2)
    turns = [json.loads(line) for line in printed(process, 2)]
    ended(process)
    assert [turn["jobs"]["done"] for turn in turns] == [1, 1]
    assert len({turn["run"] for turn in turns}) == 2
    assert "batchbg_last_run_exit_code" in Path(shop.folder / "a.prom").read_text()


def test_nothing_is_left_open(shop: Shop):
    """Turn after turn takes no more files, threads or processes than one."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("nothing tells")
    shop.photo("0.png")
    process = watching(shop)
    Shop.wait_for(lambda: len(shop.outputs()) == 1)
    Shop.wait_for(lambda: shop.do("retry").code == 0)
    before = len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208
    for number in range(1, 4):
        shop.photo(f"{number}.png")
        Shop.wait_for(lambda: len(shop.outputs()) == number + 1)  # noqa: B023
        Shop.wait_for(lambda: shop.do("retry").code == 0)
    Shop.wait_for(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) <= before + 2)  # noqa: PTH208
    ended(process)
