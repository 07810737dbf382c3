"""Killed at any instant: nothing is paid twice, nothing that was answered is lost, no cap is passed."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batchbg.sandbox import SandboxConfig, SandboxServer
from batchbg.sandbox.records import Operation
from tests.support.shop import Shop
from tests.support.tiers import EXHAUSTIVE, one_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

DRIVER = Path(__file__).with_name("driver.py")
ROOT = Path(__file__).parents[2]


class Process:
    """A batchbg that can be killed, and looked at when it is dead."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self._nursery = nursery
        self._pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._look(wait=False)

    def wait(self) -> int | None:
        return self._look(wait=True)

    def kill(self) -> None:
        if self.returncode is None:  # not waited for, so that the number is still its own
            os.kill(self._pid, signal.SIGKILL)

    def _look(self, *, wait: bool) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.ask({"ended": self._pid, "wait": wait})
        return self.returncode


class Nursery:
    """The driver, from which every process is forked."""

    def __init__(self, driver: "subprocess.Popen[str]") -> None:
        self._driver = driver

    def ask(self, question: dict[str, Any]) -> Any:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps(question) + "\n")
        self._driver.stdin.flush()
        return json.loads(self._driver.stdout.readline())

    def drive(self, shop: Shop, *arguments: str, **environ: str) -> Process:
        whole = shop.environ() | {"BATCHBG_VERBOSE": "2"} | environ
        settings = {"arguments": arguments, "folder": str(shop.folder), "environ": whole, "stderr": str(said(shop))}
        return Process(self, self.ask({"start": settings}))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with subprocess.Popen(
        [sys.executable, str(DRIVER)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        yield Nursery(driver)


def said(shop: Shop) -> Path:
    """Return the file with what the last process said."""
    return shop.folder / "stderr.txt"


def check_against_the_books(shop: Shop, cap: int | None = None) -> None:
    """Compare ledger, disk and the service's own books."""
    shop.assert_adds_up()
    books = shop.sandbox.books
    jobs = shop.jobs()
    known = {job["project_id"] for job in jobs if job["project_id"]}
    in_doubt = {job["name"] for job in jobs if job["state"] in ("submitting", "unresolved")}
    for create in books.creates():
        assert create.project_id in known or create.name in in_doubt, "a create that the ledger knows nothing of"
    paid = [create.image_sha256 for create in books.creates() if create.credits_charged]
    assert len(paid) == len(set(paid)), "paid twice"
    credits = shop.status()["credits"]
    assert credits["charged"] <= books.charged <= credits["charged"] + credits["reserved"] + credits["unresolved"]
    assert credits["refunded"] <= books.refunded
    if cap is not None:
        with contextlib.closing(sqlite3.connect(shop.folder / "batchbg.db")) as ledger:
            (budgets,) = ledger.execute("SELECT count(DISTINCT budget_id) FROM runs").fetchone()
        assert credits["spent"] <= cap * budgets, "a killed run's cap was not continued"
    for name in shop.outputs():
        if name.startswith(".batchbg-"):
            continue  # of a dead run; the next scan sweeps it
        with Image.open(shop.output / name) as picture:
            picture.load()
            assert picture.info["Photo"] == hashlib.sha256((shop.photos / name).read_bytes()).hexdigest()
    assert {job["output"] for job in jobs if job["state"] == "done"} <= set(shop.outputs())


def asked(shop: Shop) -> int:
    """Return how many requests the service has seen."""
    return sum(shop.requests(operation) for operation in Operation)


def a_small_shop(folder: Path, sandbox: SandboxServer) -> Shop:
    folder.mkdir()
    shop = Shop(folder, sandbox)
    shop.some_photos(2)
    shop.photo("copy.png", colour=1)
    shop.background("b.png")
    (shop.photos / "bad.jpg").write_text("no picture")
    return shop


@contextlib.contextmanager
def dying(nursery: Nursery, folder: Path, point: str, *extra: str) -> Iterator[tuple[Shop, Process]]:
    """A shop of its own, in which a run is under way that will die at ``point``."""
    with SandboxServer(SandboxConfig(background_cutout="fast", render_s=0.02, seed=1)) as sandbox:
        shop = a_small_shop(folder, sandbox)
        process = nursery.drive(shop, *shop.arguments("run", "--max-in-flight", "2", *extra), DIE_AT=point)
        try:
            yield shop, process
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder)


def deaths(nursery: Nursery, folder: Path, points: Sequence[str]) -> Iterator[tuple[str, Shop, Process]]:
    """Give one death after the other; while one is looked at, the next is under way."""
    with contextlib.ExitStack() as under_way, contextlib.ExitStack() as next_under_way:
        coming = next_under_way.enter_context(dying(nursery, folder / "0", points[0]))
        for number, point in enumerate(points):
            shop, process = coming
            under_way.close()
            under_way.push(next_under_way.pop_all())
            if number + 1 < len(points):
                coming = next_under_way.enter_context(dying(nursery, folder / str(number + 1), points[number + 1]))
            yield point, shop, process


@pytest.mark.parametrize("part", [0, 1])
def test_killed_at_every_commit_before_and_after(nursery: Nursery, shop: Shop, tmp_path: Path, part: int):
    """Each commit of a whole run in a folder of its own, then resumed to the end; one in three, or EXHAUSTIVE=1 all."""
    first = a_small_shop(tmp_path / "count", shop.sandbox)
    counted = tmp_path / "commits"
    whole = nursery.drive(first, *first.arguments("run", "--max-in-flight", "2"), COMMITS=str(counted))
    assert whole.wait() == 3
    points = [f"{number}{side}" for number in range(1, int(counted.read_text()) + 1) for side in ("-", "")]
    assert len(points) > 30
    for point, shop, dead in deaths(nursery, tmp_path, one_in(3, points)[part::2]):
        assert dead.wait() in (-signal.SIGKILL, 3), (point, said(shop).read_text())
        resumed = shop.run("--json")
        states = resumed.json["jobs"]
        # Whether the bad photo is news depends on whether the dead run told of it.
        assert resumed.code in ((3,) if states["unresolved"] else (0, 3)), (point, resumed)
        check_against_the_books(shop)
        total = shop.status()["jobs"]
        assert total["unresolved"] <= 2, point
        assert total["done"] + total["unresolved"] == 2, (point, total)
        for job in shop.jobs():
            if job["state"] == "unresolved":
                made = [create for create in shop.creates() if create.name == job["name"]]
                word = ("--project-id", made[0].project_id) if made else ("--not-charged",)
                settled = shop.do("resolve", job["id"], *word)
                assert settled.code == 0, settled
        assert shop.run().code == 0, point
        assert shop.status()["jobs"]["done"] == 2
        assert len(shop.outputs()) == 3
        check_against_the_books(shop)


def test_killed_while_results_are_deleted_at_the_service(nursery: Nursery, shop: Shop, tmp_path: Path):
    """Between a result, its deletion and the record of it: what is gone there is here; the next run goes on with it.

    All of that happens in the last commits of a run.
    """
    first = a_small_shop(tmp_path / "count", shop.sandbox)
    counted = tmp_path / "commits"
    arguments = first.arguments("run", "--max-in-flight", "2", "--delete-remote")
    assert nursery.drive(first, *arguments, COMMITS=str(counted)).wait() == 3
    last = int(counted.read_text())
    unrecorded = 0
    for point in [*(f"{number}-" for number in range(last - 8, last + 1)), f"{last - 5}"]:
        with dying(nursery, tmp_path / point, point, "--delete-remote") as (shop, dead):
            assert dead.wait() in (-signal.SIGKILL, 3), (point, said(shop).read_text())
            check_against_the_books(shop)
            jobs = {job["project_id"]: job for job in shop.jobs()}
            gone = [jobs[create.project_id] for create in shop.creates() if not create.enabled]
            unrecorded += sum(job["remote_deleted"] is None for job in gone)
            assert {job["state"] for job in gone} <= {"done"}, point
            resumed = shop.run("--delete-remote", "--json")
            if resumed.json["jobs"]["unresolved"]:
                continue  # killed before its results had come: other tests look at that
            assert [create.enabled for create in shop.creates()] == [False, False], point
            assert [bool(job["remote_deleted"]) for job in shop.jobs()] == [True, True], point
            assert len(shop.outputs()) == 3
            check_against_the_books(shop)
    assert unrecorded, "no kill came between a deletion and its record"


@pytest.mark.parametrize("cap", [None, 60])
def test_killed_at_random_instants(nursery: Nursery, shop: Shop, cap: int | None):
    """Again and again on one ledger until all is done; a killed run's cap goes on. 20 times, or EXHAUSTIVE=1 50."""
    chance = random.Random(7)
    shop.sandbox.configure(render_s=0.15)
    shop.some_photos(60 if cap is None else 30)
    shop.faults.add("create", "job_error", nth=[5, 9, 14], refund_after_s=0.3)
    extra = ["--yes", "--max-in-flight", "6", *(["--max-credits", str(cap)] if cap else [])]
    kills = 0
    while kills < (50 if EXHAUSTIVE else 20):
        arguments = shop.arguments("run" if kills % 3 or not kills else "resume", *extra)
        begun = asked(shop)
        process = nursery.drive(shop, *arguments)
        # After so many requests, not after so much time: a slow machine would be killed before it does anything.
        further = chance.randrange(1 if kills == 0 else 0, 40)
        while asked(shop) < begun + further and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        process.wait()
        kills += 1
        if process.returncode != -signal.SIGKILL and process.returncode not in (0, 3, 5, 8):
            raise AssertionError((process.returncode, said(shop).read_text()))
        if process.returncode in (0, 3, 8):
            shop.some_photos_more(4)
        check_against_the_books(shop, cap)
    # A killed run's cap goes on in the next run, and ends with it; the one after that has none.
    last = [shop.run("--yes").code for _ in range(4)][-1]
    assert last in (0, 3)
    check_against_the_books(shop)
    total = shop.status()["jobs"]
    assert total["planned"] == total["submitting"] == total["rendering"] == total["downloading"] == 0
    assert total["done"] + total["failed"] + total["unresolved"] == sum(total.values())
