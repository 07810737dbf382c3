"""What a person reviews: the result that an output holds and the job that is to follow it, and what has changed."""

from typing import Any

import pytest

from batchbg.core.review import ReviewVerdict
from batchbg.ledger import events, review_rows, reviews
from batchbg.ledger.store import Ledger

from .support import done, planned, rendering


@pytest.fixture
def ledger(emptied):
    return emptied


def as_dict(row: Any) -> dict[str, Any]:
    return dict(zip(review_rows.FIELDS, row, strict=True))


def found(ledger: Ledger) -> dict[str, dict[str, Any]]:
    with ledger.reading() as connection:
        return {row["id"]: row for row in map(as_dict, review_rows.read(connection))}


def last(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        return events.last(connection).id


def test_results_and_what_has_none_yet_are_rows_with_their_verdicts(ledger):
    shown, waiting = done(ledger, "a.jpg"), rendering(ledger, "b.jpg")
    with ledger.transaction() as tx:
        reviews.give(tx, shown.id, ReviewVerdict.REJECTED, "halo")
    rows = found(ledger)
    assert set(rows) == {shown.id, waiting.id}
    row = rows[shown.id]
    assert (row["saved_job_id"], row["saved_sha256"], row["saved_bytes"]) == (shown.id, "result of a.jpg", 9)
    assert (row["verdict"], row["reason"]) == ("rejected", "halo")
    assert (row["photo_path"], row["width"], row["height"]) == ("a.jpg", shown.pixels.width, shown.pixels.height)
    assert rows[waiting.id]["saved_job_id"] is None
    assert rows[waiting.id]["verdict"] is None


def test_what_changed_since_an_event_is_told_and_nothing_else(ledger):
    first, _ = done(ledger, "a.jpg"), done(ledger, "b.jpg")
    before = last(ledger)
    with ledger.reading() as connection:
        assert review_rows.since(connection, before) == (set(), [])
    with ledger.transaction() as tx:
        reviews.give(tx, first.id, ReviewVerdict.ACCEPTED)
    (new,) = planned(ledger, "c.jpg")
    with ledger.reading() as connection:
        touched, rows = review_rows.since(connection, before)
    assert touched == {first.output_id, new.output_id}
    assert {as_dict(row)["id"]: as_dict(row)["verdict"] for row in rows} == {first.id: "accepted", new.id: None}
