"""Whether another program has a file open to write, where the system tells."""

import contextlib
import errno
import os
import sys
from pathlib import Path

from batchbg.disk.reading import AT_ONCE, COMMON, NO_LINK


def is_open_to_write(path: Path) -> bool:
    """Return whether somebody has a file open to write; False also where nobody can tell.

    Linux gives a lease to read only where nobody has a file open to write, and only on its own disks and to a file's
    owner. It is given back at once; whoever opens the file in that moment waits for that, and this process gets SIGIO,
    which it has to ignore. Source: fcntl(2), F_SETLEASE.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | AT_ONCE | NO_LINK | COMMON)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    else:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    finally:
        os.close(descriptor)
