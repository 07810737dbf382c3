import pytest

from batchbg.core.model import Stamp

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
