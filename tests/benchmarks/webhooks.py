"""What webhook events save: status requests, and with them images a second where the request rate binds.

    python -m tests.benchmarks.webhooks --images 120
    python -m tests.benchmarks.webhooks --receiver 2000

``--receiver`` measures how many events a second are stored by a receiver that shares one core with a run.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from batchbg.ledger.spool import Spool
from tests.benchmarks.serving import Service, Work, batchbg, serving, table, work
from tests.webhook.support import SECRET, body_of, headers_of

SIGMA = 0.4
MEDIAN_S = 4.0
WIDTH = 48
RATE = 10.0
"""Requests a second, the default."""

AT_ONCE = 64
"""Events on their way to the receiver."""


@contextlib.contextmanager
def receiving(made: Work) -> Iterator[tuple[str, int]]:
    """Run a receiver for the ledger of some work; yield its address and its process id."""
    command = [sys.executable, "-m", "batchbg", "webhook", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--ledger", f"sqlite:///{made.ledger}"],
        env=os.environ | {"MAGIC_HOUR_WEBHOOK_SECRET": SECRET.decode()},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            told = re.match(r"receiving events at (\S+) into", process.stderr.readline())
            assert told is not None
            yield told[1], process.pid
        finally:
            process.terminate()


def measured(made: Work, service: Service, number: int, width: int) -> tuple[float, float, float]:
    """Return images a second in the middle of a run, status requests and all requests to the API for each of them."""
    batchbg(made, service, "--requests-per-second", str(RATE), "--max-in-flight", str(width))
    asked = service.requests()
    with contextlib.closing(sqlite3.connect(made.ledger)) as ledger:
        ends = sorted(row[0] for row in ledger.execute("SELECT ended_at FROM jobs WHERE state = 'done'"))
    middle = ends[len(ends) // 10 : -len(ends) // 10]
    api = sum(asked[operation] for operation in ("upload_urls", "create", "status", "account"))
    return (len(middle) - 1) / (middle[-1] - middle[0]), asked["status"] / number, api / number


def beside_polling(number: int, width: int = WIDTH, median_s: float = MEDIAN_S) -> str:
    """Return the table of a run that polls beside one that is told."""
    options = ["--render-time", f"{median_s}s", "--seed", "1", "--set", f"render_sigma={SIGMA}"]
    options += ["--set", "background_cutout=fast", "--slots", str(width)]
    rows, polling = [], 0.0
    for told in (False, True):
        with work(number) as made, contextlib.ExitStack() as stack:
            hooks = ["--webhook", stack.enter_context(receiving(made))[0]] if told else []
            hooks += ["--webhook-secret", SECRET.decode()] if told else []
            service = stack.enter_context(serving(*options, *hooks))
            rate, polls, requests = measured(made, service, number, width)
        polling = polling or rate
        rows.append(
            [
                "webhooks" if told else "polling",
                f"{rate:.2f}",
                f"{polls:.2f}",
                f"{requests:.2f}",
                f"{rate / polling:.2f}",
            ]
        )
    return table(["", "images/s", "status requests an image", "requests an image", "ratio"], rows)


async def _send(url: str, number: int) -> None:
    bodies = (body_of(project_id=f"p{index}") for index in range(number))

    async def sender(client: httpx.AsyncClient) -> None:
        for body in bodies:
            answer = await client.post(url, content=body, headers=headers_of(body))
            assert answer.status_code == 200, answer.status_code

    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(*(sender(client) for _ in range(AT_ONCE)))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def receiver(number: int) -> str:
    """Return the table of a receiver on one core, alone and with a run beside it."""
    cores, rows = sorted(os.sched_getaffinity(0)), []
    for beside in (False, True):
        with work(300) as made, serving("--render-time", "200ms", "--set", "background_cutout=fast") as service:
            with receiving(made) as (url, pid), contextlib.ExitStack() as stack:
                os.sched_setaffinity(pid, {cores[0]})
                if beside:
                    run = stack.enter_context(_running(made, service, cores[0]))
                    while not service.requests()["create"]:
                        time.sleep(0.05)
                begun, cpu_s = time.monotonic(), _cpu_s(pid)
                asyncio.run(_send(url, number))
                wall_s, cpu_s = time.monotonic() - begun, _cpu_s(pid) - cpu_s
                at_work = beside and run.poll() is None
            left = len(Spool(made.ledger).fresh())
        rows.append(
            [
                "a run beside it" if beside else "alone",
                *(f"{number / wall_s:.0f}", f"{1000 * cpu_s / number:.2f}", f"{number / cpu_s:.0f}"),
                f"{left}{', the run still at work' if at_work else ''}",
            ]
        )
    return table(["", "events/s", "ms CPU an event", "events a second of CPU", "left to read"], rows)


@contextlib.contextmanager
def _running(made: Work, service: Service, core: int) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "batchbg", "run", "-y", "-q", "--base-url", service.url]
    command += ["--ledger", f"sqlite:///{made.ledger}", "-o", str(made.folder / "output"), str(made.photos)]
    with subprocess.Popen(command, env=os.environ | {"MAGIC_HOUR_API_KEY": "a-key"}) as process:
        os.sched_setaffinity(process.pid, {core})
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--receiver", type=int, metavar="EVENTS", help="the receiver alone, with so many events")
    arguments = parser.parse_args()
    print(receiver(arguments.receiver) if arguments.receiver else beside_polling(arguments.images, arguments.width))
