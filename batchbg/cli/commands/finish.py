"""``batchbg finish``: bring results into the form that a shop takes."""

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from batchbg.cli.options import COMMON, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    import os

    from batchbg.errors import BatchbgError
    from batchbg.settings import load

    try:
        known = load({}, os.environ).profiles
    except BatchbgError:
        return []  # a shell that asks has no place for the reason
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="[NAME ...]", nargs=-1, shell_complete=_complete)
@click.option("--check", is_flag=True, help="Only say which results do not meet the marketplace's rule; save nothing.")
@click.option("-n", "--dry-run", "dry", is_flag=True, help="Only say how many pictures would be made; open none.")
@click.option("--list", "listed", is_flag=True, help="List the profiles, with the source and date of their rules.")
@with_settings("output", "json", "sandbox", *COMMON, reading=True)
@click.pass_context
def command(
    ctx: click.Context, settings: "Settings", names: tuple[str, ...], check: bool, dry: bool, listed: bool
) -> None:
    """Make pictures for shops of the results, by profile; free, and as often as you like.

    Cut to the product, with a margin, on a canvas, in the format and size that NAME says: amazon, ebay, etsy, shopify,
    google, or a profile of config.toml. The results stay as they came; each profile has a folder of its own.

    \b
    batchbg finish amazon
    batchbg finish amazon web
    batchbg finish --check amazon
    batchbg finish --list
    """
    from batchbg.cli.finished import chosen, finish_and_tell, list_profiles

    if listed:
        list_profiles(settings)
        return
    ctx.exit(finish_and_tell(settings, chosen(settings, names), check=check, dry_run=dry))
