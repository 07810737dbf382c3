from batchbg.core import pilot
from batchbg.core.model import Size


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
