"""What a person is told to type next, and what is offered for what was mistyped."""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from batchbg.cli import group
from batchbg.cli.console_reporter import prospect
from batchbg.cli.suggest import command_line, quoted
from batchbg.core.budget import Headroom
from batchbg.core.suggestion import SPENDS
from batchbg.ledger.estimate import Estimate
from batchbg.settings import load
from tests.support.shop import Shop
from tests.support.terminal import Terminal


def next_line(text: str) -> list[str]:
    """Return the words of the command that the closing table names."""
    (line,) = [one for one in Terminal.plain(text).splitlines() if one.startswith("next ")]
    words = shlex.split(line)
    assert words[1] == "batchbg"
    return words[2:]


def suggested(text: str, command: str) -> list[str]:
    """Return the words of a command that stands between backticks."""
    (line,) = re.findall(rf"`batchbg ({command}[^`]*)`", text)
    return shlex.split(line)


def options(words: list[str]) -> dict[str, str]:
    return {name: value for name, value in itertools.pairwise(words) if name.startswith("--")}


LIMITS = {"--max-credits": "10", "--max-files": "2", "--max-duration": "1h"}


def limits(**changed: str) -> list[str]:
    return [word for pair in (LIMITS | changed).items() for word in pair]


# The next command


@pytest.mark.slow
def test_what_is_to_be_typed_after_a_cap_keeps_to_the_caps(shop: Shop, terminal: Terminal):
    """Typed as it stands it spends no more than that, and finds the same ledger and service."""
    shop.some_photos(5)
    result = shop.run(*limits(), "--confirm-batch-over", "7")
    assert result.code == 8
    words = next_line(result.out)
    assert words[0] == "resume"
    given = {"--ledger": shop.ledger, "--base-url": shop.base_url, "--confirm-batch-over": "7"}
    assert options(words) == LIMITS | given
    again = shop.batchbg(*words)
    assert again.code == 8
    assert len(shop.creates()) == 4


def test_after_ctrl_c_too(shop: Shop, terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    import os
    import signal

    shop.some_photos(5)
    shop.meanwhile("create", lambda: os.kill(os.getpid(), signal.SIGINT))
    result = shop.run(*limits(), "--pilot", "3", "--max-in-flight", "1")
    assert result.code == 130, result.err
    words = next_line(result.out)
    assert words[0] == "resume"
    assert options(words) == LIMITS | {"--ledger": shop.ledger, "--base-url": shop.base_url, "--pilot": "3"}


def test_after_a_pilot_comes_the_rest_under_the_same_caps(shop: Shop, terminal: Terminal):
    shop.some_photos(5)
    words = next_line(shop.run("--pilot", "1", "--max-credits", "10", "-y").out)
    assert options(words) == {"--ledger": shop.ledger, "--base-url": shop.base_url, "--max-credits": "10"}


@pytest.mark.slow
def test_a_config_that_was_named_and_names_that_need_quotes(shop: Shop, terminal: Terminal):
    """Whatever the shop is called, the line can be typed as it stands."""
    shop.some_photos(2)
    home = shop.folder / "it's my\tshop"
    home.mkdir()
    (home / "my config.toml").write_text(f'base_url = "{shop.base_url}"\noutput = "{shop.output}"\n')
    config = str(home / "my config.toml")
    result = shop.batchbg("run", str(shop.photos), "--config", config, "--max-credits", "5")
    assert result.code == 8
    (line,) = [one for one in Terminal.plain(result.out).splitlines() if one.startswith("next ")]
    assert line.endswith(rf"batchbg resume --config $'{home.parent}/it\'s my\x09shop/my config.toml' --max-credits 5")


@pytest.mark.slow
def test_commands_in_sentences_are_the_same_ones(shop: Shop):
    """On a terminal or not: what is in backticks is there to be typed."""
    shop.some_photos(2)
    shop.faults.add("create", "hang_up", nth=1)
    result = shop.run("--max-credits", "10")
    words = suggested(result.out, "jobs")
    assert words == ["jobs", "--state", "unresolved", "--ledger", shop.ledger]
    assert shop.batchbg(*words).code == 0
    settled = shop.do("resolve", "--all", "--not-charged")
    words = suggested(settled.out, "resume")
    assert options(words) == {"--ledger": shop.ledger, "--base-url": shop.base_url}
    refused = shop.do("resolve", "nonsense", "--charged")
    assert suggested(refused.err, "jobs") == ["jobs", "--ledger", shop.ledger]


@pytest.mark.slow
def test_retry_rescue_and_plan_name_the_ledger_too(shop: Shop):
    shop.some_photos(2)
    shop.faults.add("create", "job_error", nth=1)
    shop.run()
    (shop.output / "photo-001.png").unlink(missing_ok=True)
    (shop.output / "photo-000.png").unlink(missing_ok=True)
    assert suggested(shop.do("plan").out, "rescue") == ["rescue", "--ledger", shop.ledger]
    assert suggested(shop.do("retry").err, "resume")[1:3] == ["--ledger", shop.ledger]


def test_a_rehearsal_is_never_led_to_the_real_ledger(shop: Shop):
    shop.setting("MAGIC_HOUR_API_KEY", "", prefix="")
    words = suggested(shop.run("--max-credits", "5").err, "run")
    assert words == ["run", "--sandbox"]


def test_what_a_rehearsal_says_to_type_stays_one(shop: Shop, terminal: Terminal):
    """Commands without --sandbox are given its ledger by name."""
    (shop.photos / "bad.jpg").write_text("no picture")
    result = shop.batchbg("run", str(shop.photos), "--sandbox")
    assert next_line(result.out) == ["jobs", "--state", "rejected", "--sandbox"]
    settings = load({"sandbox": True}, {})
    assert command_line("doctor --sandbox", settings) == "batchbg doctor --sandbox"
    assert command_line("retry", settings) == "batchbg retry --ledger sqlite:///batchbg-sandbox.db"


@pytest.mark.parametrize(
    ("part", "word"),
    [
        ("plain", "plain"),
        ("a b", "'a b'"),
        ("it's", "'it'\"'\"'s'"),
        ("a\nb'\\", r"$'a\x0ab\'\\'"),
        ("\udcff", r"$'\xff'"),
    ],
)
def test_words_are_quoted_for_a_shell_and_for_the_eye(part: str, word: str):
    assert quoted(part) == word


def test_a_command_of_another_run_is_no_suggestion(shop: Shop):
    from batchbg.ledger.engine import held

    with held(shop.ledger, "run"):
        assert "`batchbg run`, pid " in shop.run("--max-credits", "5").err


@pytest.mark.slow
def test_commands_on_the_report_s_page_find_their_ledger(shop: Shop):
    shop.some_photos(2)
    shop.faults.add("create", "hang_up", nth=1)
    shop.run("--max-credits", "5", "--report", str(shop.folder / "page.html"))
    (job,) = shop.jobs("--state", "unresolved")
    for page in (shop.folder / "page.html", shop.folder / "again.html"):
        shop.do("report", "-o", str(shop.folder / "again.html"))
        assert f"batchbg resolve {job['id']} --charged --ledger {shop.ledger}" in page.read_text()


# Questions


def outlook(jobs: int, left: int | None = None, balance: int | None = None) -> Estimate:
    room = None if left is None else Headroom("max_credits of this run", 100, left)
    return Estimate(jobs, 5, room, balance, 0.0)


@pytest.mark.parametrize(
    ("found", "max_files", "said"),
    [
        (outlook(60, balance=1000), None, "60 new jobs, about 300 credits; 1000 credits on the account; about 30 s"),
        (
            outlook(60, left=100, balance=1000),
            None,
            "60 new jobs, 20 of them now, about 100 credits; max_credits of this run: 100 of 100 credits left;"
            " 1000 credits on the account; about 10 s",
        ),
        (
            outlook(60),
            7,
            "60 new jobs, 7 of them now, about 35 credits; max_files: 7 more; the account's balance is not known; about 4 s",
        ),
        (
            outlook(60, left=-5),
            None,
            "60 new jobs, 0 of them now, about 0 credits; max_credits of this run: 0 of 100 credits left;"
            " the account's balance is not known; about 0 s",
        ),
    ],
)
def test_a_question_shows_what_will_really_be_spent(found: Estimate, max_files: int | None, said: str):
    """Under the caps, beside the account's balance, and how long it takes."""
    assert prospect(found, load({}, {}), found.balance, max_files) == said


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked; every answer is no."""
    asked: list[str] = []
    monkeypatch.setattr("batchbg.cli.console_reporter._somebody_there", lambda: True)

    def no(text: str, **_: Any) -> bool:
        asked.append(text)
        return False

    async def not_now(text: str) -> bool:
        return no(text)

    monkeypatch.setattr(click, "confirm", no)
    monkeypatch.setattr("batchbg.cli.console_reporter.confirmed", not_now)
    return asked


def test_the_balance_in_a_question_is_the_present_one(shop: Shop, answers: list[str]):
    shop.some_photos(3)
    shop.sandbox.configure(credits=77)
    result = shop.run("--confirm-batch-over", "1", "--max-credits", "10")
    assert result.code == 130
    (question,) = answers
    assert question.startswith("3 new jobs, 2 of them now, about 10 credits; ")
    assert "; 77 credits on the account; about " in question
    assert not shop.creates()


@pytest.mark.slow
def test_a_service_that_does_not_tell_the_balance_keeps_nobody_from_being_asked(shop: Shop, answers: list[str]):
    shop.some_photos(3)
    shop.faults.add("account", "status", status=404, commit=False)
    assert shop.run("--confirm-batch-over", "1").code == 130
    assert "; the account's balance is not known; " in answers[0]


@pytest.mark.parametrize("tier", ["free", "creator"])
def test_what_a_free_account_means_is_said_in_the_question(shop: Shop, answers: list[str], tier: str):
    """Before anything is paid, not when the results are there."""
    shop.some_photos(3)
    shop.sandbox.configure(tier=tier)
    assert shop.run("--confirm-batch-over", "1").code == 130
    said = "; a free account: results may carry a watermark, and be smaller than their photos" in answers[0]
    assert said == (tier == "free")


@pytest.mark.slow
def test_what_a_free_account_means_is_said_once(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """In the question; the run that follows does not repeat it."""
    monkeypatch.setattr("batchbg.cli.console_reporter._somebody_there", lambda: True)
    asking = mock.Mock(return_value=True)
    monkeypatch.setattr(click, "confirm", asking)
    shop.some_photos(2)
    shop.sandbox.configure(tier="free")
    result = shop.run("--confirm-batch-over", "1")
    assert (result.code, "a free account" in asking.call_args[0][0], "a free account" in result.err) == (0, True, False)


def test_ctrl_c_at_the_question_is_an_interruption_in_the_ledger_too(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """And stands on a line of its own."""
    monkeypatch.setattr("batchbg.cli.console_reporter._somebody_there", lambda: True)
    monkeypatch.setattr(click, "confirm", mock.Mock(side_effect=click.Abort))
    shop.some_photos(2)
    result = shop.run("--confirm-batch-over", "1")
    assert result.code == 130
    assert "\nbatchbg: interrupted; nothing is lost: " in result.err
    assert shop.do("status").out.splitlines()[-1].endswith("  run  130: interrupted")


@pytest.mark.slow
def test_after_a_pilot_the_question_shows_what_is_left_under_the_caps(shop: Shop, answers: list[str]):
    shop.some_photos(5)
    result = shop.run("--pilot", "1", "--max-credits", "15")
    assert result.code == 8
    assert answers[0].startswith("Still to do: 4 new jobs, 2 of them now, about 10 credits; ")


# What was mistyped


def said_of(*arguments: str) -> str:
    from batchbg.cli.options import advise

    try:
        group.main(list(arguments), standalone_mode=False)
    except click.NoSuchOption as error:
        return advise(error).format_message()
    raise AssertionError("there is such an option")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *((word, "--max-in-flight") for word in ("-j", "-j8", "--jobs", "--workers", "--workers=8", "--worker")),
        *((word, "--max-in-flight") for word in ("--transfers", "--concurrency", "--threads", "--parallel")),
        *((word, "--requests-per-second") for word in ("--tpslimit", "--rate", "--rps", "--rate-limit")),
        *((word, "--max-files") for word in ("--limit", "--max-file", "--count", "--max_files")),
        *((word, "--max-credits") for word in ("--budget", "--max-credit", "--max-cost", "--cap")),
        *((word, "--output") for word in ("--out", "--dest", "--outptu", "--output-dir")),
        *((word, "--dry-run") for word in ("--dry", "--dryrun", "--simulate")),
        ("--bg", "--backgrounds"),
        ("--ignore", "--exclude"),
        ("--db", "--ledger"),
    ],
)
def test_the_words_of_other_tools_lead_to_ours(typed: str, meant: str):
    assert said_of("run", typed, "5").endswith(f"Did you mean {meant!r}?")


@pytest.mark.parametrize(
    "word", ["--skip-existing", "--resume", "--continue", "--no-clobber", "-r", "--retries", "--api-key"]
)
def test_what_is_so_anyway_is_said(word: str):
    said = said_of("run", word)
    assert "Did you mean" not in said
    assert "anyway" in said or "MAGIC_HOUR_API_KEY" in said


@pytest.mark.parametrize(
    "word",
    [
        "--forse",
        "--forced",
        "--yess",
        "--yes-please",
        "--reprocess",
        "--reprocess-existin",
        "--overwrite",
        "--redo",
        "--for",
    ],
)
def test_what_spends_or_replaces_is_never_offered(word: str):
    said = said_of("run", word)
    assert not any(f"--{one}" in said.replace(word, "") for one in SPENDS), said


def test_nor_is_it_by_other_commands_keys_and_variables(shop: Shop):
    for words in (["retry", "--pay-agan"], ["resolve", "--not-charge"], ["resolve", "--chargd"], ["resume", "--yse"]):
        said = said_of(*words)
        assert "Did you mean" not in said, said
    (shop.folder / "config.toml").write_text("workers = 5\n")
    assert "did you mean 'max_in_flight'?" in shop.do("status").err
    (shop.folder / "config.toml").write_text("forced = true\n")
    assert "'force'" not in shop.do("status").err


def test_it_is_said_with_the_usage_and_exit_code_2(shop: Shop):
    result = shop.run("--workers", "8")
    assert result.code == 2
    assert result.err.startswith("Usage: batchbg run ")
    assert result.err.endswith("Error: No such option '--workers'. Did you mean '--max-in-flight'?\n")


def test_an_option_that_only_others_have_is_not_offered():
    assert "Did you mean" not in said_of("jobs", "--workers")


def test_every_option_that_is_offered_exists():
    """In `run`, which has all that the words of other tools lead to."""
    from batchbg.core.suggestion import PEERS

    listed = CliRunner().invoke(group, ["run", "--help"]).output
    assert [name for name in PEERS if not re.search(rf"--{name}\b", listed)] == []


def test_the_config_that_was_named_is_named_again_where_it_is_refused(shop: Shop, tmp_path: Path):
    path = tmp_path / "odd.toml"
    path.write_text("ledger = 'elsewhere.db'\n")
    result = shop.batchbg("status", "--config", str(path))
    assert suggested(result.err, "run") == ["run", "--config", str(path)]


def test_what_was_typed_is_kept_where_the_settings_cannot_be_read(shop: Shop):
    (shop.folder / "config.toml").write_text("max_credits = 'x'\n")
    words = suggested(shop.do("doctor", "--ledger", shop.ledger, "-o", "out").out, "doctor")
    assert options(words) == {"--ledger": shop.ledger, "--output": "out"}
