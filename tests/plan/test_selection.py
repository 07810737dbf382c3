import dataclasses
from pathlib import Path

import pytest

from batchbg.core.model import NO_BACKGROUND, Size, Treatment
from batchbg.core.pairing import Background, Pairing, Tolerance
from batchbg.disk.patterns import Rules
from batchbg.errors import ConfigError
from batchbg.plan.background_map import MapRule
from batchbg.plan.request import Request
from batchbg.plan.saved_plan import Entry
from batchbg.plan.selection import (
    BACKGROUND_CHANGED,
    CHANGED,
    NOT_SIMILAR,
    ByMap,
    ByPairing,
    BySavedPlan,
    Chosen,
    Transparent,
    background_of,
    chooser_for,
)
from batchbg.settings import load

SQUARE = Size(100, 100)
BACKGROUND = Background("wood.jpg", "b" * 64, SQUARE)
WIDE = Background("wide.jpg", "c" * 64, Size(300, 100))


def test_a_saved_plan_refuses_what_has_changed():
    """Photo or background."""
    entry = Entry("a.jpg", "1" * 64, "wood.jpg", BACKGROUND.sha256, Treatment.FIT, "a.png")
    chooser = BySavedPlan({"a.jpg": entry}, {"wood.jpg": BACKGROUND})
    chosen = chooser.choose("a.jpg", SQUARE, "1" * 64)
    assert isinstance(chosen, Chosen)
    assert chosen.treatment is Treatment.FIT
    assert chooser.choose("a.jpg", SQUARE, "2" * 64) == CHANGED
    assert BySavedPlan({"a.jpg": entry}, {}).choose("a.jpg", SQUARE, "1" * 64) == BACKGROUND_CHANGED
    other = dataclasses.replace(BACKGROUND, sha256="d" * 64)
    assert BySavedPlan({"a.jpg": entry}, {"wood.jpg": other}).choose("a.jpg", SQUARE, "1" * 64) == BACKGROUND_CHANGED


@pytest.mark.parametrize(
    ("on_mismatch", "treatment", "background"),
    [
        ("fit", Treatment.FIT, WIDE.sha256),
        ("accept", Treatment.AS_IS, WIDE.sha256),
        ("transparent", Treatment.NONE, NO_BACKGROUND),
    ],
)
def test_what_is_not_similar_enough_is_treated_as_was_said(on_mismatch: str, treatment: Treatment, background: str):
    """One that is similar goes up as it is, whatever was said."""
    chooser = ByPairing(Pairing([WIDE], Tolerance()), on_mismatch)
    chosen = chooser.choose("a.jpg", SQUARE, "")
    assert isinstance(chosen, Chosen)
    assert (chosen.treatment, background_of(chosen)) == (treatment, background)
    similar = chooser.choose("b.jpg", Size(300, 100), "")
    assert isinstance(similar, Chosen)
    assert (similar.treatment, background_of(similar)) == (Treatment.AS_IS, WIDE.sha256)


def test_a_photo_without_a_similar_background_can_be_left_out():
    """With the reason, and without a background that could be compared."""
    chosen = ByPairing(Pairing([WIDE], Tolerance()), "skip").choose("a.jpg", SQUARE, "")
    assert (chosen, background_of(chosen)) == (NOT_SIMILAR, NO_BACKGROUND)


def test_the_map_goes_before_the_policy_and_says_which_of_its_lines_nobody_needed():
    """A line without a background makes a transparent result."""
    rules = [MapRule("a.jpg", "wide.jpg", 1), MapRule("b*", "", 2), MapRule("never.jpg", "wood.jpg", 3)]
    pairing = ByPairing(Pairing([BACKGROUND, WIDE], Tolerance()), "fit")
    chooser = ByMap(rules, {}, pairing, pairing)
    found = {name: background_of(chooser.choose(name, SQUARE, "")) for name in ("a.jpg", "b.jpg", "c.jpg")}
    assert found == {"a.jpg": WIDE.sha256, "b.jpg": NO_BACKGROUND, "c.jpg": BACKGROUND.sha256}
    assert not chooser.by_size
    (unused,) = chooser.unused
    assert unused.startswith("background_map, line 3: 'never.jpg' matches no photo")


def request(backgrounds: Path | None, *rules: MapRule, policy: str = "best") -> Request:
    settings = load({"background_policy": policy}, {})
    return Request(settings, Path("photos"), Path("output"), backgrounds, "", None, Rules(), None, None, rules)


def test_without_a_folder_of_backgrounds_all_results_are_transparent():
    """Nothing has to be known of the photos for that."""
    chooser = chooser_for(request(None), [])
    assert isinstance(chooser, Transparent)
    assert background_of(chooser.choose("a.jpg", SQUARE, "")) == NO_BACKGROUND


@pytest.mark.parametrize(
    ("policy", "rules", "usable", "told"),
    [
        ("best", [], [], "backgrounds: b holds no picture that can be used"),
        ("oak.jpg", [], [BACKGROUND], "background_policy: there is no background oak.jpg in b"),
        ("best", [MapRule("*", "wod.jpg", 7)], [BACKGROUND], "line 7: .*did you mean 'wood.jpg'"),
    ],
    ids=["none", "policy", "map"],
)
def test_a_background_that_is_not_there_is_said_before_anything_is_planned(
    policy: str, rules: list[MapRule], usable: list[Background], told: str
):
    """Exit 2: all photos would go on another one."""
    with pytest.raises(ConfigError, match=told):
        chooser_for(request(Path("b"), *rules, policy=policy), usable)


def test_a_saved_plan_is_followed_whatever_today_s_policy_is():
    """It names each photo's background, or none."""
    entry = Entry("a.jpg", "1" * 64, "", "", Treatment.NONE, "a.png")
    asked = dataclasses.replace(request(Path("b"), policy="oak.jpg"), saved={"a.jpg": entry})
    chosen = chooser_for(asked, [BACKGROUND]).choose("a.jpg", SQUARE, "1" * 64)
    assert background_of(chosen) == NO_BACKGROUND
