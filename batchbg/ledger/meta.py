"""What holds for the whole ledger, by name."""

from typing import Final

import sqlalchemy as sa

from batchbg.ledger.sql import Statement, upsert
from batchbg.ledger.tables import meta
from batchbg.ledger.transaction import Tx

ID: Final = "ledger_id"
PLACE: Final = "place"
ZONE: Final = "timezone"
KIND: Final = "kind"
REHEARSED_SINCE: Final = "rehearsed_since"
"""Keys of ``meta``."""


def value(connection: sa.Connection, key: str) -> str | None:
    """Return what ``meta`` holds under a key."""
    found: str | None = _VALUE.value(connection, name=key)
    return found


_VALUE: Final = Statement(sa.select(meta.c.value).where(meta.c.key == sa.bindparam("name")))


def keep(tx: Tx, key: str, text: str) -> None:
    """Put something into ``meta``."""
    _KEEP.run(tx.connection, key=key, value=text)


_KEEP: Final = upsert(meta, "value")
