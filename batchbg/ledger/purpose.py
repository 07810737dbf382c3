"""What a ledger is for: the service, or a rehearsal; it is used for nothing else from then on."""

from typing import Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from batchbg.core.addresses import is_loopback
from batchbg.errors import ConfigError
from batchbg.ledger.meta import KIND, REHEARSED_SINCE, keep, value
from batchbg.ledger.sql import Statement
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import runs

API: Final = "api"
SANDBOX: Final = "sandbox"
LOCAL: Final = "local"
"""What a ledger is for: the service; sandboxes that `--sandbox` starts; a server on this machine, whatever it is."""


NAMES: Final = {
    API: "the real API",
    SANDBOX: "the sandbox that --sandbox starts",
    LOCAL: "a server on this machine, such as a sandbox started by hand",
}
"""How people are told of each."""


def of(connection: sa.Connection) -> str | None:
    """Return what a ledger is for, one of ``NAMES``; None where it was not used yet."""
    return value(connection, KIND)


def bind(ledger: Ledger, kind: str) -> None:
    """Bind a ledger to what it is used with, for good and before anything is sent: by its address, by no answer.

    Ledgers that a version before this one bound by what an answer said are bound anew by how they are used now.

    Raises:
        ConfigError: it is bound to something else.
    """
    with ledger.transaction() as tx:
        known = value(tx.connection, KIND)
        is_old = value(tx.connection, _KIND_BY_ADDRESS) is None
        if is_old and known != SANDBOX and _was_abroad(tx.connection):
            known = API
        elif is_old and kind == LOCAL:
            known = None
        if known is not None and known != kind:
            raise ConfigError(
                f"this ledger was used with {NAMES.get(known, known)}, and is refused for {NAMES[kind]};"
                " name another with --ledger"
            )
        if is_old:
            keep(tx, KIND, kind)
            keep(tx, _KIND_BY_ADDRESS, "yes")
            if kind == SANDBOX:
                keep(tx, REHEARSED_SINCE, repr(tx.at))


_KIND_BY_ADDRESS: Final = "kind_by_address"


def _was_abroad(connection: sa.Connection) -> bool:
    """Return whether a run was ever sent to an address that is not this machine's."""
    return any(not is_loopback(host) for url in _ADDRESSES.column(connection) if (host := urlsplit(url).hostname))


_ADDRESSES: Final = Statement(sa.select(runs.c.base_url).distinct())


def rehearsed_since(connection: sa.Connection) -> float | None:
    """Return the time from which on every create of this ledger went to a sandbox of this tool's own; or None."""
    found = value(connection, REHEARSED_SINCE)
    return float(found) if value(connection, KIND) == SANDBOX and found else None
