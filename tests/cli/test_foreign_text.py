"""Names of files and messages of servers: seen on terminals and in logs, and never more than that."""

import ast
import csv
import io
import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchbg import cli
from batchbg.cli import group
from tests.support.shop import Result, Shop
from tests.support.terminal import Terminal
from tests.support.tiers import rest_slow

NASTY = "a\x1b]0;owned\x07\r\n\x9b31m\u202egnp.\u2028b\x7f.png"
"""A name that sets a terminal's title, forges a line, colours, and turns the direction of writing."""


def assert_tame(result: Result, allowed: str = "\n") -> None:
    """See that nothing that was printed does anything to a terminal."""
    for text in (result.out, Terminal.plain(result.err)):
        for character in Terminal.plain(text):
            kind = unicodedata.category(character)
            assert character in allowed or kind not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, (character, text)


@pytest.fixture
def nasty(shop: Shop) -> Shop:
    """A shop with nasty names: one photo that can be sent, one that cannot, one whose create is refused."""
    shop.photo(NASTY, colour=1)
    (shop.photos / f"bad{NASTY}").write_text("no picture")
    (shop.photos / b"\xff\x1bbytes.png".decode("utf-8", "surrogateescape")).write_text("no picture")
    return shop


COMMANDS = [
    ["run", "-vv"],
    ["plan", "-v"],
    ["plan", "-v", "--json"],
    ["jobs"],
    ["jobs", "--json"],
    ["jobs", "--state", "rejected"],
    ["jobs", "--state", "rejected", "--json"],
    ["status"],
    ["audit"],
    ["rescue"],
    ["retry"],
    ["report"],
    ["ledger export"],
    ["ledger check"],
]


@pytest.mark.parametrize("command", rest_slow(COMMANDS, 3), ids=" ".join)
def test_names_are_shown_and_do_nothing(nasty: Shop, command: list[str]):
    if command[0] != "run":
        nasty.run()
    result = nasty.do(*command)
    assert_tame(result)
    if command[0] in ("run", "plan", "jobs", "audit"):
        assert r"\e]0;owned" in result.out + result.err or r"\u001b]0;owned" in result.out + result.err


@pytest.mark.slow
def test_on_a_terminal_too(nasty: Shop, terminal: Terminal):
    """Where only our own colours and the bar are more than text."""
    nasty.output = nasty.folder / f"out{NASTY[:-4]}"
    result = nasty.run("--report", str(nasty.folder / f"page{NASTY[:-4]}.html"))
    assert result.code == 3
    assert_tame(result, "\n\r")
    assert r"results      " in Terminal.plain(result.out)


@pytest.mark.parametrize("form", rest_slow(["text", "json"]))
def test_what_a_server_says_is_text_in_the_log_and_everywhere(shop: Shop, form: str):
    shop.some_photos(3)
    error = {"code": f"x{NASTY}", "message": f"y{NASTY}"}
    shop.faults.add("status", "replace", fields={"status": "error", "error": error, "credits_charged": 0}, nth=1)
    shop.faults.add("create", "status", status=400, commit=False, code=NASTY, message=NASTY, nth=2)
    shop.faults.add("status", "replace", fields={"status": f"odd{NASTY}"}, nth=2)
    result = shop.run("-vv", "--log-format", form, "--max-in-flight", "1")
    assert_tame(result)
    for command in (["jobs"], ["jobs", "--json"], ["audit"], ["status"], ["ledger export", "--table", "events"]):
        assert_tame(shop.do(*command))
    if form == "json":
        assert [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_an_account_that_is_called_something_odd(shop: Shop):
    shop.faults.add("account", "replace", fields={"id": NASTY, "tier": NASTY})
    for command in ("account", "doctor"):
        assert_tame(shop.batchbg(command, "--base-url", shop.base_url))


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_error_s_message_and_its_traceback_are_text(shop: Shop, monkeypatch: pytest.MonkeyPatch, command: str):
    def broken(*_: object) -> int:
        raise RuntimeError(NASTY)

    monkeypatch.setattr("batchbg.cli.planned.show_plan", broken)
    monkeypatch.setattr("batchbg.cli.processing.process", broken)
    result = shop.do(command, "-vv")
    assert result.code == 1
    assert_tame(result)
    assert "Traceback" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", NASTY],
        ["plan", NASTY],
        ["status", "--ledger", f"{NASTY}/x.db"],
        [NASTY],
        ["run", f"--{NASTY}"],
        ["jobs", "--state", NASTY],
        ["run", ".", "--files-from", NASTY],
        ["report", "-o", NASTY],
        ["doctor", NASTY, "--sandbox"],
        ["trust", NASTY],
        ["resolve", NASTY, "--charged"],
    ],
    ids=lambda arguments: arguments[0][:8],
)
def test_what_was_typed_is_text_in_what_is_said_of_it(shop: Shop, arguments: list[str]):
    """It may come from a list of files."""
    result = shop.batchbg(*arguments)
    assert result.code
    assert_tame(result)


def test_a_file_whose_settings_are_odd(shop: Shop):
    (shop.folder / "config.toml").write_text('"a\\u001b]0;x\\u0007" = 1\n')
    assert_tame(shop.do("status"))
    folder = shop.folder / NASTY
    folder.mkdir()
    assert_tame(shop.batchbg("init", str(folder)))
    assert_tame(shop.batchbg("trust", str(folder / "config.toml")))


def test_there_is_no_other_way_out():
    """What prints is named here, with its reason; whatever else has something to say asks these to."""
    ways = {
        "output": "escapes",
        "logs": "escapes",
        "prompt": "a question of figures and settings, and its answer's mistake",
        "summary": "a table of lines that are escaped as they are made",
        "help": "our own topics",
        "init": "files for cron and systemd, from names that need no escapes",
        "__init__": "a traceback, line by line, in escapes",
    }
    found = set()
    for file in Path(cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("click" | "tqdm"), attr="echo" | "secho" | "write")):
                    found.add(file.stem)
                case ast.Call(func=ast.Name("print")):
                    found.add(file.stem)
    assert found == set(ways)


# Spreadsheets


def exported(shop: Shop, table: str = "jobs") -> list[dict[str, str]]:
    text = shop.do("ledger export", "--format", "csv", "--table", table).out
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", rest_slow(["=1+1.png", " =cmd.png", "+1.png", "-1.png", "@SUM(A1).png", "\t=x.png", "'=1.png"], 2)
)
def test_an_exported_name_is_no_formula(shop: Shop, name: str):
    """An apostrophe in front, as the help says; JSON has the name as it is."""
    shop.photo(name)
    shop.run()
    (row,) = exported(shop)
    assert row["photo_path"] == f"'{name}"
    (line,) = shop.do("ledger export").out.splitlines()
    assert json.loads(line)["photo_path"] == name
    assert "apostrophe" in CliRunner().invoke(group, ["ledger", "export", "--help"]).output


@pytest.mark.slow
def test_an_exported_message_is_no_formula_and_numbers_are_numbers(shop: Shop):
    shop.some_photos(1)
    shop.faults.add("create", "job_error", nth=1)
    shop.run()
    amounts = [row["amount"] for row in exported(shop, "credits")]
    assert "-5" in amounts
    assert not [amount for amount in amounts if amount.startswith("'")]


@pytest.mark.slow
def test_a_file_of_the_export_says_the_same(shop: Shop, tmp_path: Path):
    shop.photo("=1+1.png")
    shop.run()
    shop.do("ledger export", "--format", "csv", "-o", str(tmp_path / "jobs.csv"))
    assert "'=1+1.png" in (tmp_path / "jobs.csv").read_text()
