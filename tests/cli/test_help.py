"""``batchbg help``: a page for each topic, the help of each command, and a way on from a wrong word."""

import re
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchbg.cli import COMMANDS, group
from batchbg.cli.commands.help import LINK, TOPICS
from tests.cli.test_commands import completed
from tests.support.shop import Shop

FOLDER = Path(str(resources.files("batchbg"))) / "topics"


def source(topic: str) -> str:
    return (FOLDER / f"{topic}.md").read_text(encoding="utf-8")


def test_the_topics_are_the_pages_that_are_there():
    """Each has one name, which no command has."""
    assert {file.name for file in FOLDER.iterdir()} == {f"{topic}.md" for topic in TOPICS}
    assert not set(TOPICS) & set(COMMANDS)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_reads_as_well_on_github_as_on_any_terminal(topic: str):
    """A title with a summary, plain letters, lines that fit, links that lead somewhere."""
    text = source(topic)
    assert text.startswith(f"# {topic.upper() if topic == 'json' else topic.capitalize()}: ")
    assert text.isascii()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert "\n# " not in prose
    assert [line for line in prose.splitlines() if len(line) > 110] == []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        assert (FOLDER / target).exists() or "://" in target, target


@pytest.mark.parametrize("topic", TOPICS)
def test_off_a_terminal_a_topic_is_printed_as_it_is(shop: Shop, topic: str):
    """But for its links, which are their texts."""
    shown = shop.batchbg("help", topic)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.strip() == LINK.sub(r"\1", source(topic)).strip()
    assert "](" not in shown.out


def test_without_a_subject_all_are_listed(shop: Shop):
    listed = shop.batchbg("help")
    assert listed.code == 0
    for name in (*TOPICS, *COMMANDS):
        assert re.search(rf"^  {name} +[A-Z]", listed.out, re.MULTILINE), name


@pytest.mark.parametrize("words", [*([name] for name in COMMANDS), ["ledger", "check"]], ids=" ".join)
def test_help_of_a_command_is_what_the_command_says(words: list[str]):
    """Letter for letter, at any width."""
    for columns in ("80", "110"):
        runner = CliRunner(env={"COLUMNS": columns})
        assert runner.invoke(group, ["help", *words]).output == runner.invoke(group, [*words, "--help"]).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mony"], "Did you mean 'money'?"),
        (["Photos"], "Did you mean 'photos'?"),
        (["retyr"], "Did you mean 'retry'?"),
        (["ledger", "chek"], "Did you mean 'ledger check'?"),
        (["xyzzy"], "`batchbg help` lists them all."),
        (["run", "photos"], "`batchbg help` lists them all."),
    ],
)
def test_a_wrong_word_ends_with_2_and_the_nearest_right_one(shop: Shop, words: list[str], said: str):
    result = shop.batchbg("help", *words)
    assert result.code == 2
    assert f"There is no topic or command '{' '.join(words)}'. {said}" in result.err


def test_a_shell_completes_topics_and_commands():
    assert completed("batchbg", "help", "re") == [
        f"plain,{name}" for name in ("reviews", "rehearsal", *(name for name in COMMANDS if name.startswith("re")))
    ]
    assert completed("batchbg", "help", "mon") == ["plain,money"]


def test_the_help_of_batchbg_leads_to_the_topics():
    assert "batchbg help" in CliRunner().invoke(group, ["--help"]).output
