"""Taking a ledger from one database to another, row by row, and making sure that all of it has arrived."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.budget import Bucket
from batchbg.errors import ConfigError, DiskError, LedgerError
from batchbg.ledger import credits, identity, marks
from batchbg.ledger.database import Database
from batchbg.ledger.engine import open_ledger, open_to_read
from batchbg.ledger.events import EventKind, last, note
from batchbg.ledger.meta import ID, PLACE, value
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import credit_entries, folders, meta, metadata
from batchbg.ledger.transaction import enter

PORTION: Final = 500
"""Rows read and written at once."""


def copy_ledger(source_url: str, target: Database) -> dict[str, int]:
    """Copy a ledger into a new or empty one, and let its results know that the copy is theirs; return rows by table.

    The source is only read. From then on it is older than what stands beside its results, and every run refuses it.

    Args:
        source_url: of the ledger, held by this process.
        target: held by this process, too.

    Raises:
        ConfigError: the target holds something.
        LedgerError: one of them cannot be read or written, or the two differ; then the target is as it was.
    """
    with contextlib.closing(open_to_read(source_url)) as source, contextlib.closing(open_ledger(target)) as copy:
        with source.reading() as original, copy.begin() as connection:
            if is_used(connection):
                raise ConfigError(f"{copy.name} is not empty; name a new file, or an empty database")
            counted = copy_rows(source, original, copy, connection)
            verify(source, original, copy, connection)
            ledger_id = value(connection, ID)
            note(enter(connection, "copy"), None, EventKind.COPIED, detail=source.name)
            event = last(connection)
        if ledger_id is not None:
            _mark_results(copy, ledger_id, event)
    return counted


def is_used(connection: sa.Connection) -> bool:
    """Return whether any table has a row."""
    return any(connection.scalar(sa.select(sa.exists(sa.select(table)))) for table in metadata.sorted_tables)


def copy_rows(source: Ledger, original: sa.Connection, copy: Ledger, connection: sa.Connection) -> dict[str, int]:
    """Copy every row but the one that says where the ledger is; return the rows by table."""
    counted = {}
    for table in metadata.sorted_tables:
        number = 0
        for rows in _portions(_rows(source, original, table, copy)):
            connection.execute(sa.insert(table), rows)
            number += len(rows)
        counted[table.name] = number
    copy.database.number_on(connection)
    return counted


def verify(source: Ledger, original: sa.Connection, copy: Ledger, connection: sa.Connection) -> None:
    """Compare both, row by row, and their credits, sum by sum.

    Raises:
        LedgerError: with what differs.
    """
    for table in metadata.sorted_tables:
        pairs = itertools.zip_longest(_rows(source, original, table, copy), _rows(copy, connection, table, copy))
        for number, (one, other) in enumerate(pairs, 1):
            if one != other:
                raise LedgerError(f"row {number} of {table.name} is not the same in {copy.name}; nothing was copied")
    if (wrong := credits.disagreements(connection)) or _sums(original) != _sums(connection):
        what = wrong[0] if wrong else "its sums of credits differ"
        raise LedgerError(f"{copy.name}: {what}; nothing was copied")


def _sums(connection: sa.Connection) -> dict[str, int]:
    entries = credit_entries.c
    query = sa.select(entries.bucket, sa.func.sum(entries.amount)).group_by(entries.bucket)
    return {str(Bucket(bucket)): int(amount) for bucket, amount in connection.execute(query)}


def _rows(ledger: Ledger, connection: sa.Connection, table: sa.Table, copy: Ledger) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as they stand in the copy, in an order that any database keeps."""
    query = sa.select(table).order_by(*(_in_order(column) for column in table.primary_key))
    if table is meta:
        query = query.where(meta.c.key != PLACE)
    with connection.execute(query.execution_options(yield_per=PORTION)) as found:
        for row in found:
            values = dict(row._mapping)
            if table is folders:
                values["path"] = _named(ledger.absolute(values["path"]), copy.database.folder)
            yield values


def _in_order(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Sort texts byte by byte: languages sort them otherwise, and SQLite knows of none."""
    return sa.cast(column, sa.LargeBinary) if isinstance(column.type, sa.Text) else column


def _named(folder: Path, own: Path | None) -> str:
    """Return the name of a folder in a ledger that lies in ``own``, as it is spelt."""
    return os.path.relpath(folder, own) if own and folder.is_relative_to(own) else str(folder)


def _portions(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while portion := list(itertools.islice(rows, PORTION)):
        yield portion


def _mark_results(copy: Ledger, ledger_id: str, event: Any) -> None:
    """Say beside the results that they are the copy's, at an event which the source has not."""
    with copy.reading() as connection:
        found = identity.output_folders(copy, connection)
    for folder in found:
        with contextlib.suppress(DiskError):  # then it is the copy's first run that says so
            mark = marks.read(folder)
            if mark is not None and mark.ledger == ledger_id:
                marks.write(folder, marks.Mark(ledger_id, event, copy.name))
