"""``batchbg watch``: a hot folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from batchbg.cli.completion import folders
from batchbg.cli.options import COMMON, FINISH, LIMITS, RESULTS, SCAN, Sectioned, settings_keys, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings

PICKED: Final = frozenset({"files_from", "null", "force", "again", "pilot"})
"""Of a single run."""


@click.command(cls=Sectioned)
@click.argument("photos", required=False, type=click.Path(path_type=Path), shell_complete=folders)
@with_settings(
    *(key for key in settings_keys(SCAN, RESULTS, FINISH, ("delete_remote", "exec"), LIMITS) if key not in PICKED),
    *("still_for", "poll_every", "strict", "json", "report", "metrics_file"),
    *COMMON,
)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Take photos as they come into PHOTOS, once they are whole, until Ctrl-C or SIGTERM.

    Each turn is a run, under [budget] per_day of config.toml, or under --max-credits for itself; one of them is needed.
    SIGHUP reads the settings anew. See `batchbg help watching`.

    \b
    batchbg watch incoming -b backgrounds --max-credits 200
    """
    from batchbg.cli.watching import watch

    ctx.exit(watch(ctx, settings))
