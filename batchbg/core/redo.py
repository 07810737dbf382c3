"""Whether a result is done again by a person's word, or is already, or cannot be.

The word is for exactly this result, once: given again before the new one is there, it plans nothing. While nobody knows
whether the same photo on the same background is paid for, nothing is planned for it either.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from batchbg.core.failure_codes import is_planned_again
from batchbg.core.lifecycle import ENDED_BADLY, OPEN, JobState
from batchbg.core.model import KnownJob, Output

NO_RESULT: Final = "has no result that could be done again; `batchbg run` makes one"
CHANGED: Final = "its picture has changed since; `batchbg run` does the new one"
NEWER: Final = "a newer result of it is paid for and not in its place yet; `batchbg resume` puts it there"


@dataclasses.dataclass(frozen=True, slots=True)
class Anew:
    """A new job for the same photo on the same background, with this generation."""

    generation: int


@dataclasses.dataclass(frozen=True, slots=True)
class Before:
    """A job that is planned or under way does it already; ``adopts`` where no redo was asked of it so far."""

    job_id: str
    adopts: bool


@dataclasses.dataclass(frozen=True, slots=True)
class LeftOut:
    """Nothing can be planned for it now, for the reason given."""

    reason: str


Answer = Anew | Before | LeftOut


def answer(output: Output, jobs: Sequence[KnownJob]) -> Answer:
    """Return what is done where a person wants an output's result again.

    Args:
        output: the result's place.
        jobs: all jobs for the content that its photo had, newest generation first.
    """
    known = {job.id: job for job in jobs}
    if output.saved_job is None:
        return _without_result(known.get(output.wanted_job or ""))
    saved = known[output.saved_job]
    if output.wanted_job != saved.id:
        return _by_wanted(known.get(output.wanted_job or ""))
    of_key = [job for job in jobs if job.background_sha256 == saved.background_sha256]
    if doubt := next((job for job in of_key if job.state is JobState.UNRESOLVED), None):
        return _in_doubt(doubt)
    if at_work := next((job for job in of_key if job.state in OPEN), None):
        return Before(at_work.id, at_work.redo_of is None)
    return Anew(max(job.generation for job in of_key) + 1)


def _without_result(wanted: KnownJob | None) -> Answer:
    if wanted is not None and wanted.state is JobState.UNRESOLVED:
        return _in_doubt(wanted)
    return LeftOut(NO_RESULT)


def _by_wanted(wanted: KnownJob | None) -> Answer:
    """Decide by a newer job for the same place; None is one for another picture."""
    if wanted is None:
        return LeftOut(CHANGED)
    if wanted.state is JobState.UNRESOLVED:
        return _in_doubt(wanted)
    if wanted.state in OPEN or is_planned_again(wanted.error_code):
        return Before(wanted.id, wanted.redo_of is None)
    if wanted.state in ENDED_BADLY:
        return LeftOut(f"job {wanted.id}, which was to do it again, is {wanted.state}: `batchbg retry {wanted.id}`")
    return LeftOut(NEWER)


def _in_doubt(job: KnownJob) -> LeftOut:
    return LeftOut(f"job {job.id} for it may be paid for already; `batchbg resolve` settles that first")
