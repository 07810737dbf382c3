"""One session: everything that is planned or paid for, from the first job to the last."""

import asyncio
import contextlib
import dataclasses

from batchbg.errors import DiskError
from batchbg.ledger.budgets import Budget
from batchbg.pool.feed import PlanFeed
from batchbg.pool.observer import Observer
from batchbg.run.commands import are_due, commands_at_work
from batchbg.run.context import RunContext
from batchbg.run.counts import is_idle, open_jobs
from batchbg.run.planning import Plan, start_planning


@dataclasses.dataclass(frozen=True)
class Work:
    """What came of a session.

    Attributes:
        budget: with the account whose credits were spent.
        reused: copies made for other photos of the same content.
        dropped: planned jobs left out because their files are no longer what was planned.
        deleted: results deleted at the service, since they are whole on disk.
    """

    budget: Budget
    reused: int = 0
    dropped: int = 0
    deleted: int = 0


async def process(run: RunContext) -> Work:
    """Take every job that is planned or paid for as far as it gets; without any, nobody is asked for anything."""
    work = Work(run.budget)
    idle = is_idle(run)
    if not idle or are_due(run):
        with run.control.at_work(run.stop), contextlib.suppress(asyncio.CancelledError):
            async with commands_at_work(run) as commands:
                if not idle:
                    work = await _with_the_service(run, None, open_jobs(run), commands)
    return work


async def plan_and_process(run: RunContext, plan: Plan) -> Work:
    """Begin with the first job that is planned, while the scan goes on: nothing can forbid it any more."""
    work = Work(run.budget)
    with run.control.at_work(run.stop), contextlib.suppress(asyncio.CancelledError):
        async with commands_at_work(run) as commands:
            work = await _plan_and_process(run, plan, commands)
    return work


async def _plan_and_process(run: RunContext, plan: Plan, commands: Observer) -> Work:
    work = Work(run.budget)
    carried_over = open_jobs(run)
    feed = PlanFeed()
    planning = start_planning(run, plan, feed)
    if is_idle(run):
        await run.stop.before_leaving(feed.news())
    if not (feed.over and is_idle(run)) and not run.stop.leaving:
        try:
            work = await _with_the_service(run, feed, carried_over, commands)
        except BaseException:
            plan.given_up = True
            raise
    with contextlib.suppress(DiskError):  # which has stopped creates
        await planning
    return work


async def _with_the_service(run: RunContext, feed: PlanFeed | None, carried_over: int, also: Observer) -> Work:
    from batchbg.run import service  # a tenth of a second, for nothing where a run finds nothing to do

    return await service.with_the_service(run, feed, carried_over, also)
