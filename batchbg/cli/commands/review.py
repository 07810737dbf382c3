"""``batchbg review``: look results over in the browser."""

import os
from typing import TYPE_CHECKING

import click

from batchbg.cli.options import COMMON, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where to listen on this machine [default: a free port].",
)
@click.option("--no-browser", is_flag=True, help="Open no browser; the address is printed.")
@with_settings("sandbox", *COMMON, reading=True)
def command(settings: "Settings", port: int, no_browser: bool) -> None:
    """Look results over in the browser, the likely bad ones first, and accept or reject each by a key.

    The page is served on this machine, to nobody but who has its address. It reads the ledger as a run writes it, and
    writes your verdicts into it; it needs no key and spends nothing. Ctrl-C ends it. See `batchbg help reviews`.

    \b
    batchbg review
    batchbg review --port 8790 --no-browser
    """
    from batchbg.cli.reviewing import review
    from batchbg.settings import KEY_VARIABLE

    os.environ.pop(KEY_VARIABLE, None)  # the browser is another program
    review(settings, port, opens_browser=not no_browser)
