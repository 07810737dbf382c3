"""Results that a redo has taken the place of: where each is kept, until a person has accepted the new one."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from batchbg.core.model import Output
from batchbg.core.review import ReviewVerdict
from batchbg.ledger.sql import Statement, upsert
from batchbg.ledger.tables import outputs, previous_results, reviews
from batchbg.ledger.transaction import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Previous:
    """A file that was a result, or stood in its place.

    Attributes:
        output_id: in whose place it was.
        folder_id: of the output folder; ``path`` is below it.
        path: where it is kept.
        job_id: whose result it is, unless somebody had changed the file.
        sha256, bytes: of the file.
    """

    output_id: int
    folder_id: int
    path: str
    job_id: str
    sha256: str
    bytes: int


def remember(tx: Tx, output: Output, path: str, sha256: str, size: int) -> None:
    """Record that what stands in an output's place is kept at ``path``, too, and may be replaced."""
    _REMEMBER.run(
        tx.connection,
        output_id=output.id,
        sha256=sha256,
        job_id=output.saved_job or "",
        path=path,
        bytes=size,
        at=tx.at,
    )


_REMEMBER: Final = upsert(previous_results, "job_id", "path", "bytes", "at")


def of_output(connection: sa.Connection, output_id: int) -> list[Previous]:
    """Return what is kept for an output, the last that was replaced first."""
    return [Previous(*row) for row in _OF_OUTPUT.all(connection, output=output_id)]


_PREVIOUS: Final = sa.select(
    previous_results.c.output_id,
    outputs.c.folder_id,
    previous_results.c.path,
    previous_results.c.job_id,
    previous_results.c.sha256,
    previous_results.c.bytes,
).join(outputs, outputs.c.id == previous_results.c.output_id)
_OF_OUTPUT: Final = Statement(
    _PREVIOUS.where(previous_results.c.output_id == sa.bindparam("output")).order_by(previous_results.c.at.desc())
)


def of_jobs(connection: sa.Connection) -> dict[tuple[int, str], Previous]:
    """Return by output and job what is kept; of several files the last that was replaced."""
    return {(one[0], one[3]): Previous(*one) for one in _ALL.all(connection)}


_ALL: Final = Statement(_PREVIOUS.order_by(previous_results.c.at))


def needless(connection: sa.Connection) -> list[Previous]:
    """Return what is kept for outputs whose present result is accepted."""
    return [Previous(*row) for row in _NEEDLESS.all(connection)]


_NEEDLESS: Final = Statement(
    _PREVIOUS.join(reviews, reviews.c.job_id == outputs.c.saved_job_id).where(
        reviews.c.verdict == ReviewVerdict.ACCEPTED, outputs.c.wanted_job_id == outputs.c.saved_job_id
    )
)


def forget(tx: Tx, gone: Sequence[Previous]) -> None:
    """Record that these are kept no longer."""
    _FORGET.run_each(tx.connection, [{"output": one.output_id, "digest": one.sha256} for one in gone])


_FORGET: Final = Statement(
    sa.delete(previous_results).where(
        previous_results.c.output_id == sa.bindparam("output"), previous_results.c.sha256 == sa.bindparam("digest")
    )
)
