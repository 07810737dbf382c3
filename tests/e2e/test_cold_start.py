"""Work begins while the scan goes on, where nothing can forbid it any more."""

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.disk.scan import Listing
from batchbg.errors import LedgerError
from batchbg.ledger import tables
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.store import Ledger
from batchbg.plan.planner import Planner
from tests.support.shop import Result, Shop
from tests.support.tiers import rest_slow


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Planner, str], None]], None]:
    """Do something whenever the scan comes to a folder."""

    def hook(work: Callable[[Planner, str], None]) -> None:
        plan = Planner._plan_folder

        def planned(self: Planner, listing: Listing, *rest):
            work(self, listing.folder)
            return plan(self, listing, *rest)

        monkeypatch.setattr(Planner, "_plan_folder", planned)

    return hook


@pytest.fixture
def in_folder(planning) -> Callable[[str, Callable[[], None]], None]:
    """Do something when the scan comes to one folder."""

    def hook(folder: str, work: Callable[[], None]) -> None:
        planning(lambda _, came_to: work() if came_to == folder else None)

    return hook


def test_the_first_create_leaves_while_the_scan_goes_on(shop: Shop, in_folder):
    """The second folder is not looked into before something was created from the first."""
    shop.photo("a/1.png")
    shop.photo("b/2.png")
    in_folder("b", lambda: Shop.wait_for(lambda: bool(shop.creates()), 60))
    assert shop.run("-y").code == 0
    assert shop.outputs() == ["a/1.png", "b/2.png"]
    shop.assert_adds_up()


@pytest.mark.slow
@pytest.mark.parametrize("flags", rest_slow([["--max-credits", "1000"], ["--confirm-batch-over", "-1"]]))
def test_a_cap_or_no_question_is_as_good_as_a_yes(shop: Shop, in_folder, flags):
    """Off a terminal, where a capped run is never refused."""
    shop.photo("a/1.png")
    shop.photo("b/2.png")
    in_folder("b", lambda: Shop.wait_for(lambda: bool(shop.creates()), 60))
    assert shop.run(*flags).code == 0


def test_a_batch_that_may_be_refused_sends_nothing_before_it_is_known_how_large_it_is(shop: Shop):
    """The last photo is the one too many."""
    shop.photo("a/1.png")
    shop.photo("b/2.png")
    assert shop.run("--confirm-batch-over", "1").code == 2
    assert not shop.creates()


@pytest.mark.slow
def test_a_copy_wanted_after_its_result_has_come_is_made_in_the_same_run(shop: Shop, in_folder):
    """The same photo in a folder that the scan reaches when the first one is done."""
    shop.photo("a/1.png", colour=77)
    shop.photo("b/2.png", colour=77)
    shop.photo("c/3.png")
    in_folder("b", lambda: Shop.wait_for(lambda: shop.outputs() == ["a/1.png"], 60))
    ran = shop.run("-y", "--json")
    assert ran.code == 0
    assert (ran.json["photos"]["reused"], ran.json["jobs"]["done"], ran.json["photos"]["seen"]) == (1, 2, 3)
    assert shop.outputs() == ["a/1.png", "b/2.png", "c/3.png"]
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


@pytest.mark.slow
def test_jobs_of_an_earlier_run_are_found_however_late_the_scan_comes_to_them(shop: Shop, in_folder):
    """They are older than those that are under way already."""
    shop.photo("b/2.png")
    shop.setting("BUDGET_TOTAL", "0")
    assert shop.run().code == 8
    shop.setting("BUDGET_TOTAL", "1000")
    shop.photo("a/1.png")
    in_folder("b", lambda: Shop.wait_for(lambda: bool(shop.creates()), 60))
    assert shop.run("-y").code == 0
    assert shop.outputs() == ["a/1.png", "b/2.png"]


def test_an_error_late_in_the_scan_loses_nothing_of_what_is_under_way(shop: Shop, in_folder):
    """No further create leaves; the next run goes on."""
    shop.photo("a/1.png")
    shop.photo("b/2.png")

    def fail() -> None:
        Shop.wait_for(lambda: bool(shop.creates()), 60)
        raise LedgerError("ledger: no room")

    in_folder("b", fail)
    ran = shop.run("-y")
    assert ran.code == 5
    assert "no room" in ran.err
    assert shop.outputs() == ["a/1.png"]


@pytest.mark.slow
def test_a_signal_during_the_scan_ends_both(shop: Shop):
    """What is paid for is collected; the scan does not hold the end up."""
    for index in range(3000):
        shop.photo(f"{index // 100:02d}/{index:04d}.png", size=(8, 8), colour=index)
    shop.sandbox.configure(render_s=0.2)
    with shop.spawn("run", "-y", "--json") as process:
        Shop.wait_for(lambda: bool(shop.creates()), 60)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert time.monotonic() - began < 30
    jobs = shop.status()["jobs"]
    assert jobs["submitting"] == 0
    assert jobs["done"] + jobs["unresolved"] + jobs["rendering"] + jobs["downloading"] == len(shop.creates())
    shop.assert_adds_up()


def left(planner: Planner) -> bool:
    """Wait until nobody waits for the plan any more; True, or what was waited for did not come."""
    Shop.wait_for(planner._listener.is_abandoned)
    return True


def test_a_signal_is_heeded_while_the_scan_goes_on_alone(shop: Shop, planning):
    """The key is refused, so that nothing is at work any more."""
    for name in ("a/1.png", "b/2.png"):
        shop.photo(name)
    shop.faults.add("account", "status", status=401)

    def leave(planner: Planner, folder: str) -> None:
        if folder == "b":
            Shop.wait_for(lambda: bool(shop.requests("account")), 60)
            Shop.wait_for(lambda: all(thread.name != "ledger-writer" for thread in threading.enumerate()), 60)
            os.kill(os.getpid(), signal.SIGTERM)
            assert left(planner)

    planning(leave)
    assert shop.run("-y").code == 143


def test_a_scan_is_left_where_the_work_cannot_begin(shop: Shop, planning):
    """There turns out to be no room for what is to be recorded."""
    for name in ("a/1.png", "b/2.png", "c/3.png"):
        shop.photo(name)
    (shop.folder / "batchbg.db.ballast").mkdir()
    folders = []

    def wait(planner: Planner, folder: str) -> None:
        folders.append(folder)
        if folder == "b":
            left(planner)

    planning(wait)
    ran = shop.run("-y")
    assert ran.code == 5
    assert folders in (["", "a"], ["", "a", "b"])  # whichever of the two threads is first; never to the end
    assert not shop.creates()


def test_a_list_of_files_on_stdin_is_read_before_anything_begins(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """A thread that waits for stdin cannot be interrupted."""
    shop.photo("a/1.png")
    readers = []

    class Stdin(io.TextIOWrapper):
        def isatty(self) -> bool:
            return False

        @property
        def buffer(self) -> io.BytesIO:
            readers.append(threading.current_thread())
            return io.BytesIO(b"a/1.png\n")

    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO()))
    assert shop.run("-y", "--files-from", "-").code == 0
    assert readers == [threading.main_thread()]
    assert shop.outputs() == ["a/1.png"]


def assert_counts_add_up(ran: Result) -> None:
    told = ran.json
    jobs, photos = sum(told["jobs"].values()), told["photos"]
    assert photos["seen"] == jobs + photos["reused"] + photos["skipped"] + photos["rejected"], told


def left_rendering(shop: Shop) -> None:
    """Leave a job that is paid for, and a second photo of the same content, to the next run."""
    for name in ("b/1.png", "c/2.png"):
        shop.photo(name, colour=77)
    shop.sandbox.configure(render_s=0.3)
    shop.setting("RENDER_PATIENCE", "0")
    assert shop.run("-y").code == 5
    shop.setting("RENDER_PATIENCE", "30m")


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), pytest.param(("--force",), marks=pytest.mark.slow)])
def test_what_came_before_the_scan_did_is_counted_once(shop: Shop, in_folder, flags):
    """The pool finishes what an earlier run left, and its copy, while the scan has not come to their photos."""
    left_rendering(shop)
    in_folder("b", lambda: Shop.wait_for(lambda: len(shop.outputs()) == 2, 60))
    ran = shop.run("-y", "--json", *flags)
    assert ran.code == 0
    assert (ran.json["jobs"]["done"], ran.json["photos"]["reused"], ran.json["photos"]["skipped"]) == (1, 1, 0)
    assert_counts_add_up(ran)
    assert len(shop.creates()) == 1


def has_failed(ledger: Ledger) -> bool:
    with ledger.reading() as connection:
        return bool(connection.scalar(sa.select(sa.exists().where(tables.jobs.c.state == JobState.FAILED))))


@pytest.mark.slow
def test_what_failed_before_the_scan_came_to_it_is_counted_once(shop: Shop, in_folder):
    """It is a job of this run, and none that failed before."""
    shop.faults.add("create", "job_error")
    left_rendering(shop)

    def wait() -> None:
        with contextlib.closing(open_ledger(shop.ledger)) as ledger:
            Shop.wait_for(lambda: has_failed(ledger), 60)

    in_folder("b", wait)
    ran = shop.run("-y", "--json")
    assert ran.code == 3
    assert (ran.json["jobs"]["failed"], ran.json["photos"]["skipped"]) == (1, 1)
    assert_counts_add_up(ran)


@pytest.mark.slow
def test_a_job_of_an_earlier_run_that_a_copy_needed_first_is_counted_once(shop: Shop, in_folder):
    """The scan comes to the copy in a, then to the photo for which the job was planned."""
    shop.photo("b/1.png", colour=77)
    shop.setting("BUDGET_TOTAL", "0")
    assert shop.run().code == 8
    shop.setting("BUDGET_TOTAL", "1000")
    shop.photo("a/0.png", colour=77)
    shop.photo("a/3.png")
    in_folder("b", lambda: Shop.wait_for(lambda: len(shop.outputs()) == 3, 60))
    ran = shop.run("-y", "--json")
    assert (ran.json["jobs"]["done"], ran.json["photos"]["reused"], ran.json["photos"]["skipped"]) == (2, 1, 0)
    assert_counts_add_up(ran)


@pytest.mark.slow
def test_a_run_killed_during_the_scan_is_gone_on_with_and_adds_up(shop: Shop):
    """Every content lies in two folders; the pool is at work on what is left before the scan comes to it."""
    for index in range(400):
        shop.photo(f"{index % 20:02d}/{index:03d}.png", size=(8, 8), colour=index // 2)
    shop.sandbox.configure(render_s=0.5)
    with shop.spawn("run", "-y") as process:
        Shop.wait_for(lambda: len(shop.creates()) > 8, 60)
        process.kill()
    ran = shop.run("-y", "--json", "--max-files", "20")
    assert ran.code == 8
    assert_counts_add_up(ran)
    ran = shop.run("-y", "--json")
    assert_counts_add_up(ran)
    unresolved = shop.status()["jobs"]["unresolved"]
    assert len(shop.outputs()) >= 400 - 2 * unresolved
    shop.assert_adds_up()
