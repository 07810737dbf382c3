"""The roots of photos, backgrounds and outputs, by their numbers."""

from typing import Final

import sqlalchemy as sa

from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import folders, jobs, outputs, runs
from batchbg.ledger.transaction import Tx


def id_of(tx: Tx, path: str) -> int:
    """Return the number of a root folder, entering it where it is new."""
    known = _ID.value(tx.connection, root=path)
    if known is None:
        _ENTER.run(tx.connection, path=path)
        known = _ID.value(tx.connection, root=path)
    return int(known)


_ID: Final = Statement(sa.select(folders.c.id).where(folders.c.path == sa.bindparam("root")))
_ENTER: Final = Statement(sa.insert(folders))


def all_ids(connection: sa.Connection) -> dict[str, int]:
    """Return the number of every folder, by the name under which it stands in the ledger."""
    return dict(_ALL.all(connection))


_ALL: Final = Statement(sa.select(folders.c.path, folders.c.id))


def path_of(connection: sa.Connection, folder_id: int) -> str:
    """Return the name under which a root folder stands in the ledger."""
    return str(_PATH.value(connection, folder=folder_id))


_PATH: Final = Statement(sa.select(folders.c.path).where(folders.c.id == sa.bindparam("folder")))


def output_roots(connection: sa.Connection) -> dict[int, str]:
    """Return every folder that results were ever written to, by its number."""
    return dict(_OUTPUT_ROOTS.all(connection))


_OUTPUT_ROOTS: Final = Statement(
    # Looks at one result of each, not at all of them.
    sa.select(folders.c.id, folders.c.path).where(sa.exists().where(outputs.c.folder_id == folders.c.id))
)


def photo_roots(connection: sa.Connection, output_root: str) -> list[str]:
    """Return every folder whose photos own paths in an output folder."""
    here = sa.select(folders.c.id).where(folders.c.path == output_root).scalar_subquery()
    owners = sa.exists().where(outputs.c.photo_folder_id == folders.c.id, outputs.c.folder_id == here)
    return list(connection.scalars(sa.select(folders.c.path).where(owners)))


def input_roots(connection: sa.Connection) -> set[str]:
    """Return every folder that ever held photos or backgrounds of jobs."""
    found: set[str] = set()
    for column in (outputs.c.photo_folder_id, jobs.c.background_folder_id):
        found |= set(
            connection.scalars(sa.select(folders.c.path).join(column.table, column == folders.c.id).distinct())
        )
    return found


def scanned_roots(connection: sa.Connection) -> set[str]:
    """Return every folder that was scanned for photos."""
    query = sa.select(folders.c.path).join(runs, runs.c.photo_folder_id == folders.c.id).distinct()
    return set(connection.scalars(query))


def last_output(connection: sa.Connection) -> str | None:
    """Return the output folder of the last run that had one."""
    query = sa.select(folders.c.path).join(runs, runs.c.output_folder_id == folders.c.id)
    path: str | None = connection.scalar(query.order_by(runs.c.started_at.desc()).limit(1))
    return path
