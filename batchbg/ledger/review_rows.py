"""What a person reviews: each output's result with its pairing and verdict, and the job that is to follow it."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from batchbg.ledger.report_rows import SHOWN, background_folder, output_folder, photo_folder
from batchbg.ledger.sql import Row, Statement
from batchbg.ledger.tables import events, jobs, outputs, photos, reviews

_CURRENT: Final[sa.Select[Any]] = (
    sa.select(*SHOWN, reviews.c.reason)
    .select_from(jobs)
    .join(outputs, outputs.c.id == jobs.c.output_id)
    .join(photo_folder, photo_folder.c.id == outputs.c.photo_folder_id)
    .join(output_folder, output_folder.c.id == outputs.c.folder_id)
    .outerjoin(background_folder, background_folder.c.id == jobs.c.background_folder_id)
    .outerjoin(photos, (photos.c.folder_id == outputs.c.photo_folder_id) & (photos.c.path == outputs.c.photo_path))
    .outerjoin(reviews, reviews.c.job_id == jobs.c.id)
    # What the output holds, and what it waits for; a job before those is history.
    .where(
        (outputs.c.saved_job_id == jobs.c.id)
        | (outputs.c.wanted_job_id == jobs.c.id)
        | outputs.c.wanted_job_id.is_(None)
    )
)

FIELDS: Final = tuple(str(column.key) for column in _CURRENT.exported_columns)
"""Of a row, in this order; folders have the names under which they stand in the ledger."""

_ALL: Final = Statement(_CURRENT)

_touched = jobs.alias("touched")
_SINCE: Final = Statement(
    _CURRENT.where(
        jobs.c.output_id.in_(
            sa.select(_touched.c.output_id)
            .join(events, events.c.job_id == _touched.c.id)
            .where(events.c.id > sa.bindparam("since"))
        )
    )
)

_TOUCHED: Final = Statement(
    sa.select(_touched.c.output_id)
    .join(events, events.c.job_id == _touched.c.id)
    .where(events.c.id > sa.bindparam("since"))
    .distinct()
)


def read(connection: sa.Connection) -> Iterator[Row]:
    """Yield a row, by FIELDS, for each result and for each job whose result is still to come."""
    yield from _ALL.stream(connection)


def since(connection: sa.Connection, event: int) -> tuple[set[int], list[Row]]:
    """Return the outputs of which an event tells that came after one, and their rows as they are now."""
    return set(_TOUCHED.column(connection, since=event)), _SINCE.all(connection, since=event)
