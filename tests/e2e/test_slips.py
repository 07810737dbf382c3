"""Slips of the hand that would otherwise be paid for: patterns, maps and lists that match nothing."""

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow


@pytest.mark.parametrize(
    ("flags", "said"),
    rest_slow(
        [
            (["--exclude", "draft/"], "'draft/' matches no file"),
            (["--include", "*.JPG", "--include", "*.png"], "'*.JPG' matches no file"),
        ]
    ),
)
def test_a_pattern_that_matches_nothing_is_said_before_paying(shop: Shop, flags, said: str):
    """`plan` ends with 3; a run warns, and goes on."""
    shop.photo("drafts/a.png")
    shop.photo("b.png")
    planned = shop.do("plan", *flags)
    assert (planned.code, said in planned.out + planned.err) == (3, True), planned
    result = shop.run("--json", *flags)
    assert (result.code, said in result.err, len(shop.creates())) == (0, True, 2)


def test_a_folder_is_excluded_as_in_gitignore(shop: Shop):
    """With its slash, wherever it lies."""
    for path in ("drafts/a.png", "x/drafts/b.png", "c.png"):
        shop.photo(path)
    assert shop.do("plan", "--exclude", "drafts/").code == 0
    assert shop.run("--exclude", "drafts/").code == 0
    assert shop.outputs() == ["c.png"]
    assert shop.run("--include", "**/*.png", "--exclude", "x/").code == 0
    assert shop.outputs() == ["c.png", "drafts/a.png"]


def test_a_line_of_the_map_that_no_photo_goes_by_is_said(shop: Shop):
    """The wrong background would be paid for."""
    shop.photo("p1.png")
    shop.photo("s/p2.png")
    shop.background("wall.png")
    (shop.folder / "map.csv").write_text("P1.png,wall.png\ns\\p2.png,wall.png\np1.png,transparent\n")
    planned = shop.do("plan", "--background-map", str(shop.folder / "map.csv"))
    assert planned.code == 3
    for line in ("line 1: 'P1.png'", "line 2: 's\\\\p2.png'"):
        assert line in planned.out + planned.err
    assert "line 3" not in planned.out + planned.err


def test_a_name_in_the_list_that_is_not_there_is_said_with_what_may_be_meant(shop: Shop):
    """Windows' separators, other capitals, UTF-16."""
    shop.photo("p1.png")
    shop.photo("s/p2.png")
    listed = shop.folder / "names.txt"
    listed.write_text("P1.png\ns\\p2.png\nnowhere.png\n", encoding="utf-16")
    planned = shop.do("plan", "--files-from", str(listed))
    said = planned.out + planned.err
    assert planned.code == 3
    assert "is 'p1.png' meant?" in said
    assert "is 's/p2.png' meant?" in said
    assert "'nowhere.png' is named, but not there" in said
    result = shop.run("--json", "--files-from", str(listed))
    assert "is 'p1.png' meant?" in result.err
    assert shop.creates() == []
