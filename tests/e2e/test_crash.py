"""Killed at any instant: nothing is paid twice, nothing that was answered is lost, no cap is passed."""

import contextlib
import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from batchbg.sandbox import SandboxServer
from tests.e2e.conftest import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DRIVER = Path(__file__).with_name("driver.py")
ROOT = Path(__file__).parents[2]


def drive(shop: Shop, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
    with said(shop).open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, str(DRIVER), *arguments],
            cwd=shop.folder,
            env=shop.environ() | {"PYTHONPATH": str(ROOT), "BATCHBG_VERBOSE": "2"} | environ,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


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


def a_small_shop(folder: Path, sandbox: SandboxServer) -> Shop:
    folder.mkdir()
    shop = Shop(folder, sandbox)
    shop.some_photos(2)
    shop.photo("copy.png", colour=1)
    shop.background("b.png")
    (shop.photos / "bad.jpg").write_text("no picture")
    return shop


def test_killed_at_every_commit_before_and_after(tmp_path: Path):
    """Exhaustive: every commit of a whole run, each in a folder of its own, then resumed to the end."""
    from batchbg.sandbox import SandboxConfig

    config = SandboxConfig(background_cutout="fast", render_s=0.02, seed=1)
    with SandboxServer(config) as sandbox:
        shop = a_small_shop(tmp_path / "count", sandbox)
        counted = tmp_path / "commits"
        whole = drive(shop, *shop.arguments("run", "--max-in-flight", "2"), COMMITS=str(counted))
        assert whole.wait() == 3
    points = [f"{number}{side}" for number in range(1, int(counted.read_text()) + 1) for side in ("-", "")]
    assert len(points) > 30
    for point in points:
        with SandboxServer(config) as sandbox:
            shop = a_small_shop(tmp_path / f"at{point}", sandbox)
            dead = drive(shop, *shop.arguments("run", "--max-in-flight", "2"), DIE_AT=point)
            assert dead.wait(60) in (-signal.SIGKILL, 3), (point, said(shop).read_text())
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
                    online = ("--base-url", sandbox.url)
                    settled = shop.batchbg("resolve", job["id"], *word, "--ledger", shop.ledger, *online)
                    assert settled.code == 0, settled
            assert shop.run().code == 0, point
            assert shop.status()["jobs"]["done"] == 2
            assert len(shop.outputs()) == 3
            check_against_the_books(shop)
        shutil.rmtree(shop.folder)


@pytest.mark.parametrize("cap", [None, 60])
def test_killed_at_fifty_random_instants(shop: Shop, cap: int | None):
    """Again and again on one ledger until all is done; a killed run's cap goes on."""
    chance = random.Random(7)
    shop.sandbox.configure(render_s=0.15)
    shop.some_photos(60 if cap is None else 30)
    shop.faults.add("create", "job_error", nth=[5, 9, 14], refund_after_s=0.3)
    extra = ["--yes", "--max-in-flight", "6", *(["--max-credits", str(cap)] if cap else [])]
    kills = 0
    while kills < 50:
        arguments = shop.arguments("run" if kills % 3 else "resume", *extra)
        if kills == 0:
            arguments = shop.arguments("run", *extra)
        process = drive(shop, *arguments)
        if kills == 0:
            shop.wait_for(lambda: bool(shop.creates()))
        time.sleep(chance.uniform(0.5, 1.2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        if process.returncode != -signal.SIGKILL and process.returncode not in (0, 3, 5, 8):
            raise AssertionError((process.returncode, said(shop).read_text()))
        if process.returncode in (0, 3, 8):
            shop.some_photos_more(4)
        check_against_the_books(shop, cap)
    while shop.run("--yes").code == 5:
        pass
    check_against_the_books(shop)
    total = shop.status()["jobs"]
    assert total["planned"] == total["submitting"] == total["rendering"] == total["downloading"] == 0
    assert total["done"] + total["failed"] + total["unresolved"] == sum(total.values())
