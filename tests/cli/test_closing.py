"""What a run says at its end, on a terminal and elsewhere."""

import dataclasses
import io
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from batchbg.cli.summary import next_command
from batchbg.core.budget import Credits
from batchbg.core.lifecycle import JobState
from batchbg.errors import ExitCode
from batchbg.report.summary import PHOTO_COUNTS, Summary
from batchbg.settings import load
from batchbg.settings.trust import trust
from tests.support.shop import Shop
from tests.support.terminal import Terminal
from tests.support.tiers import rest_slow


def rows(text: str) -> dict[str, str]:
    """Return the closing table by its first column."""
    pairs = (line.partition(" ") for line in Terminal.plain(text).splitlines())
    return {name: rest.strip() for name, _, rest in pairs}


def summary(code: int = 0, rejected: int = 0, **states: int) -> Summary:
    jobs = {state: states.get(state.value, 0) for state in JobState}
    photos = dict.fromkeys(PHOTO_COUNTS, 0) | {"rejected": rejected}
    return Summary(jobs, photos, Credits(), None, ExitCode(code), unresolved=jobs[JobState.UNRESOLVED])


def test_the_table_tells_all_counts_the_money_the_places_and_the_next_command(shop: Shop, terminal: Terminal):
    shop.setting("PRICE_PER_CREDIT", "0.5")
    shop.photo("a.png", colour=7)
    shop.photo("b.png", colour=7)
    shop.photo("c.png")
    (shop.photos / "bad.jpg").write_text("no picture")
    result = shop.run("--max-credits", "40", "--report", str(shop.folder / "page.html"))
    assert "\x1b[" in result.out
    found = rows(result.out)
    counts = ("done", "reused", "skipped", "rejected", "failed", "unresolved")
    assert [found[name] for name in counts] == ["2", "1", "0", "1", "0", "0"]
    assert found["credits"] == "10 = 5.00; max_credits of this run: 30 of 40 credits left"
    assert found["results"] == str(shop.output)
    assert found["report"] == str(shop.folder / "page.html")
    assert found["why"] == "1 photo rejected"
    # The shop's ledger is named by a flag, so that the next command has to name it too.
    assert found["next"] == f"batchbg jobs --state rejected --ledger {shop.ledger}"


@pytest.mark.parametrize(
    ("ended", "command"),
    [
        (summary(done=1), "report"),
        (summary(3, rejected=1, done=1), "jobs --state rejected"),
        (summary(3, failed=1, rejected=1), "retry"),
        (summary(3, canceled=1), "retry"),
        (summary(8, planned=1, failed=1), "resume"),
        (summary(130, rendering=1), "resume"),
        (summary(7, planned=1), "doctor"),
        (summary(3, unresolved=1, planned=1, failed=1), "jobs --state unresolved"),
        (dataclasses.replace(summary(3, done=1), unresolved=1), "jobs --state unresolved"),
        (summary(0, rejected=1, done=1), "report"),
    ],
)
def test_the_next_command_is_the_most_pressing_one(ended: Summary, command: str):
    assert next_command(ended, load({}, {})) == f"batchbg {command}"


def test_a_terminal_is_told_where_the_results_are_and_that_there_was_nothing_to_do(shop: Shop, terminal: Terminal):
    """Of whatever folder they are: `resume` is not told of it."""
    shop.photo("a.png")
    elsewhere = shop.folder / "elsewhere"
    assert shop.run("-o", str(elsewhere)).code == 0
    found = rows(shop.resume().out)
    assert (found["results"], found["why"]) == (str(elsewhere), "nothing to do")
    found = rows(shop.run("-o", str(elsewhere)).out)
    assert (found["skipped"], found["why"]) == ("1", "nothing to do")


@pytest.mark.slow
def test_a_copy_that_waits_says_for_what(shop: Shop):
    """It is among the skipped, for which there are other reasons as well."""
    shop.photo("a.png", colour=1)
    shop.photo("b.png", colour=2)
    shop.photo("c.png", colour=2)
    told = shop.run("--max-credits", "0").out
    assert "; 1 photo skipped: waits for the result of another with the same content; " in told


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ({}, ""),
        ({"sandbox": True}, " --sandbox"),
        ({"ledger": "sqlite:///my shop.db"}, " --ledger 'sqlite:///my shop.db'"),
        ({"base_url": "http://127.0.0.1:8787"}, " --base-url http://127.0.0.1:8787"),
        ({"sandbox": True, "ledger": "x.db"}, " --sandbox --ledger sqlite:///x.db"),
    ],
)
def test_the_next_command_says_what_it_must_and_no_more(flags: dict[str, Any], options: str):
    assert next_command(summary(5, planned=1), load(flags, {})) == f"batchbg resume{options}"


def test_what_config_toml_says_need_not_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text('ledger = "shop.db"\nbase_url = "http://127.0.0.1:8787"\n')
    trust(Path("config.toml"), Path("config.toml").read_bytes(), os.environ)
    assert next_command(summary(5, planned=1), load({}, os.environ)) == "batchbg resume"


@pytest.mark.slow
def test_off_a_terminal_it_is_one_line_and_with_q_none_on_success(shop: Shop):
    shop.some_photos(2)
    result = shop.run()
    assert result.out.splitlines() == ["2 photos: 2 done; 10 credits spent"]
    assert result.err.splitlines() == [f"new ledger: {shop.folder / 'batchbg.db'}"]
    shop.some_photos_more(1)
    capped = shop.run("-q", "--max-credits", "0")
    assert capped.code == 8
    assert len(capped.out.splitlines()) == 1
    assert shop.run("-q", "--max-credits", "100") == type(capped)(0, "", "")


@pytest.mark.slow
def test_a_bad_photo_is_news_once(shop: Shop):
    """Night after night the same one is no alarm."""
    (shop.photos / "bad.jpg").write_text("no picture")
    assert [shop.run("-q").code for _ in range(3)] == [3, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value", "coloured"), [("NO_COLOR", "1", False), ("NO_COLOR", "", True)])
def test_no_color_is_obeyed(shop: Shop, terminal: Terminal, name: str, value: str, coloured: bool):
    """An empty one is as if it were not set: https://no-color.org."""
    shop.setting(name, value, prefix="")
    (shop.photos / "bad.jpg").write_text("no picture")
    result = shop.run()
    assert ("\x1b[" in result.out) is coloured


@pytest.mark.slow
def test_a_dumb_terminal_gets_neither_colours_nor_a_bar(shop: Shop, terminal: Terminal):
    """It cannot draw a line anew either."""
    shop.some_photos(1)
    shop.setting("TERM", "dumb", prefix="")
    result = shop.run()
    assert rows(result.out)["done"] == "1"
    assert "\x1b[" not in result.out + result.err
    assert "\r" not in result.err
    shop.stream = io.StringIO
    assert "\r" not in shop.run("--force").err


@pytest.mark.slow
def test_numbers_agree_and_nothing_is_said_twice(shop: Shop):
    """One line off a terminal: what became of the photos, and the money."""
    shop.photo("a.png")
    shop.photo("b.png", colour=9)
    shop.photo("c.png", colour=9)
    (shop.photos / "bad.jpg").write_text("no picture")
    (shop.photos / "notes.txt").write_text("junk")
    first = shop.run()
    assert first.out == "4 photos: 2 done, 1 reused, 1 rejected, 1 other file ignored; 10 credits spent\n"
    assert "rejected bad.jpg: not a picture" in first.err
    assert shop.do("status").out.splitlines()[1] == (
        "the last scan: 4 photos: 2 with jobs, 1 reused, 1 rejected, 1 other file ignored"
    )
    second = shop.run()
    assert second.out == "4 photos: 3 skipped, 1 rejected, 1 other file ignored; 0 credits spent\n"
    assert second.err == "", "what is known is no news"
    for asked in ("-v", "--strict"):
        assert "rejected bad.jpg: not a picture" in shop.run(asked).err
    (shop.photos / "bad.jpg").unlink()
    assert shop.run().out == "nothing to do: 3 photos: 3 skipped, 1 other file ignored; 0 credits spent\n"
    assert shop.resume().out == "nothing to do; 0 credits spent\n"
    assert shop.do("status").out.splitlines()[:2] == [
        "2 jobs: 2 done",
        "the last scan: 3 photos: 3 skipped, 1 other file ignored",
    ]


@pytest.mark.slow
def test_rescue_says_what_was_missing_and_what_came_back(shop: Shop):
    shop.some_photos(2)
    assert shop.run().code == 0
    assert shop.do("rescue").out == "no result is missing\n"
    for path in shop.output.glob("*.png"):
        path.unlink()
    assert shop.do("rescue").out == "2 results missing: fetched again, free\n"
    assert shop.do("rescue", "-q").out == ""
    (shop.output / "photo-000.png").unlink()
    (shop.output / "photo-001.png").write_text("retouched")
    shop.faults.add("status", "status", status=404)
    again = shop.do("rescue")
    assert again.err == "photo-001.png: not the file that was saved; left unchanged\n"
    gone = shop.output / "photo-000.png"
    assert again.out.startswith(f"1 result missing: 0 fetched again, free; 1 still missing: {gone}\n")
    assert again.code == 3
    shop.faults.clear()
    assert shop.do("rescue").out == "1 result missing: fetched again, free\n", "it is still missed the next time"


@pytest.mark.parametrize("command", rest_slow(["rescue", "retry"]))
def test_what_repairs_looks_for_no_photos(shop: Shop, command: str):
    """Though config.toml names their folder: new ones are for the next run."""
    shop.some_photos(1)
    shop.meanwhile("create", lambda: (shop.output / "photo-000.png").write_text("somebody's"))
    assert shop.run().code == 3
    shop.some_photos_more(2)
    (shop.folder / "config.toml").write_text('photos = "photos"\n')
    assert shop.do(command).code == 3  # the place is still taken
    assert shop.status()["jobs"]["planned"] == 0


def test_a_create_that_was_cut_off_is_told_in_words(shop: Shop):
    shop.some_photos(1)
    shop.faults.add("create", "reset")
    assert shop.run().code == 3
    assert "no answer: the connection broke off" in shop.do("jobs").out


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "plan"])
def test_ctrl_c_while_it_still_plans_names_what_continues(shop: Shop, monkeypatch: pytest.MonkeyPatch, command: str):
    """The very command, with what was given to it; nothing was sent."""
    from batchbg.plan.planner import Planner

    def interrupted(self: Planner) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Planner, "plan", interrupted)
    shop.some_photos(1)
    result = shop.do(command, "--exclude", "a b")
    assert result.code == 130
    (typed,) = re.findall(
        r"^batchbg: interrupted; nothing is lost: `(batchbg .*)` continues$", result.err, re.MULTILINE
    )
    assert shlex.split(typed) == ["batchbg", *shop.arguments(command, "--exclude", "a b")]
    assert shop.creates() == []


@pytest.mark.slow
def test_a_plan_ends_with_the_command_that_does_just_that(shop: Shop):
    """With what was picked, its backgrounds, and a cap of what it costs where there is none."""
    shop.some_photos(2)
    shop.background("wall.png")
    planned = shop.do("plan", "--exclude", "*-001.png", "-v")
    (typed,) = re.findall(r"^next: `batchbg (.*)`$", planned.out, re.MULTILINE)
    assert "-v" not in typed
    result = shop.batchbg(*shlex.split(typed), "--base-url", shop.base_url)
    assert (result.code, len(shop.creates())) == (0, 1), result
    assert shlex.split(typed)[-2:] != ["--max-credits", "10"]


@pytest.mark.slow
def test_a_saved_plan_ends_with_the_command_that_does_it(shop: Shop):
    """It names backgrounds, which have to be given again."""
    shop.some_photos(2)
    shop.background("wall.png")
    planned = shop.do("plan", "--save", str(shop.folder / "my plan.jsonl"), "--exclude", "*-001.png")
    (typed,) = re.findall(r"^next: `batchbg (.*)`$", planned.out, re.MULTILINE)
    result = shop.batchbg(*shlex.split(typed), "--base-url", shop.base_url)
    assert (result.code, len(shop.creates())) == (0, 1), result
    assert shop.do("plan", "--exclude", "*-001.png").out.count("next:") == 0
