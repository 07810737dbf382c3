"""Record the cassettes anew, against the sandbox or against the service.

python -m tests.contract.record                     all of them, against the sandbox
python -m tests.contract.record whole_job           one of them
python -m tests.contract.record --live              against the service, with the key in MAGIC_HOUR_API_KEY

Live, `whole_job` and `failed_render` cost 5 credits each (the latter is refunded), `refused_key` nothing;
`too_few_credits` is only recorded with the key of an account that has less than 5 credits, all others only with more.
"""

import argparse
import asyncio
import contextlib
import datetime
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from batchbg import __version__
from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.core.addresses import MAGIC_HOUR_URL
from batchbg.core.model import PRICE_CREDITS
from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.contract.cassettes import KEY, Cassettes
from tests.contract.scenarios import EXPECTED, STORIES, Place

SANDBOXES: Final[dict[str, dict[str, Any]]] = {
    "whole_job": {"render_s": 0.5, "queue_s": 0.2},
    "refused_key": {"api_key": KEY},
    "too_few_credits": {"credits": 4},
    "failed_render": {"render_s": 0.5},
}
"""How the sandbox has to be for each story."""


def main() -> int:
    """Record and say what was recorded; 1 where a story went otherwise than expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(STORIES)}; all where none is given")
    parser.add_argument("--live", action="store_true", help="against the service; costs credits")
    options = parser.parse_args()
    unknown = set(options.names) - set(STORIES)
    if unknown:
        parser.error(f"no such cassette: {', '.join(unknown)}")
    key = os.environ.get("MAGIC_HOUR_API_KEY", "") if options.live else KEY
    if not key:
        parser.error("--live needs MAGIC_HOUR_API_KEY")
    odd = False
    for name in options.names or STORIES:
        if options.live and not fits(name, key):
            print(f"{name}: left as it is, the account's credits do not fit the story")
            continue
        came = record(name, key, live=options.live)
        odd |= came != EXPECTED[name]
        print(f"{name}: {'as expected' if came == EXPECTED[name] else f'NOT as expected: {came}'}")
    return int(odd)


def record(name: str, key: str, *, live: bool) -> dict[str, Any]:
    """Tell one story, keep its cassette and return what came of it."""
    today = datetime.datetime.now(datetime.UTC).date()
    about = f"Recorded against the {'service' if live else 'sandbox'} on {today} by batchbg {__version__}"
    with tempfile.TemporaryDirectory() as folder, host(name, live) as base_url:
        place = Place(base_url, key, Path(folder))
        with Cassettes(key, about).use(name):
            return STORIES[name](place)


@contextlib.contextmanager
def host(name: str, live: bool) -> Iterator[str]:
    """The address to talk to."""
    if live:
        yield MAGIC_HOUR_URL
        return
    config = SandboxConfig(**{"background_cutout": "fast", "seed": 1, **SANDBOXES[name]})
    with SandboxServer(config) as sandbox:
        yield sandbox.url


def fits(name: str, key: str) -> bool:
    """Whether the account has the credits that a story needs, or lacks them."""

    async def balance() -> int | None:
        async with MagicHour(MAGIC_HOUR_URL, key, RateLimiter(5)) as api:
            account = await api.account()
            return account.credits if account else None

    credits = asyncio.run(balance())
    return credits is not None and (credits < PRICE_CREDITS) == (name == "too_few_credits")


if __name__ == "__main__":
    sys.exit(main())
