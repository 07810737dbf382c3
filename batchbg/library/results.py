"""What a program is told when it asks: the plan, and the jobs of a ledger."""

import dataclasses
from pathlib import Path
from typing import Self

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.ledger import clock, jobs
from batchbg.ledger.engine import open_to_read
from batchbg.ledger.estimate import Estimate, estimate
from batchbg.ledger.snapshot import open_snapshot
from batchbg.ledger.store import Ledger
from batchbg.plan.lines import Line, Listener, Tally
from batchbg.plan.planner import begin_plan
from batchbg.settings.values import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedPhoto:
    """What would be done with one photo, and why.

    Attributes:
        photo: path below the photo folder.
        action: "new", "go on", "copy", "skip", "reject" or "ignore".
        background: path below the background folder; None for a transparent result.
        result: path below the output folder; "" where there is to be none.
        detail: how the background fits, or the reason.
    """

    photo: str
    action: str
    background: str | None
    result: str
    detail: str

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return what a line of a plan says."""
        return cls(line.path, line.action, line.background or None, line.output, line.detail)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do now. Nothing was sent, and no job was written.

    Attributes:
        photos: what would be done with each file.
        jobs: to be created, those that earlier runs planned included.
        price: credits for one.
        left: credits that the tightest cap leaves; None without caps.
        balance: credits that the account should have, as far as the ledger knows; None without a reading.
        warnings: sentences on what matches nothing, and on results that are missing.
    """

    photos: tuple[PlannedPhoto, ...]
    jobs: int
    price: int
    left: int | None
    balance: int | None
    warnings: tuple[str, ...]

    @property
    def credits(self) -> int:
        """What all the jobs cost; a cap may let through fewer."""
        return self.jobs * self.price


def plan(settings: Settings) -> Plan:
    """Plan ``settings.photos`` on a copy of the ledger.

    Raises:
        ConfigError, LedgerError, DiskError: it cannot be planned.
    """
    ledger = open_snapshot(settings.ledger)
    try:
        planner = begin_plan(settings, ledger, _PLAN, Listener(wants_all=True))
        photos = tuple(PlannedPhoto.of(line) for line in planner.plan())
        found = _estimate(ledger, settings)
        return Plan(
            photos,
            found.jobs,
            found.price,
            found.headroom.left if found.headroom else None,
            found.balance,
            _warnings(planner.tally),
        )
    finally:
        ledger.close()


_PLAN = "plan"
"""Stands for the id of a run that is only thought of."""


def _estimate(ledger: Ledger, settings: Settings) -> Estimate:
    with ledger.reading() as connection:
        zone = clock.zone_in(connection, settings.zone)
        return estimate(connection, _PLAN, settings.caps, settings.base_url, zone)


def _warnings(tally: Tally) -> tuple[str, ...]:
    return (*tally.unmatched, *tally.gone, *tally.left_out)


@dataclasses.dataclass(frozen=True, slots=True)
class JobInfo:
    """One job, as the ledger has it.

    Attributes:
        id: its own.
        state: what is certain of it.
        photo: path below the photo folder.
        background: path below the background folder; None for a transparent result.
        result: the file that holds its result once it is done.
        project_id: the service's id; None before the create was answered.
        credits: that count for it now.
        attempts: creates.
        error: why it came to nothing; "" otherwise.
        remark: what is odd about its result; "" where nothing is.
    """

    id: str
    state: JobState
    photo: str
    background: str | None
    result: Path
    project_id: str | None
    credits: int
    attempts: int
    error: str
    remark: str


def jobs_of(url: str, states: frozenset[JobState]) -> list[JobInfo]:
    """Return the jobs of a ledger that are in one of these states, the oldest first.

    Raises:
        NoLedger, LedgerError: there is none, or it cannot be read.
    """
    ledger = open_to_read(url)
    try:
        with ledger.reading() as connection:
            return [_info(job, ledger) for job in jobs.in_states(connection, states)]
    finally:
        ledger.close()


def _info(job: Job, ledger: Ledger) -> JobInfo:
    return JobInfo(
        job.id,
        job.state,
        job.photo_path,
        job.background_path or None,
        ledger.absolute(job.output_folder) / job.output_path,
        job.project_id,
        job.credits,
        job.attempt,
        job.error,
        job.remark,
    )
