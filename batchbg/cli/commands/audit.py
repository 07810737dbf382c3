"""``batchbg audit``: credits to the credit, beside the account's balance."""

from typing import TYPE_CHECKING

import click

from batchbg.cli.options import COMMON, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


@click.command()
@with_settings("base_url", "json", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """List every credit with its job, and compare the ledger with the account's balance.

    The balance is evidence, no more: other programs, purchases and daily credits move it too. Ends with 0 where
    both agree, with 3 where they differ.

    \b
    batchbg audit
    batchbg audit -q              the sums alone
    """
    from batchbg.cli.audited import show_audit

    ctx.exit(show_audit(settings))
