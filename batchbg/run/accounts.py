"""Whose credits are spent: the account behind the key, and what a person should know about it before paying."""

import logging
from typing import Final

from batchbg.api.client import MagicHour
from batchbg.api.retry_reads import retry_read
from batchbg.api.wire import Account
from batchbg.errors import AccountRefused, AccountUnreadable, ApiError, ExitCode
from batchbg.ledger import balances, runs
from batchbg.ledger.writer import Writer
from batchbg.pool.balance import read_account
from batchbg.run.context import RunContext

log = logging.getLogger(__name__)

ACCOUNT_WAIT_S: Final = 5.0
"""Seconds for which the account is asked for at the start; a service without that operation works all the same."""

OFF_S: Final = 3600.0
"""Seconds by which this machine's clock may differ from the service's before a run says so: days are counted by it."""


async def find_accounts(run: RunContext, api: MagicHour, writer: Writer) -> list[str] | None:
    """Return the account's name, then the base URL, which is its name where the service has no account operation.

    None if the key is refused. If the service cannot be asked now, the name is taken from the last run.
    """
    base_url = run.settings.base_url
    try:
        found, code, why = await _ask(run, api, writer)
    except AccountRefused as error:
        run.stop.creates(ExitCode.ACCOUNT, f"the service refuses: {error}; check the key, then run again")
        return None
    if run.stop.leaving:
        return None
    if found is not None and found.caveat:
        run.reporter.caveat(found.caveat)
    _tell_of_clock(api)
    with run.ledger.reading() as connection:
        if run.budget.caps.keep_balance is not None and not balances.was_read(connection, run.id):
            run.stop.creates(code, f"budget.keep_balance: the account's balance is not known: {why}")
        name = (found.id if found else None) or runs.account_behind(connection, base_url) or base_url
    await writer.do(runs.describe, account=name)
    return list(dict.fromkeys((name, base_url)))


async def _ask(run: RunContext, api: MagicHour, writer: Writer) -> tuple[Account | None, ExitCode, str]:
    """Return (account, exit code and reason where its balance is needed and not known).

    A service with only this operation down can still be used.

    Raises:
        AccountRefused: the key is.
    """
    asking = retry_read(lambda: read_account(api, run.ledger, writer), ACCOUNT_WAIT_S)
    try:
        return await run.stop.before_leaving(asking), ExitCode.CAP, "the service does not tell it"
    except AccountUnreadable as error:
        why = f"the key lacks the permission to read the account: {error}"
        log.warning("%s; the balance cannot be shown, nor used to judge a lost answer", why)
        return None, ExitCode.ACCOUNT, why
    except AccountRefused:
        raise
    except ApiError as error:
        log.info("the account cannot be read: %s", error)
        return None, ExitCode.TEMPORARY, str(error)


def _tell_of_clock(api: MagicHour) -> None:
    if api.skew_s is not None and abs(api.skew_s) > OFF_S:
        hours = abs(api.skew_s) / 3600
        how_long = f"{hours / 24:.0f} days" if hours > 48 else f"{hours:.0f} hours"
        off = f"{how_long} {'ahead of' if api.skew_s > 0 else 'behind'}"
        log.warning("this machine's clock is %s the service's: credits count for the days of this machine", off)
