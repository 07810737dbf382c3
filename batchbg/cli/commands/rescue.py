"""``batchbg rescue``: fetch paid results that are missing on disk."""

import dataclasses
import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.core.words import counted
from batchbg.errors import ExitCode

if TYPE_CHECKING:
    from batchbg.repair.rescue import Missing
    from batchbg.settings import Settings


@click.command()
@with_settings(*RESULTS[1:], "base_url", "requests_per_second", "json", "retry_lock", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Download again every paid result that is missing on disk. It costs nothing.

    A file that is there, but is not what was saved, is named and left unchanged. What was deleted at the service
    (`batchbg delete-remote`) cannot be fetched again.

    \b
    batchbg rescue
    """
    from batchbg import pipeline
    from batchbg.cli.console_reporter import ConsoleReporter
    from batchbg.cli.summary import print_outcome
    from batchbg.ledger.engine import open_to_read
    from batchbg.repair.rescue import Rescue
    from batchbg.settings import api_key

    open_to_read(settings.ledger).close()  # there has to be one; a run would make it
    ended = pipeline.run(settings, api_key(settings, os.environ), Rescue(), ConsoleReporter(settings))
    found = ended.found
    for path in found.changed:
        output.note(f"{path}: not the file that was saved; left unchanged", settings)
    for path in found.lost:
        output.tell(f"{path}: lost: it was deleted at the service; put it back, or pay again with `--force`", err=True)
    summary = ended.summary
    if found.lost and summary.exit_code is ExitCode.OK:
        summary = dataclasses.replace(summary, exit_code=ExitCode.INCOMPLETE)
    print_outcome([_told(found)], summary, settings)
    ctx.exit(summary.exit_code)


def _told(found: "Missing") -> str:
    """Return what was missing and what of it is there again."""
    from batchbg.plan.lines import some_of

    if found.lost:
        number = counted(len(found.lost), "result")
        lost = f"{number} missing that nobody can fetch: deleted at the service"
        return f"{_told(dataclasses.replace(found, lost=()))}; {lost}" if found.missing else lost
    if not found.missing:
        return "no result is missing"
    told = f"{counted(found.missing, 'result')} missing: "
    if not found.left:
        return f"{told}fetched again, free"
    left = len(found.left)
    names = ", ".join(some_of(found.left))
    return f"{told}{found.missing - left} fetched again, free; {left} still missing: {names}"
