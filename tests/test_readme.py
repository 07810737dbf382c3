"""The README says what is so: every command line in it is executed, every option in it exists."""

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from batchbg.cli import COMMANDS, group
from tests.e2e.conftest import Shop, brisk, sandbox, shop

__all__ = ["brisk", "sandbox", "shop"]

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

EXECUTED: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "batchbg init [DIR]": (("batchbg init elsewhere", 0),),
    "batchbg init": (("batchbg init another", 0),),
    "batchbg init shop": (("batchbg init shop", 0),),
    "batchbg init shop --cron": (("batchbg init shop --cron", 0),),
    "batchbg init shop --systemd": (("batchbg init shop --systemd", 0),),
    ".venv/bin/batchbg plan photos -b backgrounds -v": (("batchbg plan photos -b backgrounds -v", 0),),
    ".venv/bin/batchbg run photos -b backgrounds --max-credits 50": (
        ("batchbg run photos -b backgrounds --max-credits 50", 8),
    ),
    ".venv/bin/batchbg run photos -b backgrounds --yes": (("batchbg run photos -b backgrounds --yes", 3),),
    ".venv/bin/batchbg report": (("batchbg report", 0),),
    "batchbg resolve JOB --project-id ID": (("batchbg resolve {job} --project-id {project}", 0),),
    "batchbg resolve JOB ...": (("batchbg resolve --all --charged", 0), ("batchbg resolve --all --not-charged", 0)),
    "batchbg resume": (("batchbg resume", 0),),
    "batchbg retry": (("batchbg retry", 0),),
    "batchbg retry [JOB ...]": (("batchbg retry", 0),),
    "batchbg rescue": (("batchbg rescue", 0),),
    "batchbg audit": (("batchbg audit", 0),),
    "batchbg status": (("batchbg status", 0),),
    "batchbg jobs [--state S]": (("batchbg jobs", 0), ("batchbg jobs --state rejected", 0)),
    "batchbg plan [PHOTOS]": (("batchbg plan photos", 0),),
    "batchbg run [PHOTOS]": (("batchbg run photos", 0),),
    "batchbg report [-o FILE]": (("batchbg report -o page.html", 0),),
    "batchbg account": (("batchbg account", 0),),
    "batchbg doctor [PHOTOS]": (("batchbg doctor photos", 0),),
    "batchbg ledger upgrade, check, export": (
        ("batchbg ledger upgrade", 0),
        ("batchbg ledger check", 0),
        ("batchbg ledger export", 0),
    ),
    "batchbg sandbox --help": (("batchbg sandbox --help", 0),),
    "batchbg run photos -b backgrounds --sandbox": (("batchbg run photos -b backgrounds --sandbox", 0),),
    "batchbg demo": (("batchbg demo", 0),),
}
"""As written, and as typed with the exit code that is due; in the order of typing."""

ELSEWHERE: Final = {
    "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/batchbg demo": ".ci/run does it",
    ".venv/bin/pytest": "this is it",
    "pytest": "this is it",
    "pytest -m slow": ".ci/run does it",
    "pip install -e '.[contract]'": ".ci/run does it",
    "BATCHBG_API_SPEC=openapi.json pytest -m contract": ".ci/run does it",
    "export MAGIC_HOUR_API_KEY=mhk_live_...": "every test here sets it",
    "python -m tests.contract.record": "tests/contract/test_cassettes.py",
    "python -m tests.benchmarks": "tests/test_benchmarks.py, a few jobs of each",
    "python -m tests.tools.evaluate_cutout": "tests/sandbox/test_cutout.py holds its figures; it takes minutes",
    "curl -s http://127.0.0.1:8787/_sandbox/books": "tests/contract/test_rehearsals.py",
    "curl -d '{\"credits\": 1000}' http://127.0.0.1:8787/_sandbox/config": "tests/contract/test_rehearsals.py",
    "batchbg sandbox [--port N]": "tests/sandbox/test_command.py",
    'eval "$(_BATCHBG_COMPLETE=bash_source batchbg)"': "tests/cli/test_commands.py",
    "_BATCHBG_COMPLETE=fish_source batchbg | source": "tests/cli/test_commands.py",
    "kill -USR1 PID": "tests/cli/test_progress.py",
    "kill -9": "tests/e2e/test_crash.py",
}
"""What is executed by other means, and where."""

A_COMMAND = re.compile(
    r"(\.venv|batchbg|python3?|pip|pytest|curl|kill|eval|export|_BATCHBG|BATCHBG_API|MAGIC)[/ _]?\S*($| )"
)


def written() -> set[str]:
    """Return every command line of the README: lines of its shell blocks, and what stands between backticks.

    But for the blocks of the rehearsals, which tests/contract/test_rehearsals.py compares and executes.
    """
    found = set()
    for heading, text in (part.partition("\n")[::2] for part in README.split("\n## ")):
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        if heading != "Rehearse a bad day":
            for block in blocks:
                lines = block.replace("\\\n", " ").splitlines()
                found |= {re.sub(r"\s+# .*", "", line).strip() for line in lines if line and not line.startswith("#")}
        for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            one = " ".join(span.split())
            if A_COMMAND.match(one) and (" " in one or one == "pytest") and "/pool/" not in one:
                found.add(one)
    return found


def test_every_command_line_is_executed_here_or_named_with_its_place():
    """And nothing is executed here that nobody reads there."""
    assert written() == EXECUTED.keys() | ELSEWHERE.keys()


def options_of(*path: str) -> set[str]:
    """Return the long options of a command, or of every command."""
    command: click.Command = group
    context = click.Context(group)
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
    own = {option for one in command.params for option in one.opts if option.startswith("--")}
    inner = command.commands if isinstance(command, click.Group) and path else {}
    return own.union(*(options_of(*path, name) for name in inner))


def test_every_option_of_the_readme_is_one():
    known = {"--help"}.union(*(options_of(name) for name in COMMANDS))
    known |= {"--live"}  # of tests.contract.record
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - known == set()


def test_every_option_of_run_is_in_the_readme():
    for option in options_of("run"):
        assert re.search(re.escape(option) + r"(?![\w-])", README), option


READING = ("status", "jobs", "report", "plan", "doctor")


@pytest.mark.parametrize("name", READING)
def test_what_only_looks_does_not_say_that_it_starts_the_sandbox(name: str):
    said = " ".join(CliRunner().invoke(group, [name, "--help"]).output.split())
    assert "--sandbox" in said
    assert "Start the sandbox" not in said


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_command_lines_do_what_they_say(shop: Shop):
    """A shop's first week, in the order in which the README tells it."""
    for number in range(12):
        shop.photo(f"photo-{number:02d}.png")
    shop.background("wood.png")
    shop.setting("BASE_URL", shop.base_url)
    shop.faults.add("create", "hang_up", nth=11)  # the first of the second run
    for commands in EXECUTED.values():
        for text, code in commands:
            if "{job}" in text:
                job = shop.batchbg("jobs", "--state", "unresolved").out.split()[0]
                project = next(made.project_id for made in shop.creates() if job in made.name)
                text = text.format(job=job, project=project)
            program, *arguments = shlex.split(text)
            assert program == "batchbg"
            result = shop.batchbg(*arguments)
            assert result.code == code, (text, result.out, result.err)
    assert (shop.folder / "page.html").is_file()
    assert (shop.folder / "output-sandbox").is_dir()
    assert (shop.folder / "batchbg-demo" / "report.html").is_file()
