"""What statements of several tables share: values in pieces, paths below a folder, rows entered or replaced."""

import functools
import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
CHUNK: Final = 500
"""Values in one IN list: well under the 999 parameters that older SQLite builds take."""


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield ``values`` in pieces that fit an IN list."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def below(column: Any, folder: str) -> Any:
    """Return the condition that a path lies directly in ``folder`` ("" is the root)."""
    if not folder:
        return sa.func.instr(column, "/") == 0
    return somewhere_below(column, folder) & (sa.func.instr(sa.func.substr(column, len(folder) + 2), "/") == 0)


def somewhere_below(column: Any, folder: str) -> Any:
    """Return the condition that a path lies in ``folder``, which is not the root, or in one of its subfolders."""
    # "0" follows "/": a range can use the index, where LIKE cannot, and needs no escaping.
    return (column >= f"{folder}/") & (column < f"{folder}0")


def upsert(connection: sa.Connection, table: sa.Table, *replaced: str) -> Any:
    """Return the statement, for the database in use, that enters a row or replaces these columns of the one there."""
    return _upsert(connection.dialect.name, table, replaced)


# Building a statement takes SQLAlchemy six times as long as running it: what every job needs is built once.
@functools.cache
def _upsert(dialect: str, table: sa.Table, replaced: tuple[str, ...]) -> Any:
    statement = insert(dialect, table)
    changed = {name: statement.excluded[name] for name in replaced}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


def insert(dialect: str, table: sa.Table) -> Any:
    """Return the INSERT of a dialect that can take an ON CONFLICT clause; the others' modules are not loaded for it."""
    return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
