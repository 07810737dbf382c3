"""What holds for the whole ledger, by name."""

from typing import Final

import sqlalchemy as sa

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
    found: str | None = connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))
    return found


def keep(tx: Tx, key: str, text: str) -> None:
    """Put something into ``meta``."""
    changed = tx.connection.execute(sa.update(meta).where(meta.c.key == key).values(value=text))
    if not changed.rowcount:
        tx.connection.execute(sa.insert(meta).values(key=key, value=text))
