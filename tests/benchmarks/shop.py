"""Photos as a shop has them: 12 megapixels, 5 MB as JPEG; results of 9 MB where they are cut out, 25 MB where opaque.

    python -m tests.benchmarks.shop --looks
    python -m tests.benchmarks.shop --jobs 40

Most of the work is looking at pictures: is each photo whole, and each result? The service takes no time, and delivers
the same result for all. Pictures, ledger and results are on a memory disk where there is one.
"""

import argparse
import concurrent.futures
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

from batchbg.disk import decoder_pool
from batchbg.disk.decoding import probe
from batchbg.disk.scan import stamp_of
from batchbg.plan.probing import PROBERS
from batchbg.sandbox import Fault, SandboxConfig, SandboxServer
from batchbg.sandbox.records import Operation
from tests.benchmarks.serving import Service, Spent, Work, batchbg, numbered, served, table, work
from tests.support.delivers import Delivers
from tests.support.jpegs import DAMAGES, VARIANTS, damaged, is_refused, variant

SIZE = (4032, 3024)
QUALITY = 93
SAMPLES = 16
"""Photos that differ; more of them would say no more of the time that one takes."""


def photo() -> Image.Image:
    """Draw a picture that compresses as a camera's do: smooth on a large scale, rough on a small one."""

    def field(scale: int, sigma: float) -> Image.Image:
        size = (SIZE[0] // scale + 2, SIZE[1] // scale + 2)
        bands = [Image.effect_noise(size, sigma) for _ in range(3)]
        return Image.merge("RGB", bands).resize(SIZE, Image.Resampling.BICUBIC)

    drawn = field(300, 60)
    for scale, sigma in ((40, 40), (8, 20)):
        drawn = ImageChops.add(drawn, field(scale, sigma), 1, -128)
    return ImageChops.add(drawn, Image.merge("RGB", [Image.effect_noise(SIZE, 5)] * 3), 1, -128)


def cut_out(drawn: Image.Image) -> Image.Image:
    """Leave an ellipse of a picture, with a soft edge; the rest is transparent black."""
    small = Image.new("L", (SIZE[0] // 4, SIZE[1] // 4))
    width, height = small.size
    ImageDraw.Draw(small).ellipse((0.18 * width, 0.18 * height, 0.82 * width, 0.82 * height), fill=255)
    mask = small.resize(SIZE, Image.Resampling.BICUBIC)
    made = Image.new("RGBA", SIZE)
    made.paste(drawn, mask=mask)
    made.putalpha(mask)
    return made


def on_background(cut: Image.Image) -> Image.Image:
    """Put what was cut out on another picture."""
    made = ImageChops.invert(photo())
    made.paste(cut, mask=cut)
    return made


def looks(made: Work, rounds: int = 5) -> str:
    """Return the table of first looks, warm cache, beside a bare decode of the same files at an eighth of their size."""
    paths = sorted(made.photos.rglob("*.jpg"))
    mb = sum(path.stat().st_size for path in paths) / len(paths) / 1e6

    def bare(path: Path) -> None:
        with Image.open(path) as picture:
            picture.draft("RGB", (picture.width // 8, picture.height // 8))
            picture.load()

    def look(path: Path) -> None:
        stamp = stamp_of(path.stat())
        assert stamp is not None
        assert probe(path, stamp).pixels == SIZE

    rows = []
    with concurrent.futures.ThreadPoolExecutor(PROBERS) as threads:
        for name, one in (("bare decode at 1/8", bare), ("batchbg", look)):
            list(threads.map(one, paths))  # files into the cache, processes started
            wall_s, cpu_s = [], []
            for _ in range(rounds):
                begun, used = time.monotonic(), _cpu_s()
                list(threads.map(one, paths))
                wall_s.append((time.monotonic() - begun) / len(paths))
                cpu_s.append((_cpu_s() - used) / len(paths))
            rows.append([name, f"{1000 * min(cpu_s):.1f}", f"{1 / min(wall_s):.0f}"])
    return table([f"{len(paths)} JPEGs of {mb:.1f} MB", "ms CPU a file", "files/s"], rows)


def _cpu_s() -> float:
    """Return the seconds of a core that this process and its decoders have had."""
    ticks = os.sysconf("SC_CLK_TCK")
    stats = [Path(f"/proc/{one._process.pid}/stat").read_text("ascii") for one in decoder_pool._decoders._all]
    return (
        time.process_time()
        + sum(int(field) for stat in stats for field in stat.rpartition(")")[2].split()[11:13]) / ticks
    )


def damage(number: int = 20) -> str:
    """Return the table of damaged files that are found: by a bare decode, and by what takes its place."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="batchbg-") as folder:
        path = Path(folder) / "a.jpg"
        for kind in DAMAGES:
            row = [kind]
            for name in VARIANTS:
                found = [0, 0]
                for data in damaged(variant(name), kind, number):
                    path.write_bytes(data)
                    stamp = stamp_of(path.stat())
                    assert stamp is not None
                    found[0] += is_refused(data)
                    found[1] += bool(probe(path, stamp).rejected)
                row.append("{} / {}".format(*found))
            rows.append(row)
    return table(["", *VARIANTS], rows)


def jobs(made: Work, number: int, widths: list[int]) -> str:
    """Return the table of CPU time and memory a job."""
    rows = []
    for name, result in (("cut-out", made.folder / "cut-out.png"), ("opaque", made.folder / "opaque.png")):
        with served([sys.executable, "-m", "tests.benchmarks.shop", "--serve", str(result)]) as service:
            for width in widths:
                nothing = _run(made, service, width, 1)
                took = _run(made, service, width, number)
                cpu_ms = 1000 * (took.cpu_s - nothing.cpu_s) / (number - 1)
                rate = (number - 1) / (took.wall_s - nothing.wall_s)
                megabytes = f"{result.stat().st_size / 1e6:.1f}"
                peaks = f"{took.peak_mib:.0f} / {took.all_mib:.0f}"
                rows.append([name, megabytes, width, f"{cpu_ms:.0f}", f"{rate:.1f}", peaks])
    title = ["result", "MB", "width", "ms CPU a job", "jobs/s", "peak MiB: run / with decoders"]
    return table(title, rows)


def _run(made: Work, service: Service, width: int, number: int) -> Spent:
    for path in (made.folder / "batchbg.db", *made.folder.glob("batchbg.db-*")):
        path.unlink(missing_ok=True)
    subprocess.run(["rm", "-rf", str(made.folder / "output")], check=True)
    options = ("--requests-per-second", "10000", "--max-in-flight", str(width), "--max-files", str(number))
    return batchbg(made, service, *options, "--max-credits", str(5 * number), cut=True)


def serve(result: Path) -> None:
    """Serve until the process is ended."""
    config = SandboxConfig(render_s=0.0, background_cutout="fast", credits=10_000_000, max_stored_bytes=1 << 30)
    with SandboxServer(config) as sandbox:
        sandbox.faults.plant(Fault(Operation.DOWNLOAD, Delivers(content=result.read_bytes())))
        print(f"sandbox at {sandbox.url}", flush=True)
        while True:
            time.sleep(3600)


@contextlib.contextmanager
def shop(number: int, *, results: bool = True) -> Iterator[Work]:
    """Make ``number`` photos, and a result of each kind beside them."""
    with work(0) as made:
        drawn = photo()
        made.photos.mkdir()
        for index in range(number):
            numbered(drawn, index).save(made.photos / f"IMG_{index:06d}.jpg", quality=QUALITY)
        if results:
            cut = cut_out(drawn)
            cut.save(made.folder / "cut-out.png", compress_level=6)
            on_background(cut).save(made.folder / "opaque.png", compress_level=6)
        yield made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--looks", action="store_true", help="first looks alone")
    parser.add_argument("--damage", action="store_true", help="the table of what is found alone")
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
    elif arguments.damage:
        print(damage())
    elif arguments.looks:
        with shop(SAMPLES, results=False) as made:
            print(looks(made))
    else:
        with shop(arguments.jobs) as made:
            print(jobs(made, arguments.jobs, arguments.widths))
