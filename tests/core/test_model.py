import dataclasses
from typing import Any

import pytest

from batchbg.core.model import MOST_NAME, Job, Stamp, project_name

KNOWN = Stamp(10, 20, 30, 40)


@pytest.mark.parametrize(
    ("now", "known", "still"),
    [
        (KNOWN, KNOWN, True),
        (KNOWN._replace(size=11), KNOWN, False),
        (KNOWN._replace(mtime_ns=21), KNOWN, False),
        (KNOWN._replace(inode=31), KNOWN, True),
        (KNOWN._replace(inode=31, ctime_ns=41), KNOWN, False),
        (KNOWN._replace(inode=31, ctime_ns=0), KNOWN, False),
        (KNOWN._replace(ctime_ns=41), KNOWN, False),
        (KNOWN._replace(ctime_ns=0), KNOWN, True),
        (KNOWN, KNOWN._replace(ctime_ns=0), True),
        (KNOWN._replace(ctime_ns=0), KNOWN._replace(size=11), False),
        (KNOWN._replace(size=11, ctime_ns=0), KNOWN._replace(ctime_ns=0), False),
    ],
)
def test_a_file_is_still_the_one_that_was_seen(now, known, still):
    """Its number counts only where its ctime is not known (0): disks may number anew at every mount."""
    assert now.is_still(known) is still
    assert now.is_still(tuple(known)) is still


def job(**known: Any) -> Job:
    return Job(**dict.fromkeys(field.name for field in dataclasses.fields(Job)) | known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("IMG_0412.jpg", "batchbg abc-2 IMG_0412.jpg"),
        ("mugs/blue/a b.jpg", "batchbg abc-2 a b.jpg"),
        ("a\n\x1b\u202eb.jpg", "batchbg abc-2 ab.jpg"),
        ("caf\udce9.png", "batchbg abc-2 caf.png"),
        ("x" * 300, f"batchbg abc-2 {'x' * MOST_NAME}"),
    ],
)
def test_a_project_is_called_as_its_photo_for_who_looks_for_it(path: str, name: str):
    """In the service's web library; without what could do harm there, or what the service might not take."""
    one = job(id="abc", attempt=2, photo_path=path)
    assert one.name == name
    assert one.owns(name)


@pytest.mark.parametrize(
    ("name", "is_its"),
    [
        ("batchbg abc-2", True),
        ("batchbg abc-2 anything else", True),
        ("batchbg abc-1 IMG_0412.jpg", False),
        ("batchbg abc-21 IMG_0412.jpg", False),
        ("batchbg xabc-2 IMG_0412.jpg", False),
        ("Batchbg abc-2 IMG_0412.jpg", False),
        ("a batchbg abc-2 IMG_0412.jpg", False),
        ("batchbgabc-2", False),
        ("batchbg", False),
        ("IMG_0412.jpg", False),
        ("", False),
    ],
)
def test_a_project_is_a_job_s_by_the_first_two_words_of_its_name(name: str, is_its: bool):
    """Exactly: another attempt, or a job whose id begins alike, is another."""
    assert job(id="abc", attempt=2, photo_path="IMG_0412.jpg").owns(name) is is_its
    assert project_name("abc", 2) == "batchbg abc-2"
