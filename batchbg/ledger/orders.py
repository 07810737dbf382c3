"""Orders to pay again for what is done: each is carried out once, however often its command is given until then."""

from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import OPEN, JobState
from batchbg.core.model import new_id
from batchbg.ledger.tables import force_orders, jobs
from batchbg.ledger.transaction import Tx

UNFINISHED: Final = OPEN | {JobState.UNRESOLVED}
"""States of a job for which its order goes on."""


def take(tx: Tx, request: str, *, anew: bool) -> str:
    """Return the order for ``request`` that is still to be carried out, a new one where there is none.

    Args:
        tx: the transaction to write in.
        request: what is to be done again; the same text is the same order.
        anew: a person wants a new one in any case.
    """
    unended = force_orders.c.request == request, force_orders.c.ended_at.is_(None)
    if anew:
        tx.connection.execute(sa.update(force_orders).where(*unended).values(ended_at=tx.at))
    else:
        known = tx.connection.scalar(
            sa.select(force_orders.c.id).where(*unended).order_by(force_orders.c.begun_at.desc()).limit(1)
        )
        if known is not None:
            return str(known)
    order_id = new_id()
    tx.connection.execute(sa.insert(force_orders).values(id=order_id, request=request, begun_at=tx.at))
    return order_id


def was_begun(connection: sa.Connection, order_id: str) -> bool:
    """Return whether there are jobs for an order already."""
    return bool(connection.scalar(sa.select(sa.exists().where(jobs.c.order_id == order_id))))


def end(tx: Tx, order_id: str) -> bool:
    """End an order whose photos were all planned, unless one of its jobs is unfinished; return whether it ended."""
    open_jobs = sa.exists().where(jobs.c.order_id == order_id, jobs.c.state.in_(UNFINISHED))
    if tx.connection.scalar(sa.select(open_jobs)):
        return False
    tx.connection.execute(sa.update(force_orders).where(force_orders.c.id == order_id).values(ended_at=tx.at))
    return True
