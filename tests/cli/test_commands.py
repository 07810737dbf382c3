"""Help, errors and completion: what the command line says about itself."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from batchbg import __version__
from batchbg.cli import COMMANDS, group, module_of
from tests.support.shop import Result, Shop


def completed(*words: str, shell: str = "bash") -> list[str]:
    """Return what a shell is told for the last of these words, with what click says of its kind."""
    environ = {
        "_BATCHBG_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner(env=environ).invoke(group, [], prog_name="batchbg", complete_var="_BATCHBG_COMPLETE")
    return list(filter(None, result.output.splitlines()))


def test_every_command_is_there_and_has_a_help_of_its_own():
    for name in COMMANDS:
        command: click.Command = importlib.import_module(module_of(name)).command
        assert command.help
        result = CliRunner().invoke(group, [name, "--help"])
        assert result.exit_code == 0
    listed = CliRunner().invoke(group, ["--help"]).output
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert "..." not in listed.partition("Commands:")[2]


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_fits_the_width_it_is_read_at(arguments: list[str]):
    """Eighty columns where nobody says otherwise, at most 110 on a wide terminal."""
    for columns, most in (("80", 80), ("300", 110)):
        text = CliRunner(env={"COLUMNS": columns}).invoke(group, arguments).output
        assert max(map(len, text.splitlines())) <= most


@pytest.mark.parametrize("name", ["run", "resume", "plan"])
def test_every_option_of_a_long_help_has_its_section(name: str):
    text = CliRunner().invoke(group, [name, "--help"]).output
    assert text.endswith("\nOthers:\n  -h, --help  Show this message and exit.\n")


def test_the_version_is_said():
    assert CliRunner().invoke(group, ["--version"]).output == f"batchbg, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["xyzzy"], "`batchbg --help` lists the commands"),
        (["ledger", "chek"], "check"),
        (["run", "--max-credit", "5"], "--max-credits"),
        (["jobs", "--state", "dnoe"], "'done'"),
    ],
)
def test_the_nearest_is_suggested(shop: Shop, arguments: list[str], said: str):
    result = shop.batchbg(*arguments)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize("loud", [[], ["-v"], ["-vv"], ["-v", "-v"]])
def test_an_internal_error_is_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch, loud: list[str]):
    """Where it happened is for those who ask."""

    def broken(*_: object) -> int:
        raise RuntimeError("one\ntwo")

    monkeypatch.setattr("batchbg.cli.planned.show_plan", broken)
    result = shop.do("plan", *loud)
    assert result.code == 1
    assert result.err.splitlines()[0] == "batchbg: internal error: RuntimeError: one two; `-vv` shows where"
    assert ("Traceback" in result.err) is (loud in (["-vv"], ["-v", "-v"]))


def test_an_error_in_the_middle_of_a_job_is_one_line_too(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """The photo it happened to is named; the traceback is for -vv."""

    async def broken(*_: object) -> None:
        raise RuntimeError("out of the blue")

    monkeypatch.setattr("batchbg.pool.worker.Worker.step", broken)
    shop.some_photos(1)
    result = shop.run()
    assert result.code == 1
    assert "photo-000.png: RuntimeError: out of the blue" in result.out
    assert "Traceback" not in result.err
    assert "Traceback" in shop.run("-vv").err


@pytest.mark.slow
def test_completion_knows_commands_options_states_and_jobs(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    assert completed("batchbg", "re") == [
        f"plain,{name}" for name in ("resume", "retry", "redo", "resolve", "rescue", "report", "review")
    ]
    assert "plain,--max-credits" in completed("batchbg", "run", "--max-")
    assert completed("batchbg", "jobs", "--state", "un") == ["plain,unresolved"]
    shop.some_photos(2)
    shop.faults.add("create", "hang_up", nth=1)
    shop.run()
    monkeypatch.chdir(shop.folder)
    monkeypatch.setenv("BATCHBG_LEDGER", shop.ledger)
    (job,) = shop.jobs("--state", "unresolved")
    assert completed("batchbg", "resolve", job["id"][:2]) == [f"plain,{job['id']}"]
    assert completed("batchbg", "retry", "") == []
    monkeypatch.setenv("BATCHBG_LEDGER", "sqlite:///nowhere.db")
    assert completed("batchbg", "resolve", "") == []


@pytest.mark.parametrize("arguments", [[], ["ledger"]])
def test_without_a_command_there_is_help(shop: Shop, arguments: list[str]):
    """As it is with --help: click calls it an error, whose text must not pass for foreign."""
    shown = shop.batchbg(*arguments)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err == shop.batchbg(*arguments, "--help").out


def test_jobs_says_that_there_are_none_and_what_to_do_about_unresolved_ones(shop: Shop):
    """On stderr, where it is in no script's way."""
    shop.some_photos(1)
    shop.faults.add("create", "hang_up")
    assert shop.run().code == 3
    (job,) = shop.jobs()
    assert shop.do("jobs", "--state", "failed") == Result(0, "", "no job is failed\n")
    assert shop.do("jobs", "--state", "rejected") == Result(0, "", "no photo is rejected\n")
    assert shop.do("jobs", "--state", "failed", "--json") == Result(0, "", "")
    told = shop.do("jobs", "--state", "unresolved")
    assert told.out.rstrip().endswith(f"  look for: batchbg {job['id']}-1 photo-000.png")
    assert "`batchbg resolve JOB --project-id ID --ledger " in told.err


def test_a_list_of_commands_imports_none_of_them():
    """The shell asks at every press of TAB."""
    environ = os.environ | {"_BATCHBG_COMPLETE": "bash_complete", "COMP_WORDS": "batchbg re", "COMP_CWORD": "1"}
    code = (
        "import sys\nsys.argv[0] = 'batchbg'\nfrom batchbg.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert "plain,resume" in done.stdout
    assert not {"sqlalchemy", "httpx", "PIL", "batchbg.cli.commands.resume"} & set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_is_printed_and_bash_takes_it(shell: str):
    environ = os.environ | {"_BATCHBG_COMPLETE": f"{shell}_source"}
    command = Path(sys.executable).with_name("batchbg")  # as pip made it; its folder need not be on the PATH
    done = subprocess.run([command], env=environ, capture_output=True, text=True)
    assert done.returncode == 0
    assert "_BATCHBG_COMPLETE" in done.stdout
    if found := shutil.which(shell):
        subprocess.run([found, "-n" if shell != "fish" else "--no-execute"], input=done.stdout, text=True, check=True)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("run ph", "file,ph"),
        ("plan ph", "file,ph"),
        ("run photos -b ba", "file,ba"),
        ("run photos -o ou", "dir,ou"),
        ("run photos --files-from na", "file,na"),
        ("run photos --background-map ma", "file,ma"),
        ("run photos --plan pl", "file,pl"),
        ("run photos --report re", "file,re"),
        ("run photos --config co", "file,co"),
        ("plan photos --save pl", "file,pl"),
        ("report -o pa", "file,pa"),
    ],
)
def test_paths_are_completed_by_the_shell(typed: str, kind: str):
    """Folders where only a folder will do."""
    assert completed("batchbg", *typed.split()) == [kind]
