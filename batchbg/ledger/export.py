"""The ledger's tables as plain rows, for spreadsheets and scripts."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from batchbg.ledger.jobs import SELECT_JOBS
from batchbg.ledger.tables import balances, credit_entries, events, jobs, runs

TABLES: Final = {
    "jobs": SELECT_JOBS.order_by(jobs.c.created_at, jobs.c.id),
    "credits": sa.select(credit_entries).order_by(credit_entries.c.id),
    "events": sa.select(events).order_by(events.c.id),
    "runs": sa.select(runs).order_by(runs.c.started_at),
    "balances": sa.select(balances).order_by(balances.c.id),
}


def rows(connection: sa.Connection, table: str) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """Return the column names of one of ``TABLES`` and its rows, read as they are asked for."""
    result = connection.execute(TABLES[table].execution_options(yield_per=500))
    return list(result.keys()), (dict(row) for row in result.mappings())
