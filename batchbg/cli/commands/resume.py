"""``batchbg resume``: finish the ledger's unfinished jobs."""

import dataclasses
from typing import TYPE_CHECKING

import click

from batchbg.cli.options import ASKING, COMMON, FINISH, LIMITS, RESULTS, Sectioned, settings_keys, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command(cls=Sectioned)
@with_settings(*settings_keys(RESULTS, FINISH, ("delete_remote", "exec"), LIMITS, ASKING, COMMON))
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Finish the ledger's unfinished jobs, without looking for new photos.

    After a power cut or an interrupt this collects all that is paid for and goes on with what was planned.

    \b
    batchbg resume
    batchbg resume --max-credits 500
    """
    from batchbg.cli.processing import process_and_exit

    process_and_exit(ctx, dataclasses.replace(settings, photos=None), "resume")
