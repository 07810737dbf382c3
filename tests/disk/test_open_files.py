"""Whether somebody has a file open to write, where Linux tells."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.disk.open_files import is_open_to_write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@pytest.fixture(autouse=True)
def _ignoring_leases() -> Iterator[None]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"some")
    if not has_leases(path):
        pytest.skip("this disk has no leases")
    return path


def has_leases(path: Path) -> bool:
    with path.open("ab"):
        return is_open_to_write(path)


def test_it_is_told_as_long_as_it_is_open(file: Path):
    assert not is_open_to_write(file)
    with file.open("rb"):
        assert not is_open_to_write(file)
    with file.open("ab"):
        assert is_open_to_write(file)
    assert not is_open_to_write(file)


def test_by_another_process_too(file: Path):
    program = f"import sys; f = open({str(file)!r}, 'ab'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert is_open_to_write(file)
        writer.communicate()
    assert not is_open_to_write(file)


def test_what_is_no_file_is_open_to_nobody(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link", "gone"):
        assert not is_open_to_write(tmp_path / name)
