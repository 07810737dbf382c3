import hashlib

from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.model import Size
from batchbg.core.pairing import Background, Pairing, Tolerance, misfit, order_of

sides = st.integers(1, 60) | st.integers(995, 1005) | st.integers(1, 20_000)
sizes = st.builds(Size, sides, sides)
pools = st.lists(sizes, min_size=1, max_size=120).map(
    lambda drawn: [
        Background(f"{index * 7919 % 127:03d}.jpg", hashlib.sha256(bytes([index])).hexdigest(), size)
        for index, size in enumerate(drawn)
    ]
)


@given(sizes, pools)
def test_the_search_outwards_finds_what_looking_at_all_finds(photo: Size, pool: list[Background]):
    """To the last tie, with hundreds of backgrounds that are nearly alike."""
    found = Pairing(pool, Tolerance()).choose(photo, "").background
    assert found == min(pool, key=lambda one: order_of(one, misfit(photo, one.pixels)))


@given(sizes, pools, st.integers(0, 9))
def test_spread_draws_from_all_that_are_similar_enough(photo: Size, pool: list[Background], content: int):
    """None is overlooked at the tolerance's edge."""
    tolerance = Tolerance()
    pairing = Pairing(pool, tolerance, "spread")
    similar = {one.path for one in pool if tolerance.allows(misfit(photo, one.pixels))}
    drawn = {one.path for one in pairing._draws(photo)._by_content}
    assert drawn == similar
    chosen = pairing.choose(photo, str(content))
    assert chosen.similar == bool(similar)
