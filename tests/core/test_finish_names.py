import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.finish_names import filled, finished_paths, sku_of, why_no_pattern
from batchbg.core.naming import MAX_NAME_BYTES, fold


@pytest.mark.parametrize(
    ("stem", "sku", "number"),
    [
        ("mug-blue_03", "mug-blue", 3),
        ("mug-blue", "mug-blue", 1),
        ("A100-2", "A100", 2),
        ("IMG_1234", "IMG", 1234),
        ("photo (2)", "photo", 2),
        ("mug.7", "mug", 7),
        ("100", "100", 1),
        ("-5", "-5", 1),
        ("mug--2", "mug", 2),
        ("mug-2b", "mug-2b", 1),
        ("mug-1234567", "mug-1234567", 1),
        ("", "", 1),
    ],
)
def test_the_sku_is_what_stands_before_the_last_number(stem, sku, number):
    """Where a separator is between them; without such an end all of it is."""
    assert sku_of(stem) == (sku, number)


def test_a_pattern_is_filled_in():
    assert filled("{sku}-{n}", "mug_03") == "mug-3"
    assert filled("{sku}.{n:02}", "mug_3") == "mug.03"
    assert filled("shop {stem}", "mug_03") == "shop mug_03"
    assert filled("{sku}", "{n}-2") == "{n}"


@pytest.mark.parametrize("pattern", ["{stem}", "{sku}-{n}", "{sku}_{n:03}", "a {stem} b"])
def test_good_patterns(pattern):
    assert why_no_pattern(pattern) == ""


@pytest.mark.parametrize(
    "pattern", ["", "x", "{name}", "{stem", "{n:abc}", "../{stem}", "a/{stem}", "{stem}\n", ".{stem}", "{stem}?"]
)
def test_patterns_that_lead_elsewhere_or_say_nothing_are_refused(pattern):
    assert why_no_pattern(pattern)


names = st.text("aA1é\u0301-_. \udcff", min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
masters = st.lists(
    st.one_of(
        names.map(lambda name: f"{name}.png"),
        names.map(lambda name: f"sub/{name}.png"),
        st.integers(200, 251).map(lambda length: "n" * length + ".png"),
    ),
    unique=True,
    max_size=8,
)
patterns = st.sampled_from(["{stem}", "{sku}-{n}", "{sku}", "{n}", "a long beginning {stem}"])


@given(masters, patterns, st.sampled_from([".jpg", ".png", ".webp"]))
def test_no_two_pictures_have_one_name_and_folders_are_mirrored(found, pattern, suffix):
    paths = finished_paths(found, pattern, suffix, {})
    assert set(paths) == set(found)
    assert len({fold(path) for path in paths.values()}) == len(found)
    for master, path in paths.items():
        assert path.rpartition("/")[0] == master.rpartition("/")[0]
        assert path.endswith(suffix)
        assert len(os.fsencode(path.rpartition("/")[2])) <= MAX_NAME_BYTES


@given(masters, names.map(lambda name: f"{name}.png"), patterns)
def test_who_comes_later_yields(found, late, pattern):
    """A picture keeps its name when another result comes."""
    before = finished_paths(found, pattern, ".jpg", {})
    after = finished_paths({*found, late}, pattern, ".jpg", before)
    assert {master: after[master] for master in found} == before


def test_another_pattern_gives_other_names():
    before = finished_paths(["mug-1.png"], "{stem}", ".jpg", {})
    assert finished_paths(["mug-1.png"], "{sku}_{n}", ".jpg", before) == {"mug-1.png": "mug_1.jpg"}
