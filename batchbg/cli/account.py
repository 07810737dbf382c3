"""``batchbg account``: the key's account and balance."""

import asyncio
import os

import click

from batchbg.api.again import ask_again
from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.wire import Account
from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.settings import Settings, api_key


@click.command()
@with_settings("base_url", "json", *COMMON)
def command(settings: Settings) -> None:
    """Show the balance of the key's account."""
    found = asyncio.run(read(settings, api_key(settings, os.environ)))
    if found is None:
        output.tell("the service has no account operation", err=True)
    if settings.json:
        output.print_json({name: getattr(found, name, None) for name in ("id", "tier", "credits")})
    elif found is not None:
        output.tell(f"account {found.id}, {found.tier or 'unknown'} plan: {found.credits} credits")


async def read(settings: Settings, key: str) -> Account | None:
    """Ask for the account; None where the service has no such operation."""
    async with MagicHour(settings.base_url, key, RateLimiter(settings.requests_per_second), width=4) as api:
        return await ask_again(api.account)
