"""``batchbg status``: jobs by state, credits, last runs."""

import datetime
import sys
import time
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command()
@with_settings("json", "sandbox", *COMMON, reading=True)
def command(settings: "Settings") -> None:
    """Show the whole ledger: jobs by state, credits, the last runs.

    \b
    batchbg status
    batchbg status --json | jq .credits.remaining
    """
    from batchbg.cli.summary import ledger_lines, next_command
    from batchbg.ledger import clock, runs
    from batchbg.ledger.engine import open_to_read
    from batchbg.report.summary import how_it_ended, of_ledger

    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        zone = clock.zone_in(connection, settings.zone)
        summary = of_ledger(connection, settings.caps, time.time(), zone)
        past = runs.last(connection, 5)
    ledger.close()
    if settings.json:
        output.print_json(summary.as_json())
        return
    for line in ledger_lines(summary, settings):
        output.tell(line)
    for one in past:
        began = datetime.datetime.fromtimestamp(one.started_at, zone).strftime("%Y-%m-%d %H:%M:%S")
        output.tell(f"{began}  {one.command}  {how_it_ended(one)}")
    if sys.stdout.isatty():
        output.tell(f"next: `{next_command(summary, settings)}`")
