"""Reading the account's balance."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from batchbg.api.client import MagicHour
from batchbg.api.wire import Account
from batchbg.errors import ApiError, LedgerUnreachable
from batchbg.ledger import balances, credits
from batchbg.ledger.store import Ledger
from batchbg.ledger.writer import Writer

log = logging.getLogger(__name__)

BALANCE_EVERY_S: Final = 60.0
"""Seconds between two readings while a run goes on."""


async def read_account(api: MagicHour, ledger: Ledger, writer: Writer) -> Account | None:
    """Ask for the account and record its balance; None where the service has no such operation.

    Raises:
        AccountRefused, AccountUnreadable, ApiUnreachable: see ``errors``.
    """
    with ledger.reading() as connection:
        before = credits.settled(connection)
    account = await api.account()
    if account is not None and account.credits is not None:
        await writer.do(balances.record, account.id, account.credits, before)
    return account


async def readings(api: MagicHour, ledger: Ledger, writer: Writer) -> AsyncIterator[Account | None]:
    """Read the account now and then, for ever; a reading that fails is left out."""
    while True:
        await asyncio.sleep(BALANCE_EVERY_S)
        try:
            account = await read_account(api, ledger, writer)
        except (ApiError, LedgerUnreachable) as error:
            log.info("account: %s", error)
        else:
            yield account
