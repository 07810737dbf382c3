import pytest

from batchbg.disk.patterns import Patterns


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("drafts/", "drafts/a.jpg", True),
        ("drafts/", "2026/drafts/sub/a.jpg", True),
        ("drafts/", "drafts", False),
        ("drafts", "drafts/a.jpg", True),
        ("drafts", "my-drafts/a.jpg", False),
        ("**/*.jpg", "a.jpg", True),
        ("**/*.jpg", "x/y/a.jpg", True),
        ("*.jpg", "x/y/a.jpg", True),
        ("*.jpg", "x/y/a.JPG", False),
        ("mugs/*.jpg", "mugs/a.jpg", True),
        ("mugs/*.jpg", "mugs/old/a.jpg", False),
        ("mugs/**", "mugs/old/a.jpg", True),
        ("mugs/*", "mugs/old/a.jpg", True),
        ("/a.jpg", "a.jpg", True),
        ("/a.jpg", "x/a.jpg", False),
        ("a?.jpg", "ab.jpg", True),
        ("[ab].jpg", "b.jpg", True),
        ("weiß*.jpg", "weiß 1.jpg", True),
        ("\udce9.jpg", "\udce9.jpg", True),
    ],
)
def test_a_pattern_means_what_it_means_in_gitignore(pattern, path, matched):
    """And in rsync, which is what people type."""
    assert Patterns([pattern]).match(path) is matched


def test_a_later_pattern_takes_back_what_an_earlier_one_matched():
    patterns = Patterns(["*.jpg", "!keep.jpg"])
    assert [patterns.match(name) for name in ("a.jpg", "keep.jpg", "a.png")] == [True, False, False]


def test_what_matched_nothing_is_known():
    """A slip of the hand is told before anything is paid for."""
    patterns = Patterns(["*.jpg", "draft/", "a.png", "b.png"])
    for path in ("a.jpg", "drafts/b.jpg", "x/a.png"):
        patterns.match(path)
    assert patterns.unused == ["draft/", "b.png"]


def test_a_comment_or_nothing_is_no_pattern():
    """As in a file of patterns."""
    patterns = Patterns(["# a comment", ""])
    assert not patterns.match("# a comment")
    assert not patterns.unused
