"""A file is taken once it has been as it is for long enough, and not a second time until it changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.model import Stamp
from batchbg.core.stillness import Stillness, retry_s


def stamp(size: int, mtime: int = 0, inode: int = 1) -> Stamp:
    return Stamp(size, mtime, inode, mtime)


def test_a_file_is_fresh_once_it_has_been_still_and_until_a_turn_has_had_it():
    stillness = Stillness(5.0)
    stillness.look(0.0, [("a", stamp(1))])
    assert not stillness.fresh(0.0)
    assert stillness.next_s(1.0) == 4.0
    stillness.look(3.0, [("a", stamp(2))])  # somebody writes on
    assert not stillness.fresh(5.0)
    stillness.look(8.0, [("a", stamp(2, inode=7))])  # a disk in the network numbers anew
    assert stillness.fresh(8.0)
    takes = stillness.take(8.0)
    assert takes("a", stamp(2))
    assert not takes("a", stamp(3))
    assert not takes("b", stamp(2))
    assert not stillness.fresh(100.0)
    assert stillness.next_s(100.0) is None
    stillness.look(100.0, [("a", stamp(2, mtime=9))])
    assert not takes("a", stamp(2, mtime=9))
    assert stillness.fresh(105.0)


def test_what_came_after_the_look_is_for_the_next_turn():
    stillness = Stillness(5.0)
    stillness.look(0.0, [("old", stamp(1))])
    stillness.look(4.0, [("old", stamp(1)), ("new", stamp(1))])
    takes = stillness.take(5.0)
    assert (takes("old", stamp(1)), takes("new", stamp(1))) == (True, False)
    assert stillness.fresh(9.0)


def test_one_that_is_open_to_write_is_not_still():
    stillness = Stillness(5.0)
    stillness.look(0.0, [("a", stamp(1))])
    assert not stillness.fresh(6.0, lambda path: True)
    assert not stillness.fresh(10.0)
    assert stillness.fresh(11.0)


def test_what_is_gone_is_forgotten():
    stillness = Stillness(5.0)
    stillness.look(0.0, [("a", stamp(1))])
    stillness.look(9.0, [])
    assert not stillness.fresh(9.0)
    assert not stillness.take(9.0)("a", stamp(1))


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 2)), min_size=1, max_size=30))
def test_nothing_is_taken_that_changed_within_the_time(looks: list[tuple[float, int]]):
    """Whatever is looked at when, and however often turns are taken."""
    stillness, now = Stillness(5.0), 0.0
    last, since = None, 0.0
    for pause, size in looks:
        now += pause
        if size != last:
            last, since = size, now
        stillness.look(now, [("a", stamp(size))])
        assert stillness.take(now)("a", stamp(size)) == (now - since >= 5.0)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 30), (2, 60), (5, 480), (6, 900), (10**9, 900)])
def test_the_time_to_the_next_try_doubles_up_to_a_quarter_of_an_hour(failures: int, seconds: float):
    assert retry_s(failures) == seconds
