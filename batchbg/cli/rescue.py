"""``batchbg rescue``: fetch every paid result that is missing on disk."""

import os

import click

from batchbg import mend, pipeline
from batchbg.cli import closing, output
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.cli.progress import Progress
from batchbg.ledger.engine import Ledger, Tx, open_ledger
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
    open_ledger(settings.ledger, create=False).close()
    found = mend.Missing()

    def prepare(tx: Tx, ledger: Ledger) -> None:
        nonlocal found
        found = mend.look_for_results(tx, ledger)

    key = api_key(settings, os.environ)
    summary = pipeline.run(settings, key, "rescue", Progress(settings), prepare)
    for path in found.changed:
        output.note(f"{path}: is not the file that was saved; left as it is", settings)
    output.note(f"{found.missing} results were missing, {len(found.changed)} files have changed", settings)
    closing.print_summary(summary, settings)
    ctx.exit(summary.exit_code)
