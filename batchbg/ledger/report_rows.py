"""What the report shows of each job: its pairing, its output and every copy, with the folders they are in."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from batchbg.ledger.tables import deletions, folders, jobs, outputs, photos, reviews

photo_folder = folders.alias("photo_folder")
output_folder = folders.alias("output_folder")
background_folder = folders.alias("background_folder")
_owner = outputs.alias("owner")

SHOWN: Final[tuple[sa.ColumnElement[Any], ...]] = (
    jobs.c.id,
    jobs.c.state,
    jobs.c.output_id,
    jobs.c.photo_sha256,
    jobs.c.background_sha256,
    jobs.c.background_path,
    jobs.c.treatment,
    jobs.c.width,
    jobs.c.height,
    jobs.c.distortion,
    jobs.c.blur,
    jobs.c.excess,
    jobs.c.credits,
    jobs.c.error,
    jobs.c.remark,
    jobs.c.updated_at,
    outputs.c.photo_path,
    outputs.c.path.label("output_path"),
    outputs.c.saved_job_id,
    outputs.c.saved_sha256,
    outputs.c.saved_bytes,
    photo_folder.c.path.label("photo_folder"),
    output_folder.c.path.label("output_folder"),
    background_folder.c.path.label("background_folder"),
    photos.c.sha256.label("known_sha256"),
    photos.c.key.label("known_key"),
    photos.c.size.label("known_size"),
    reviews.c.verdict,
)
"""Of a job, an output of its and the photo there: what a report and a review show alike."""

_ROWS: Final[sa.Select[Any]] = (
    sa.select(
        *SHOWN,
        jobs.c.project_id,
        jobs.c.attempt,
        outputs.c.id.label("shown_output_id"),
        outputs.c.wanted_job_id,
        _owner.c.photo_path.label("owner_photo_path"),
        photos.c.extension,
        deletions.c.deleted_at.label("remote_deleted_at"),
        sa.func.coalesce(reviews.c.reason, "").label("verdict_reason"),
    )
    .select_from(jobs)
    # A job's own output, and every other output that wants its result.
    .join(outputs, (outputs.c.id == jobs.c.output_id) | (outputs.c.wanted_job_id == jobs.c.id))
    .join(_owner, _owner.c.id == jobs.c.output_id)
    .join(photo_folder, photo_folder.c.id == outputs.c.photo_folder_id)
    .join(output_folder, output_folder.c.id == outputs.c.folder_id)
    .outerjoin(background_folder, background_folder.c.id == jobs.c.background_folder_id)
    .outerjoin(deletions, deletions.c.job_id == jobs.c.id)
    .outerjoin(reviews, reviews.c.job_id == jobs.c.id)
    .outerjoin(photos, (photos.c.folder_id == outputs.c.photo_folder_id) & (photos.c.path == outputs.c.photo_path))
    .order_by(jobs.c.updated_at.desc(), jobs.c.id, outputs.c.id != jobs.c.output_id, outputs.c.path)
)


def read(connection: sa.Connection) -> Iterator[sa.Row[Any]]:
    """Yield every job's own output and every copy, the last changed job first, its copies behind it.

    ``output_id`` is of the job, ``shown_output_id`` of the output that the row is about; the photo, its fingerprint
    (``known_...``) and what was saved are that one's. Folders have the names under which they stand in the ledger.
    """
    yield from connection.execute(_ROWS.execution_options(yield_per=500))
