"""Whether the ledger's file is whole, by the database's own check."""

import sqlalchemy as sa

from batchbg.ledger import audit
from batchbg.ledger.tables import jobs


def damage(connection: sa.Connection) -> list[str]:
    """Return what is wrong with the file or with its sums, a line each; nothing where all is well."""
    if connection.dialect.name == "sqlite":
        found = [str(line) for line in connection.scalars(sa.text("PRAGMA quick_check(5)"))]
        if found != ["ok"]:
            return found
    return audit.check(connection)


def pixels_to_come(connection: sa.Connection, states: frozenset[str]) -> int:
    """Return the pixels of all results of jobs in ``states``, for what they will need on disk."""
    query = sa.select(sa.func.sum(jobs.c.width * jobs.c.height)).where(jobs.c.state.in_(states))
    return connection.scalar(query) or 0
