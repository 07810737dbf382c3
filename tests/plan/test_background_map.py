import fnmatch
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchbg.core.model import Size
from batchbg.core.pairing import Background
from batchbg.errors import ConfigError
from batchbg.plan.background_map import BackgroundMap, MapRule, check_map, read_map

BACKGROUND = Background("wood.jpg", "b" * 64, Size(100, 100))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a*\n", "line 1"),
        ("a*,wood.jpg\nb*,\n", "line 2"),
        ("a*,wood.jpg,more\n", "3 cells"),
        ("a*,wod.jpg\n", "did you mean 'wood.jpg'"),
        ('"a*,wood.jpg\n', "unexpected end"),
    ],
)
def test_a_background_map_names_the_line_that_is_wrong(tmp_path: Path, text: str, reason: str):
    """And why."""
    file = tmp_path / "map.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        check_map(read_map(file), file, {"wood.jpg": BACKGROUND}, has_folder=True)


def test_a_background_map_may_have_a_heading_comments_and_a_byte_order_mark(tmp_path: Path):
    """As spreadsheets write it."""
    file = tmp_path / "map.csv"
    file.write_text("photo,background\r\n\r\n# mugs\r\nmugs/*, wood.jpg\r\n*,transparent\r\n", encoding="utf-8-sig")
    assert read_map(file) == [MapRule("mugs/*", "wood.jpg"), MapRule("*", "")]


RULES = [MapRule("mugs/*", "wood.jpg"), MapRule("caf\u00e9, blue.jpg", "oak.jpg"), MapRule("*", "")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        'mugs/*,wood.jpg\n"caf\u00e9, blue.jpg",oak.jpg\n*,transparent\n',
        "mugs/*;wood.jpg\r\ncaf\u00e9, blue.jpg;oak.jpg\r\n*;transparent\r\n",
        "mugs/*\twood.jpg\r\ncaf\u00e9, blue.jpg\toak.jpg\r\n*\ttransparent\r\n",
        "Photo;Background\r\n# of the shop; by hand\r\nmugs/*;wood.jpg\r\ncaf\u00e9, blue.jpg;oak.jpg\r\n*;transparent\r\n",
        "sep=;\r\nmugs/*;wood.jpg;\r\ncaf\u00e9, blue.jpg;oak.jpg;\r\n;;\r\n*;transparent;\r\n",
    ],
)
def test_a_background_map_is_read_as_spreadsheets_write_it(tmp_path: Path, text: str, encoding: str):
    """Which of the separators and encodings a spreadsheet takes depends on its country and on what is chosen there."""
    file = tmp_path / "map.csv"
    file.write_text(text, encoding=encoding, newline="")
    assert read_map(file) == RULES


def test_a_separator_that_cannot_be_told_is_asked_for(tmp_path: Path):
    """Either reading is a map; a heading decides."""
    file = tmp_path / "map.csv"
    file.write_text("mug, blue.jpg;oak.jpg\n")
    with pytest.raises(ConfigError, match="photo;background"):
        read_map(file)
    file.write_text("photo;background\nmug, blue.jpg;oak.jpg\n")
    assert read_map(file) == [MapRule("mug, blue.jpg", "oak.jpg")]
    file.write_text("photo,background\na;b.jpg,oak.jpg\n")
    assert read_map(file) == [MapRule("a;b.jpg", "oak.jpg")]


def test_a_map_in_an_older_encoding_says_what_to_save_it_as(tmp_path: Path):
    """As the plain "CSV" of a spreadsheet on Windows; its letters cannot be told."""
    file = tmp_path / "map.csv"
    file.write_bytes("caf\u00e9.jpg;oak.jpg\r\n".encode("cp1252"))
    with pytest.raises(ConfigError, match="UTF-8") as caught:
        read_map(file)
    assert "codec" not in str(caught.value)


def first_that_matches(rules: list[MapRule], path: str) -> MapRule | None:
    """The rule as the documentation words it, one after the other."""
    for rule in rules:
        subject = path if "/" in rule.pattern else path.rpartition("/")[2]
        if fnmatch.fnmatchcase(subject, rule.pattern.removeprefix("/")):
            return rule
    return None


words = st.text("ab*?[]!-./", min_size=1, max_size=6)


@given(
    st.lists(words, max_size=8), st.lists(words.filter(lambda word: not word.startswith("/")), min_size=1, max_size=8)
)
@example(["a*", "a.jpg"], ["a.jpg", "b/a.jpg"])
@example(["a.jpg", "a*", "b/a.jpg", "/a.jpg"], ["a.jpg", "b/a.jpg"])
@example(["b/*", "*"], ["b/a\n.jpg", "c"])
def test_the_map_finds_what_a_search_one_by_one_finds(patterns: list[str], paths: list[str]):
    """Exact names, patterns, and both in any order."""
    rules = [MapRule(pattern, str(number)) for number, pattern in enumerate(patterns)]
    table = BackgroundMap(rules)
    for path in [*paths, *(pattern.lstrip("/") for pattern in patterns)]:
        assert table.rule_for(path) is first_that_matches(rules, path)
