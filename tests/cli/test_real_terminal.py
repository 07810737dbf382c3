"""batchbg in a pseudo-terminal: what a person would have on the screen."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable

import pytest

from tests.support.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

COLUMNS = 80


def screen(text: str) -> list[str]:
    """Return the lines as they end up on a screen: a carriage return goes back, what comes then covers what was."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return lines


class Session:
    """A command at a terminal of its own."""

    def __init__(self, shop: Shop, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, COLUMNS))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "batchbg", *arguments],
            cwd=shop.folder,
            env=shop.environ() | {"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C is a signal from one's own terminal only
        )
        os.close(theirs)
        self.text = ""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # on Linux this is how the other side's end is told
                return
            if not data:
                return
            self.text += data.decode("utf-8", "replace")

    def shows(self, pattern: str) -> Callable[[], bool]:
        return lambda: re.search(pattern, self.text) is not None

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        code = self.process.wait(60)
        self._reading.join()
        os.close(self._ours)
        return code


def test_bar_logs_question_and_table_share_a_screen(shop: Shop):
    """The question stands on a line of its own, no line of the log is torn, the table closes it."""
    shop.some_photos(8)
    shop.sandbox.configure(render_s=0.6)
    shop.faults.add("create", "status", status=429, commit=False, nth=3)
    shop.faults.add("create", "hang_up", nth=5)
    session = Session(shop, *shop.arguments("run", "--confirm-batch-over", "4", "-v", "--max-in-flight", "2"))
    shop.wait_for(session.shows(r"Go on\? \[y/N\]: $"), 30)
    session.type("y\n")
    shop.wait_for(session.shows(r"in flight, .* left"), 30)
    os.kill(session.process.pid, signal.SIGUSR1)
    shop.wait_for(session.shows(r"batchbg: \d of 8 jobs"), 30)
    assert session.end() == 3
    lines = screen(session.text)
    assert "8 new jobs, about 40 credits; 10000 credits on the account; about 16 s. Go on?" in " ".join(lines)
    assert "done              7" in lines
    assert "unresolved        1" in lines
    assert lines[-2].startswith("next         batchbg jobs --state unresolved")
    assert not [line for line in lines if "%|" in line], "the bar is taken away at the end"
    assert "\x1b[32m\x1b[1mdone" in session.text


def test_ctrl_c_ends_in_order_and_a_second_one_at_once(shop: Shop):
    shop.some_photos(3)
    shop.faults.add("create", "hang", seconds=60)
    session = Session(shop, *shop.arguments("run"))
    shop.wait_for(lambda: len(shop.creates()) >= 1, 30)
    session.process.send_signal(signal.SIGINT)
    shop.wait_for(session.shows("again to stop at once"), 30)
    session.process.send_signal(signal.SIGINT)
    assert session.end() == 130
    assert "next         batchbg jobs --state unresolved" in "\n".join(screen(session.text))
    assert "Traceback" not in session.text


def test_a_topic_is_shown_in_the_pager_of_whoever_reads_it(shop: Shop):
    """Which is another program, and gets no key. A command's help is not paged: it is short, as --help is."""
    shop.setting("PAGER", "sh -c 'env; sed s/^/page:/'", prefix="")
    paged = Session(shop, "help", "money")
    assert paged.end() == 0
    assert [line for line in screen(paged.text) if line.startswith("page:# Money: ")]
    assert "MAGIC_HOUR_API_KEY" not in paged.text
    plain = Session(shop, "help", "run")
    assert plain.end() == 0
    assert "page:" not in plain.text


@pytest.mark.parametrize(("typed", "code", "creates"), [("\x03", 130, 2), ("\x04", 8, 2), ("n\n", 8, 2), ("y\n", 0, 4)])
def test_the_pilots_question_hears_ctrl_c_at_once(shop: Shop, typed: str, code: int, creates: int):
    """As it hears yes, no and the end of the input; nothing is begun after it."""
    shop.some_photos(4)
    session = Session(shop, *shop.arguments("run", "--pilot", "2"))
    shop.wait_for(session.shows(r"Go on\? \[y/N\]: $"), 60)
    session.type(typed)
    assert session.end() == code
    assert len(shop.creates()) == creates
    assert "Traceback" not in session.text
