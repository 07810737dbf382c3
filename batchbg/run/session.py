"""One session with the service: the account, the writer, the pool, from the first job to the last."""

import asyncio
import contextlib
import dataclasses

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.errors import ApiError, DiskError, LedgerError
from batchbg.ledger.budgets import Budget
from batchbg.ledger.writer import Writer
from batchbg.pool.account import read_account
from batchbg.pool.deliver import SaveOptions
from batchbg.pool.feed import PlanFeed
from batchbg.pool.pool import Pool
from batchbg.pool.session import Limits, PoolSession
from batchbg.run.accounts import find_accounts
from batchbg.run.confirmation import goes_on_after_pilot, pick_pilot
from batchbg.run.context import RunContext
from batchbg.run.counts import is_idle, open_jobs, planned
from batchbg.run.planning import Plan, start_planning
from batchbg.run.signals import ended_by_signals
from batchbg.run.watch import Counter, Watch

CONNECTIONS_BESIDE = 16
"""Connections beside one for each job in flight: transfers, status requests, the account."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What came of a session.

    Attributes:
        budget: with the account whose credits were spent.
        reused: copies made for other photos of the same content.
        dropped: planned jobs left out because their files are no longer what was planned.
    """

    budget: Budget
    reused: int = 0
    dropped: int = 0


async def process(run: RunContext) -> Work:
    """Carry every job that is planned or paid for as far as it gets; without any, nobody is asked for anything."""
    work = Work(run.budget)
    if not is_idle(run):
        with ended_by_signals(run.stop), contextlib.suppress(asyncio.CancelledError):
            work = await _with_the_service(run, None, open_jobs(run))
    return work


async def plan_and_process(run: RunContext, plan: Plan) -> Work:
    """Begin with the first job that is planned, while the scan goes on: nothing can forbid it any more."""
    work = Work(run.budget)
    carried_over = open_jobs(run)
    feed = PlanFeed()
    with ended_by_signals(run.stop), contextlib.suppress(asyncio.CancelledError):
        planning = start_planning(run, plan, feed)
        if is_idle(run):
            await run.stop.before_leaving(feed.news())
        if not (feed.over and is_idle(run)) and not run.stop.leaving:
            try:
                work = await _with_the_service(run, feed, carried_over)
            except BaseException:
                plan.given_up = True
                raise
        with contextlib.suppress(DiskError):  # which has stopped creates
            await planning
    return work


async def _with_the_service(run: RunContext, feed: PlanFeed | None, carried_over: int) -> Work:
    settings = run.settings
    limiter = RateLimiter(settings.requests_per_second)
    width = settings.max_in_flight + CONNECTIONS_BESIDE
    with Writer(run.ledger, run.id) as writer:
        async with MagicHour(settings.base_url, run.key, limiter, width=width) as api:
            accounts = await find_accounts(run, api, writer)
            if accounts is None:
                return Work(run.budget)
            budget = dataclasses.replace(run.budget, account=accounts[0])
            counter = Counter()
            session = PoolSession(
                api=api,
                limiter=limiter,
                ledger=run.ledger,
                writer=writer,
                stop=run.stop,
                observer=counter,
                run_id=run.id,
                accounts=accounts,
                budget=budget,
                limits=_limits(run),
            )
            saving = SaveOptions(
                settings.quality, settings.flatten, settings.keep_received, settings.force, run.rehearsal
            )
            pool = Pool(session, saving)
            watch = Watch(run, budget, pool, counter, carried_over, feed)
            with contextlib.suppress(asyncio.CancelledError), run.watching.showing(watch.progress):
                await _drain(run, pool, watch, feed)
                with contextlib.suppress(LedgerError):
                    await _read_balance_after(run, pool, api, writer)
            return Work(budget, pool.reused, pool.dropped)


async def _drain(run: RunContext, pool: Pool, watch: Watch, feed: PlanFeed | None) -> None:
    """Do the pilot first, where one is wanted, and then the rest."""
    pilot = pick_pilot(run)
    if pilot is not None:
        watch.total -= planned(run) - len(pilot)
    run.reporter.settled(watch.jobs)
    await pool.drain(pilot, feed)
    if pilot is not None and not run.stop.no_creates and await goes_on_after_pilot(run, len(pilot), watch):
        await pool.drain()


async def _read_balance_after(run: RunContext, pool: Pool, api: MagicHour, writer: Writer) -> None:
    """Read the balance once more where something was created: evidence for `audit`."""
    if pool.admission.let_through:
        with contextlib.suppress(ApiError):
            await run.stop.before_leaving(read_account(api, run.ledger, writer))


def _limits(run: RunContext) -> Limits:
    settings = run.settings
    return Limits(
        max_in_flight=settings.max_in_flight,
        max_files=settings.max_files,
        max_duration_s=settings.max_duration,
        give_up_after_s=settings.give_up_after,
        render_patience_s=settings.render_patience,
    )
