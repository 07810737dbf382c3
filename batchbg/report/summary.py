"""The summary of a run or of the whole ledger, in the shape that scripts rely on."""

import dataclasses
from typing import Any

from batchbg.core.budget import Caps, Credits, Headroom, Scope, period_of, tightest
from batchbg.core.lifecycle import JobState
from batchbg.errors import ExitCode
from batchbg.ledger import budgets, credits, jobs, runs
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
    """

    jobs: dict[JobState, int]
    photos: dict[str, int]
    credits: Credits
    headroom: Headroom | None
    exit_code: ExitCode
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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
        }


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
    return Summary(
        jobs=jobs.counts(connection),
        photos=photos,
        credits=credits.totals(connection, Scope.TOTAL),
        headroom=tightest(budgets.headroom_under(connection, held, period, "")),
        exit_code=ExitCode(past[0].exit_code or 0) if past else ExitCode.OK,
    )
