"""``batchbg report``: one self-contained HTML page."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.cli.suggest import command_line

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command()
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The page, ending in .html [default: report.html in the last run's output folder].",
)
@with_settings("sandbox", *COMMON, reading=True)
def command(settings: "Settings", target: Path | None) -> None:
    """Write one HTML page that shows every photo before and after, and what needs you; a CSV goes beside it.

    The page needs nothing but itself: no network, no other files. Reading the ledger disturbs no run.

    \b
    batchbg report
    batchbg report -o monday.html
    """
    from batchbg.report.page import write_report

    page = write_report(
        settings.ledger,
        target,
        settings.output,
        caps=settings.caps,
        zone=settings.zone,
        price_per_credit=settings.price_per_credit,
        typed=functools.partial(command_line, settings=settings),
    )
    if not settings.quiet:
        output.tell(str(page))
