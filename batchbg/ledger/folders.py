"""The roots of photos, backgrounds and outputs, by their numbers."""

import sqlalchemy as sa

from batchbg.ledger.tables import folders, outputs
from batchbg.ledger.transaction import Tx


def id_of(tx: Tx, path: str) -> int:
    """Return the number of a root folder, entering it where it is new."""
    known = tx.connection.scalar(sa.select(folders.c.id).where(folders.c.path == path))
    if known is not None:
        return int(known)
    key = tx.connection.execute(sa.insert(folders).values(path=path)).inserted_primary_key
    assert key is not None  # the table has one
    return int(key[0])


def path_of(connection: sa.Connection, folder_id: int) -> str:
    """Return the name under which a root folder stands in the ledger."""
    return str(connection.scalar(sa.select(folders.c.path).where(folders.c.id == folder_id)))


def output_roots(connection: sa.Connection) -> list[str]:
    """Return every folder that results were ever written to."""
    is_used = sa.exists().where(outputs.c.folder_id == folders.c.id)  # looks at one result, not at all of them
    return list(connection.scalars(sa.select(folders.c.path).where(is_used)))
