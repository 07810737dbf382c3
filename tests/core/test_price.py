import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.price import UNTOLD, Price, believed, is_odd, read_price


@pytest.mark.parametrize(
    ("value", "price"),
    [
        (5, Price(5)),
        (5.0, Price(5)),
        ("5", Price(5)),
        (0, Price(0)),
        (None, UNTOLD),
        (5.5, Price(6, "5.5")),
        (-1, Price(None, "-1")),
        (True, Price(None, "True")),
        ("5.5", Price(None, "'5.5'")),
        ("", Price(None, "''")),
        ("\u0665", Price(None, "'\u0665'")),
        ([5], Price(None, "[5]")),
        (10**12, Price(None, "1000000000000")),
        (float("nan"), Price(None, "nan")),
        ("x" * 100, Price(None, "'" + "x" * 39 + "...")),
    ],
)
def test_a_price_is_read_as_it_was_told(value, price):
    """What is no whole number of credits is kept as a person will see it."""
    assert read_price(value) == price


def test_a_number_that_python_would_not_print_is_told_in_words():
    """JSON may hold one of five thousand digits."""
    assert read_price(10**5000) == Price(None, "a number of very many digits")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_reading_never_raises_and_never_counts_below_nothing(value):
    """Whatever JSON can hold."""
    price = read_price(value)
    assert price.credits is None or 0 <= price.credits < 10**9
    assert len(price.told) < 60


@pytest.mark.parametrize(
    ("price", "accepted", "odd"),
    [
        (Price(50), (), False),
        (Price(51), (), True),
        (Price(51), ("51",), False),
        (Price(55), ("60",), False),
        (Price(61), ("60",), True),
        (Price(6, "5.5"), (), True),
        (Price(6, "5.5"), ("5.5",), False),
        (Price(7, "6.5"), ("5.5", "100"), True),
        (Price(None, "'many'"), (), True),
        (UNTOLD, (), False),
        (Price(0), (), False),
    ],
)
def test_a_price_beyond_reason_is_odd_until_it_is_accepted(price, accepted, odd):
    """More than ten times the documented one, or no whole number; a higher one that was accepted covers lower ones."""
    assert is_odd(price, accepted) is odd


@given(st.integers(0, 10**6))
def test_no_more_than_the_documented_price_is_believed_of_an_odd_one(credits):
    """The rest is held back, not charged."""
    assert believed(Price(credits), odd=False) == credits
    assert believed(Price(credits), odd=True) == min(credits, 5)
    assert believed(UNTOLD, odd=True) is None


def test_the_first_figure_that_is_no_price():
    """A thousand million credits are nobody's price."""
    assert read_price(10**9 - 1) == Price(10**9 - 1)
    assert read_price(10**9) == Price(odd="1000000000")
