import errno
import os
from pathlib import Path

from batchbg.disk.write_errors import write_error
from batchbg.errors import DiskError, OutputRefused


def test_an_error_is_the_disks_where_any_other_path_would_meet_it(root: Path):
    """And one path's where only its name, or its folder, is refused; where the root is gone it is the disk's again."""
    of_the_disk = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ESTALE, errno.ENODEV}
    of_the_path = {
        errno.EINVAL,
        errno.ENAMETOOLONG,
        errno.EILSEQ,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.ELOOP,
    }
    for number in of_the_disk | of_the_path:
        found = write_error(root, root / "a.png", OSError(number, os.strerror(number)))
        assert isinstance(found, DiskError if number in of_the_disk else OutputRefused), errno.errorcode[number]
        assert str(root / "a.png") in str(found)
    gone = root / "gone"
    assert isinstance(write_error(gone, gone / "a.png", OSError(errno.ENOENT, "gone")), DiskError)
