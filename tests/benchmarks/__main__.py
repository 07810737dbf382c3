"""Run the benchmarks and write their tables to RESULTS.md beside this file, where a change shows in the diff.

    python -m tests.benchmarks                  # all but growth-100k, about half an hour
    python -m tests.benchmarks sdk ceiling      # these; the other tables stay as they are

`pip install aiohttp` for the figures of a bare loop over it. Let the machine do nothing else meanwhile. Ratios within
one table are to be trusted, seconds are this machine's.
"""

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import batchbg

RESULTS = Path(__file__).with_name("RESULTS.md")

BENCHMARKS = {
    "sdk": (
        "Beside the official SDK",
        ["sdk", "--images", "100"],
        "generate() in five threads beside batchbg at width 5; 5 slots, renders of 1 s, 80 ms latency, 0.3 s an upload."
        " Aim: 1.3 times the images a second.",
    ),
    "efficiency": (
        "Efficiency",
        ["efficiency"],
        "Images a second / (slots / mean render time); renders of 4 s, lognormal, sigma 0.4. Aim: 0.97 at one and a"
        " half times as many places as slots, 0.90 at as many.",
    ),
    "curve": (
        "Efficiency against polls",
        ["efficiency", "--curve", "32"],
        "The same at 32 slots and as many places, asking first at these parts of the median render time.",
    ),
    "ceiling": (
        "Ceiling",
        ["ceiling", "--jobs", "2000"],
        "An instantaneous service, photos of 64x48, the ledger on a memory disk, beside bare loops that make the same"
        " requests; CPU without the start. Aim: 2.5 times httpx and 0.22 of aiohttp at width 16, 0.95 of that at 200.",
    ),
    "transport": (
        "Transport",
        ["transport", "--jobs", "400"],
        "Five requests with nothing around them. The price of a connection of its own for each create is the difference"
        " between the two rows of batchbg's.",
    ),
    "growth": (
        "From a thousand jobs to ten thousand",
        ["growth", "--jobs", "1000", "10000"],
        "Time and memory at width 32 with an instantaneous service. Aim: linear and flat.",
    ),
    "growth-100k": (
        "A hundred thousand jobs",
        ["growth", "--jobs", "100000"],
        "The same by hand, for it takes half an hour. Aim: the memory of a thousand, to within 100 MB.",
    ),
    "scan": (
        "Scanning",
        ["scan", "--files", "1000", "100000"],
        "A first and a second pass beside a bare walk of the same folder. Aim of the second: 3 times the walk.",
    ),
    "looks": (
        "First looks at photos of 5 MB",
        ["shop", "--looks"],
        "Is each of them whole? Warm cache, beside a bare decode at an eighth of the size. Aim: 100 files a second.",
    ),
    "damage": (
        "Damaged files that are found",
        ["shop", "--damage"],
        "Of 20 each: by a bare decode at an eighth of the size / by batchbg.",
    ),
    "shop": (
        "Photos as a shop has them",
        ["shop", "--jobs", "40"],
        "12 megapixels, 5 MB; results of 9 MB where cut out, 23 MB where opaque; a service that takes no time. Aim: 130 ms"
        " of CPU a cut-out, 200 MB at width 64.",
    ),
    "webhooks": (
        "With webhooks, beside polling",
        ["webhooks", "--images", "240"],
        "10 requests a second, 48 places and slots, renders of 4 s, lognormal, sigma 0.4. Aim: 1.1 status requests an image.",
    ),
    "receiver": (
        "The receiver of webhooks",
        ["webhooks", "--receiver", "2000"],
        "Kept to one core, alone and with a run on the same core. Aim: 500 events a second.",
    ),
    "pairing": ("Pairing", ["pairing"], "100,000 photos with 10,000 backgrounds. Aim: seconds."),
}
"""Title, module with its arguments, and what is measured, by name."""

BY_HAND = {"growth-100k"}
"""Those that are run only where they are named."""


def machine() -> str:
    """Return one line about where the figures come from."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    today = datetime.datetime.now(datetime.UTC).date()
    return f"{today}, batchbg {batchbg.__version__}, Python {python}, {os.cpu_count()} cores, {memory:.0f} GiB"


def section(name: str) -> str:
    """Run a benchmark and return its section."""
    title, (module, *arguments), what = BENCHMARKS[name]
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    if not printed.startswith("|"):
        printed = f"```\n{printed}\n```"
    return f"## {title}\n\n{what}\n\n{printed}\n\n{machine()}\n"


def kept() -> dict[str, str]:
    """Return the sections of earlier runs by their titles."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    found = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].removeprefix("## "): part.strip() + "\n" for part in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    for name in parser.parse_args().names or [name for name in BENCHMARKS if name not in BY_HAND]:
        print(f"{name} ...", file=sys.stderr)
        sections = kept() | {BENCHMARKS[name][0]: section(name)}
        order = [title for title, _, _ in BENCHMARKS.values()]
        texts = [
            sections[title] for title in sorted(sections, key=lambda one: order.index(one) if one in order else 99)
        ]
        head = "# What the benchmarks measured\n\nWritten by `python -m tests.benchmarks`.\n"
        RESULTS.write_text("\n".join([head, *texts]), encoding="utf-8")


if __name__ == "__main__":
    main()
