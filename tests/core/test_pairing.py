import hashlib
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.model import Size
from batchbg.core.pairing import Background, Misfit, Pairing, Tolerance, misfit

sizes = st.builds(Size, st.integers(1, 6000), st.integers(1, 6000))
similar_sizes = st.builds(Size, st.integers(990, 1010), st.integers(990, 1010))
names = st.text("ab/é.jpg", min_size=1, max_size=6)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def background(path: str, width: int, height: int) -> Background:
    return Background(path, digest(path), Size(width, height))


def figures(photo: Size, other: Size) -> tuple[float, float, float]:
    """The contract's three formulas, written down once more."""
    (w, h), (bw, bh) = photo, other
    distortion = abs(math.log((bw / bh) / (w / h)))
    blur = max(0.0, math.log(math.sqrt(w * h / (bw * bh))))
    excess = max(0.0, math.log(math.sqrt(bw * bh / (w * h))))
    return round(distortion, 3), round(blur, 3), round(excess, 3)


def naive_best(photo: Size, backgrounds: list[Background]) -> Background:
    """Least distortion + blur, then least excess, then the path; by looking at every one."""
    best, best_key = backgrounds[0], None
    for one in backgrounds:
        distortion, blur, excess = figures(photo, one.pixels)
        key = (round((distortion + blur) * 1000), round(excess * 1000), unicodedata.normalize("NFC", one.path).encode())
        if best_key is None or key < best_key:
            best, best_key = one, key
    return best


def pool_of(drawn: list[tuple[str, Size]]) -> list[Background]:
    unique = {unicodedata.normalize("NFC", path): (path, size) for path, size in drawn}
    return [Background(path, digest(path), size) for path, size in unique.values()]


pools = st.lists(st.tuples(names, sizes | similar_sizes), min_size=1, max_size=8).map(pool_of)


@given(sizes | similar_sizes, pools)
def test_best_is_what_a_search_by_the_contract_finds(photo, pool):
    """The chosen background and its three figures are those of a plain search over all."""
    choice = Pairing(pool, Tolerance()).choose(photo, digest("photo"))
    assert choice.background == naive_best(photo, pool)
    found = figures(photo, choice.background.pixels)
    assert (choice.misfit.distortion, choice.misfit.blur, choice.misfit.excess) == tuple(
        round(figure * 1000) for figure in found
    )
    assert choice.similar == (found[0] <= 0.05 and found[1] <= 0.4)


@given(sizes | similar_sizes, pools, st.randoms(use_true_random=False))
def test_the_order_in_which_backgrounds_are_found_makes_no_difference(photo, pool, shuffler):
    """Another disk lists the folder in another order."""
    shuffled = list(pool)
    shuffler.shuffle(shuffled)
    for policy in ("best", "spread"):
        one, other = (Pairing(each, Tolerance(), policy).choose(photo, digest("p")) for each in (pool, shuffled))
        assert one == other


@given(sizes, pools)
def test_spread_stays_among_the_similar(photo, pool):
    """Where some background is similar enough `spread` takes such a one, else the best."""
    choice = Pairing(pool, Tolerance(), "spread").choose(photo, digest("photo"))
    rated = [figures(photo, one.pixels) for one in pool]
    if any(distortion <= 0.05 and blur <= 0.4 for distortion, blur, _ in rated):
        assert choice.similar
    else:
        assert choice.background == naive_best(photo, pool)


def test_spread_uses_every_similar_background_evenly():
    """Over many photos each of four equal backgrounds gets its share."""
    pairing = Pairing([background(f"{n}.jpg", 1000, 1000) for n in range(4)], Tolerance(), "spread")
    chosen = [pairing.choose(Size(1000, 1000), digest(str(n))).background.path for n in range(400)]
    assert all(60 <= chosen.count(f"{n}.jpg") <= 140 for n in range(4))


def test_spread_is_stable_as_backgrounds_come_and_go():
    """A new background takes photos over but moves none between old ones; one that goes away moves its own only."""
    pool = [background(f"{n}.jpg", 1000, 1000) for n in range(5)]
    few, all_of_them = Pairing(pool[:4], Tolerance(), "spread"), Pairing(pool, Tolerance(), "spread")
    moved = 0
    for photo in map(digest, map(str, range(300))):
        before, after = (each.choose(Size(999, 1000), photo).background for each in (few, all_of_them))
        assert after in (before, pool[4])
        moved += after != before
    assert 30 <= moved <= 90


def test_spread_goes_by_content_not_by_name():
    """Renaming a background moves no photo."""
    pool = [background(f"{n}.jpg", 1000, 1000) for n in range(4)]
    renamed = [Background(f"new {one.path}", one.sha256, one.pixels) for one in reversed(pool)]
    for photo in map(digest, map(str, range(50))):
        one, other = (Pairing(p, Tolerance(), "spread").choose(Size(10, 10), photo) for p in (pool, renamed))
        assert one.background.sha256 == other.background.sha256


@pytest.mark.parametrize(
    ("photo", "other", "expected"),
    [
        (Size(1000, 1000), Size(1000, 1000), Misfit(0, 0, 0)),
        (Size(1000, 1000), Size(2000, 1000), Misfit(693, 0, 347)),
        (Size(1000, 1000), Size(1000, 2000), Misfit(693, 0, 347)),
        (Size(1000, 1000), Size(500, 500), Misfit(0, 693, 0)),
        (Size(1000, 1000), Size(2000, 2000), Misfit(0, 0, 693)),
        (Size(1, 60000), Size(60000, 1), Misfit(22004, 0, 0)),
    ],
)
def test_the_figures_of_plain_cases(photo, other, expected):
    """A factor of two is 0.693, in whatever figure it shows."""
    assert misfit(photo, other) == expected


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        (Misfit(50, 0, 0), True),
        (Misfit(51, 0, 0), False),
        (Misfit(0, 400, 0), True),
        (Misfit(0, 401, 0), False),
        (Misfit(50, 400, 9999), True),
        (Misfit(0, 0, 9999), True),
    ],
)
def test_tolerance_includes_its_edge(found, allowed):
    """At most 0.05 of distortion and 0.4 of blur; excess costs nothing."""
    assert Tolerance().allows(found) is allowed


@pytest.mark.parametrize("limit", [0.001, 0.007, 0.029, 0.057, 0.1, 0.3, 0.57, 0.7, 1.001])
def test_a_limit_of_thousandths_is_met_exactly(limit):
    """No limit with three decimals is missed by the way computers write fractions."""
    thousandths = round(limit * 1000)
    assert Tolerance(limit, limit).allows(Misfit(thousandths, thousandths, 0))
    assert not Tolerance(limit, limit).allows(Misfit(thousandths + 1, 0, 0))


def test_ties_are_broken_by_excess_then_by_the_path():
    """Of equal fits the smaller file goes up, and of equal sizes the first in the order of NFC bytes."""
    pool = [background("c.jpg", 2000, 2000), background("b.jpg", 1000, 1000), background("a.jpg", 3000, 3000)]
    assert Pairing(pool, Tolerance()).choose(Size(1000, 1000), "").background.path == "b.jpg"
    decomposed, plain = background("e\u0301.jpg", 9, 9), background("f.jpg", 9, 9)
    assert Pairing([decomposed, plain], Tolerance()).choose(Size(9, 9), "").background is plain


def test_a_named_background_serves_every_photo():
    """A policy that names one takes it for all, similar or not; NFD spelling finds NFC."""
    pool = [background("summer/b\u00e9ach.jpg", 100, 2000), background("a.jpg", 1000, 1000)]
    choice = Pairing(pool, Tolerance(), "summer/be\u0301ach.jpg").choose(Size(1000, 1000), "")
    assert (choice.background, choice.similar) == (pool[0], False)


def test_a_name_that_is_not_there_is_said():
    """Before anything is planned."""
    with pytest.raises(LookupError, match=r"nowhere\.jpg"):
        Pairing([background("a.jpg", 1, 1)], Tolerance(), "nowhere.jpg")
    with pytest.raises(LookupError):
        Pairing([background("a.jpg", 1, 1)], Tolerance()).fixed(Size(1, 1), "b.jpg")


def test_a_background_map_overrides_the_choice():
    """The named one is taken, and rated like any other."""
    pool = [background("a.jpg", 1000, 1000), background("b.jpg", 1000, 500)]
    choice = Pairing(pool, Tolerance()).fixed(Size(1000, 1000), "b.jpg")
    assert (choice.background.path, choice.misfit.distortion, choice.similar) == ("b.jpg", 693, False)


def test_names_that_are_no_utf_8_can_be_sorted():
    """A file name may hold any bytes."""
    pool = [background("a.jpg", 5, 5), Background("\udcff.jpg", "f", Size(5, 5))]
    assert Pairing(pool, Tolerance()).choose(Size(5, 5), "").background.path == "a.jpg"
