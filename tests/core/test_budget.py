import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.budget import (
    Bucket,
    Caps,
    Counted,
    Credits,
    Headroom,
    Period,
    Scope,
    headrooms,
    next_price,
    period_of,
    tightest,
)

amounts = st.integers(0, 10_000)
maybe = st.none() | amounts


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


@given(maybe, maybe, maybe, maybe, st.fixed_dictionaries(dict.fromkeys(Scope, amounts)))
def test_the_tightest_cap_is_the_one_with_the_least_room(run, day, month, total, spent):
    """Each cap that is set leaves cap - spent, and the least of them decides."""
    caps = Caps(run=run, day=day, month=month, total=total)
    found = headrooms(caps, spent)
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
    assert str(Headroom("budget.total", 23, -2)) == "budget.total: 0 of 23 credits left"


@pytest.mark.parametrize(
    ("configured", "answered", "recorded", "price"),
    [(5, None, None, 5), (5, 0, 0, 5), (5, 3, 4, 5), (5, 7, 5, 7), (5, 5, 7, 7), (5, 0, 7, 7), (9, 7, 8, 9)],
)
def test_a_reservation_takes_the_largest_of_the_prices(configured, answered, recorded, price):
    """The configured one, what the last create's answer took, what the last record says."""
    assert next_price(configured, answered, recorded) == price


counts = st.builds(lambda charged, held: Counted(charged + held, charged), amounts, amounts)
prices = st.none() | amounts


@given(counts, prices)
def test_an_answer_gives_nothing_back(counted, told):
    """It may understate: what was held stays held until the record is final, and what was charged stays charged."""
    after = counted.answered(told, told)
    assert after.credits == max(counted.credits, told or 0)
    assert after.charged == max(counted.charged, told or 0)


@given(counts, prices)
def test_the_record_of_a_complete_render_is_final(counted, told):
    """All that it counts is charged: what the record says, and no less than the answer said."""
    after = counted.rendered(told, told)
    assert after.charged == after.credits == (counted.credits if told is None else max(counted.charged, told))


@given(counts, prices)
def test_a_render_in_vain_counts_what_its_record_says(counted, told):
    """Refunds are in it; a record that says nothing gives nothing back."""
    after = counted.failed(told, told)
    assert after.charged == after.credits == (counted.credits if told is None else told)


@given(counts, counts)
def test_the_entries_lead_from_one_count_to_the_other(before, after):
    """Their sum is the difference, and what is charged or refunded only grows."""
    moves = dict(before.moves_to(after))
    assert moves[Bucket.CHARGED] >= 0
    assert moves[Bucket.REFUNDED] >= 0
    assert moves[Bucket.CHARGED] - moves[Bucket.REFUNDED] == after.charged - before.charged
    assert moves[Bucket.RESERVED] == (after.credits - after.charged) - (before.credits - before.charged)


@given(counts, amounts, amounts)
def test_what_is_not_believed_is_held_and_not_charged(counted, believed, more):
    """An odd price counts against the caps, and is no charge before a person has accepted it."""
    for count in (counted.answered, counted.rendered, counted.failed):
        after = count(believed + more, believed)
        assert after.charged <= max(counted.charged, believed)
        assert after.credits >= believed + more


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


def test_any_cap_is_a_cap():
    """Also one of zero."""
    assert not Caps().are_set
    assert all(Caps(**{name: 0}).are_set for name in ("run", "day", "month", "total", "keep_balance"))


@pytest.mark.parametrize(("told", "believed"), [(None, None), (3, None), (None, 3)])
def test_a_render_in_vain_of_unknown_price_counts_in_full(told, believed):
    """Nothing is given back on half a word."""
    assert Counted(7, 5).failed(told, believed) == Counted(7, 7)
