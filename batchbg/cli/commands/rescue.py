"""``batchbg rescue``: fetch every paid result that is missing on disk."""

import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.settings import Settings, api_key

if TYPE_CHECKING:
    from batchbg.ledger.engine import Ledger, Tx


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
    found = repair.Missing()

    def prepare(tx: "Tx", ledger: "Ledger") -> None:
        nonlocal found
        found = repair.look_for_results(tx, ledger)

    key = api_key(settings, os.environ)
    summary = pipeline.run(settings, key, "rescue", ConsoleReporter(settings), prepare)
    for path in found.changed:
        output.note(f"{path}: is not the file that was saved; left as it is", settings)
    output.note(f"{found.missing} results were missing, {len(found.changed)} files have changed", settings)
    print_summary(summary, settings)
    ctx.exit(summary.exit_code)
