"""``batchbg rescue``: fetch paid results that are missing on disk."""

import os

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.settings import Settings, api_key


@click.command()
@with_settings(*RESULTS[1:], "base_url", "requests_per_second", "json", "retry_lock", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Download again every paid result that is missing on disk. It costs nothing.

    A file that is there, but is not what was saved, is named and left as it is.

    \b
    batchbg rescue
    """
    from batchbg import pipeline, repair
    from batchbg.cli.console_reporter import ConsoleReporter
    from batchbg.cli.summary import print_summary
    from batchbg.ledger.engine import open_ledger

    open_ledger(settings.ledger, create=False).close()
    ended = pipeline.run(settings, api_key(settings, os.environ), repair.Rescue(), ConsoleReporter(settings))
    found = ended.found
    for path in found.changed:
        output.note(f"{path}: is not the file that was saved; left as it is", settings)
    output.note(f"{found.missing} results were missing, {len(found.changed)} files have changed", settings)
    print_summary(ended.summary, settings)
    ctx.exit(ended.summary.exit_code)
