"""What a run does with the service: the account, the writer, the pool, the pilot, the balance."""

import asyncio
import contextlib
import dataclasses
import logging

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.errors import ApiError, LedgerError
from batchbg.ledger.spool import Spool
from batchbg.ledger.writer import Writer
from batchbg.pool.balance import read_account
from batchbg.pool.deliver import SaveOptions
from batchbg.pool.feed import PlanFeed
from batchbg.pool.observer import Observer, Observers
from batchbg.pool.pool import Pool
from batchbg.pool.remote_deletion import RemoteDeletion
from batchbg.pool.session import Limits, PoolSession
from batchbg.run.accounts import find_accounts
from batchbg.run.confirmation import goes_on_after_pilot, pick_pilot
from batchbg.run.context import RunContext
from batchbg.run.counts import planned
from batchbg.run.progress_meter import Counter, ProgressMeter
from batchbg.run.session import Work

log = logging.getLogger(__name__)

CONNECTIONS_BESIDE = 16
"""Connections beside one for each job in flight: transfers, status requests, the account."""


async def with_the_service(run: RunContext, feed: PlanFeed | None, carried_over: int, also: Observer) -> Work:
    """Take jobs to their end; ``carried_over`` of them are open before the first comes from ``feed``.

    ``also`` hears of every job that moves, as the reporter's observer does.
    """
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
                observer=Observers((counter, run.reporter.observer, also)),
                run_id=run.id,
                accounts=accounts,
                budget=budget,
                limits=_limits(run),
            )
            if settings.webhook_url and not (settings.sandbox or Spool(run.ledger.path).has_receiver()):
                log.warning(
                    "webhook_url is set, but no `batchbg webhook` is at work for this ledger: renders are asked about"
                )
            pool = Pool(session, _save_options(run))
            deletion = RemoteDeletion(session)
            meter = ProgressMeter(run, budget, pool, counter, carried_over, feed)
            with contextlib.suppress(asyncio.CancelledError), run.watching.showing(meter.progress):
                await _drain(run, pool, meter, feed)
                with contextlib.suppress(LedgerError):
                    await _read_balance_after(run, pool, api, writer)
                    if run.deletes:
                        await deletion.settle()
            return Work(budget, pool.reused, pool.dropped, deletion.deleted)


async def _drain(run: RunContext, pool: Pool, meter: ProgressMeter, feed: PlanFeed | None) -> None:
    """Do the pilot first, where one is wanted, and then the rest."""
    pilot = pick_pilot(run)
    if pilot is not None:
        meter.total -= planned(run) - len(pilot)
    run.reporter.settled(meter.jobs)
    await pool.drain(pilot, feed)
    if pilot is not None and not run.stop.no_creates and await goes_on_after_pilot(run, len(pilot), meter):
        await pool.drain()


async def _read_balance_after(run: RunContext, pool: Pool, api: MagicHour, writer: Writer) -> None:
    """Read the balance once more where something was created: evidence for `audit`."""
    if pool.admission.let_through:
        with contextlib.suppress(ApiError):
            await run.stop.before_leaving(read_account(api, run.ledger, writer))


def _save_options(run: RunContext) -> SaveOptions:
    settings = run.settings
    return SaveOptions(
        quality=settings.quality,
        flatten=settings.flatten,
        keep_received=settings.keep_received,
        force=settings.force,
        rehearsal=run.rehearsal,
        delete_remote=settings.delete_remote,
        has_command=settings.exec is not None,
    )


def _limits(run: RunContext) -> Limits:
    settings = run.settings
    return Limits(
        max_in_flight=settings.max_in_flight,
        max_files=settings.max_files,
        max_duration_s=settings.max_duration,
        give_up_after_s=settings.give_up_after,
        render_patience_s=settings.render_patience,
    )
