"""``batchbg resume``: finish the ledger's unfinished jobs."""

import dataclasses

import click

from batchbg.cli.commands.run import process
from batchbg.cli.heartbeat import heartbeat
from batchbg.cli.options import ASKING, COMMON, LIMITS, RESULTS, Sectioned, settings_keys, with_settings
from batchbg.cli.summary import print_summary, summary_lines
from batchbg.settings import Settings


@click.command(cls=Sectioned)
@with_settings(*settings_keys(RESULTS, LIMITS, ASKING, COMMON))
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Finish the ledger's unfinished jobs, without looking for new photos.

    After a power cut or an interrupt this collects all that is paid for and goes on with what was planned.

    \b
    batchbg resume
    batchbg resume --max-credits 500
    """
    settings = dataclasses.replace(settings, photos=None)
    with heartbeat(settings) as told:
        summary = process(settings, "resume")
        told += summary_lines(summary, settings)
        print_summary(summary, settings)
        ctx.exit(summary.exit_code)
