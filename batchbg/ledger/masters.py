"""The results of an output folder, of which finished pictures are made."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import jobs, outputs


class Master(NamedTuple):
    """One output path.

    Attributes:
        path: below the output folder.
        sha256: hex digest of the result as it was saved; None where none was yet.
        job_id: whose result it is, or will be.
        state: of that job.
    """

    path: str
    sha256: str | None
    job_id: str
    state: JobState


def read(connection: sa.Connection, output_root_id: int) -> Iterator[Master]:
    """Yield every output path that has a result or is to have one, in the order of their paths."""
    for path, sha256, job_id, state in _MASTERS.stream(connection, results=output_root_id):
        yield Master(path, sha256, job_id, JobState(state))


_MASTERS: Final = Statement(
    sa.select(outputs.c.path, outputs.c.saved_sha256, jobs.c.id, jobs.c.state)
    .join(jobs, jobs.c.id == sa.func.coalesce(outputs.c.saved_job_id, outputs.c.wanted_job_id))
    .where(outputs.c.folder_id == sa.bindparam("results"))
    .order_by(outputs.c.path)
)
