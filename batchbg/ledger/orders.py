"""Orders to pay again for what is done: each is carried out once, however often its command is given until then."""

from typing import Final

import sqlalchemy as sa

from batchbg.core.lifecycle import OPEN, JobState
from batchbg.core.model import new_id
from batchbg.ledger.sql import Statement
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
    if anew:
        _END_ALL.run(tx.connection, of_request=request, ended_at=tx.at)
    else:
        known = _UNENDED.value(tx.connection, of_request=request)
        if known is not None:
            return str(known)
    order_id = new_id()
    _ENTER.run(tx.connection, id=order_id, request=request, begun_at=tx.at)
    return order_id


_IS_UNENDED: Final = (force_orders.c.request == sa.bindparam("of_request")) & force_orders.c.ended_at.is_(None)
_END_ALL: Final = Statement(sa.update(force_orders).where(_IS_UNENDED))
_UNENDED: Final = Statement(
    sa.select(force_orders.c.id).where(_IS_UNENDED).order_by(force_orders.c.begun_at.desc()).limit(1)
)
_ENTER: Final = Statement(sa.insert(force_orders))


def was_begun(connection: sa.Connection, order_id: str) -> bool:
    """Return whether there are jobs for an order already."""
    return bool(_WAS_BEGUN.value(connection, of_order=order_id))


_WAS_BEGUN: Final = Statement(sa.select(sa.exists().where(jobs.c.order_id == sa.bindparam("of_order"))))


def end(tx: Tx, order_id: str) -> bool:
    """End an order whose photos were all planned, unless one of its jobs is unfinished; return whether it ended."""
    if _IS_OPEN.value(tx.connection, of_order=order_id):
        return False
    _END.run(tx.connection, order=order_id, ended_at=tx.at)
    return True


_IS_OPEN: Final = Statement(
    sa.select(sa.exists().where(jobs.c.order_id == sa.bindparam("of_order"), jobs.c.state.in_(UNFINISHED)))
)
_END: Final = Statement(sa.update(force_orders).where(force_orders.c.id == sa.bindparam("order")))
