"""A run from Python: the same work and promises, in any thread; nothing is printed, asked, or changed for others."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from batchbg import (
    Batch,
    ConfigError,
    Copied,
    Event,
    ExitCode,
    Failed,
    JobState,
    LedgerBusy,
    Planned,
    Rejected,
    Saved,
    Submitted,
    Unresolved,
)
from batchbg.ledger.engine import held
from tests.library.support import batch
from tests.support.shop import Shop


def test_a_run_tells_of_every_photo(shop: Shop):
    shop.photo("a.png", colour=1)
    shop.photo("b.png", colour=2)
    shop.photo("same-as-a.png", colour=1)
    (shop.photos / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    events: list[Event] = []
    summary = batch(shop, yes=True).run(events.append)
    assert summary.exit_code is ExitCode.INCOMPLETE
    assert (summary.jobs[JobState.DONE], summary.photos["reused"], summary.photos["rejected"]) == (2, 1, 1)
    assert summary.credits.spent == 10
    assert {one.photo for one in events if isinstance(one, Planned)} == {"a.png", "b.png"}
    assert {one.photo for one in events if isinstance(one, Rejected)} == {"broken.jpg"}
    projects = {one.project_id for one in events if isinstance(one, Submitted)}
    assert projects == {create.project_id for create in shop.creates()}
    saved = {one.photo: one.path for one in events if isinstance(one, Saved | Copied)}
    assert saved == {name: shop.output / name for name in ("a.png", "b.png", "same-as-a.png")}
    assert [one for one in events if isinstance(one, Failed | Unresolved)] == []
    shop.assert_adds_up()


@pytest.mark.slow
def test_what_goes_wrong_is_an_event_and_in_the_list_of_jobs(shop: Shop):
    shop.some_photos(2)
    shop.faults.add("create", "hang_up", nth=1)
    events: list[Event] = []
    done = batch(shop, yes=True)
    assert done.run(events.append).exit_code is ExitCode.INCOMPLETE
    (lost,) = [one for one in events if isinstance(one, Unresolved)]
    (found,) = done.jobs([JobState.UNRESOLVED])
    assert (lost.job_id, lost.photo) == (found.id, found.photo)
    (other,) = done.jobs([JobState.DONE])
    assert other.result.is_file()
    assert (other.credits, other.attempts, other.background) == (5, 1, None)
    assert done.status().unresolved == 1


def test_a_plan_sends_nothing_and_needs_no_key(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MAGIC_HOUR_API_KEY", raising=False)
    shop.some_photos(3)
    plan = batch(shop, api_key=None, max_credits=10).plan()
    assert (plan.jobs, plan.price, plan.credits, plan.left, plan.balance) == (3, 5, 15, 10, None)
    assert [(one.action, one.result) for one in plan.photos] == [("new", one.photo) for one in plan.photos]
    assert shop.requests() == 0
    assert not (shop.folder / "batchbg.db").exists()
    with pytest.raises(ConfigError, match="no API key"):
        batch(shop, api_key=None).run()


def test_nobody_is_asked(shop: Shop):
    """More new jobs than may start unasked need a cap, or a word."""
    shop.some_photos(3)
    with pytest.raises(ConfigError, match="yes=True, or a cap such as max_credits=15"):
        batch(shop, confirm_batch_over=2).run()
    assert shop.requests() == 0
    assert batch(shop, confirm_batch_over=2, max_credits=10).run().exit_code is ExitCode.CAP
    assert len(shop.creates()) == 2
    assert batch(shop, confirm_batch_over=0, yes=True).run().exit_code is ExitCode.OK
    assert batch(shop).run().photos["skipped"] == 3
    shop.assert_adds_up()


def test_the_second_of_two_on_one_ledger_is_told_so(shop: Shop):
    shop.some_photos(2)
    with held(shop.ledger, "run"), pytest.raises(LedgerBusy, match="another run holds"):
        batch(shop, yes=True).run()
    outcomes: list[Any] = []
    shop.meanwhile("create", lambda: outcomes.append(_raised(batch(shop, yes=True))), nth=1)
    assert batch(shop, yes=True).run().exit_code is ExitCode.OK
    assert [type(one) for one in outcomes] == [LedgerBusy]
    assert len(shop.creates()) == 2


def _raised(one: Batch) -> BaseException | None:
    try:
        one.run()
    except Exception as error:
        return error
    return None


def test_one_that_waits_for_the_ledger_gets_it(shop: Shop):
    shop.some_photos(1)
    with ThreadPoolExecutor() as pool:
        with held(shop.ledger, "run"):
            waiting = pool.submit(batch(shop, yes=True, retry_lock="1h").run)
        assert waiting.result().exit_code is ExitCode.OK


def test_one_that_waits_for_the_ledger_can_be_canceled(shop: Shop):
    shop.some_photos(1)
    one = batch(shop, yes=True, retry_lock="1h")
    with ThreadPoolExecutor() as pool, held(shop.ledger, "run"):
        waiting = pool.submit(one.run)
        Shop.wait_for(one.cancel)
        with pytest.raises(LedgerBusy):
            waiting.result()
    assert not one.cancel()


@pytest.mark.slow
def test_several_on_ledgers_of_their_own_go_on_side_by_side(shop: Shop):
    """New ledgers too, whose making is not made for threads."""
    shop.some_photos(3)
    names = [f"shop-{number}" for number in range(4)]
    batches = [batch(shop, yes=True, ledger=shop.folder / f"{name}.db", output=shop.folder / name) for name in names]
    with ThreadPoolExecutor() as pool:
        codes = list(pool.map(lambda one: one.run().exit_code, batches))
    assert codes == [ExitCode.OK] * 4
    assert all(len(list((shop.folder / name).glob("*.png"))) == 3 for name in names)


def test_canceled_from_another_thread_it_ends_in_order(shop: Shop):
    """Like Ctrl-C: the create in the air is awaited and noted, no other leaves, and the next run goes on."""
    shop.some_photos(4)
    one = batch(shop, yes=True, max_in_flight=1)
    shop.meanwhile("create", one.cancel, nth=2)
    summary = one.run()
    assert summary.exit_code is ExitCode.INTERRUPT
    assert len(shop.creates()) == 2
    assert shop.status()["jobs"]["unresolved"] == 0
    assert one.run().exit_code is ExitCode.OK
    assert len(shop.creates()) == 4
    shop.assert_adds_up()


def test_canceled_twice_it_ends_at_once(shop: Shop):
    """What is in the air is unresolved: that is known, and counts as spent."""
    shop.some_photos(2)
    one = batch(shop, yes=True, max_in_flight=1)
    release = threading.Event()

    def twice() -> None:
        one.cancel()
        one.cancel()
        release.wait(60)

    shop.meanwhile("create", twice, nth=1)
    try:
        assert one.run().exit_code is ExitCode.INTERRUPT
    finally:
        release.set()
    assert shop.status()["jobs"]["unresolved"] == 1
    shop.assert_adds_up()


@pytest.mark.slow
def test_canceled_before_there_is_a_loop_nothing_is_sent(shop: Shop):
    """In the middle of the plan, that is made before anything else where somebody might have to be asked."""
    shop.some_photos(3)
    one = batch(shop, max_credits=100, include=["*.png"])

    def cancel(event: Event) -> None:
        one.cancel()

    assert one.run(cancel).exit_code is ExitCode.INTERRUPT
    assert one.run().exit_code is ExitCode.OK
    shop.assert_adds_up()


@pytest.mark.slow
async def test_canceled_by_asyncio_it_ends_in_order_first(shop: Shop):
    shop.some_photos(4)
    loop = asyncio.get_running_loop()
    one = batch(shop, yes=True, max_in_flight=1)
    task = asyncio.create_task(one.run_async())
    shop.meanwhile("create", lambda: loop.call_soon_threadsafe(task.cancel), nth=1)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(shop.creates()) == 1
    assert one.jobs([JobState.UNRESOLVED]) == []
    assert (await one.run_async()).exit_code is ExitCode.OK
    assert len(shop.creates()) == 4


@pytest.mark.slow
async def test_events_come_in_the_loop_that_waits(shop: Shop):
    """And that loop goes on meanwhile."""
    shop.some_photos(2)
    threads: set[threading.Thread] = set()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    summary = await batch(shop, yes=True).run_async(lambda _: threads.add(threading.current_thread()))
    ticking.cancel()
    assert summary.exit_code is ExitCode.OK
    assert threads == {threading.current_thread()}
    assert ticks > 5


@pytest.mark.slow
def test_what_a_listener_raises_ends_the_run_in_order(shop: Shop):
    shop.some_photos(3)

    def listen(event: Event) -> None:
        if isinstance(event, Submitted):
            raise ZeroDivisionError("the listener's own")

    one = batch(shop, yes=True, max_in_flight=1)
    with pytest.raises(ZeroDivisionError, match="the listener's own"):
        one.run(listen)
    assert one.run().exit_code is ExitCode.OK
    assert len(shop.creates()) == 3
    shop.assert_adds_up()


@pytest.mark.slow
def test_resuming_finishes_what_was_begun(shop: Shop):
    shop.some_photos(3)
    assert batch(shop, max_credits=5).run().exit_code is ExitCode.CAP
    one = batch(shop, photos=None, yes=True, max_credits=100)
    with pytest.raises(ConfigError, match="name the folder"):
        one.run()
    assert one.resume().exit_code is ExitCode.OK
    assert len(shop.creates()) == 3


def test_nothing_of_the_programs_own_is_changed_and_nothing_is_printed(
    shop: Shop, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Handlers of signals, the log, warnings, the environment, the folder: they belong to whoever calls."""
    shop.some_photos(2)
    (shop.photos / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own, so that Python's last resort would print

    def state() -> Any:
        numbers = [one for one in signal.valid_signals() if one not in (signal.SIGKILL, signal.SIGSTOP)]
        loggers = {name: one.level for name, one in logging.Logger.manager.loggerDict.items() if hasattr(one, "level")}
        known = {name: level for name, level in loggers.items() if level}
        handlers = [signal.getsignal(number) for number in numbers]
        root = logging.getLogger()
        return handlers, known, root.level, list(root.handlers), warnings.filters[:], dict(os.environ), Path.cwd()

    before = state()
    shop.faults.add("create", "hang_up", nth=1)
    assert batch(shop, yes=True).run().exit_code is ExitCode.INCOMPLETE
    assert state() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_ctrl_c_in_the_main_thread_ends_it_in_order(shop: Shop):
    """As anywhere in Python it is a KeyboardInterrupt, which comes once the run has ended."""
    shop.some_photos(4)
    program = f"""
import os, signal
from batchbg import Batch, Submitted
def listen(event):
    if isinstance(event, Submitted):
        os.kill(os.getpid(), signal.SIGINT)
try:
    Batch({str(shop.photos)!r}, output={str(shop.output)!r}, ledger={shop.ledger!r}, base_url={shop.base_url!r},
        yes=True, max_in_flight=1).run(listen)
except KeyboardInterrupt:
    print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=shop.environ(), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
    assert shop.status()["jobs"]["unresolved"] == 0
    assert 1 <= len(shop.creates()) < 4
    shop.assert_adds_up()


def test_the_key_is_in_nothing_that_is_shown(shop: Shop):
    one = batch(shop, api_key="mhk_secret")
    assert "secret" not in repr(one)
    assert "mhk_secret" not in repr(vars(one)["_settings"])


def test_importing_the_package_imports_nothing_else():
    program = "import sys; before = set(sys.modules); import batchbg; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "batchbg\n"


@pytest.mark.slow
def test_a_program_for_each_result_is_started_from_any_thread(shop: Shop):
    """Processes are started in the run's own thread, and none is left behind."""
    shop.some_photos(2)
    copies = shop.folder / "copies"
    copies.mkdir()
    assert batch(shop, yes=True, exec=["cp", "{}", str(copies)]).run().exit_code is ExitCode.OK
    assert sorted(path.name for path in copies.iterdir()) == ["photo-000.png", "photo-001.png"]
