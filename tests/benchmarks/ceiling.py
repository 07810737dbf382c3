"""Jobs a second where the service takes no time, beside bare loops that make the same requests.

    python -m tests.benchmarks.ceiling --jobs 1000

A bare loop keeps no ledger, checks nothing and renames nothing: it shows what a client of HTTP alone costs.
"""

import argparse
import asyncio

from tests.benchmarks.bare import jobs, without_missing
from tests.benchmarks.serving import (
    Service,
    Spent,
    Work,
    batchbg,
    can_serve_tls,
    serving,
    serving_tls,
    spent,
    table,
    work,
)

BARE = ("httpx", "aiohttp")


def ceiling(number: int, widths: list[int], rounds: int = 2, *, tls: bool = True) -> str:
    """Return the table, with a row over TLS for the first width."""
    options = ["--render-time", "0s", "--set", "background_cutout=fast"]
    names = without_missing(BARE)
    with work(number) as made:
        with serving(*options) as service:
            rows = [row(made, service, str(width), width, names, rounds) for width in widths]
        if tls and can_serve_tls():
            with serving_tls(*options) as service:
                rows.append(row(made, service, f"{widths[0]}, TLS", widths[0], names, rounds))
    title = ["width", *(f"{name}, ms CPU a job" for name in ("batchbg", *names))]
    title += [f"{name} jobs/s" for name in ("batchbg", *names)]
    title += ["batchbg, polls a job", *(f"batchbg / {name}, without its start" for name in names)]
    return table(title, rows)


def row(made: Work, service: Service, label: str, width: int, bare: list[str], rounds: int) -> list[str]:
    """Measure batchbg and the bare loops in turns and return the best of each."""
    number = sum(1 for _ in made.photos.rglob("*.jpg"))
    made.clear()
    nothing = batchbg(made, service, "--max-files", "1", "--max-credits", "5")
    best: dict[str, Spent] = {}
    polls = 0.0
    for _ in range(rounds):
        for name in (*bare, "batchbg"):
            made.clear()
            before = service.requests()["status"]
            if name == "batchbg":
                rate = ("--requests-per-second", "100000", "--max-in-flight", str(width))
                took = batchbg(made, service, *rate)
                polls = (service.requests()["status"] - before) / number
            else:
                took = spent(lambda name=name: asyncio.run(jobs(name, service, made, width)))  # type: ignore[misc]
            if name not in best or took.wall_s < best[name].wall_s:
                best[name] = took
    ours_s = best["batchbg"].wall_s - nothing.wall_s
    cpu_s = {name: best[name].cpu_s for name in bare} | {"batchbg": best["batchbg"].cpu_s - nothing.cpu_s}
    return [
        label,
        *(f"{1000 * cpu_s[name] / number:.1f}" for name in ("batchbg", *bare)),
        *(f"{number / best[name].wall_s:.0f}" for name in ("batchbg", *bare)),
        f"{polls:.2f}",
        *(f"{best[name].wall_s / ours_s:.2f}" for name in bare),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 200])
    arguments = parser.parse_args()
    print(ceiling(arguments.jobs, arguments.widths))
