from batchbg.core.model import Size, Treatment
from batchbg.core.pairing import Background
from batchbg.plan.saved_plan import Entry
from batchbg.plan.selection import BACKGROUND_CHANGED, CHANGED, BySavedPlan, Chosen

BACKGROUND = Background("wood.jpg", "b" * 64, Size(100, 100))


def test_a_saved_plan_refuses_what_has_changed():
    """Photo or background."""
    entry = Entry("a.jpg", "1" * 64, "wood.jpg", BACKGROUND.sha256, Treatment.FIT, "a.png")
    chooser = BySavedPlan({"a.jpg": entry}, {"wood.jpg": BACKGROUND})
    chosen = chooser.choose("a.jpg", Size(100, 100), "1" * 64)
    assert isinstance(chosen, Chosen)
    assert chosen.treatment is Treatment.FIT
    assert chooser.choose("a.jpg", Size(100, 100), "2" * 64) == CHANGED
    assert BySavedPlan({"a.jpg": entry}, {}).choose("a.jpg", Size(100, 100), "1" * 64) == BACKGROUND_CHANGED
