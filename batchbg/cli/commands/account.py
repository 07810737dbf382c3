"""``batchbg account``: the key's account and balance."""

import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.price import Verdict
from batchbg.core.words import counted
from batchbg.errors import AccountUnreadable

if TYPE_CHECKING:
    from batchbg.api.wire import Account
    from batchbg.settings import Settings


@click.command()
@click.option("--accept-price", "verdict", flag_value=Verdict.ACCEPTED, help="Accept the odd price as right.")
@click.option("--dismiss-price", "verdict", flag_value=Verdict.DISMISSED, help="Treat the odd price as a mistake.")
@with_settings("base_url", "retry_lock", "json", *COMMON)
def command(settings: "Settings", verdict: Verdict | None) -> None:
    """Show the balance of the key's account.

    Where the service has named a price that cannot be right by itself, creates stop until a person has judged it.

    \b
    batchbg account
    batchbg account --accept-price      that is what an image takes: count it, and go on
    batchbg account --dismiss-price     that was a mistake: do not count it, and go on
    """
    import asyncio

    from batchbg.settings import api_key

    if verdict is not None:
        from batchbg.repair.prices import judge_prices

        for told in judge_prices(settings, Verdict(verdict)) or ["there is no odd price to decide about"]:
            output.tell(told)
        return
    try:
        found = asyncio.run(read(settings, api_key(settings, os.environ)))
    except AccountUnreadable as error:
        raise AccountUnreadable(
            f"the key may not read the account ({error}); give it that permission at the service"
        ) from error
    if found is None:
        output.tell("the service has no account operation", err=True)
    if settings.json:
        output.print_json({name: getattr(found, name, None) for name in ("id", "tier", "credits")})
    elif found is not None:
        balance = "the balance is not known" if found.credits is None else counted(found.credits, "credit")
        output.tell(f"account {found.id}, {found.tier or 'unknown'} plan: {balance}")
        if found.caveat:
            output.tell(found.caveat)


async def read(settings: "Settings", key: str) -> "Account | None":
    """Ask for the account; None where the service has no such operation."""
    from batchbg.api.client import MagicHour
    from batchbg.api.limiter import RateLimiter
    from batchbg.api.retry_reads import retry_read

    async with MagicHour(settings.base_url, key, RateLimiter(settings.requests_per_second), width=4) as api:
        return await retry_read(api.account)
