"""Planning: before the work if somebody has to be asked, otherwise beside it."""

import asyncio
import functools
import logging
from typing import Self

from batchbg.core.lifecycle import PAID, JobState
from batchbg.disk.results import try_out
from batchbg.disk.sweep import sweep
from batchbg.errors import BatchbgError, DiskError, ExitCode, PlanAbandoned
from batchbg.ledger import jobs, orders, runs
from batchbg.ledger.store import Connection
from batchbg.plan.lines import Listener, Tally, some_of
from batchbg.plan.planner import begin_plan
from batchbg.pool.feed import PlanFeed
from batchbg.run.context import RunContext

log = logging.getLogger(__name__)


class Plan:
    """The plan of one folder of photos.

    Attributes:
        given_up: whether it is no longer wanted.
        is_complete: whether every photo was planned.
    """

    def __init__(self, run: RunContext) -> None:
        """Read what is to be planned, and enter its folders.

        Raises:
            ConfigError: the folders contradict each other, or the list of files cannot be read.
        """
        self.given_up = False
        self.is_complete = False
        self._run = run
        listener = Listener(run.reporter.opened, lambda: run.stop.leaving or self.given_up, takes=run.takes)
        self._planner = begin_plan(run.settings, run.ledger, run.id, listener, run.rehearsal)

    @classmethod
    def of(cls, run: RunContext) -> Self | None:
        """Return the plan of a run that scans a folder; None where it does not."""
        return cls(run) if run.settings.photos else None

    @property
    def tally(self) -> Tally:
        """What became of the photos so far."""
        return self._planner.tally

    def open_output(self) -> None:
        """Try out the output folder, where nothing is at work yet, and clear it of what dead runs left.

        Raises:
            DiskError: nothing can be saved there.
        """
        try_out(self._planner.roots.output, self._run.id)
        with self._run.ledger.reading() as connection:
            sweep(self._planner.roots.output, functools.partial(_is_ours, connection), self._planner.originals)

    def make(self, feed: PlanFeed | None = None) -> None:
        """Plan every photo; in a thread where the pool, which ``feed`` tells, is at work on what is planned already.

        Raises:
            ConfigError, DiskError: it cannot be made, or not to its end.
        """
        try:
            for line in self._planner.plan():
                self._run.reporter.line(line)
                if feed is not None and line.is_job:
                    feed.more()
        except PlanAbandoned:
            return
        self.is_complete = True
        for text in self.tally.gone:
            log.warning("%s", text)
        for text in (*self.tally.left_out, *self.tally.of_same_name):
            # Before others are paid for; every night anew it would be noise.
            log.log(logging.WARNING if self.tally.new else logging.INFO, "%s", text)
        with self._run.ledger.transaction(self._run.id) as tx:
            runs.describe(
                tx,
                photo_folder_id=self._planner.roots.photo_root,
                output_folder_id=self._planner.roots.output_root,
                scanned=True,
                seen=self.tally.seen,
                rejected=self.tally.rejected,
                skipped=sum(self.tally.skipped.values()),
                ignored=self.tally.ignored,
            )

    def close(self) -> None:
        """End the order to pay again where all its photos were planned and none of its jobs is still to be done."""
        if self.is_complete and self._planner.roots.order_id:
            with self._run.ledger.transaction(self._run.id) as tx:
                orders.end(tx, self._planner.roots.order_id)


def opened_output(run: RunContext, plan: Plan) -> bool:
    """Open the output folder; where nothing can be saved there no create leaves, and what is paid for is collected."""
    try:
        plan.open_output()
    except DiskError as error:
        run.stop.creates(error.exit_code, str(error))
        return False
    return True


def plan_all(run: RunContext, plan: Plan) -> None:
    """Plan every photo before anything is sent; if that fails, what is paid for is still collected.

    Raises:
        ConfigError: the folders cannot be used so.
    """
    try:
        if opened_output(run, plan):
            plan.make()
    except DiskError as error:
        run.stop.creates(error.exit_code, str(error))
    for text in some_of(plan.tally.unmatched):
        log.warning("%s", text)


def start_planning(run: RunContext, plan: Plan, feed: PlanFeed) -> "asyncio.Task[None]":
    """Plan in a thread beside the pool; what goes wrong there stops creates, and the feed ends."""

    def over(planning: "asyncio.Task[None]") -> None:
        if not planning.cancelled() and (error := planning.exception()):
            code = error.exit_code if isinstance(error, BatchbgError) else ExitCode.INTERNAL
            run.stop.creates(code, str(error))
        feed.end()

    planning = asyncio.create_task(asyncio.to_thread(plan.make, feed))
    planning.add_done_callback(over)
    return planning


def take_up(run: RunContext) -> None:
    """Assign to this run what it will work on: all that is paid for, and without a scan all that is planned."""
    scans = run.settings.photos is not None
    with run.ledger.transaction(run.id) as tx:
        jobs.take_up_all(tx, PAID | {JobState.PLANNED} if run.creates and not scans else PAID)


def try_outputs(run: RunContext) -> None:
    """Stop creates if results cannot be saved; a scan has already tried its own output folder."""
    if run.settings.photos or run.stop.no_creates:
        return
    with run.ledger.reading() as connection:
        folders = jobs.planned_outputs(connection, run.id)
    for folder in folders:
        try:
            try_out(run.ledger.absolute(folder), run.id)
        except DiskError as error:
            run.stop.creates(ExitCode.TEMPORARY, str(error))


def _is_ours(connection: Connection, owner: str) -> bool:
    """Return whether this ledger has a job or a run of that id."""
    return jobs.get(connection, owner) is not None or runs.is_one(connection, owner)
