"""Every arrow of a job's life, with its money.

    plan_jobs             -> planned                    nothing
    reserve               planned -> submitting         its price is reserved
    refused               planned -> failed             nothing
    not_created           submitting -> planned         what was reserved is released
    lost                  submitting -> unresolved      what was reserved counts as spent, unresolved
    created               submitting -> rendering       what the answer names is charged, the rest stays reserved
    complete              rendering -> downloading      what the record names is charged, the rest released
    ended                 rendering -> failed, canceled what the record still names is charged, until a refund is seen
    misattributed         rendering -> unresolved       what was charged counts as unresolved
    done, unusable        downloading -> done, failed   nothing
    reopen                back to rendering, planned    nothing: what is charged stays so
    resolve_project       unresolved -> rendering       unresolved credits are charged, as far as the record names them
    resolve_charged       unresolved -> failed          unresolved credits are charged
    resolve_not_charged   unresolved -> planned         unresolved credits are released

``priced``, ``refunded`` and ``judge_prices`` count a job anew where it is. Each arrow is one guarded UPDATE, with state
and version in its WHERE, its event and its credit entries in the same transaction. What a move means for money is
decided here and nowhere else.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.budget import Bucket, Counted, Period, next_price
from batchbg.core.failure_codes import code_after, is_planned_again
from batchbg.core.lifecycle import PAID, JobState, advance
from batchbg.core.model import PRICE_CREDITS, Job, Treatment
from batchbg.core.price import UNTOLD, Price, Verdict, believed, is_odd, read_price
from batchbg.errors import KeyInDoubt, StaleJobError
from batchbg.ledger import credits, prices
from batchbg.ledger.budgets import Budget, find_headroom
from batchbg.ledger.events import EventKind, has_last, note, note_planned, storable
from batchbg.ledger.jobs import get
from batchbg.ledger.outputs import want
from batchbg.ledger.sql import Statement
from batchbg.ledger.tables import jobs, outputs, runs
from batchbg.ledger.transaction import Tx

MAX_TEXT: Final = 500
"""Characters of an error or remark that are kept: a server's message may be a whole page."""


@dataclasses.dataclass(frozen=True, slots=True)
class NewJob:
    """What planning decided for one photo; misfit figures in thousandths of a natural logarithm."""

    photo_sha256: str
    background_sha256: str
    output_id: int
    background_folder_id: int | None
    background_path: str
    treatment: Treatment
    width: int
    height: int
    distortion: int = 0
    blur: int = 0
    excess: int = 0
    generation: int = 1
    replace: bool = False
    order_id: str | None = None
    redo_of: str | None = None


def plan_jobs(tx: Tx, new: Sequence[tuple[str, NewJob]]) -> None:
    """Record planned jobs under the ids given; each is what its output wants from now on."""
    if not new:
        return
    # The cap that was given to this run holds for what it begins, whichever run goes on with it.
    budget_id = _BUDGET_OF.value(tx.connection, run=tx.run_id) or ""
    rows = [_job_row(tx, job_id, one) | {"budget_run_id": budget_id} for job_id, one in new]
    _INSERT_JOBS.run_each(tx.connection, rows)
    note_planned(tx, [job_id for job_id, _ in new])
    want(tx, [(one.output_id, job_id) for job_id, one in new])


_BUDGET_OF: Final = Statement(sa.select(runs.c.budget_id).where(runs.c.id == sa.bindparam("run")))
_INSERT_JOBS: Final = Statement(sa.insert(jobs))


def _job_row(tx: Tx, job_id: str, new: NewJob) -> dict[str, Any]:
    return {
        "id": job_id,
        "state": JobState.PLANNED,
        "photo_sha256": new.photo_sha256,
        "background_sha256": new.background_sha256,
        "output_id": new.output_id,
        "background_folder_id": new.background_folder_id,
        "background_path": new.background_path,
        "treatment": new.treatment,
        "width": new.width,
        "height": new.height,
        "distortion": new.distortion,
        "blur": new.blur,
        "excess": new.excess,
        "generation": new.generation,
        "replace": new.replace,
        "order_id": new.order_id,
        "redo_of": new.redo_of,
        "run_id": tx.run_id,
        "created_at": tx.at,
        "updated_at": tx.at,
    }


def drop(tx: Tx, job: Job, why: str) -> None:
    """Remove a planned job that is wanted no longer; its history stays in the events.

    Raises:
        StaleJobError: it has moved.
    """
    if _DROP.run(tx.connection, job=job.id, seen_version=job.version) != 1:
        if tx.repeats and has_last(tx, job.id, EventKind.DROPPED):
            return
        raise StaleJobError(f"job {job.id} is no longer planned")
    _WANT_NO_MORE.run(tx.connection, job=job.id)
    note(tx, job.id, EventKind.DROPPED, old=JobState.PLANNED, detail=why)


_DROP: Final = Statement(
    sa.delete(jobs).where(
        jobs.c.id == sa.bindparam("job"),
        jobs.c.state == JobState.PLANNED,
        jobs.c.version == sa.bindparam("seen_version"),
    )
)
_WANT_NO_MORE: Final = Statement(
    sa.update(outputs)
    .where(outputs.c.wanted_job_id == sa.bindparam("job"))
    .values(wanted_job_id=outputs.c.saved_job_id)
)


def reserve(tx: Tx, job: Job, budget: Budget) -> Job:
    """Move ``job`` to submitting and reserve its price. The create may leave once this is committed.

    Raises:
        BudgetExceeded: a cap leaves too little.
        KeyInDoubt: another job with the same photo and background may be paid for.
        PriceInDoubt: a person has to judge a price first.
        StaleJobError: the job has moved.
    """
    if made := _made_before(tx, job, EventKind.RESERVED, JobState.SUBMITTING):
        return made  # before its own credits are held against the cap once more
    period, price = find_headroom(tx, budget, job)
    _refuse_doubt(tx, job)
    moved = _move(
        tx,
        job,
        JobState.SUBMITTING,
        EventKind.RESERVED,
        detail={"credits": price, "name": f"attempt {job.attempt + 1}"},
        account=budget.account,
        attempt=job.attempt + 1,
        project_id=None,
        credits=price,
        charged=0,
        rendered=False,
        budget_run_id=period.run,
        budget_day=period.day,
        budget_month=period.month,
        submitted_at=tx.at,
        ended_at=None,
        error="",
    )
    credits.post(tx, job.id, moved.attempt, period, [(Bucket.RESERVED, price)])
    return moved


def _refuse_doubt(tx: Tx, job: Job) -> None:
    other = _IN_DOUBT.value(tx.connection, photo=job.photo_sha256, background=job.background_sha256, job=job.id)
    if other:
        raise KeyInDoubt(f"job {other}, for the same photo and background, is not settled yet")


_IN_DOUBT: Final = Statement(
    sa.select(jobs.c.id)
    .where(
        jobs.c.photo_sha256 == sa.bindparam("photo"),
        jobs.c.background_sha256 == sa.bindparam("background"),
        jobs.c.id != sa.bindparam("job"),
        jobs.c.state.in_((JobState.UNRESOLVED, JobState.SUBMITTING, JobState.RENDERING, JobState.DOWNLOADING)),
    )
    .limit(1)
)


def created(tx: Tx, job: Job, project_id: str, price: Price = UNTOLD) -> Job:
    """Record the project's id and turn the reservation into a charge, as far as the answer tells of one.

    An id that another job at work has is not this one's: taken at its word, one photo would get the other's picture.
    An answer may understate, so that what was reserved stays held until the record is final.
    """
    if other := _at_work_on(tx, job, project_id):
        return lost(tx, job, f"answered with project {project_id}, which is that of job {other}")
    before = Counted(job.credits, 0)
    told = Price(job.credits) if price == UNTOLD else price
    counted = _by_price(tx, job, told, Counted.answered, before, recorded=False)
    detail = {"project_id": project_id, "credits_charged": price.credits}
    return _move(
        tx,
        job,
        JobState.RENDERING,
        EventKind.CREATED,
        money=before.moves_to(counted),
        detail=detail,
        project_id=project_id,
        **_figures(counted),
    )


def _at_work_on(tx: Tx, job: Job, project_id: str) -> str | None:
    found: str | None = _AT_WORK_ON.value(
        tx.connection, project=project_id, of_account=job.account, job=job.id, run=tx.run_id
    )
    return found


_AT_WORK_ON: Final = Statement(
    sa.select(jobs.c.id)
    .where(
        jobs.c.project_id == sa.bindparam("project"),
        jobs.c.account == sa.bindparam("of_account"),
        jobs.c.id != sa.bindparam("job"),
        sa.or_(jobs.c.state.in_(PAID), jobs.c.run_id == sa.bindparam("run")),
    )
    .limit(1)
)


def not_created(tx: Tx, job: Job, reason: str) -> Job:
    """Release the reservation of a create that certainly made nothing; the job is planned again."""
    money = [(Bucket.RESERVED, -job.credits)]
    detail = {"reason": reason}
    return _move(tx, job, JobState.PLANNED, EventKind.NOT_CREATED, money=money, detail=detail, credits=0, charged=0)


def lost(tx: Tx, job: Job, reason: str) -> Job:
    """Make a job unresolved whose create nobody can vouch for; its credits count as spent."""
    return _move(
        tx,
        job,
        JobState.UNRESOLVED,
        EventKind.ANSWER_LOST,
        money=[(Bucket.RESERVED, -job.credits), (Bucket.UNRESOLVED, job.credits)],
        detail={"reason": reason},
        error=reason,
        ended_at=tx.at,
    )


def misattributed(tx: Tx, job: Job, reason: str) -> Job:
    """Make a job unresolved whose project turns out to be another's: nobody knows what its own create made.

    What was said to be charged for it stays counted, as lost sight of.
    """
    held = job.credits - job.charged
    return _move(
        tx,
        job,
        JobState.UNRESOLVED,
        EventKind.MISATTRIBUTED,
        money=[(Bucket.RESERVED, -held), (Bucket.REFUNDED, job.charged), (Bucket.UNRESOLVED, job.credits)],
        detail={"project_id": job.project_id, "reason": reason},
        error=reason,
        ended_at=tx.at,
        project_id=None,
        charged=0,
        rendered=False,
    )


def refused(tx: Tx, job: Job, reason: str) -> Job:
    """End a planned job whose files the API does not take; nothing was reserved."""
    return _move(tx, job, JobState.FAILED, EventKind.REFUSED, detail={"reason": reason}, error=reason, ended_at=tx.at)


def priced(tx: Tx, job: Job, price: Price) -> Job:
    """Take over the price in the record of a render that is still under way; the job stays in its state.

    Raises:
        StaleJobError: the job has moved.
    """
    before = Counted(job.credits, job.charged)
    counted = _by_price(tx, job, price, Counted.answered, before, recorded=True)
    return _recount(tx, job, EventKind.PRICED, before, counted)


def complete(tx: Tx, job: Job, price: Price = UNTOLD) -> Job:
    """Record that the render is complete. Its record is final: what was held back beyond it is given up."""
    before = Counted(job.credits, job.charged)
    counted = _by_price(tx, job, price, Counted.rendered, before, recorded=True)
    return _move(
        tx,
        job,
        JobState.DOWNLOADING,
        EventKind.COMPLETE,
        money=before.moves_to(counted),
        rendered=True,
        error_code="",
        **_figures(counted),
    )


def ended(tx: Tx, job: Job, state: JobState, error: str, price: Price = UNTOLD, code: str = "") -> Job:
    """Record a render that ended as failed or canceled, with as much of the refund as is to be seen.

    Where the fault was not the job's own, it is planned again as soon as the refund is seen.

    Args:
        tx: the transaction to write in.
        job: rendering.
        state: failed or canceled.
        error: the reason, for people.
        price: by the project's record, refunds included.
        code: the service's word for the reason, "" where it has none.
    """
    before = Counted(job.credits, job.charged)
    counted = _by_price(tx, job, price, Counted.failed, before, recorded=True)
    moved = _move(
        tx,
        job,
        state,
        EventKind.ENDED,
        money=before.moves_to(counted),
        detail={"error": error, "credits_charged": price.credits},
        error=error,
        error_code=code_after(job.error_code, code),
        ended_at=tx.at,
        **_figures(counted),
    )
    return _plan_again_if_refunded(tx, moved)


def _plan_again_if_refunded(tx: Tx, job: Job) -> Job:
    if job.state is not JobState.FAILED or job.credits or not is_planned_again(job.error_code):
        return job
    code = job.error_code
    return _move(
        tx,
        job,
        JobState.PLANNED,
        EventKind.PLANNED_AGAIN,
        detail={"project_id": job.project_id, "code": code},
        project_id=None,
        ended_at=None,
        run_id=tx.run_id,
    )


def refunded(tx: Tx, job: Job, price: Price) -> Job:
    """Give back what an ended project no longer charges, or count what it charges more; the job stays in its state.

    Raises:
        StaleJobError: the job has moved.
    """
    if price.credits is None:
        return job
    before = Counted(job.credits, job.charged)
    counted = _by_price(tx, job, price, Counted.failed, before, recorded=True)
    return _plan_again_if_refunded(tx, _recount(tx, job, EventKind.REFUNDED, before, counted))


def done(tx: Tx, job: Job, remark: str = "") -> Job:
    """Record that the result is on disk under its own name."""
    return _move(tx, job, JobState.DONE, EventKind.DONE, remark=remark, error="", ended_at=tx.at)


def unusable(tx: Tx, job: Job, reason: str) -> Job:
    """End a job whose result cannot be used or saved; its project id stays, for `rescue`."""
    return _move(tx, job, JobState.FAILED, EventKind.UNUSABLE, detail={"reason": reason}, error=reason, ended_at=tx.at)


def reopen(tx: Tx, job: Job, state: JobState, why: EventKind) -> Job:
    """Move a job back to an earlier state without money changing hands."""
    changes: dict[str, Any] = {"ended_at": None, "error": "", "error_code": "", "run_id": tx.run_id}
    if state is JobState.PLANNED:
        changes |= {"credits": 0, "charged": 0, "rendered": False, "project_id": None}
    return _move(tx, job, state, why, detail={"project_id": job.project_id}, **changes)


def resolve_charged(tx: Tx, job: Job) -> Job:
    """Take a person's word that the lost create was charged; it made nothing that can be fetched."""
    return _move(
        tx,
        job,
        JobState.FAILED,
        EventKind.RESOLVED_CHARGED,
        money=[(Bucket.UNRESOLVED, -job.credits), (Bucket.CHARGED, job.credits)],
        ended_at=tx.at,
        error="charged, its project unknown",
        charged=job.credits,
    )


def resolve_not_charged(tx: Tx, job: Job) -> Job:
    """Take a person's word that the lost create made nothing."""
    return _move(
        tx,
        job,
        JobState.PLANNED,
        EventKind.RESOLVED_NOT_CHARGED,
        money=[(Bucket.UNRESOLVED, -job.credits)],
        credits=0,
        ended_at=None,
        error="",
        run_id=tx.run_id,
    )


def resolve_project(
    tx: Tx, job: Job, project_id: str, price: Price = UNTOLD, by: EventKind = EventKind.RESOLVED_PROJECT
) -> Job:
    """Attach the project that a person, or an event, named for a lost create."""
    before = Counted(job.credits, 0)
    told = Price(job.credits) if price == UNTOLD else price
    counted = _by_price(tx, job, told, Counted.answered, before, recorded=True)
    return _move(
        tx,
        job,
        JobState.RENDERING,
        by,
        money=[(Bucket.UNRESOLVED, -job.credits), (Bucket.RESERVED, job.credits), *before.moves_to(counted)],
        detail={"project_id": project_id},
        project_id=project_id,
        ended_at=None,
        error="",
        **_figures(counted),
    )


def judge_prices(tx: Tx, account: str, verdict: Verdict) -> list[str]:
    """Take a person's word on the odd prices that are open; return the ids of the jobs that told them.

    An accepted price is counted as charged, and is what the next images take; a dismissed one counts no more.
    """
    ids = []
    for job_id, told in prices.open_ones(tx.connection, account):
        job = get(tx.connection, job_id)
        price = read_price(int(told) if told.isdigit() else None)
        if job is not None and job.state is JobState.UNRESOLVED and verdict is Verdict.DISMISSED:
            _count_as_usual(tx, job)
        elif job is not None and job.state not in (JobState.PLANNED, JobState.UNRESOLVED):
            before = Counted(job.credits, job.charged)
            if verdict is Verdict.ACCEPTED:
                kind, counted = EventKind.PRICE_ACCEPTED, before.answered(job.credits, job.credits)
            else:
                usual = PRICE_CREDITS if job.state in PAID else 0
                kind, counted = EventKind.PRICE_DISMISSED, Counted(max(job.charged, usual), job.charged)
            _recount(tx, job, kind, before, counted)
        if verdict is Verdict.ACCEPTED and price.credits is not None:
            prices.learn(tx, account, price.credits, recorded=True)
        ids.append(job_id)
    prices.judge(tx, account, verdict)
    return ids


def _count_as_usual(tx: Tx, job: Job) -> None:
    """Let an unresolved job count what a create is expected to take, where it counted an odd price."""
    usual = min(job.credits, next_price(PRICE_CREDITS, *prices.last(tx.connection, job.account)))
    if not _change(tx, job, credits=usual):
        raise StaleJobError(f"job {job.id} has moved")
    _post(tx, job, (Bucket.UNRESOLVED, usual - job.credits))


def _by_price(
    tx: Tx,
    job: Job,
    price: Price,
    count: Callable[[Counted, int | None, int | None], Counted],
    before: Counted,
    *,
    recorded: bool,
) -> Counted:
    """Return what a job counts now that the service has named a price; keep an odd one for a person to judge.

    A right one is what the next reservations go by; of a render that came to nothing it is none, but a refund.
    """
    if price == UNTOLD and prices.is_doubted(tx.connection, job.id):
        return before  # how much of what is held was charged is for a person to say
    odd = price.is_unusual and is_odd(price, prices.accepted(tx.connection, job.account))
    if odd and prices.is_dismissed(tx.connection, job.id, price.told):
        return count(before, None, None)
    if odd:
        prices.doubt(tx, job.account, job.id, price.told)
    elif price.credits is not None and count is not Counted.failed:
        prices.learn(tx, job.account, price.credits, recorded=recorded)
    return count(before, price.credits, believed(price, odd=odd))


def _figures(counted: Counted) -> dict[str, Any]:
    return {"credits": counted.credits, "charged": counted.charged}


def _recount(tx: Tx, job: Job, kind: EventKind, before: Counted, counted: Counted) -> Job:
    if counted == before:
        return job
    if not _change(tx, job, **_figures(counted)):
        if made := _made_before(tx, job, kind, job.state):
            return made
        raise StaleJobError(f"job {job.id} has moved")
    note(tx, job.id, kind, old=job.state, new=job.state, detail={"credits": before.credits - counted.credits})
    _post(tx, job, *before.moves_to(counted))
    return dataclasses.replace(job, version=job.version + 1, **_figures(counted))


def _move(
    tx: Tx,
    job: Job,
    state: JobState,
    kind: EventKind,
    *,
    money: Sequence[tuple[Bucket, int]] = (),
    detail: str | dict[str, Any] = "",
    **changes: Any,
) -> Job:
    """Take ``job`` along one arrow, with its event and its credits; once, however often the transaction is repeated.

    Raises:
        IllegalTransition: there is no such arrow.
        StaleJobError: the job is no longer as this worker saw it.
    """
    advance(job.state, state)
    for name in {"error", "error_code", "remark"} & changes.keys():
        changes[name] = storable(changes[name])[:MAX_TEXT]
    if not _change(tx, job, state=state, **changes):
        if made := _made_before(tx, job, kind, state, changes.get("project_id")):
            return made
        raise StaleJobError(f"job {job.id} is no longer {job.state}: something else has moved it")
    note(tx, job.id, kind, old=job.state, new=state, detail=detail)
    _post(tx, job, *money)
    known = {name: value for name, value in changes.items() if name in Job.__dataclass_fields__}
    return dataclasses.replace(job, state=state, version=job.version + 1, **known)


def _made_before(tx: Tx, job: Job, kind: EventKind, state: JobState, project_id: str | None = None) -> Job | None:
    """Return a job that this very move has already moved, as it is now; None where it is anything else that did.

    A commit may be on disk although no word of it came back: its work, done again, finds its own effect. Two workers
    that have the same copy of a job do not: only what is known to be a repetition is taken for one. The id that a
    create answered with tells by itself, for no other create has it.
    """
    told = kind is EventKind.CREATED and project_id is not None
    if not (tx.repeats or told):
        return None
    found = get(tx.connection, job.id)
    if found is None or found.version <= job.version:
        return None
    if told:
        return found if (found.project_id, found.attempt) == (project_id, job.attempt) else None
    moves = found.version - job.version  # an end may be followed by the job's being planned again, in one transaction
    is_mine = moves <= _MOST_MOVES and has_last(tx, job.id, kind, new=state, among=moves)
    return found if is_mine else None


_MOST_MOVES: Final = 2


def _change(tx: Tx, job: Job, **changes: Any) -> bool:
    """Write a job's new figures; False where it is no longer as this worker saw it."""
    changed = _AS_SEEN.run(
        tx.connection,
        job=job.id,
        seen_state=job.state,
        seen_version=job.version,
        version=job.version + 1,
        updated_at=tx.at,
        **changes,
    )
    return changed == 1


_AS_SEEN: Final = Statement(
    sa.update(jobs).where(
        jobs.c.id == sa.bindparam("job"),
        jobs.c.state == sa.bindparam("seen_state"),
        jobs.c.version == sa.bindparam("seen_version"),
    )
)
"""The guard of every move. Which columns change, the parameters say."""


def _post(tx: Tx, job: Job, *moves: tuple[Bucket, int]) -> None:
    """Post moves of credits to the period in which the job's present attempt was reserved."""
    period = Period(job.budget_run_id, job.budget_day, job.budget_month)
    sums: dict[Bucket, int] = {}
    for bucket, amount in moves:
        sums[bucket] = sums.get(bucket, 0) + amount
    credits.post(tx, job.id, job.attempt, period, sums.items())
