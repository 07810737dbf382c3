"""``batchbg account --accept-price`` and ``--dismiss-price``: a person's verdict on odd prices."""

from batchbg.core.price import Verdict
from batchbg.ledger import prices, transitions
from batchbg.repair.picking import held_ledger
from batchbg.settings import Settings


def judge_prices(settings: Settings, verdict: Verdict) -> list[str]:
    """Take a person's word on every odd price that is open; return a line for each.

    Raises:
        ConfigError, LedgerError: there is no ledger, or it is held.
    """
    lines = []
    with held_ledger(settings, "account") as ledger, ledger.transaction("account") as tx:
        for account in prices.doubted_accounts(tx.connection):
            lines += [f"{verdict}: {line}" for line in prices.in_doubt(tx.connection, account)]
            transitions.judge_prices(tx, account, verdict)
    return lines
