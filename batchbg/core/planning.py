"""What becomes of one photo: rendered, copied from a result that is paid for, or left as it is.

The rules, in their order (the contract's invariant 2):

1. a photo whose present content has a result in this output folder is done, whatever pairing would choose today;
2. a result of the same content elsewhere is copied, not paid for again;
3. what is under way or settled by a person's word only is not started a second time;
4. otherwise it is new work, unless the ledger does not know a file that has the result's name.

What a person wants done again (a redo, see ``KnownJob.redo_of``) comes before 1, on the background that it had.
``force`` makes new work of 1 and 2, never of 3; and only once for each order: what was done for the same order is done.
Where the result of 2 is lost, here and at the service, the photo is skipped: only a person pays for it again.
"""

import dataclasses
import enum
from collections.abc import Collection, Sequence
from typing import Final

from batchbg.core.failure_codes import is_planned_again
from batchbg.core.lifecycle import ENDED_BADLY, FINAL, JobState
from batchbg.core.model import KnownJob, Output


class Action(enum.Enum):
    """What planning does with a photo."""

    NEW = enum.auto()  # a new job
    TAKE_UP = enum.auto()  # a job of an earlier run goes on
    COPY = enum.auto()  # the result of another path's job, now or when it is there
    SKIP = enum.auto()  # nothing, for the reason given


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a photo, and why.

    Attributes:
        job_id: the job to take up, or whose result to copy.
        reason: why a photo is skipped.
        drop: planned jobs that are wanted no longer.
        generation: of a new job: 1, or more where a person wants the same key paid again.
        replace: the result may take the place of a file that the ledger does not know.
    """

    action: Action
    job_id: str = ""
    reason: str = ""
    drop: tuple[str, ...] = ()
    generation: int = 1
    replace: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one photo.

    Attributes:
        contents: of the photo (sha256), its own and that of the first file with the same picture.
        background_sha256: of the background that pairing chooses today, or NO_BACKGROUND.
        output: the one this photo owns, also from before its folder was moved; None where it has none yet.
        here: outputs of this folder that hold a result of this content.
        jobs: all jobs for this content, newest generation first.
        planned_for_output: id of a planned job for the photo's output, or "".
        taken: a file that the ledger does not know has the result's name.
        force: pay again for what is done.
        order_id: of the order to do so, None without ``force``.
        run_id: this run's.
        gone: ids of planned jobs whose photo is no longer where it was.
        awaited: the output held no result when this run began; one that it holds now came while it planned.
        lost: ids of done jobs whose result nothing holds any more, neither the service nor a file here.
    """

    contents: Collection[str]
    background_sha256: str
    output: Output | None
    here: Sequence[Output]
    jobs: Sequence[KnownJob]
    planned_for_output: str
    taken: bool
    force: bool
    order_id: str | None
    run_id: str
    gone: frozenset[str] = frozenset()
    awaited: bool = False
    lost: frozenset[str] = frozenset()


DONE_BEFORE: Final = "done before"
FAILED_BEFORE: Final = "failed before; `batchbg retry` tries again"
UNRESOLVED: Final = "may be paid for already; `batchbg resolve` settles it"
UNKNOWN_FILE: Final = "output exists, not in this ledger"
ORIGINAL: Final = "the photo itself lies where its result belongs, and is not replaced; name another --output"
LOST: Final = "its result was deleted at the service, and no file here can be copied for it; put it back, or pay again with `--force`"
UNSAVABLE: Final = "cannot be saved: "
"""Begins why a photo is rejected whose result's path the disk does not take."""
A_RESULT: Final = "a result of this ledger, not a photo"

_UNDER_WAY: Final = frozenset({JobState.SUBMITTING, JobState.RENDERING, JobState.DOWNLOADING})


def decide(facts: Facts) -> Decision:
    """Return what to do with a photo that can be sent."""
    decided = _decide(facts)
    if decided.action is Action.COPY and decided.job_id in facts.lost:
        decided = dataclasses.replace(decided, action=Action.SKIP, job_id="", reason=LOST)
    stale = {facts.planned_for_output} - {decided.job_id, ""}
    return dataclasses.replace(decided, drop=(*decided.drop, *stale))


def _decide(facts: Facts) -> Decision:
    own = _own_job(facts)
    if own is not None and (met := _met(facts, own)):
        return met
    if own is not None and own.redo_of is not None and (decided := _go_on_with_redo(facts, own)):
        return decided
    is_ordered = own is not None and _is_ordered(facts, own)
    if (
        own is not None
        and is_ordered
        and own.state is JobState.DONE
        and facts.output
        and facts.output.saved_job == own.id
    ):
        return Decision(Action.SKIP, reason=DONE_BEFORE)
    if not facts.force:
        if facts.output is not None and facts.output.saved_photo_sha256 in facts.contents:
            return Decision(Action.SKIP, reason=DONE_BEFORE)
        if held := [output.saved_job or "" for output in facts.here]:
            return Decision(Action.COPY, next((job_id for job_id in held if job_id not in facts.lost), held[0]))
    if own is not None and (decided := _go_on_with(facts, own, force=facts.force and not is_ordered)):
        return decided
    of_key = [job for job in facts.jobs if job.background_sha256 == facts.background_sha256]
    in_doubt = next((job for job in of_key if job.state in _UNDER_WAY or job.state is JobState.UNRESOLVED), None)
    if in_doubt is not None and (decided := _share(facts, in_doubt)):
        return decided
    same_key = of_key[0] if of_key else None
    if same_key is not None and same_key.id in facts.gone:
        return Decision(Action.NEW, drop=(same_key.id,), generation=same_key.generation, replace=facts.force)
    if same_key is not None and (decided := _share(facts, same_key)):
        return decided
    if facts.taken and not facts.force:
        return Decision(Action.SKIP, reason=UNKNOWN_FILE)
    return Decision(Action.NEW, generation=same_key.generation + 1 if same_key else 1, replace=facts.force)


def _is_ordered(facts: Facts, job: KnownJob) -> bool:
    """Return whether a job was done, or is to be done, for the order that is being carried out."""
    return facts.force and facts.order_id is not None and job.order_id == facts.order_id


def _own_job(facts: Facts) -> KnownJob | None:
    """Return the job whose result the photo's output wants, where it is for the present content."""
    if facts.output is None or facts.output.wanted_job is None:
        return None
    return next((job for job in facts.jobs if job.id == facts.output.wanted_job), None)


def _met(facts: Facts, job: KnownJob) -> Decision | None:
    """Decide a photo that this run has seen to before the plan came to it; None where it has not.

    The pool goes on with what earlier runs left while the plan is made. What comes of it is a job of this run, or a
    copy, and neither done before nor failed before; nor is it paid for a second time, whatever a person forces.
    """
    if not facts.awaited or facts.output is None:
        return None
    if job.output_id == facts.output.id and job.run_id == facts.run_id and job.state in FINAL:
        return Decision(Action.TAKE_UP, job.id)
    if job.output_id != facts.output.id and facts.output.saved_job == job.id:
        return Decision(Action.COPY, job.id)
    return None


def _go_on_with_redo(facts: Facts, job: KnownJob) -> Decision | None:
    """Decide by what a person wants done again; None where that is over, or where what was done before is all there is.

    ``force`` with another background is a later word than that.
    """
    is_mine = facts.output is not None and job.output_id == facts.output.id
    is_overruled = facts.force and job.background_sha256 != facts.background_sha256
    is_to_come = job.state is JobState.PLANNED and not is_overruled and job.id not in facts.gone
    if job.state in _UNDER_WAY or is_to_come:
        return Decision(Action.TAKE_UP if is_mine else Action.COPY, job.id)
    if job.state is JobState.UNRESOLVED:
        return Decision(Action.SKIP, reason=UNRESOLVED)
    if job.state is JobState.FAILED and is_mine and is_planned_again(job.error_code):
        return Decision(Action.TAKE_UP, job.id)  # once its refund is seen
    is_awaited = facts.output is not None and facts.output.saved_job != job.id
    if job.state is JobState.DONE and is_awaited and not is_mine and not facts.force:
        return Decision(Action.COPY, job.id)
    return None


def _go_on_with(facts: Facts, job: KnownJob, *, force: bool) -> Decision | None:
    """Decide by the photo's own job; None where it settles nothing."""
    is_mine = facts.output is not None and job.output_id == facts.output.id
    if job.state in _UNDER_WAY:
        return Decision(Action.TAKE_UP if is_mine else Action.COPY, job.id)
    if job.state is JobState.UNRESOLVED:
        return Decision(Action.SKIP, reason=UNRESOLVED)
    if job.state is JobState.FAILED and is_mine and is_planned_again(job.error_code):
        return Decision(Action.TAKE_UP, job.id)  # once its refund is seen
    if job.state is JobState.PLANNED and is_mine and facts.taken and not facts.force:
        return Decision(Action.SKIP, reason=UNKNOWN_FILE)
    if job.state is JobState.PLANNED and is_mine and job.background_sha256 == facts.background_sha256:
        return Decision(Action.TAKE_UP, job.id)
    if job.state is JobState.DONE and not force:
        return Decision(Action.COPY, job.id)
    if job.state in ENDED_BADLY and not force:
        return Decision(Action.SKIP, reason=FAILED_BEFORE)
    return None


def _share(facts: Facts, job: KnownJob) -> Decision | None:
    """Decide by another path's job for the same key; None where the photo needs one of its own."""
    if job.state in _UNDER_WAY or job.state is JobState.PLANNED:
        return Decision(Action.COPY, job.id)
    if job.state is JobState.UNRESOLVED:
        return Decision(Action.SKIP, reason=UNRESOLVED)
    if job.state is JobState.FAILED and is_planned_again(job.error_code):
        return Decision(Action.COPY, job.id)
    if facts.force and not _is_ordered(facts, job):
        return None
    if job.state is JobState.DONE:
        return Decision(Action.COPY, job.id)
    return Decision(Action.SKIP, reason=FAILED_BEFORE)
