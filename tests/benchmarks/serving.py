"""What the benchmarks of the pool share: a sandbox in a process of its own, folders of photos, and runs of batchbg."""

import concurrent.futures
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
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image

from tests.support.certificate import MISSING, OPENSSL, make_certificate

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


def serving(*options: str) -> contextlib.AbstractContextManager[Service]:
    """Serve with these options of ``batchbg sandbox``, for as long as the block lasts."""
    return served([sys.executable, "-m", "batchbg", "sandbox", "--port", "0", "--credits", "10000000", *options])


@contextlib.contextmanager
def served(command: Sequence[str]) -> Iterator[Service]:
    """Run a command that is a sandbox and says where, for as long as the block lasts."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = re.fullmatch(r"sandbox at (\S+)\n", process.stdout.readline())
            assert told is not None
            yield Service(told[1])
        finally:
            process.terminate()


def can_serve_tls() -> bool:
    """Return whether it can be served over TLS, and say why not."""
    if OPENSSL is None:
        print(f"{MISSING}: what is measured over TLS is left out", file=sys.stderr)
    return OPENSSL is not None


@contextlib.contextmanager
def serving_tls(*options: str) -> Iterator[Service]:
    """Serve over TLS, with a certificate that this process trusts meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        with (
            mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(certificate)}),
            serving(*options, "--set", f"certificate={certificate}") as service,
        ):
            yield service


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
    """What a piece of work took, children included: seconds by the clock and of the processor, and peaks of memory.

    ``peak_mib`` is the process's own, ``all_mib`` that of all processes together, each shared page counted once.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float = 0.0
    all_mib: float = 0.0
    told: str = ""


REPORT = r"""
import atexit, pathlib, re, resource, runpy, sys, time
begun = time.monotonic()
def tell():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    # What getrusage tells of memory starts with its parent's.
    peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text("ascii"))[1]
    print(time.monotonic() - begun, sum(one.ru_utime + one.ru_stime for one in used), int(peak) / 1024, file=sys.stderr)
atexit.register(tell)  # what is registered first happens last: its decoders have ended by then
{first}
runpy.run_module("batchbg", run_name="__main__")
"""


def batchbg(made: Work, service: Service, *options: str, first: str = "", cut: bool = False) -> Spent:
    """Run batchbg in a process of its own, after the Python statement ``first``; without backgrounds if ``cut``."""
    arguments = ["run", *options, "--base-url", service.url, "--ledger", f"sqlite:///{made.ledger}", "-y"]
    arguments += [str(made.photos), "-o", str(made.folder / "output")]
    arguments += [] if cut else ["-b", str(made.backgrounds)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBG_")}
    with subprocess.Popen(
        [sys.executable, "-c", REPORT.format(first=first), *arguments, "--json", "-q"],
        env=kept | {"MAGIC_HOUR_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        over = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as watcher:
            watched = watcher.submit(_all_mib, process.pid, over)
            told, errors = process.communicate()
            over.set()
    if process.returncode not in (0, 8):  # 8: a limit that the benchmark set itself
        raise SystemExit(f"batchbg ended with {process.returncode}: {errors[-2000:]}")
    wall, cpu, peak = map(float, errors.strip().splitlines()[-1].split())
    return Spent(wall, cpu, peak, watched.result(), told)


def _all_mib(pid: int, over: threading.Event) -> float:
    """Return the most memory that a process and its children were seen to have at one time."""
    most = 0.0
    while not over.wait(0.1):
        with contextlib.suppress(OSError):  # one of them has ended
            children = " ".join(path.read_text("ascii") for path in Path(f"/proc/{pid}/task").glob("*/children"))
            rollups = [Path(f"/proc/{one}/smaps_rollup").read_text("ascii") for one in (pid, *children.split())]
            most = max(most, sum(int(rollup.partition("\nPss:")[2].split()[0]) for rollup in rollups) / 1024)
    return most


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
