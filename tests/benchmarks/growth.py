"""Time and memory from a thousand jobs to a hundred thousand: the one linear, the other flat.

    python -m tests.benchmarks.growth --jobs 1000 10000

Against an instantaneous service. A hundred thousand take a quarter of an hour and more.
"""

import argparse

from tests.benchmarks.serving import batchbg, serving, table, work


def growth(numbers: list[int], width: int = 32) -> str:
    """Return the table."""
    rows = []
    options = ["--render-time", "0s", "--set", "background_cutout=fast", "--set", "max_stored_bytes=100000000"]
    for number in numbers:
        with work(number) as made, serving(*options) as service:
            took = batchbg(made, service, "--requests-per-second", "100000", "--max-in-flight", str(width))
            again = batchbg(made, service)
        rows.append(
            [
                number,
                f"{took.wall_s:.1f}",
                f"{1000 * took.wall_s / number:.1f}",
                f"{1000 * took.cpu_s / number:.1f}",
                f"{took.peak_mib:.0f}",
                f"{again.wall_s:.1f}",
                f"{again.peak_mib:.0f}",
            ]
        )
    title = ["jobs", "s", "ms a job", "ms CPU a job", "peak MiB", "second run, s", "second run, MiB"]
    return table(title, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 10_000])
    print(growth(parser.parse_args().jobs))
