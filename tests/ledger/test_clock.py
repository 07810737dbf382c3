"""The ledger's time where the machine's was wrong, and the zone in which its days begin."""

import datetime
import zoneinfo

import pytest

from batchbg.errors import ConfigError
from batchbg.ledger import assets, clock, meta, runs

from .support import begin_run, planned, use_clock

NOW = 1_700_000_000.0
DAY = 86_400.0


@pytest.fixture
def ledger(emptied):
    return emptied


def test_a_clock_that_was_ahead_is_told_of(ledger, monkeypatch):
    """Beyond a minute, in minutes or days; a ledger without an entry is at the machine's time."""
    machine = use_clock(monkeypatch, NOW)
    with ledger.reading() as connection:
        assert clock.ahead_s(connection) == 0
        assert list(clock.about_time(None, NOW)) == []
    planned(ledger, "a.jpg")
    for back_s, said in ((0.0, ""), (59.0, ""), (600.0, "10 minutes from now"), (5 * DAY, "5 days from now")):
        machine.at = NOW - back_s
        with ledger.reading() as connection:
            assert clock.ahead_s(connection) == back_s
            told = clock.told_if_ahead(connection)
        assert said in told
        assert bool(said) == bool(told)
        assert list(clock.about_time(NOW, machine.at)) == ([told] if told else [])
        assert not told or "--reset" in told


def test_a_long_silence_may_be_a_wrong_clock(ledger, monkeypatch):
    """More than a year: days to come would be used up."""
    use_clock(monkeypatch, NOW)
    assert list(clock.about_time(NOW - 399 * DAY, NOW)) == []
    (said,) = clock.about_time(NOW - 401 * DAY, NOW)
    assert said.startswith("401 days have passed")


def test_a_reset_goes_on_with_the_machine_s_time(ledger, monkeypatch):
    """The last run stays the last, and an upload of a time to come is not believed."""
    machine = use_clock(monkeypatch, NOW + 400 * DAY)
    begun = []
    for _ in range(3):
        run = begin_run(ledger)
        begun.append(run.id)
        with ledger.transaction(run.id) as tx:
            assets.uploaded(tx, "id", run.id, "path", 1)
            runs.end(tx, 0)
    machine.at = NOW
    assert clock.reset_clock(ledger) == NOW
    with ledger.transaction() as tx:
        assert tx.at == NOW
        assert clock.ahead_s(tx.connection) == 0
        past = runs.last(tx.connection, 3)
        assert [one.id for one in past] == begun[::-1]
        assert all(NOW - 1 < one.started_at < NOW and one.ended_at == NOW for one in past)
        assert assets.find(tx.connection, ["id"], begun[0], 0.0) is None


def test_days_begin_in_the_zone_that_is_bound(ledger):
    """By a person's word in another; in none that nobody knows, and in the given one where none is bound."""
    with ledger.transaction() as tx:
        assert (clock.zone_of(tx.connection), clock.zone_in(tx.connection, datetime.UTC)) == (None, datetime.UTC)
        meta.keep(tx, meta.ZONE, "Nowhere/Atlantis")
        assert clock.zone_in(tx.connection, datetime.UTC) is datetime.UTC
    clock.rebind_zone(ledger, "Europe/Berlin")
    with ledger.reading() as connection:
        assert clock.zone_of(connection) == "Europe/Berlin"
        assert clock.zone_in(connection, datetime.UTC) == zoneinfo.ZoneInfo("Europe/Berlin")
    with pytest.raises(ConfigError, match="not known"):
        clock.rebind_zone(ledger, "Nowhere/Atlantis")
