"""What the benchmarks of the pool share: a sandbox in a process of its own, folders of photos, and runs of batchbg."""

import contextlib
import dataclasses
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (64, 48)
"""Of the photos: so small that what is measured is the work around them."""

KEY = "a-key"


@dataclasses.dataclass(frozen=True)
class Service:
    """A sandbox in a process of its own."""

    url: str

    def ask(self, path: str) -> Any:
        """Return what the control endpoint answers."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/{path}") as answer:
            return json.load(answer)

    def requests(self) -> dict[str, int]:
        """Return how many requests of each operation have been answered."""
        counted: dict[str, int] = self.ask("books")["requests"]
        return counted


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Service]:
    """Serve with these options of ``batchbg sandbox``, for as long as the block lasts."""
    command = [sys.executable, "-m", "batchbg", "sandbox", "--port", "0", "--credits", "10000000", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = re.fullmatch(r"sandbox at (\S+)\n", process.stdout.readline())
            assert told is not None
            yield Service(told[1])
        finally:
            process.terminate()


@dataclasses.dataclass(frozen=True)
class Work:
    """A folder with photos, backgrounds, and place for outputs and a ledger."""

    folder: Path

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    @property
    def backgrounds(self) -> Path:
        return self.folder / "backgrounds"

    @property
    def ledger(self) -> Path:
        return self.folder / "batchbg.db"

    def clear(self) -> None:
        """Forget earlier runs."""
        for path in self.folder.iterdir():
            if path not in (self.photos, self.backgrounds):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextlib.contextmanager
def work(number: int, backgrounds: int = 1, size: tuple[int, int] = SIZE, per_folder: int = 1000) -> Iterator[Work]:
    """Make ``number`` photos that differ in their content, on a memory disk where there is one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="batchbg-", dir=memory if memory.is_dir() else None) as name:
        made = Work(Path(name))
        made.backgrounds.mkdir(parents=True)
        for index in range(backgrounds):
            Image.effect_noise(size, 30 + index).convert("RGB").save(made.backgrounds / f"{index}.jpg")
        template = Image.effect_noise(size, 40).convert("RGB")
        for index in range(number):
            parent = made.photos / f"{index // per_folder:04d}"
            parent.mkdir(parents=True, exist_ok=True)
            numbered(template, index).save(parent / f"IMG_{index:06d}.jpg", quality=75)
        yield made


def numbered(template: Image.Image, number: int) -> Image.Image:
    """Return a picture that differs from every other one: a comment in its file would not make it another picture."""
    made = template.copy()
    for place in range(6):
        made.paste((17 * (number >> 4 * place & 15),) * 3, (8 * place, 0, 8 * place + 8, 8))
    return made


@dataclasses.dataclass(frozen=True)
class Spent:
    """What a piece of work took: seconds by the clock and of the processor, and its peak of memory."""

    wall_s: float
    cpu_s: float
    peak_mib: float = 0.0
    told: str = ""


def batchbg(made: Work, service: Service, *options: str, first: str = "") -> Spent:
    """Run batchbg in a process of its own, after the Python statement ``first``."""
    arguments = ["run", *options, "--base-url", service.url, "--ledger", f"sqlite:///{made.ledger}", "-y"]
    arguments += [str(made.photos), "-b", str(made.backgrounds), "-o", str(made.folder / "output")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBG_")}
    # Its own words tell of the process itself, children and all; the parent's would be the highest of all children's.
    report = (
        "import resource, runpy, sys, time, atexit\n"
        "begun = time.monotonic()\n"
        "def tell():\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    line = f'{time.monotonic() - begun} {used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}'\n"
        "    print(line, file=sys.stderr)\n"
        "atexit.register(tell)\n"
        f"{first}\n"
        "runpy.run_module('batchbg', run_name='__main__')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", report, *arguments, "--json", "-q"],
        env=kept | {"MAGIC_HOUR_API_KEY": KEY},
        capture_output=True,
        text=True,
    )
    if ran.returncode not in (0, 8):  # 8: a limit that the benchmark set itself
        raise SystemExit(f"batchbg ended with {ran.returncode}: {ran.stderr[-2000:]}")
    wall, cpu, peak = map(float, ran.stderr.strip().splitlines()[-1].split())
    return Spent(wall, cpu, peak, ran.stdout)


def spent(job: Callable[[], object]) -> Spent:
    """Do something in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.monotonic()
    job()
    wall = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def table(title: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as Markdown."""
    lines = [title, ["---"] * len(title), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
