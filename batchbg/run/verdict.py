"""The outcome of a run: its figures, its reasons, its exit code."""

import contextlib

from batchbg.core.lifecycle import OPEN, JobState
from batchbg.core.planning import FAILED_BEFORE
from batchbg.core.words import counted, share
from batchbg.errors import ExitCode, LedgerError
from batchbg.ledger import folders, jobs, runs
from batchbg.ledger.transaction import enter
from batchbg.plan.lines import Tally
from batchbg.report.summary import Summary, of_run
from batchbg.run.context import RunContext
from batchbg.run.planning import Plan
from batchbg.run.session import Work


def verdict(run: RunContext, plan: Plan | None, work: Work) -> Summary:
    """Sum up, and note what is left over as a reason for the exit code."""
    tally = plan.tally if plan else Tally()
    photos = _photo_counts(tally, work, scanned=plan is not None)
    with run.ledger.reading() as connection:
        at = enter(connection, run.id).at
        states, sums, headroom = of_run(connection, run.id, work.budget, at)
        ever = jobs.counts(connection)
        place = folders.last_output(connection)
    last = run.ledger.absolute(place) if place is not None else None
    # The summary is given even if the ledger can no longer be written.
    with contextlib.suppress(LedgerError):
        with run.ledger.transaction(run.id) as tx:
            runs.describe(tx, **photos)
        if plan:
            plan.close()
    _note_what_is_left(run, states, ever, tally)
    return Summary(
        states,
        photos,
        sums,
        headroom,
        run.stop.exit_code,
        _reasons(run, states),
        _notes(tally, work),
        output=run.settings.output if plan else last,
        unresolved=ever[JobState.UNRESOLVED],
    )


def _notes(tally: Tally, work: Work) -> tuple[str, ...]:
    """Return what a person should know besides: what was deleted, and why photos that want a copy are skipped."""
    notes = [f"{counted(work.deleted, 'result')} deleted at the service"] if work.deleted else []
    if (waiting := tally.copies - work.reused) > 0:
        them = "waits" if waiting == 1 else "wait"
        notes.append(f"{counted(waiting, 'photo')} skipped: {them} for the result of another with the same content")
    return tuple(notes)


def _photo_counts(tally: Tally, work: Work, *, scanned: bool) -> dict[str, int]:
    # What was planned and came to nothing without becoming a job's state: files that changed, copies not made.
    left_out = work.dropped + max(tally.copies - work.reused, 0)
    return {
        "seen": tally.seen,
        "rejected": tally.rejected,
        "reused": work.reused,
        "skipped": sum(tally.skipped.values()) + (left_out if scanned else 0),
        "ignored": tally.ignored,
    }


def _note_what_is_left(run: RunContext, states: dict[JobState, int], ever: dict[JobState, int], tally: Tally) -> None:
    """Add the reasons that only the end shows: ``states`` are this run's jobs, ``ever`` the whole ledger's."""
    strict = run.settings.strict
    unresolved = ever[JobState.UNRESOLVED]
    bad = states[JobState.FAILED] + states[JobState.CANCELED]
    if strict:
        before = ever[JobState.FAILED] + ever[JobState.CANCELED] - bad
        bad += tally.skipped[FAILED_BEFORE] if run.settings.photos else before
    rejects = tally.rejected if strict else tally.newly_rejected
    if bad or rejects or unresolved:
        parts = [f"{counted(bad, 'job')} failed"] if bad else []
        parts += [f"{counted(rejects, 'photo')} rejected"] if rejects else []
        parts += (
            [f"{counted(unresolved, 'job')} unresolved: see `batchbg jobs --state unresolved`"] if unresolved else []
        )
        run.stop.note(ExitCode.INCOMPLETE, ", ".join(parts))
    left = sum(states[state] for state in OPEN)
    if left and run.stop.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE) and not unresolved:
        run.stop.note(ExitCode.TEMPORARY, f"{counted(left, 'job')} still to do; run again to continue")


def _reasons(run: RunContext, states: dict[JobState, int]) -> tuple[str, ...]:
    """Return why the run ended as it did, the most important reason first; if it stopped early, how far it got."""
    code = run.stop.exit_code
    first, *others = sorted(run.stop.reasons.items(), key=lambda item: item[0] != code) or [(code, "")]
    reason = first[1]
    if code not in (ExitCode.OK, ExitCode.INCOMPLETE):
        reason += f" ({share(states[JobState.DONE], sum(states.values()), 'job')} done"
        reason += "; another run continues from here)" if any(states[state] for state in OPEN) else ")"
    return tuple(why for why in (reason, *(why for _, why in others)) if why)
