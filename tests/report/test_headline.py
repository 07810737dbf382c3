"""The headline of the report: what became of all photos, in numbers that agree."""

import pytest

from batchbg.report.page import _headline


@pytest.mark.parametrize(
    ("photos", "done", "rejected", "said"),
    [
        (0, 0, 0, "Nothing has been done yet"),
        (1, 1, 0, "The one photo is done"),
        (14, 14, 0, "All 14 photos done"),
        (14, 14, 1, "14 of 15 photos done, 1 rejected"),
        (12_000, 11_999, 0, "11,999 of 12,000 photos done"),
        (1, 0, 0, "0 of 1 photo done"),
        (0, 0, 2, "0 of 2 photos done, 2 rejected"),
    ],
)
def test_photos_that_cannot_be_sent_are_photos(photos: int, done: int, rejected: int, said: str):
    assert _headline(photos, done, rejected) == said
