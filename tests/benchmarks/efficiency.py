"""Throughput beside the ideal, slots / mean render time, and what it costs in status requests.

    python -m tests.benchmarks.efficiency --slots 5 32

The service renders ``slots`` jobs at once and queues the others; render times are lognormal, sigma 0.4. Measured is
the middle of each run, between a tenth and nine tenths of all results: a batch of thousands is nearly all middle.
"""

import argparse
import contextlib
import math
import sqlite3
import statistics

from tests.benchmarks.serving import batchbg, serving, table, work

SIGMA = 0.4
MEAN_S = 4.0
"""Of the renders: what the service is known to take."""

ROUNDS = 12
"""Renders a slot, at least; a single slot makes more of them."""

FEWEST = 30


def efficiency(slots: int, width: int, mean_s: float = MEAN_S, cost: float | None = None) -> list[str]:
    """Return a row of the table; ``cost`` is what a question may cost, instead of what batchbg thinks it may."""
    number = max(FEWEST, ROUNDS * slots)
    median_s = mean_s / math.exp(SIGMA**2 / 2)
    options = ["--render-time", f"{median_s}s", "--slots", str(slots), "--seed", "1"]
    options += ["--set", f"render_sigma={SIGMA}", "--set", "background_cutout=fast"]
    with work(number) as made, serving(*options) as service:
        patch = f"import batchbg.core.poll_schedule; batchbg.core.poll_schedule.COST = {cost}" if cost else ""
        batchbg(made, service, "--requests-per-second", "1000", "--max-in-flight", str(width), first=patch)
        books = service.ask("books")
        with contextlib.closing(sqlite3.connect(made.ledger)) as ledger:
            ends = sorted(row[0] for row in ledger.execute("SELECT ended_at FROM jobs WHERE state = 'done'"))
    middle = ends[len(ends) // 10 : -len(ends) // 10]
    rate = (len(middle) - 1) / (middle[-1] - middle[0])
    ideal = slots / statistics.fmean(create["render_s"] for create in books["creates"])
    polls = books["requests"]["status"] / number
    return [str(slots), str(width), str(number), f"{rate:.2f}", f"{rate / ideal:.3f}", f"{polls:.1f}"]


TITLE = ["slots", "width", "images", "images/s", "efficiency", "polls an image"]


def efficiencies(slots: list[int]) -> str:
    """Return the table, for width = slots and half as wide again."""
    return table(TITLE, [efficiency(n, width) for n in slots for width in (n, n + (n + 1) // 2)])


def curve(slots: int, costs: list[float]) -> str:
    """Return the table of efficiency against polls, for width = slots."""
    rows = [[f"{cost}", *efficiency(slots, slots, cost=cost)] for cost in costs]
    return table(["a question costs", *TITLE], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 5, 32, 200])
    parser.add_argument("--curve", type=int, metavar="SLOTS", help="the curve alone, for so many slots")
    arguments = parser.parse_args()
    print(curve(arguments.curve, [0.01, 0.03, 0.06, 0.15]) if arguments.curve else efficiencies(arguments.slots))
