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
        check_map(read_map(file), file, {"wood.jpg": BACKGROUND})


def test_a_background_map_may_have_a_heading_comments_and_a_byte_order_mark(tmp_path: Path):
    """As spreadsheets write it."""
    file = tmp_path / "map.csv"
    file.write_text("photo,background\r\n\r\n# mugs\r\nmugs/*, wood.jpg\r\n*,transparent\r\n", encoding="utf-8-sig")
    assert read_map(file) == [MapRule("mugs/*", "wood.jpg"), MapRule("*", "")]


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
