"""The summary of a run or of the whole ledger, in the shape that scripts rely on."""

import dataclasses
from pathlib import Path
from typing import Any, Final

from batchbg.core.budget import Caps, Credits, Headroom, Scope, period_of, tightest
from batchbg.core.lifecycle import JobState
from batchbg.core.review import ReviewCounts
from batchbg.errors import ExitCode
from batchbg.ledger import budgets, credits, jobs, reviews, runs
from batchbg.ledger.budgets import Budget
from batchbg.ledger.store import Connection


@dataclasses.dataclass(frozen=True)
class Summary:
    """What became of jobs, photos and credits.

    Attributes:
        jobs: number in each state.
        photos: seen, rejected, reused, skipped, ignored.
        credits: sums; ``headroom`` is what the tightest cap leaves, None without caps.
        exit_code: of the run.
        reasons: sentences on why it ended as it did, the most important first.
        notes: other things a person should know.
        output: the folder where the results are, None where no run has had one.
        unresolved: jobs of the whole ledger that wait for a person's word.
        reviews: how many of the results in their places have which verdict; None where nobody has decided on any, and of a run.
    """

    jobs: dict[JobState, int]
    photos: dict[str, int]
    credits: Credits
    headroom: Headroom | None
    exit_code: ExitCode
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    output: Path | None = None
    unresolved: int = 0
    reviews: ReviewCounts | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the documented object."""
        return {
            "jobs": {state.value: self.jobs[state] for state in JobState},
            "photos": self.photos,
            "credits": dataclasses.asdict(self.credits)
            | {
                "spent": self.credits.spent,
                "cap": self.headroom.cap if self.headroom else None,
                "remaining": self.headroom.left if self.headroom else None,
            },
            "exit_code": int(self.exit_code),
            "reasons": list(self.reasons),
        } | ({"reviews": dataclasses.asdict(self.reviews)} if self.reviews else {})


_ENDINGS: Final = {
    0: "all done",
    1: "internal error",
    2: "usage or configuration",
    3: "finished, with problems",
    5: "temporary trouble",
    7: "refused by the account",
    8: "a cap was reached",
    10: "time limit",
    11: "another run held the ledger",
    129: "hung up",
    130: "interrupted",
    143: "terminated",
}
"""What an exit code means, in a few words."""


def how_it_ended(run: runs.Past) -> str:
    """Return how a run ended, for people: "0: all done"."""
    if run.exit_code is None:
        return "killed" if run.ended_at is not None else "still going, or killed"
    return f"{run.exit_code}: {_ENDINGS.get(run.exit_code, 'unknown')}"


PHOTO_COUNTS = ("seen", "rejected", "reused", "skipped", "ignored")


def of_run(
    connection: Connection, run_id: str, budget: Budget, at: float
) -> tuple[dict[JobState, int], Credits, Headroom | None]:
    """Return (jobs taken up by the run by state, credits of its budget, the tightest cap).

    Where it went on with jobs that an earlier run had begun under a cap, that budget is among them.
    """
    all_budgets = [budget]
    if budget.caps.run is None:
        all_budgets += budgets.earlier(connection, run_id, budget)
    found = []
    for one in all_budgets:
        found += budgets.headroom_under(connection, one.caps, period_of(one.id, at, one.zone), one.account)
    sums = sum((credits.totals(connection, Scope.RUN, one.id) for one in all_budgets), Credits())
    return jobs.counts(connection, run_id), sums, tightest(found)


def of_ledger(connection: Connection, caps: Caps, at: float, zone: Any) -> Summary:
    """Return the summary of the whole ledger: all jobs, the last scan, the last run's exit code and cap."""
    past = runs.last(connection, 1)
    scan = runs.last(connection, 1, scanned=True)
    photos = {name: getattr(scan[0], name) if scan else 0 for name in PHOTO_COUNTS}
    budget = Budget(past[0].budget_id if past else "", caps, "", zone)
    if past and caps.run is None:
        budget = dataclasses.replace(budget, caps=dataclasses.replace(caps, run=past[0].cap_credits))
    period = period_of(budget.id, at, zone)
    # The balance is not read here: what a floor under it leaves is not known.
    held = dataclasses.replace(budget.caps, keep_balance=None)
    counts = jobs.counts(connection)
    return Summary(
        jobs=counts,
        photos=photos,
        credits=credits.totals(connection, Scope.TOTAL),
        headroom=tightest(budgets.headroom_under(connection, held, period, "")),
        exit_code=ExitCode(past[0].exit_code or 0) if past else ExitCode.OK,
        unresolved=counts[JobState.UNRESOLVED],
        reviews=reviews.counts(connection) if reviews.are_any(connection) else None,
    )
