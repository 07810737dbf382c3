import os
from pathlib import Path

import pytest

from batchbg.disk.reading import NotAFile, open_file, read_bytes, read_text
from tests.support.sockets import plant_socket


def odd_things(folder: Path) -> list[Path]:
    """Return what hangs whoever opens it plainly, or never ends."""
    os.mkfifo(folder / "fifo")
    (folder / "device").symlink_to("/dev/zero")
    plant_socket(folder / "socket")
    return [folder / "fifo", folder / "device", folder / "socket"]


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_at_once_and_named(tmp_path: Path):
    """A fifo nobody writes to, a link to a device that never ends, a socket."""
    for odd, name in zip(odd_things(tmp_path), ("fifo", "device", "socket"), strict=True):
        for read in (read_bytes, read_text, open_file):
            with pytest.raises(NotAFile, match=f"a {name}"):
                read(odd)


def test_a_pipe_of_the_shell_can_be_named(tmp_path: Path):
    """As in ``--files-from <(find ...)``."""
    theirs, ours = os.pipe()
    os.write(ours, b"a.jpg\r\n")
    os.close(ours)
    assert read_text(f"/dev/fd/{theirs}") == "a.jpg\n"
    os.close(theirs)
