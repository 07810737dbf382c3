import logging
from typing import Any

import pytest

from batchbg.core.price import Price
from batchbg.errors import ExitCode
from batchbg.pool.prices import PriceWatch
from batchbg.pool.stop import Stop


class _Photo:
    photo_path = "a.jpg"


JOB: Any = _Photo()


@pytest.fixture
def stop() -> Stop:
    return Stop()


def test_what_was_expected_is_not_worth_a_word(stop: Stop, caplog):
    """Nor what was not told at all."""
    watch = PriceWatch(stop, [])
    watch.heard(JOB, Price(5), reserved=5)
    watch.heard(JOB, Price(), reserved=5)
    assert caplog.records == []
    assert not stop.no_creates


@pytest.mark.parametrize(("told", "level"), [(7, logging.ERROR), (3, logging.WARNING), (0, logging.WARNING)])
def test_another_price_is_said_once(stop: Stop, caplog, told: int, level: int):
    """A higher one also where only errors are told; neither stops anything."""
    watch = PriceWatch(stop, [])
    for _ in range(3):
        watch.heard(JOB, Price(told), reserved=5)
    assert [record.levelno for record in caplog.records] == [level]
    assert f"takes {told} credits, where 5 were reserved" in caplog.text
    assert not stop.no_creates


@pytest.mark.parametrize("price", [Price(51), Price(6, "5.5"), Price(None, "-1")])
def test_a_price_that_cannot_be_right_stops_creates(stop: Stop, caplog, price: Price):
    """With what to do about it."""
    PriceWatch(stop, []).heard(JOB, price, reserved=5)
    assert stop.exit_code is ExitCode.ACCOUNT
    assert "--accept-price" in stop.reasons[ExitCode.ACCOUNT]
    assert price.told in caplog.text


def test_a_price_that_was_accepted_stops_nothing(stop: Stop, caplog):
    """It is said all the same."""
    PriceWatch(stop, ["51"]).heard(JOB, Price(51), reserved=5)
    assert not stop.no_creates
    assert len(caplog.records) == 1
