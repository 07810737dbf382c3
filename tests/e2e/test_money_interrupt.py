"""Invariant 9: interrupting is safe at any instant; and one run at a time holds the ledger."""

import os
import signal
import subprocess
import time

import pytest

from batchbg.pool import pool
from tests.support.shop import Shop

pytestmark = pytest.mark.slow


FOR_EVER_S = 100_000
"""Longer than any test: what waits for it does not end."""


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def interrupt(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGINT) -> None:
    """Send a signal and wait until it is heeded: two that come at once are one."""
    assert process.stderr is not None
    process.send_signal(number)
    while "again to stop at once" not in (line := process.stderr.readline()):
        assert line, "it ended without a word"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_invariant_9_one_signal_ends_a_run_in_order(shop: Shop, number: signal.Signals, code: int):
    """Renders are left to the next run; nothing is paid twice, nothing lost."""
    shop.some_photos(12)
    shop.sandbox.configure(render_s=FOR_EVER_S)
    process = shop.spawn("run", "--json", "--max-in-flight", "4")
    shop.wait_for(lambda: len(shop.creates()) >= 3)
    process.send_signal(number)
    returned, out, err = finish(process)
    assert returned == code, err
    assert '"exit_code": ' + str(code) in out
    shop.sandbox.configure(render_s=0.02)
    shop.sandbox.advance(FOR_EVER_S)
    assert shop.resume().code == 0
    assert len(shop.creates()) == 12
    assert len(shop.outputs()) == 12
    assert shop.status()["jobs"]["unresolved"] == 0
    shop.assert_adds_up()


def test_invariant_9_a_create_in_the_air_is_awaited_and_a_download_finished(shop: Shop):
    """Both take two seconds here, and both are kept."""
    shop.some_photos(2)
    shop.faults.add("create", "delay", nth=2, seconds=2)
    shop.faults.add("download", "delay", nth=1, seconds=2)
    process = shop.spawn("run", "--max-in-flight", "1")
    shop.wait_for(lambda: shop.requests() == 2 and shop.requests("download") == 1)
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    states = shop.status()["jobs"]
    assert states | {"rendering": 1, "done": 1} == states
    assert shop.resume().code == 0
    assert len(shop.creates()) == 2


def test_invariant_9_the_second_signal_ends_it_at_once(shop: Shop):
    """A create in the air is then unresolved; it counts as spent and is not sent again."""
    shop.some_photos(3)
    shop.faults.add("create", "hang", nth=2, seconds=FOR_EVER_S)
    process = shop.spawn("run", "--max-in-flight", "1", grace_s=FOR_EVER_S)  # with more, a third may be in the air
    shop.wait_for(lambda: shop.requests() >= 2)
    interrupt(process)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    assert shop.status()["jobs"]["unresolved"] == 1
    assert shop.status()["jobs"]["submitting"] == 0
    before = len(shop.creates())
    assert shop.resume().code == 3
    assert len(shop.creates()) <= 3
    assert before >= 1
    shop.assert_adds_up()


def test_invariant_9_an_id_that_has_come_is_kept_although_the_answer_was_not_awaited(shop: Shop):
    """The first packet holds it; the rest never comes, and nobody waits for it."""
    told = 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id": "<id>", "credits'
    shop.faults.add("create", "raw", answer=told, then="hang", seconds=FOR_EVER_S)
    shop.photo("a.png")
    process = shop.spawn("run", grace_s=FOR_EVER_S)
    shop.wait_for(lambda: len(shop.creates()) == 1)
    time.sleep(2)  # for the packet, which leaves right after
    interrupt(process)
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    (made,) = shop.creates()
    assert [(job["state"], job["project_id"]) for job in shop.jobs()] == [("rendering", made.project_id)]
    assert shop.resume().code == 0
    assert shop.outputs() == ["a.png"]


def test_invariant_9_the_grace_ends_after_ten_seconds(shop: Shop):
    """A create that hangs is not waited for any longer; the ten are two here."""
    assert pool.GRACE_S == 10
    shop.some_photos(2)
    shop.faults.add("create", "hang", nth=1, seconds=FOR_EVER_S)
    process = shop.spawn("run", grace_s=2)
    shop.wait_for(lambda: shop.requests() == 1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 143
    assert time.monotonic() - began > 1.9
    assert shop.status()["jobs"]["unresolved"] == 1


def test_invariant_9_a_signal_during_the_scan(shop: Shop):
    """Before anything was sent; the ledger is as it should be."""
    for index in range(150):
        shop.photo(f"{index}.png", size=(900, 900))
    process = shop.spawn("run", "--yes")
    shop.wait_for(lambda: (shop.folder / "batchbg.db").exists())
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    returned, _, err = finish(process)
    assert returned == 143
    assert "Traceback" not in err
    assert shop.do("ledger check").code == 0


# -- the lock ------------------------------------------------------------------------------------------------------


def test_a_second_run_gives_way_and_says_to_whom(shop: Shop):
    """Exit 11, no create; reading commands are never kept out."""
    shop.some_photos(3)
    shop.sandbox.configure(render_s=FOR_EVER_S)
    first = shop.spawn("run")
    shop.wait_for(lambda: len(shop.creates()) >= 1)
    for command in ("resume", "retry", "rescue", "resolve --all --charged"):
        second = shop.do(command)
        assert second.code == 11, (command, second)
        assert f"pid {first.pid} on {os.uname().nodename}, since " in second.err
    again = shop.run()
    assert again.code == 11
    assert shop.do("status").code == 0
    assert shop.do("jobs").code == 0
    link = shop.folder / "link.db"
    link.symlink_to(shop.folder / "batchbg.db")
    shop.ledger, real = f"sqlite:///{link}", shop.ledger
    assert shop.run().code == 11
    shop.ledger = real
    first.kill()
    first.communicate()
    shop.sandbox.advance(FOR_EVER_S)
    assert shop.do("rescue").code != 11  # a crash releases the lock


def test_retry_lock_waits_for_the_other_run(shop: Shop):
    """And then does what is left to do."""
    shop.some_photos(2)
    shop.sandbox.configure(render_s=1.0)
    first = shop.spawn("run", "--max-credits", "5")
    shop.wait_for(lambda: len(shop.creates()) >= 1)
    second = shop.run("--retry-lock", "200s", "--max-credits", "100")
    assert second.code == 0, second
    assert finish(first)[0] == 8
    assert len(shop.creates()) == 2
