"""The README and the topics say what is so: every command line in them is executed, every option in them exists."""

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from batchbg.cli import COMMANDS, group
from batchbg.cli.commands.help import TOPICS
from batchbg.core.lifecycle import JobState
from batchbg.errors import ExitCode
from batchbg.settings import SETTINGS
from tests.support.shop import Shop

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS: Final = {"README": README} | {
    topic: (ROOT / "batchbg" / "topics" / f"{topic}.md").read_text(encoding="utf-8") for topic in TOPICS
}
CONTRIBUTING: Final = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
ALL: Final = "\n\n".join([*TEXTS.values(), CONTRIBUTING])

EXECUTED: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "batchbg help": (("batchbg help", 0),),
    "batchbg help TOPIC": tuple((f"batchbg help {topic}", 0) for topic in TOPICS),
    "batchbg help COMMAND": (("batchbg help run", 0), ("batchbg help ledger check", 0)),
    "batchbg init": (("batchbg init another", 0),),
    "batchbg init shop": (("batchbg init shop", 0),),
    "batchbg init shop --cron": (("batchbg init shop --cron", 0),),
    "batchbg init shop --systemd": (("batchbg init shop --systemd", 0),),
    "batchbg trust": (("batchbg trust shop/config.toml", 0),),
    "batchbg plan": (("batchbg plan photos", 0),),
    "batchbg plan photos -b backgrounds -v": (("batchbg plan photos -b backgrounds -v", 0),),
    "batchbg plan photos -b backgrounds": (("batchbg plan photos -b backgrounds", 0),),
    "batchbg plan photos -b backgrounds/wood.png": (("batchbg plan photos -b backgrounds/wood.png", 0),),
    "batchbg plan photos -b white": (("batchbg plan photos -b white", 0),),
    "batchbg plan photos -b '#f5f5f5'": (("batchbg plan photos -b '#f5f5f5'", 0),),
    "batchbg plan photos -b 'linear-gradient(to top right, #fff, #ddd)'": (
        ("batchbg plan photos -b 'linear-gradient(to top right, #fff, #ddd)'", 0),
    ),
    "batchbg plan photos -b backgrounds --save plan.jsonl": (
        ("batchbg plan photos -b backgrounds --save plan.jsonl", 0),
    ),
    "batchbg run photos -b backgrounds --max-credits 50": (("batchbg run photos -b backgrounds --max-credits 50", 8),),
    "batchbg run photos -b backgrounds --max-credits 500": (
        ("batchbg run photos -b backgrounds --max-credits 500", 3),
    ),
    "batchbg run photos -b backgrounds --delete-remote --max-credits 500": (
        ("batchbg run photos -b backgrounds --delete-remote --max-credits 500", 3),
    ),
    "batchbg delete-remote": (("batchbg delete-remote", 0),),  # nothing is that old
    "batchbg delete-remote -n": (("batchbg delete-remote -n", 0),),
    "batchbg delete-remote --older-than 90d": (("batchbg delete-remote --older-than 90d", 0),),
    "batchbg jobs --state unresolved": (("batchbg jobs --state unresolved", 0),),
    "batchbg resolve JOB --project-id ID": (("batchbg resolve {unresolved} --project-id {project}", 0),),
    "batchbg resolve JOB --charged": (("batchbg resolve {unresolved} --charged", 0),),
    "batchbg resolve JOB --not-charged": (("batchbg resolve {unresolved} --not-charged", 0),),
    "batchbg retry JOB --pay-again": (("batchbg retry {failed} --pay-again", 0),),
    "batchbg resume": (("batchbg resume", 0),),
    "batchbg retry": (("batchbg retry", 0),),
    "batchbg retry [JOB ...]": (("batchbg retry", 0),),
    "batchbg run photos -b backgrounds --plan plan.jsonl": (
        ("batchbg run photos -b backgrounds --plan plan.jsonl", 0),
    ),
    "batchbg run photos -b backgrounds --exec 'cp {} /srv/shop/new'": (
        ("batchbg run photos -b backgrounds --exec 'cp {{}} .'", 0),
    ),
    "batchbg run photos -b backgrounds -o web --format webp": (
        ("batchbg run photos -b backgrounds -o web --format webp", 0),
    ),
    "batchbg run photos -b backgrounds --include mugs/blue.jpg --background-policy oak.jpg --force --max-credits 5": (
        (
            "batchbg run photos -b backgrounds --include photo-03.png --background-policy wood.png --force"
            " --max-credits 5",
            0,
        ),
    ),
    "batchbg finish amazon": (("batchbg finish amazon", 3),),  # the photos are far too small for it
    "batchbg finish amazon shopify": (("batchbg finish amazon shopify", 3),),
    "batchbg finish --check amazon": (("batchbg finish --check amazon", 3),),
    "batchbg finish --list": (("batchbg finish --list", 0),),
    "batchbg run photos -b backgrounds --finish shopify --max-credits 500": (
        ("batchbg run photos -b backgrounds --finish shopify --max-credits 500", 0),
    ),
    "batchbg rescue": (("batchbg rescue", 0),),
    "batchbg report": (("batchbg report", 0),),
    "batchbg ledger verdicts output/report.csv": (("batchbg ledger verdicts output/report.csv", 0),),
    "batchbg redo": (("batchbg redo output/photo-03.png", 0),),
    "batchbg redo photos/mugs/blue.jpg": (("batchbg redo photos/photo-04.png", 0),),
    "batchbg redo --rejected -n": (("batchbg redo --rejected -n", 0),),
    "batchbg redo --rejected": (("batchbg redo --rejected", 0),),
    "batchbg redo --undo": (("batchbg redo --undo", 0),),
    "batchbg resume --max-credits 50": (("batchbg resume --max-credits 50", 0),),
    "batchbg redo --files-from bad.txt": (("batchbg redo --files-from bad.txt", 0),),
    "batchbg account --accept-price": (("batchbg account --accept-price", 0),),
    "batchbg account --dismiss-price": (("batchbg account --dismiss-price", 0),),
    "batchbg audit": (("batchbg audit", 3),),  # what was said not to be charged had been
    "batchbg status": (("batchbg status", 0),),
    "batchbg jobs --json": (("batchbg jobs --json", 0),),
    "batchbg jobs --state rejected": (("batchbg jobs --state rejected", 0),),
    "batchbg jobs": (("batchbg jobs", 0),),
    "batchbg run": (("batchbg run photos", 0),),
    "batchbg doctor": (("batchbg doctor photos", 0),),
    "batchbg ledger upgrade": (("batchbg ledger upgrade", 0),),
    "batchbg ledger adopt": (("batchbg ledger adopt", 0),),
    "batchbg ledger timezone": (("batchbg ledger timezone", 0), ("batchbg ledger timezone Europe/Berlin", 0)),
    "batchbg ledger clock": (("batchbg ledger clock", 0),),
    "batchbg ledger clock --reset": (("batchbg ledger clock --reset", 0),),
    "batchbg ledger check": (("batchbg ledger check", 0),),
    "batchbg ledger export": (("batchbg ledger export", 0), ("batchbg ledger export --table events", 0)),
    "batchbg sandbox --help": (("batchbg sandbox --help", 0),),
    "batchbg run photos -b backgrounds --sandbox": (("batchbg run photos -b backgrounds --sandbox", 0),),
    "batchbg demo": (("batchbg demo", 0),),
    **{
        f"batchbg help {topic}": ((f"batchbg help {topic}", 0),) for topic in TOPICS if f"`batchbg help {topic}`" in ALL
    },
}
"""As written, and as typed with the exit code that is due; in the order of typing.

``{unresolved}`` and ``{failed}`` are the first such job, ``{project}`` the unresolved one's project at the service.
"""

ELSEWHERE: Final = {
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/batchbg demo": ".ci/run does it",
    ".venv/bin/pip install '.[sandbox]'": ".ci/run does it",
    "pip install watchfiles": ".ci/run does it, by the extra",
    "batchbg watch incoming -b backgrounds --max-credits 200": "tests/e2e/test_watch.py",
    "batchbg watch PHOTOS": "tests/e2e/test_watch.py",
    "pip install opencv-python-headless": "what the extra of the line above brings",
    ". .venv/bin/activate": ".ci/run does it",
    ".venv/bin/pip install -e '.[dev]' && .venv/bin/pytest": ".ci/run does it",
    "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'": ".ci/run does it",
    ".venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/pytest": ".ci/run does it",
    "pytest": "this is it",
    'pytest -m "slow and not browser and not postgres"': ".ci/run does it",
    "pytest -m browser": ".ci/run does it",
    "pytest -m postgres": ".ci/run does it",
    "pytest -m contract": ".ci/run does it",
    "pip install -e '.[contract]'": ".ci/run does it",
    "BATCHBG_API_SPEC=openapi.json pytest -m contract": ".ci/run does it",
    "python -m tests.tools.floors": ".ci/run does it",
    "python -m tests.contract.record": "tests/contract/test_cassettes.py",
    "pip install pre-commit && pre-commit install": "test_the_hooks_are_what_ci_runs, but for the installing",
    "export MAGIC_HOUR_API_KEY=mhk_live_...": "every test here sets it",
    "python -m tests.benchmarks": "tests/test_benchmarks.py, a few jobs of each",
    "python -m tests.tools.evaluate_cutout": "tests/sandbox/test_cutout.py holds its figures; it takes minutes",
    "curl -s http://127.0.0.1:8787/_sandbox/books": "tests/contract/test_rehearsals.py",
    "curl -d '{\"credits\": 1000}' http://127.0.0.1:8787/_sandbox/config": "tests/contract/test_rehearsals.py",
    'eval "$(_BATCHBG_COMPLETE=bash_source batchbg)"': "tests/cli/test_commands.py",
    "_BATCHBG_COMPLETE=fish_source batchbg | source": "tests/cli/test_commands.py",
    "batchbg ledger copy FROM TO": "tests/e2e/test_postgres.py",
    "batchbg run mug.jpg cups/cup.jpg -b wall.jpg": "tests/plan/test_files.py",
    "kill -USR1 PID": "tests/cli/test_progress.py",
    "kill -USR1": "tests/cli/test_webhook.py",
    "batchbg webhook": "tests/cli/test_webhook.py",
    "batchbg review": "tests/cli/test_review.py",
    "kill -9": "tests/e2e/test_crash.py",
}
"""What is executed by other means, and where."""

REHEARSED: Final = "A bad day"
"""Heading of the rehearsals."""

MOST_WORDS: Final = 1_300
"""Of the README, as `wc -w` counts them: what is read in one sitting. The rest is for topics."""

NAME: Final = "batchbg <id>-<attempt>"
"""A project's name, which only looks like a command."""

A_COMMAND = re.compile(
    r"(\.venv|batchbg|python3?|pip|pytest|curl|kill|eval|export|_BATCHBG|BATCHBG_API|MAGIC)[/ _]?\S*($| )"
)


def written() -> set[str]:
    """Return every command line of the texts: lines of their shell blocks, and what stands between backticks.

    But for the blocks of the rehearsals, which tests/contract/test_rehearsals.py compares and executes.
    """
    found = set()
    for heading, text in (part.partition("\n")[::2] for part in ALL.split("\n## ")):
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        if heading != REHEARSED:
            for block in blocks:
                lines = block.replace("\\\n", " ").splitlines()
                found |= {re.sub(r"\s+# .*", "", line).strip() for line in lines if line and not line.startswith("#")}
        for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            one = " ".join(span.split())
            if A_COMMAND.match(one) and (" " in one or one == "pytest") and "/pool/" not in one and one != NAME:
                found.add(one)
    return found


def test_every_command_line_is_executed_here_or_named_with_its_place():
    """And nothing is executed here that nobody reads there."""
    assert written() == EXECUTED.keys() | ELSEWHERE.keys()


def test_the_readme_is_read_in_one_sitting():
    assert len(README.split()) <= MOST_WORDS


def test_every_link_of_the_readme_leads_somewhere_and_every_topic_is_linked():
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []
    assert {f"batchbg/topics/{topic}.md" for topic in TOPICS} <= set(targets)


def test_every_place_that_contributing_names_is_there():
    """Files and folders between backticks; a name within one of them where a dotted or bare name follows it."""
    for span in re.findall(r"`([\w./]+)`", CONTRIBUTING):
        if "/" in span and "NAME" not in span and "NNNN" not in span:
            assert (ROOT / span).exists(), span
    for name, file in re.findall(r"`([A-Z_]{4,})` in `([\w./]+)`", CONTRIBUTING):
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8")), (name, file)


def test_what_is_pasted_from_contributing_is_what_ci_does():
    """Each step of the set-up, in the order in which .ci/run takes them."""
    done = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    at = 0
    for step in (
        "-m venv",
        "install --quiet -e '.[dev]'",
        'ruff" check .',
        'ruff" format --check .',
        'mypy"',
        'pytest"',
    ):
        at = done.index(step, at)


def test_the_hooks_are_what_ci_runs():
    """And no hook is fetched from anywhere."""
    config = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"repo: (\S+)", config) == ["local"]
    assert re.findall(r"entry: (\w+ ?\w*)", config) == ["ruff check", "ruff format", "mypy"]


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


@pytest.mark.parametrize("name", TEXTS)
def test_every_option_that_is_written_is_one(name: str):
    known = {"--help"}.union(*(options_of(command) for command in COMMANDS))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXTS[name])) - known == set()


def tables() -> str:
    """Return the tables of options that the topics end with."""
    return "\n".join(TEXTS[topic].partition("\n## Options\n")[2] for topic in TOPICS)


def test_every_option_of_run_has_its_line_in_a_table_of_one_topic():
    """With its short form: where a reader of the README is sent."""
    for option in options_of("run"):
        rows = [row for row in tables().splitlines() if re.match(r"\|[^|]*" + re.escape(f"`{option}") + r"[` ]", row)]
        assert len(rows) == 1, option


def test_every_setting_without_an_option_has_its_line_too():
    for setting in SETTINGS:
        if not setting.flags and setting.field != "photos":
            assert re.search(rf"^\| `(\[budget\] )?{setting.field}` \|", tables(), re.MULTILINE), setting.key


def test_every_default_in_the_tables_is_the_default():
    """A word or a number in the second column; what is more than that is not compared."""
    shown = dict(re.findall(r"^\| `(\w+)` \| `?([\w.]+)`? \|", tables(), re.MULTILINE))
    shown |= {
        option.replace("-", "_"): default
        for option, default in re.findall(r"`--([a-z-]+)[^|]*` \| `?([\w.-]+)`? \|", tables().replace("\\|", "/"))
    }
    for setting in SETTINGS:
        if setting.field in shown and setting.field not in ("ledger", "config", "base_url"):
            text = shown[setting.field]
            same = {"none": None, "off": False}.get(text, text)
            read = setting.kind.read(same) if isinstance(same, str) else same
            assert read == setting.default or (read is None and setting.default in (None, ())), setting.key


def test_every_state_and_exit_code_is_told():
    for state in JobState:
        assert f"| `{state.value}` |" in TEXTS["states"]
    codes = TEXTS["json"].partition("## Exit codes")[2].partition("\n## ")[0]
    for code in ExitCode:
        assert re.search(rf"^\| ([0-9]+, )*{code.value}(, [0-9]+)* \|", codes, re.MULTILINE), code


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
    for number in range(16):
        shop.photo(f"photo-{number:02d}.png")
    shop.background("wood.png")
    shop.setting("BASE_URL", shop.base_url)
    for nth in (11, 13, 15):  # in the second run, and never two in a row
        shop.faults.add("create", "hang_up", nth=nth)
    (shop.folder / "bad.txt").write_text("photos/photo-05.png\n")
    for commands in EXECUTED.values():
        for text, code in commands:
            program, *arguments = shlex.split(filled(shop, text))
            assert program == "batchbg"
            result = shop.batchbg(*arguments)
            assert result.code == code, (text, result.out, result.err)
    assert (shop.output / "report.html").is_file()
    assert len(list((shop.folder / "web").glob("*.webp"))) == 16
    assert (shop.folder / "output-sandbox").is_dir()
    assert (shop.folder / "batchbg-demo" / "report.html").is_file()


def filled(shop: Shop, text: str) -> str:
    """Return a command line with the jobs that it means."""
    state = next((state for state in ("unresolved", "failed") if f"{{{state}}}" in text), None)
    if state is None:
        return text
    job = shop.batchbg("jobs", "--state", state).out.split()[0]
    project = next((made.project_id for made in shop.creates() if job in made.name), "")
    return text.format(**{state: job, "project": project})
