"""``batchbg run``: scan, pair, plan and process."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchbg.cli.completion import files
from batchbg.cli.options import ASKING, COMMON, FINISH, LIMITS, RESULTS, SCAN, Sectioned, settings_keys, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command(cls=Sectioned)
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path), shell_complete=files)
@with_settings(
    *settings_keys(SCAN, RESULTS, FINISH, ("delete_remote", "exec", "plan", "dry_run"), LIMITS, ASKING, COMMON)
)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Put every photo in PHOTOS, a folder or files, on a new background.

    Skips what is done, and finishes what is already paid for.

    \b
    batchbg run photos -b backgrounds --max-credits 200
    batchbg run mug.jpg cup.jpg -b wall.jpg
    batchbg run photos --sandbox          a rehearsal: no key, nothing charged
    batchbg run photos -n                 what would be done
    """
    if settings.dry_run:
        from batchbg.cli.planned import show_plan

        ctx.exit(show_plan(settings))
    from batchbg.cli.processing import process_and_exit

    process_and_exit(ctx, settings, "run")
