import datetime
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbg.core.budget import (
    Bucket,
    Caps,
    Credits,
    Period,
    Room,
    Scope,
    newly_refunded,
    next_price,
    period_of,
    rooms,
    tightest,
)

quick = settings(max_examples=80)
amounts = st.integers(0, 10_000)
maybe = st.none() | amounts


@quick
@given(amounts, amounts, amounts, amounts)
def test_spent_is_charged_less_refunded_and_all_that_may_be_charged(charged, refunded, reserved, unresolved):
    """Reservations and lost answers count as spent."""
    sums = {"charged": charged, "refunded": refunded, "reserved": reserved, "unresolved": unresolved}
    assert Credits.of(sums).spent == charged - refunded + reserved + unresolved


def test_a_bucket_without_entries_is_zero():
    """A ledger that never refunded has no such row."""
    assert Credits.of({"charged": 5}) == Credits(charged=5)
    assert Credits.of({}).spent == 0
    assert {bucket.value for bucket in Bucket} == {"charged", "refunded", "reserved", "unresolved"}


@quick
@given(maybe, maybe, maybe, maybe, st.fixed_dictionaries(dict.fromkeys(Scope, amounts)))
def test_the_tightest_cap_is_the_one_with_the_least_room(run, day, month, total, spent):
    """Each cap that is set leaves cap - spent, and the least of them decides."""
    caps = Caps(run=run, day=day, month=month, total=total)
    found = rooms(caps, spent)
    named = {Scope.RUN: run, Scope.DAY: day, Scope.MONTH: month, Scope.TOTAL: total}
    lefts = [cap - spent[scope] for scope, cap in named.items() if cap is not None]
    assert sorted(room.left for room in found) == sorted(lefts)
    least = tightest(found)
    assert (least.left if least else None) == min(lefts, default=None)


def test_a_cap_of_zero_is_a_cap():
    """0 allows nothing; None allows everything."""
    assert Caps(run=0).by_scope() == ((Scope.RUN, 0),)
    assert Caps().by_scope() == ()
    assert tightest([]) is None


def test_a_room_that_is_overdrawn_reads_as_none_left():
    """A price that rose can take the last credits past the cap; people read 0."""
    assert str(Room("budget.total", 23, -2)) == "budget.total: 0 of 23 credits left"


@pytest.mark.parametrize(
    ("configured", "answered", "price"), [(5, None, 5), (5, 0, 5), (5, 3, 5), (5, 5, 5), (5, 7, 7), (9, 7, 9)]
)
def test_a_reservation_takes_the_larger_of_the_two_prices(configured, answered, price):
    """The configured one, or what the last create answer took."""
    assert next_price(configured, answered) == price


@quick
@given(amounts, st.none() | st.integers(-10, 10_000))
def test_a_refund_never_exceeds_what_is_counted(counted, reported):
    """A record that says nothing, or more than was charged, gives nothing back."""
    back = newly_refunded(counted, reported)
    assert 0 <= back <= counted
    if reported is None or reported >= counted:
        assert back == 0
    else:
        assert counted - back == max(reported, 0)


@pytest.mark.parametrize(
    ("zone", "day", "month"),
    [
        ("UTC", "2026-03-01", "2026-03"),
        ("America/Los_Angeles", "2026-02-28", "2026-02"),
        ("Pacific/Auckland", "2026-03-01", "2026-03"),
    ],
)
def test_days_and_months_begin_in_the_zone_that_is_set(zone, day, month):
    """Half an hour into March in UTC is still February in California."""
    at = datetime.datetime(2026, 3, 1, 0, 30, tzinfo=datetime.UTC).timestamp()
    assert period_of("r", at, zoneinfo.ZoneInfo(zone)) == Period("r", day, month)


def test_a_day_of_25_hours_is_one_day():
    """The end of summer time in Berlin."""
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    begin = datetime.datetime(2026, 10, 25, 0, 0, tzinfo=berlin).timestamp()
    days = [period_of("r", begin + hour * 3600, berlin).day for hour in range(26)]
    assert days == ["2026-10-25"] * 25 + ["2026-10-26"]


def test_the_systems_zone_is_taken_where_none_is_set():
    """As `date` would print it."""
    at = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC).timestamp()
    assert period_of("r", at, None).day == datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d")


def test_credits_belong_to_the_ledger_the_run_the_day_and_the_month():
    """Four running totals change with every entry."""
    scopes = Period("r", "2026-03-01", "2026-03").scopes()
    assert scopes == (
        (Scope.TOTAL, ""),
        (Scope.RUN, "r"),
        (Scope.DAY, "2026-03-01"),
        (Scope.MONTH, "2026-03"),
    )
    assert {scope for scope, _ in scopes} == set(Scope)
