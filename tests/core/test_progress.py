import pytest

from batchbg.core.progress import WINDOW_S, Rate, time_left_s


@pytest.mark.parametrize(
    ("waiting", "in_flight", "width", "render_s", "since_create_s", "per_second", "expected"),
    [
        (0, 0, 8, 4.0, 0.0, 10.0, 0.0),
        (10, 0, 8, None, 0.0, 10.0, None),  # nobody knows how long a render takes
        (0, 3, 8, 4.0, 1.0, 10.0, 3.0),  # the youngest has three seconds to go
        (0, 3, 8, 4.0, 9.0, 10.0, 0.0),  # and should have ended long ago
        (80, 8, 8, 4.0, 0.0, 10.0, 44.0),  # ten rounds of four seconds, then the last one renders
        (80, 4, 4, 4.0, 0.0, 10.0, 84.0),  # a width that was halved doubles it
        (100, 8, 8, 0.1, 0.0, 2.0, 50.1),  # renders are quick; two creates a second are what holds it up
    ],
)
def test_the_time_left_comes_from_places_and_render_times(
    waiting, in_flight, width, render_s, since_create_s, per_second, expected
):
    assert time_left_s(waiting, in_flight, width, render_s, since_create_s, per_second) == pytest.approx(expected)


def test_the_rate_is_that_of_the_last_minute():
    """What happened before no longer counts, and a silence brings it down."""
    rate = Rate(100.0)
    assert rate.per_minute(130.0) is None
    for second in range(30):
        rate.count(100.0 + second)
    assert rate.per_minute(130.0) == pytest.approx(60.0)
    assert rate.per_minute(100.0 + WINDOW_S) == pytest.approx(30.0)
    assert rate.per_minute(120.0 + WINDOW_S) == pytest.approx(10.0)
    assert rate.per_minute(130.0 + WINDOW_S) is None
