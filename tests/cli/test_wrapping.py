"""Lines as they stand on a screen: no word is torn, and a command can be copied."""

import io
import re

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.cli.wrapping import fitted, wrapped
from tests.support.terminal import Terminal


def test_a_line_is_broken_between_words():
    assert wrapped("rejected a.jpg: cut off; save it again", 24) == "rejected a.jpg: cut off;\n    save it again"


@pytest.mark.parametrize("line", ["", "short", "x" * 30, "  indented"])
def test_what_fits_or_cannot_be_broken_stays(line: str):
    assert wrapped(line, 10) == line


def test_a_command_stays_in_one_piece():
    line = "it waits: `batchbg resume --ledger x.db` goes on"
    assert wrapped(line, 36).splitlines() == ["it waits:", "    `batchbg resume --ledger x.db`", "    goes on"]


def test_what_is_longer_than_a_line_begins_where_it_stands():
    """The terminal tears it in any case, and who marks it has it whole."""
    path = "/a/very/long/path/of/results"
    assert wrapped(f"results   {path}", 24) == f"results   {path}"
    assert wrapped(f"results   {path} are there", 24) == f"results   {path}\n    are there"


def test_wide_letters_take_two_columns_and_colours_none():
    assert wrapped("白白 白白", 8) == "白白\n    白白"
    assert wrapped(click.style("done", fg="green") + " 1234", 9).count("\n") == 0
    assert wrapped("e\N{COMBINING ACUTE ACCENT}tude 123", 9).count("\n") == 0


def width(text: str) -> int:
    return sum(1 + (letter > "z") for letter in text)


@given(st.text(st.sampled_from("ab` \u767d"), max_size=60), st.integers(8, 30))
def test_nothing_is_lost_and_no_line_is_wider_than_its_longest_piece(line: str, columns: int):
    """Whatever is in it: only blanks at a break go, and only what is longer than a line makes one too wide."""
    found = wrapped(line, columns)
    assert "".join(found.split()) == "".join(line.split())
    if max((width(piece) for piece in re.findall(r"(?:`[^`]*`|\S)+", line)), default=0) <= columns - 4:
        # Blanks at the start of a line are not broken.
        assert all(width(one.strip()) <= columns for one in found.split("\n"))


def test_only_a_terminal_is_written_to_so(monkeypatch: pytest.MonkeyPatch):
    """By the width that it has, or that COLUMNS says."""
    monkeypatch.setenv("COLUMNS", "20")
    assert fitted("one two three four five", io.StringIO()) == "one two three four five"
    assert fitted("one two three four five", Terminal.screen()) == "one two three four\n    five"
    assert fitted("one two three four five", Terminal.screen(), "", 8) == "one two\nthree four\nfive"
    monkeypatch.delenv("COLUMNS")
    assert fitted("one two three four five", Terminal.screen()) == "one two three four five"  # of no size
