"""batchbg(1), written from the help."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from batchbg.cli import COMMANDS, group
from batchbg.cli.manual import EXITS
from batchbg.errors import ExitCode
from batchbg.settings.definitions import SETTINGS


@pytest.fixture(scope="module")
def page() -> str:
    result = CliRunner().invoke(group, ["help", "--man"], prog_name="batchbg")
    assert result.exit_code == 0, result.output
    return str(result.output)


def formatted(page: str, width: int = 80) -> str:
    """Return the page as a reader sees it, without attributes; nothing is complained of."""
    if not shutil.which("groff"):
        pytest.skip("no groff here")
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-o", "-P-u", f"-rLL={width}n"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def every_command() -> list[tuple[str, click.Command]]:
    """Return all commands and those within them, with their paths."""
    with click.Context(group, info_name="batchbg") as context:
        found = [(name, group.get_command(context, name)) for name in COMMANDS]
        inner = [
            (f"{name} {one}", command.commands[one])
            for name, command in found
            if isinstance(command, click.Group)
            for one in command.commands
        ]
    return [(name, command) for name, command in (*found, *inner) if command is not None]


@pytest.mark.parametrize("width", [60, 80, 132])
def test_no_formatter_complains_at_any_width(page: str, width: int):
    """And no line is wider than the terminal, but for examples, which keep theirs."""
    lines = formatted(page, width).splitlines()
    assert len(lines) > 500
    assert not [line for line in lines if len(line) > max(width, 132)]


def test_every_command_every_option_and_its_help_are_there(page: str):
    """As the formatter shows them: nothing was taken for a request, or lost."""
    shown = " ".join(formatted(page, 4000).split())
    for name, command in every_command():
        assert f"batchbg {name} " in shown
        with click.Context(command, info_name=name) as context:
            records = [one.get_help_record(context) for one in command.get_params(context)]
        for term, text in filter(None, records):
            assert f"{term} {' '.join(text.split())}" in shown, (name, term)
    for setting in SETTINGS:
        if not setting.flags:
            assert f"{setting.key} {setting.help}" in shown


def test_what_most_commands_take_is_explained_once(page: str):
    """Nobody reads it twenty times."""
    assert len(re.findall(r"(?m)^\\fB.*\\-\\-ledger", page)) == 1
    assert len(re.findall(r"(?m)^\\fB.*\\-\\-help", page)) == 1


def test_every_exit_code_has_its_line(page: str):
    assert set(EXITS) == set(ExitCode)
    for code in ExitCode:
        assert f"\\fB{code.value}\\fR" in page


def test_examples_keep_their_lines_and_can_be_copied(page: str):
    """A dash is a dash, a quote a quote."""
    lines = [line.strip() for line in formatted(page).splitlines()]
    assert "batchbg run mug.jpg cup.jpg -b wall.jpg" in lines


def test_only_ascii_leaves_so_that_any_formatter_reads_it(page: str):
    assert page.isascii()
    assert page.startswith(".TH BATCHBG 1 ")


def test_a_page_of_one_command_is_not_promised():
    """The words beside --man would be lost silently."""
    result = CliRunner().invoke(group, ["help", "--man", "run"], prog_name="batchbg")
    assert (result.exit_code, "name nothing with it" in result.output) == (2, True)


@pytest.mark.slow
def test_man_finds_it_where_the_help_puts_it(page: str, tmp_path: Path):
    """With its warnings on."""
    if not shutil.which("man"):
        pytest.skip("no man here")
    place = tmp_path / "man" / "man1" / "batchbg.1"
    place.parent.mkdir(parents=True)
    place.write_text(page, encoding="ascii")
    environ = os.environ | {
        "MANPATH": str(tmp_path / "man"),
        "MANWIDTH": "80",
        "MAN_KEEP_FORMATTING": "",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(["man", "--warnings", "batchbg"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "EXIT STATUS" in re.sub(".\b", "", done.stdout)


@pytest.mark.slow
def test_mandoc_reads_it_too(page: str):
    """The formatter of the BSDs, of Alpine and of macOS; a date there is none, for the page is as old as the program."""
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning"], input=page, capture_output=True, text=True, check=False
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]
    assert told == []
