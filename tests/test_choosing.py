"""Background maps, saved plans and the pilot's pick."""

import fnmatch
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchbg.core import pilot
from batchbg.core.model import Size, Treatment
from batchbg.core.pairing import Background
from batchbg.errors import ConfigError
from batchbg.plan.background_map import BackgroundMap, MapRule, check_map, read_map
from batchbg.plan.saved_plan import Entry, read_plan, write_entry
from batchbg.plan.selection import BACKGROUND_CHANGED, CHANGED, BySavedPlan, Chosen

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


def test_a_saved_plan_comes_back_as_it_was(tmp_path: Path):
    """Also with names that are no text."""
    entries = [
        Entry("a.jpg", "1" * 64, "wood.jpg", BACKGROUND.sha256, Treatment.FIT, "a.png"),
        Entry("caf\udce9.jpg", "2" * 64, "", "", Treatment.NONE, "caf\udce9.png"),
    ]
    file = tmp_path / "plan.jsonl"
    with file.open("w") as out:
        for entry in entries:
            write_entry(out, entry)
    assert list(read_plan(file).values()) == entries


def test_a_saved_plan_refuses_what_has_changed():
    """Photo or background."""
    entry = Entry("a.jpg", "1" * 64, "wood.jpg", BACKGROUND.sha256, Treatment.FIT, "a.png")
    chooser = BySavedPlan({"a.jpg": entry}, {"wood.jpg": BACKGROUND})
    chosen = chooser.choose("a.jpg", Size(100, 100), "1" * 64)
    assert isinstance(chosen, Chosen)
    assert chosen.treatment is Treatment.FIT
    assert chooser.choose("a.jpg", Size(100, 100), "2" * 64) == CHANGED
    assert BySavedPlan({"a.jpg": entry}, {}).choose("a.jpg", Size(100, 100), "1" * 64) == BACKGROUND_CHANGED


@pytest.mark.parametrize("text", ["not json\n", "{}\n", '{"photo": 1}\n', "[]\n"])
def test_a_saved_plan_that_cannot_be_read_names_the_line(tmp_path: Path, text: str):
    """Exit 2 before anything is sent."""
    file = tmp_path / "plan.jsonl"
    file.write_text(text)
    with pytest.raises(ConfigError, match="line 1"):
        read_plan(file)


def test_the_pilot_takes_every_folder_and_size_before_it_takes_a_second():
    """And the same ones each time, in whatever order they come."""
    candidates = [
        (f"{folder}{index}{size}", f"{folder}/{index}-{size}.jpg", Size(size, size))
        for folder in "abc"
        for index in range(9)
        for size in (1, 2)
    ]
    picked = pilot.pick(candidates, 6)
    assert {(one[0], one[-1]) for one in picked} == {(folder, size) for folder in "abc" for size in "12"}
    assert pilot.pick(reversed(candidates), 6) == picked
    assert len(pilot.pick(candidates, 100)) == 54
    assert pilot.pick([], 3) == []
