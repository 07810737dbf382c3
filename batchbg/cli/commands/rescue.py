"""``batchbg rescue``: fetch paid results that are missing on disk."""

import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.core.words import counted

if TYPE_CHECKING:
    from batchbg.repair.rescue import Missing
    from batchbg.settings import Settings


@click.command()
@with_settings(*RESULTS[1:], "base_url", "requests_per_second", "json", "retry_lock", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Download again every paid result that is missing on disk. It costs nothing.

    A file that is there, but is not what was saved, is named and left unchanged.

    \b
    batchbg rescue
    """
    from batchbg import pipeline
    from batchbg.cli.console_reporter import ConsoleReporter
    from batchbg.cli.summary import print_outcome
    from batchbg.ledger.engine import open_ledger
    from batchbg.repair.rescue import Rescue
    from batchbg.settings import api_key

    open_ledger(settings.ledger, create=False).close()
    ended = pipeline.run(settings, api_key(settings, os.environ), Rescue(), ConsoleReporter(settings))
    found = ended.found
    for path in found.changed:
        output.note(f"{path}: not the file that was saved; left unchanged", settings)
    print_outcome([_told(found)], ended.summary, settings)
    ctx.exit(ended.summary.exit_code)


def _told(found: "Missing") -> str:
    """Return what was missing and what of it is there again."""
    if not found.missing:
        return "no result is missing"
    left = found.missing - found.fetched
    if not left:
        return f"{counted(found.missing, 'result')} missing: fetched again, free"
    return f"{counted(found.missing, 'result')} missing: {found.fetched} fetched again, free; {left} still missing"
