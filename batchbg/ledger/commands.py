"""The user's own commands: for which results one is due. A result that is saved once more has one due once more."""

import dataclasses
from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from batchbg.ledger.sql import Statement, upsert
from batchbg.ledger.tables import commands, folders, outputs
from batchbg.ledger.transaction import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """A result for which a command is due.

    Attributes:
        output_id: of its output.
        job_id: that made it.
        photo: path below the photo folder.
        folder: of the output, by its name in the ledger.
        path: below that folder.
    """

    output_id: int
    job_id: str
    photo: str
    folder: str
    path: str


def want(tx: Tx, output_id: int, job_id: str) -> None:
    """Say that a command is due, in the transaction that says that the result is saved."""
    _WANT.run(tx.connection, output_id=output_id, job_id=job_id, due_at=tx.at)


_WANT: Final = upsert(commands, "job_id", "due_at")


def ended(tx: Tx, output_ids: Collection[int]) -> None:
    """Say that the commands for these outputs have ended, well or not."""
    for output_id in output_ids:
        _ENDED.run(tx.connection, output=output_id)


_ENDED: Final = Statement(sa.delete(commands).where(commands.c.output_id == sa.bindparam("output")))


def are_due(connection: sa.Connection) -> bool:
    """Return whether any command is due."""
    return _ANY.value(connection) is not None


_ANY: Final = Statement(sa.select(commands.c.output_id).limit(1))


def due(connection: sa.Connection) -> list[Due]:
    """Return the results for which one is due, the oldest first; those whose output holds another by now are left out."""
    return [Due(*row) for row in _DUE.all(connection)]


_DUE: Final = Statement(
    sa.select(commands.c.output_id, commands.c.job_id, outputs.c.photo_path, folders.c.path, outputs.c.path)
    .join(outputs, (outputs.c.id == commands.c.output_id) & (outputs.c.saved_job_id == commands.c.job_id))
    .join(folders, folders.c.id == outputs.c.folder_id)
    .order_by(commands.c.due_at, commands.c.output_id)
)
