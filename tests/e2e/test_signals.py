"""Invariant 9: the first signal ends a run in order, the second at once, whatever hangs; ignored ones stay ignored."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

HANGS = {
    "a thread": """
        from batchbg.disk import results
        results.check = lambda *_, **__: hang()
    """,
    "a thread of the scan": """
        from batchbg.plan import probing
        probing.probe = lambda *_, **__: hang()
    """,
    "the main thread, in the middle of the work": """
        from batchbg.pool.deliver import Deliverer
        Deliverer._target = lambda *_: hang()
    """,
    "the main thread, in the middle of the scan": """
        from batchbg.plan.planner import Planner
        Planner._listings = lambda *_: hang()
    """,
    "nothing that could be interrupted": """
        from batchbg.pool.deliver import Deliverer
        def uninterrupted(*_):
            while True:
                try:
                    hang()
                except BaseException:
                    pass
        Deliverer._target = uninterrupted
    """,
}
"""Where a process hangs, as what is done to it: waiting for a fifo into which nobody writes."""


def start(shop: Shop, program: str, *extra: str, before: Callable[[], object] | None = None) -> "subprocess.Popen[str]":
    """Start a run in which ``hang()`` waits for ever, and says so."""
    lines = [line.removeprefix("        ") for line in program.strip("\n").splitlines()]
    hang = (
        "import os, sys\n"
        "os.mkfifo('fifo')\n"
        "def hang():\n"
        "    print('hangs', file=sys.stderr, flush=True)\n"
        "    return open('fifo').read()\n"
    )
    program_lines = (hang, *lines, "from batchbg.cli import main", "main()")
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(program_lines), *shop.arguments("run", *extra)],
        cwd=shop.folder,
        env=shop.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def read_until(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    while words not in (line := process.stderr.readline()):
        assert line, "it ended without a word"


@pytest.mark.parametrize("place", list(HANGS))
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_invariant_9_the_second_signal_ends_it_whatever_hangs(
    shop: Shop, place: str, number: signal.Signals, code: int
):
    """The ledger is free afterwards, and the next run goes on; nothing is paid twice."""
    shop.some_photos(2)
    process = start(shop, HANGS[place], "--yes")
    try:
        read_until(process, "hangs")
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):  # two that come together are one, to the system
            process.wait(1)  # where the hanging call itself is interrupted one is enough
        process.send_signal(number)
        assert process.wait(60) == code
    finally:
        process.kill()
        process.communicate()
    assert shop.run().code == 0
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(shop: Shop, number: signal.Signals):
    """As under nohup, and in the background of a shell: the run goes on to its end."""
    shop.some_photos(3)
    shop.sandbox.configure(render_s=1.5)
    process = start(shop, "", "--max-in-flight", "1", before=lambda: signal.signal(number, signal.SIG_IGN))
    shop.wait_for(lambda: len(shop.creates()) == 1)
    for _ in range(3):
        process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    assert len(shop.outputs()) == 3
