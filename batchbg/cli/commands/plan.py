"""``batchbg plan``: what would be done, why, and what it costs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchbg.cli.completion import files
from batchbg.cli.options import COMMON, RESULTS, SCAN, Sectioned, settings_keys, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command(cls=Sectioned)
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path), shell_complete=files)
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the plan, for `batchbg run --plan`."
)
@with_settings(
    *settings_keys(SCAN, RESULTS, ("sandbox", "max_credits", "max_in_flight", "json", "strict"), COMMON), reading=True
)
@click.pass_context
def command(ctx: click.Context, settings: "Settings", save: Path | None) -> None:
    """Show what would be done with the photos in PHOTOS, a folder or files, why, and what it costs.

    Sends nothing, needs no key, and writes no jobs: it is a run's own planning on a copy of the ledger.

    \b
    batchbg plan photos -b backgrounds -v                  a line for every file, ignored ones too
    batchbg plan photos -b backgrounds --save plan.jsonl   keep it, and do just that:
    batchbg run photos -b backgrounds --plan plan.jsonl

    With --json the summary is one object: jobs (new, taken_up), photos (seen, rejected, reused, skipped, ignored),
    skipped and ignored (number by reason), changed, missing, other_background, backgrounds (new jobs by background),
    rejected_backgrounds (reason by background), enlarged, credits, price, seconds, cap_left and balance (null where
    not known), warnings (sentences).
    """
    from batchbg.cli.planned import show_plan

    ctx.exit(show_plan(settings, save))
