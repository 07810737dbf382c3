"""What five requests cost: upload-urls, upload, create, look, download, of which each job has at least one.

    python -m tests.benchmarks.transport --jobs 400

Nothing else is done in the loop, so that the figures are those of the clients.
"""

import argparse
import asyncio

from tests.benchmarks.bare import CLIENTS, jobs, without_missing
from tests.benchmarks.serving import Service, can_serve_tls, serving, serving_tls, spent, table, work


def transports(number: int, widths: list[int], rounds: int = 3) -> str:
    """Return the table; each figure is the best of its rounds, which take turns."""
    options = ("--render-time", "0s", "--set", "background_cutout=fast")
    best: dict[tuple[str, str], float] = {}
    names = without_missing(CLIENTS)
    servers = [("", serving), (", TLS", serving_tls)][: 2 if can_serve_tls() else 1]
    columns = [f"width {width}{over}" for over, _ in servers for width in widths]
    with work(number) as made:
        for over, server in servers:
            with server(*options) as service:
                for name in names:
                    asyncio.run(jobs(name, service, made, 4))
                for _ in range(rounds):
                    for width in widths:
                        for name in names:
                            requests = 0

                            def measured(name: str = name, width: int = width, service: Service = service) -> None:
                                nonlocal requests
                                requests = asyncio.run(jobs(name, service, made, width))

                            cell = (name, f"width {width}{over}")
                            cost = 5000 * spent(measured).cpu_s / requests
                            best[cell] = min(cost, best.get(cell, cost))
    rows = [[name, *(f"{best[name, column]:.2f}" for column in columns)] for name in names]
    return table(["ms CPU for five requests", *columns], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 200])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(transports(arguments.jobs, arguments.widths, arguments.rounds))
