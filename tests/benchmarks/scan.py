"""How long planning takes beside a bare walk of the same folder.

    python -m tests.benchmarks.scan --files 100000

Makes a folder of small JPEGs, each with content of its own, and plans it: the first time every file is opened, the
second time none, with all results in place. Ratios are to be trusted, seconds depend on the machine; where other
programs keep it busy, trust the ratio of the seconds in which this one worked.
"""

import argparse
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from PIL import Image

from batchbg.cli.planned import show_plan
from batchbg.ledger.engine import open_ledger
from batchbg.plan.lines import Tally
from batchbg.plan.planner import begin_plan
from batchbg.settings import Settings, load
from tests.benchmarks.serving import numbered

SIZES = [(160, 120), (120, 160), (128, 128), (192, 108)]
"""Of the generated photos, and of their backgrounds."""

FOLDER_HOLDS = 1000


def generate(folder: Path, number: int, per_folder: int) -> None:
    """Write photos that differ in their pictures."""
    templates = [Image.effect_noise(size, 40).convert("RGB") for size in SIZES]
    for index in range(number):
        parent = folder / f"{index // per_folder:04d}"
        if index % per_folder == 0:
            parent.mkdir()
        numbered(templates[index % len(templates)], index).save(parent / f"IMG_{index:06d}.jpg", quality=75)


def bare_walk(folder: Path) -> None:
    """List every folder and stat every file: the least any scan can do."""
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat()


def settings_for(folder: Path) -> Settings:
    flags = {
        "photos": folder / "photos",
        "backgrounds": folder / "backgrounds",
        "output": folder / "output",
        "ledger": f"sqlite:///{folder / 'batchbg.db'}",
        "json": True,
    }
    return load(flags, {})


def plan(settings: Settings) -> Tally:
    """Plan as a run does, into the ledger itself."""
    ledger = open_ledger(settings.ledger)
    try:
        planner = begin_plan(settings, ledger, "benchmark")
        for _ in planner.plan():
            pass
        return planner.tally
    finally:
        ledger.close()


def pretend_done(connection: sa.Connection) -> None:
    """Say of every job that it is done and its result on disk."""
    connection.execute(sa.text("UPDATE jobs SET state = 'done', project_id = id"))
    connection.execute(
        sa.text(
            "UPDATE outputs SET saved_job_id = wanted_job_id, saved_sha256 = '', saved_bytes = 0,"
            " saved_photo_sha256 = (SELECT photo_sha256 FROM jobs WHERE jobs.id = outputs.wanted_job_id)"
        )
    )


def finish(settings: Settings) -> None:
    """Say of every job that it is done, and put an empty file where its result would be."""
    ledger = open_ledger(settings.ledger)
    with ledger.begin() as connection:
        pretend_done(connection)
        paths = list(connection.scalars(sa.text("SELECT path FROM outputs")))
    ledger.close()
    for path in paths:
        target = settings.output / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


class Taken(NamedTuple):
    """Seconds on the clock, and seconds in which this process worked: the same on a machine that is idle otherwise."""

    clock: float
    busy: float


def seconds(action: Callable[[], object], times: int = 1) -> Taken:
    """Return the best of several timings."""
    clock, busy = [], []
    for _ in range(times):
        start = time.perf_counter(), time.process_time()
        action()
        clock.append(time.perf_counter() - start[0])
        busy.append(time.process_time() - start[1])
    return Taken(min(clock), min(busy))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path) -> None:
    """Print both passes beside the bare walk; in a process of its own, so that the peak of memory is its own."""
    settings = settings_for(folder)
    start_mb = peak_mb()
    walk_s = seconds(lambda: bare_walk(folder / "photos"), 5)
    first_s = seconds(lambda: plan(settings))
    first_mb = peak_mb()
    tally = plan(settings)
    number = tally.seen
    finish(settings)
    second_s = seconds(lambda: plan(settings), 5)
    again_s = seconds(lambda: bare_walk(folder / "photos"), 5)
    walk_s = Taken(min(walk_s.clock, again_s.clock), min(walk_s.busy, again_s.busy))
    with contextlib.redirect_stdout(io.StringIO()):
        command_s = seconds(lambda: show_plan(settings), 5)
    done = plan(settings)
    assert sum(done.skipped.values()) == number, done
    rows = [
        ("bare scandir + stat", walk_s),
        ("first pass, every file opened", first_s),
        ("second pass, all results there", second_s),
        ("`batchbg plan` on the same", command_s),
    ]
    print(f"{number} photos")
    print(f"{'':32s} {'clock':>9s}   {'busy':>9s}   {'files':>10s}   {'clock':>8s}   {'busy':>8s}")
    for name, taken in rows:
        figures = f"{taken.clock:9.3f} s {taken.busy:9.3f} s {number / taken.clock:10.0f}/s"
        ratios = f"{taken.clock / walk_s.clock:8.1f} x {taken.busy / walk_s.busy:8.1f} x"
        print(f"{name:32s} {figures} {ratios}")
    print(f"peak memory: {start_mb:.0f} MB before, {first_mb:.0f} MB first pass, {peak_mb():.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--per-folder", type=int, default=FOLDER_HOLDS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    for number in arguments.files:
        with tempfile.TemporaryDirectory(prefix="batchbg-benchmark-") as made:
            folder = Path(made)
            (folder / "photos").mkdir()
            (folder / "backgrounds").mkdir()
            generate(folder / "photos", number, arguments.per_folder)
            for index, size in enumerate(SIZES):
                Image.new("RGB", size, (index, 0, 0)).save(folder / "backgrounds" / f"{index}.png")
            subprocess.run([sys.executable, "-m", "tests.benchmarks.scan", "--measure", str(folder)], check=True)


if __name__ == "__main__":
    main()
