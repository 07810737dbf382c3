from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.sandbox.books import Books, InsufficientCredits
from batchbg.sandbox.records import JobError, Order
from batchbg.sandbox.schedule import RenderQueue
from batchbg.sandbox.store import ByteStore


class Hand:
    """A clock moved by hand."""

    now_s = 1000.0

    def __call__(self):
        return self.now_s


def order(**changes: Any) -> Order:
    return Order(
        **{"name": "n", "image_sha256": "i", "background_sha256": None, "credits": 5, "queue_s": 0.0, "render_s": 10.0}
        | changes
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["complete", "error", "canceled"]), st.sampled_from([None, 0.0, 7.0]), st.integers(0, 9)
        )
    )
)
def test_the_balance_is_the_sum_of_its_entries(jobs):
    """Whatever ends how and when, charged less refunded is what the projects still hold."""
    clock = Hand()
    books = Books(clock, credits=60)
    for end, refund_after_s, credits in jobs:
        try:
            books.open_project(order(end=end, refund_after_s=refund_after_s, credits=credits))
        except InsufficientCredits:
            assert books.balance < credits
        clock.now_s += 5
    assert books.balance == sum(entry.credits for entry in books.entries()) == 60 - books.charged + books.refunded
    assert books.charged - books.refunded == sum(create.credits_charged for create in books.creates())
    assert books.balance >= 0


def test_a_refund_waits_for_the_end_of_the_render():
    """Credits come back when the job has ended, not when it is known that it will."""
    clock = Hand()
    books = Books(clock, credits=10)
    books.open_project(order(end="error", error=JobError("unknown_error", "")))
    clock.now_s += 9
    assert books.balance == 5
    clock.now_s += 1
    assert books.balance == 10


def test_a_failed_picture_refunds_once():
    """A job cannot fail twice."""
    books = Books(Hand(), credits=10)
    project = books.open_project(order(render_s=0.0))
    for _ in range(2):
        books.picture_failed(project.id, JobError("invalid_image_file", ""))
    assert (books.balance, books.refunded) == (10, 5)


def test_records_are_bounded():
    """The oldest projects, assets and entries go first; totals stay right."""
    books = Books(Hand(), credits=1000, max_records=10)
    for number in range(100):
        books.add_asset(f"path{number}", "sha", 1)
        books.open_project(order(name=str(number)))
    assert [create.name for create in books.creates()] == [str(number) for number in range(90, 100)]
    assert (books.asset("path89", 10), books.asset("path90", 10) is not None) == (None, True)
    assert len(books.entries()) == 30
    assert (books.charged, books.balance) == (500, 500)


def test_stored_bytes_are_bounded():
    """The least recently used go first; what is larger than everything is not kept at all."""
    store = ByteStore(100)
    for key in "abc":
        store.put(key, b"x" * 40)
        store.get("a")
    store.put("huge", b"x" * 101)
    assert [key for key in ("a", "b", "c", "huge") if store.get(key)] == ["a", "c"]
    assert store.size_bytes == 80


def test_an_upload_that_was_dropped_counts_as_deleted(start, draw):
    """Where memory is short an asset ends earlier; the client sees what it sees after seven days."""
    client = start(max_stored_bytes=1000)
    path = client.upload(draw() + b"\0" * 500)
    client.upload(draw(colour="blue") + b"\0" * 500)
    assert client.create(path).status_code == 422


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=30), st.integers(1, 4))
def test_no_more_jobs_render_at_once_than_there_are_slots(jobs, slots):
    """And no slot idles while a job waits: every job starts at once, or exactly when another one ends."""
    queue, now_s = RenderQueue(), 0.0
    times: list[tuple[float, float]] = []
    for gap_s, render_s in jobs:
        now_s += gap_s
        start_s, end_s = queue.admit(now_s, 0.0, render_s, slots)
        assert start_s == now_s or start_s in [end for _, end in times]
        times.append((start_s, end_s))
    for start_s, _ in times:
        assert sum(begin <= start_s < end for begin, end in times) <= slots


def test_slots_can_change_while_jobs_run():
    """Fewer servers let the next job wait, more let it start."""
    queue = RenderQueue()
    assert [queue.admit(0.0, 0.0, 10.0, 2)[0] for _ in range(3)] == [0.0, 0.0, 10.0]
    assert queue.admit(0.0, 0.0, 10.0, 1)[0] == 20.0
    assert queue.admit(0.0, 0.0, 10.0, 4)[0] == 0.0


def test_a_negative_balance_is_never_reached():
    """A job that costs more than there is leaves no trace."""
    books = Books(Hand(), credits=4)
    with pytest.raises(InsufficientCredits):
        books.open_project(order())
    assert (books.creates(), books.charged) == ([], 0)
