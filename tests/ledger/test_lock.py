import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from batchbg.errors import ConfigError, ExitCode, LedgerBusy, LedgerError
from batchbg.ledger.engine import held

from .support import open_at, url_of

HOLDER = """
import sys, time
from batchbg.ledger.engine import held
with held(sys.argv[1], "run photos"):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A process that holds a ledger."""
    url = url_of(tmp_path_factory.mktemp("lock") / "batchbg.db")
    with subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process, url
        process.kill()


def test_a_second_process_finds_the_ledger_held(other, monkeypatch):
    """At once, with exit code 11, and told by whom: command, pid, host, since when."""
    process, url = other
    monkeypatch.setattr(time, "sleep", mock.Mock(side_effect=AssertionError("it waits")))
    with pytest.raises(LedgerBusy) as caught, held(url, "run"):
        pass
    assert caught.value.exit_code is ExitCode.LOCKED
    for part in ("batchbg run photos", f"pid {process.pid}", socket.gethostname(), "since 20"):
        assert part in str(caught.value)


def test_another_name_of_the_same_ledger_is_held_as_well(other, tmp_path):
    """The lock is on the real path."""
    _, url = other
    link = tmp_path / "link.db"
    link.symlink_to(Path(url.removeprefix("sqlite:///")))
    with pytest.raises(LedgerBusy), held(url_of(link), "run"):
        pass


def test_reading_commands_do_not_take_the_lock(other):
    """`status` works beside a run."""
    _, url = other
    open_at(Path(url.removeprefix("sqlite:///"))).close()


def test_waiting_for_another_run_ends_when_it_ends_or_the_time_is_up(tmp_path):
    """--retry-lock; a crash releases the lock, even SIGKILL."""
    url = url_of(tmp_path / "batchbg.db")
    with subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        started = time.monotonic()
        with pytest.raises(LedgerBusy), held(url, "run", retry_s=0.3):
            pass
        assert time.monotonic() - started > 0.25
        os.kill(process.pid, signal.SIGKILL)
        with held(url, "run", retry_s=100):
            pass


def test_the_lock_is_free_again_after_its_block(tmp_path):
    """Also where it ended in an error; and two ledgers beside each other have a lock each."""
    url = url_of(tmp_path / "batchbg.db")

    def failing() -> None:
        with held(url, "run"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    with held(url, "run"), held(url_of(tmp_path / "other.db"), "run"):
        pass


def test_a_leftover_lock_file_means_nothing(tmp_path):
    """Its content is a note for people; the lock is the system's."""
    (tmp_path / "batchbg.db.lock").write_text('{"pid": 1}')
    with held(url_of(tmp_path / "batchbg.db"), "run"):
        pass


def test_a_holder_without_a_note_is_busy_all_the_same(tmp_path):
    """The note may be about to be written, or be spoilt."""
    url = url_of(tmp_path / "batchbg.db")
    with held(url, "run"):
        (tmp_path / "batchbg.db.lock").write_text("spoilt")
        with pytest.raises(LedgerBusy, match="left no note"), held(url, "run"):
            pass


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path):
    """Exit code 2, with the folder's name."""
    with pytest.raises(ConfigError, match="missing"), held(url_of(tmp_path / "missing" / "batchbg.db"), "run"):
        pass


def test_a_lock_file_that_cannot_be_made_is_said(tmp_path):
    """Temporary trouble, not a crash."""
    (tmp_path / "batchbg.db.lock").mkdir()
    with pytest.raises(LedgerError, match="cannot lock"), held(url_of(tmp_path / "batchbg.db"), "run"):
        pass


def test_a_folder_that_cannot_even_be_asked_for_is_the_ledgers_error(tmp_path):
    """A name that is too long here; a folder that bars the way, for anybody but root."""
    with pytest.raises(ConfigError, match="too long"), held(url_of(tmp_path / ("x" * 300) / "batchbg.db"), "run"):
        raise AssertionError("it is held")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_is_no_lock_the_ledger_is_refused(tmp_path, monkeypatch, number):
    """A file that stands for a lock would outlive a crash, and hold every later run up."""

    def missing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", missing)
    for _ in range(2):
        with pytest.raises(ConfigError, match="no locks") as caught, held(url_of(tmp_path / "batchbg.db"), "run"):
            pass
        assert caught.value.exit_code is ExitCode.USAGE


def test_a_lock_is_not_taken_through_a_link(tmp_path):
    """What it leads to is somebody's file."""
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "batchbg.db.lock").symlink_to(mine)
    with pytest.raises(ConfigError, match="is a link, not a file"), held(url_of(tmp_path / "batchbg.db"), "run"):
        pass
    assert mine.read_text() == "mine"


@pytest.mark.slow
def test_a_lock_file_that_was_removed_meanwhile_holds_nobody_up_and_locks_nobody_out(tmp_path):
    """A person cleans up; the next lock is on the file that is there."""
    url, file = url_of(tmp_path / "batchbg.db"), tmp_path / "batchbg.db.lock"
    with held(url, "run"):
        file.unlink()
    with held(url, "run"), pytest.raises(LedgerBusy), held(url, "run"):
        pass
