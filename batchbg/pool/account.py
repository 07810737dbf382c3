"""Reading the account's balance."""

from batchbg.api.client import MagicHour
from batchbg.api.wire import Account
from batchbg.ledger import balances, credits
from batchbg.ledger.store import Ledger
from batchbg.ledger.writer import Writer


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
