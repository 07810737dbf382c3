"""What the report shows of one photo output: its job, its pairing, and what of its files is on disk."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Treatment, project_name
from batchbg.core.paint import Paint, paint_or_none
from batchbg.ledger import previous, report_rows
from batchbg.ledger.previous import Previous
from batchbg.ledger.store import Connection, Ledger

ONLY_HERE: Final = "deleted at the service: the file here is the only copy"
NOWHERE: Final = "deleted at the service, and no longer here"
KEPT: Final = "done again since; this one is kept until the new one is accepted"


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One file as it is on disk now.

    Attributes:
        path: where it is or would be.
        sha256: hex digest of its content; "" where that is not certain any more.
        there: whether it can be shown as what the ledger says it is.
        why_not: what to say in its place, or "".
    """

    path: Path
    sha256: str
    there: bool
    why_not: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One photo output.

    Attributes:
        id: of the job.
        photo_path, background_path, output_path: below their roots; background "" for a transparent result.
        distortion, blur, excess: thousandths of a natural logarithm.
        credits: what the job counts against the caps; 0 for a copy.
        copy_of: the photo whose job made the result, "" where it is this one's own.
        name: the image project's name; "" before the first attempt.
        photo, result, background: the files; a background may be a paint, which is none.
        extension: how the API calls the photo's format, "" where that is not known.
        missing: a result that was saved and is on disk no longer; ``lost`` if it was deleted at the service, too.
        current: whether this job is the one its output waits for or holds; an older one is history.
        updated_at: seconds since 1970.
        verdict: what a person said of the job's result, "" where nobody has; ``verdict_reason`` why, or "".
    """

    id: str
    state: JobState
    photo_path: str
    background_path: str
    treatment: Treatment
    width: int
    height: int
    distortion: int
    blur: int
    excess: int
    output_path: str
    project_id: str
    credits: int
    attempts: int
    error: str
    remark: str
    copy_of: str
    name: str
    photo: Picture
    result: Picture
    background: Picture | Paint | None
    extension: str
    missing: bool
    lost: bool
    current: bool
    updated_at: float
    verdict: str
    verdict_reason: str


def read(ledger: Ledger, connection: Connection) -> Iterator[Row]:
    """Yield every job's own output and every copy, the last changed job first, its copies behind it."""
    roots: dict[str, Path] = {}
    kept = previous.of_jobs(connection)
    for found in report_rows.read(connection):
        for name in (found.photo_folder, found.output_folder, found.background_folder):
            if name is not None and name not in roots:
                roots[name] = ledger.absolute(name)
        yield _row(found, roots, kept.get((found.shown_output_id, found.id)))


def _row(found: Any, roots: dict[str, Path], kept: Previous | None) -> Row:
    is_copy = found.shown_output_id != found.output_id
    state = JobState(found.state)
    is_replaced = kept is not None and found.saved_job_id != found.id
    output = roots[found.output_folder]
    result = _picture(output / kept.path, kept.sha256, kept.bytes) if kept and is_replaced else _result(found, output)
    remark = "; ".join(filter(None, [found.remark, KEPT if is_replaced else ""]))
    if is_copy and state is JobState.DONE and found.saved_job_id != found.id:
        remark = "the copy is not made yet; the next run makes it"
    elif found.remote_deleted_at is not None:
        remark = "; ".join(filter(None, [remark, ONLY_HERE if result.there else NOWHERE]))
    missing = state is JobState.DONE and found.saved_job_id == found.id and not result.there
    background: Picture | Paint | None = paint_or_none(found.background_path)
    if found.background_folder is not None:
        path = roots[found.background_folder] / found.background_path
        background = _picture(path, found.background_sha256, None)
    return Row(
        id=found.id,
        state=state,
        photo_path=found.photo_path,
        background_path=found.background_path,
        treatment=Treatment(found.treatment),
        width=found.width,
        height=found.height,
        distortion=found.distortion,
        blur=found.blur,
        excess=found.excess,
        output_path=found.output_path,
        project_id=found.project_id or "",
        credits=0 if is_copy else found.credits,
        attempts=found.attempt,
        error=found.error,
        remark=remark,
        copy_of=found.owner_photo_path if is_copy else "",
        name=project_name(found.id, found.attempt) if found.attempt else "",
        photo=_photo(found, roots[found.photo_folder] / found.photo_path),
        result=result,
        background=background,
        extension=found.extension or "",
        missing=missing,
        lost=missing and found.remote_deleted_at is not None,
        current=found.wanted_job_id in (None, found.id),
        updated_at=found.updated_at,
        verdict=found.verdict or "",
        verdict_reason=found.verdict_reason,
    )


def _photo(found: Any, path: Path) -> Picture:
    if found.known_sha256 is None:
        return _picture(path, "", found.known_size)
    if found.photo_sha256 not in (found.known_sha256, found.known_key):
        return Picture(path, "", False, "the photo has changed since")
    return _picture(path, found.known_sha256, found.known_size)


def _result(found: Any, output: Path) -> Picture:
    path = output / found.output_path
    if found.saved_job_id == found.id:
        return _picture(path, found.saved_sha256 or "", found.saved_bytes)
    if found.state == JobState.DONE and found.shown_output_id == found.output_id:
        return Picture(path, "", False, "replaced by another job's result")
    return Picture(path, "", False, "no result yet" if found.state != JobState.UNRESOLVED else "no result known")


def _picture(path: Path, sha256: str, size: int | None) -> Picture:
    """Look whether a file is there, and by its length whether it is still the one that was hashed."""
    try:
        bytes_now = os.stat(path).st_size  # noqa: PTH116 - one call of several 10,000; Path.stat is slower
    except (OSError, ValueError):
        return Picture(path, "", False, "missing on disk")
    return Picture(path, sha256 if size is None or size == bytes_now else "", True)
