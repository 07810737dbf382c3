"""A random walk of commands, kills, stops, clocks, faults and lies against a service that keeps its own books.

python -m tests.e2e.walk SECONDS [SEED]     walk on, one walk after the other, and say of each what came of it
"""

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

from PIL import Image

from batchbg.sandbox import SandboxConfig, SandboxServer
from batchbg.sandbox.records import Create
from tests.support.shop import Result, Shop

TOTAL: Final = 700
"""The cap over the whole ledger, in credits; the account holds more."""

CAPS: Final = (0, 5, 12, 30, 60, 200)

FAULTS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("create", "status", {"status": 429, "retry_after": 0}),
    ("create", "status", {"status": 503, "commit": True}),
    ("create", "status", {"status": 502}),
    ("create", "status", {"status": 502, "commit": True}),
    ("create", "status", {"status": 422}),
    ("create", "reset", {}),
    ("create", "hang_up", {"commit": False}),
    ("create", "truncated_json", {}),
    ("create", "replace", {"fields": {"credits_charged": 0}}),
    ("create", "price", {"credits": 7}),
    ("create", "price", {"credits": 3}),
    ("create", "price", {"credits": 90}),
    ("create", "job_error", {}),
    ("create", "job_error", {"refund_after_s": 50.0}),
    ("create", "job_error", {"refund_after_s": None}),
    ("create", "job_error", {"code": "insufficient_credits", "refund_after_s": 20.0}),
    ("create", "job_error", {"code": "invalid_image_path"}),
    ("create", "job_canceled", {}),
    ("status", "status", {"status": 500}),
    ("status", "replace", {"fields": {"name": None}}),
    ("status", "replace", {"fields": {"credits_charged": "many"}}),
    ("status", "broken_json", {}),
    ("download", "corrupt", {}),
    ("download", "truncated", {}),
    ("upload", "reset", {}),
    ("account", "status", {"status": 500}),
    ("account", "status", {"status": 403}),
)


class Walk:
    """One walk: a shop, a service, a stream of chance, and what must hold after every step."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.chance = random.Random(seed)
        self.colours = iter(range(0x101010, 1 << 24, 0x010307))
        self.paid_again: Counter[str] = Counter()
        self.forced = 0
        self.taken: list[str] = []
        shop.setting("BUDGET_TOTAL", str(TOTAL))
        shop.sandbox.configure(background_cutout="echo", credits=100_000, render_s=0.02)
        self.more_photos()
        self.run()

    # -- steps

    def step(self) -> None:
        """Do something at random, then look whether all is well."""
        steps: list[tuple[int, Callable[[], object]]] = [
            (8, self.run),
            (3, self.resume),
            (4, self.kill),
            (1, self.stop_and_go_on),
            (4, self.faults),
            (3, self.no_faults),
            (4, self.more_photos),
            (2, self.time_passes),
            (3, self.resolve),
            (2, lambda: self.do("retry")),
            (2, lambda: self.do("rescue")),
            (1, self.lose_results),
            (1, self.force),
            (1, self.foreign_file),
            (2, self.judge_price),
        ]
        weights, actions = zip(*steps, strict=True)
        action = self.chance.choices(actions, weights)[0]
        if self.chance.random() < 0.5:
            self.judge_price()
        self.taken.append(getattr(action, "__name__", "?"))
        action()
        self.assert_all_is_well()

    def cap(self) -> list[str]:
        return ["--max-credits", str(self.chance.choice(CAPS))] if self.chance.random() < 0.7 else []

    def width(self) -> list[str]:
        return ["--max-in-flight", str(self.chance.choice((1, 3, 8, 40))), "--yes"]

    def run(self) -> Result:
        return self.checked(self.shop.run("--json", *self.cap(), *self.width()))

    def resume(self) -> Result:
        return self.checked(self.shop.resume("--json", *self.cap(), *self.width()))

    def force(self) -> None:
        self.forced += 1
        self.checked(self.shop.run("--json", "--force", "--include", "photo-00*", *self.cap(), *self.width()))

    def do(self, command: str) -> None:
        self.checked(self.shop.do(command))

    def checked(self, result: Result) -> Result:
        assert result.code in (0, 3, 5, 7, 8), (result.code, result.err)
        assert "internal error" not in result.err, result.err
        return result

    def kill(self) -> None:
        """Kill -9 in the middle of a run."""
        process = self.spawned()
        time.sleep(self.chance.random() * 0.8)
        process.kill()
        process.communicate()

    def stop_and_go_on(self) -> None:
        """Stop a run for a while, then interrupt it."""
        process = self.spawned()
        time.sleep(self.chance.random() * 0.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=100)

    def spawned(self) -> "subprocess.Popen[str]":
        before = self.shop.requests("create") + self.shop.requests("status")
        quick = "from batchbg.core import create_outcome; create_outcome.BAD_GATEWAY_PAUSE_S = 0.2;"
        process = self.shop.spawn("run", *self.cap(), *self.width(), grace_s=1.0, first=quick)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and process.poll() is None:
            if self.shop.requests("create") + self.shop.requests("status") > before:
                break
            time.sleep(0.01)
        return process

    def faults(self) -> None:
        """Let things go wrong, some calls of them."""
        for operation, kind, details in self.chance.sample(FAULTS, 3):
            first, apart = self.chance.randint(1, 4), self.chance.choice((1, 3, 7))
            self.shop.faults.add(
                operation, kind, nth=range(first, 100, apart), times=self.chance.randint(1, 4), **details
            )

    def no_faults(self) -> None:
        self.shop.faults.clear()

    def more_photos(self) -> None:
        for _ in range(self.chance.randint(2, 12)):
            there = len(list(self.shop.photos.iterdir()))
            self.shop.photo(f"photo-{there:03d}.png", colour=next(self.colours))

    def time_passes(self) -> None:
        """At the service, which then makes the refunds that are due."""
        self.shop.sandbox.advance(self.chance.choice((30.0, 100.0, 8 * 86400.0)))

    def lose_results(self) -> None:
        for path in self.shop.output.rglob("*.png"):
            if self.chance.random() < 0.3:
                path.unlink()

    def foreign_file(self) -> None:
        """Somebody puts a file where a result will go."""
        self.shop.output.mkdir(exist_ok=True)
        there = len(list(self.shop.photos.iterdir()))
        (self.shop.output / f"photo-{there + 1:03d}.png").write_bytes(b"not ours")

    def resolve(self) -> None:
        """Do as a careful person does: look for the name in the service's library, and say what is there."""
        for job in self.shop.jobs("--state", "unresolved"):
            name = f"batchbg {job['id']}-{job['attempts']}"
            made = [one for one in self.shop.creates() if one.name.split()[:2] == name.split()]
            if made:
                self.checked(self.shop.do("resolve", job["id"], "--project-id", made[0].project_id, "--yes-it-is"))
            else:
                self.checked(self.shop.do("resolve", job["id"], "--not-charged"))

    def judge_price(self) -> None:
        """Accept or dismiss the odd prices that are open; none are is no trouble."""
        self.checked(self.shop.do("account", self.chance.choice(("--accept-price", "--dismiss-price"))))

    # -- what must hold

    def assert_all_is_well(self) -> None:
        checked = self.shop.do("ledger check")
        assert checked.code == 0, checked.out + checked.err
        credits = self.shop.status()["credits"]
        jobs = self.shop.jobs()
        self.nothing_is_paid_twice(jobs)
        self.the_cap_holds(credits)
        self.results_are_right(jobs)

    def nothing_is_paid_twice(self, jobs: list[dict[str, Any]]) -> None:
        """Of each picture one create at most is kept, but for those that nobody can tell of, and a person's orders."""
        kept: Counter[str] = Counter(one.image_sha256 for one in self.shop.creates() if one.credits_charged)
        known = {job["project_id"] for job in jobs}
        # One that the ledger does not know by its id stands behind an unresolved job, or was given back.
        unknown = [one for one in self.shop.creates() if one.credits_charged and one.project_id not in known]
        for image, number in kept.items():
            lost = sum(one.image_sha256 == image for one in unknown)
            assert number - lost <= 1 + self.forced, (image, number, lost)

    def the_cap_holds(self, credits: dict[str, int]) -> None:
        """What the service kept is no more than the cap, and what the ledger counts no less than that."""
        books = self.shop.sandbox.books
        kept = books.charged - books.refunded
        rises = sum(max(0, one.credits - 5) for one in self.shop.creates())
        assert kept <= TOTAL + rises, (kept, TOTAL, rises)
        assert credits["spent"] >= kept - rises, (credits, kept, rises)

    def results_are_right(self, jobs: list[dict[str, Any]]) -> None:
        """Every result on disk is that of its own photo."""
        made: dict[str, Create] = {one.project_id: one for one in self.shop.creates()}
        for job in jobs:
            target = self.shop.output / Path(job["output"]).name
            if job["state"] != "done" or not target.exists() or target.read_bytes() == b"not ours":
                continue
            with Image.open(target) as result, Image.open(self.shop.photos / job["photo"]) as photo:
                assert result.convert("RGB").getpixel((9, 9)) == photo.convert("RGB").getpixel((9, 9)), job
            assert job["project_id"] in made


def walk(seed: int, steps: int, folder: Path) -> Walk:
    """Take a walk of so many steps in an empty folder; return it.

    Raises:
        AssertionError: something does not hold; it says after which steps.
    """
    config = SandboxConfig(background_cutout="echo", render_s=0.02, seed=seed)
    patches = (
        mock.patch("batchbg.core.create_outcome.BAD_GATEWAY_PAUSE_S", 0.1),
        mock.patch("batchbg.pool.refunds.ASKED_AFTER_S", (0.01, 0.05)),
        mock.patch("batchbg.pool.track.GONE_AFTER_S", 0.2),
        mock.patch("batchbg.pool.track.NEW_S", 0.2),
        mock.patch("batchbg.run.accounts.ACCOUNT_WAIT_S", 0.1),
        mock.patch("batchbg.api.retry_reads.RETRY_FOR_S", 0.5),
        mock.patch("batchbg.core.backoff.FIRST_S", 0.02),
        mock.patch("batchbg.core.poll_schedule.BLIND_FIRST_S", 0.03),
        mock.patch("batchbg.core.poll_schedule.SHORTEST_GAP_S", 0.03),
    )
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        server = stack.enter_context(SandboxServer(config))
        shop = stack.enter_context(contextlib.closing(Shop(folder, server)))
        taken = Walk(shop, seed)
        for number in range(steps):
            try:
                taken.step()
            except BaseException as error:
                error.add_note(f"seed {seed}, step {number}: {' '.join(taken.taken)}")
                raise
        return taken


def main() -> None:
    """Walk for the seconds that are named, from the seed that is named on."""
    until = time.monotonic() + float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    while time.monotonic() < until:
        with tempfile.TemporaryDirectory(prefix="batchbg-tests-") as folder:
            taken = walk(seed, 40, Path(folder))
            books = taken.shop.sandbox.books
            print(f"seed {seed}: {len(taken.shop.creates())} creates, {books.charged} charged", flush=True)
        seed += 1


if __name__ == "__main__":
    main()
