"""READ THIS FIRST: a run from its folders to its summary.

scan -> pair -> plan (ledger) -> upload -> submit -> track -> download -> verify -> report

``planner`` turns files into planned jobs, ``pool`` carries jobs to their end, ``ledger`` remembers both. This module
puts them in order, holds the ledger's lock around them, and decides the exit code.
"""

import asyncio
import contextlib
import dataclasses
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from batchbg import log_context
from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.retry import ask_again
from batchbg.api.wire import Account
from batchbg.core import pilot
from batchbg.core.addresses import is_loopback
from batchbg.core.lifecycle import FINAL, PAID, JobState
from batchbg.core.planning import FAILED_BEFORE
from batchbg.core.price import Price
from batchbg.core.progress import Progress
from batchbg.disk.rehearsal import Rehearsal
from batchbg.disk.results import try_out
from batchbg.disk.sweep import sweep
from batchbg.errors import (
    AccountRefused,
    AccountUnreadable,
    ApiError,
    BatchbgError,
    ConfigError,
    DiskError,
    ExitCode,
    LedgerError,
    PlanLeft,
)
from batchbg.ledger import catalog, credits, identity, jobs, orders, plans, runs
from batchbg.ledger.engine import Connection, Ledger, Tx, enter, exists, held, open_ledger, sqlite_path
from batchbg.ledger.estimate import Estimate, estimate
from batchbg.ledger.jobs import Budget
from batchbg.ledger.writer import Writer
from batchbg.plan.planner import Planner, Tally, some_of
from batchbg.pool.account import read_account
from batchbg.pool.deliver import SaveOptions
from batchbg.pool.feed import PlanFeed
from batchbg.pool.pool import Pool
from batchbg.pool.refunds import ASKED_FOR_S
from batchbg.pool.session import Limits, PoolSession
from batchbg.pool.stop import Stop
from batchbg.report.summary import Summary, of_run
from batchbg.run.reporter import Reporter
from batchbg.run.signals import asked_by_signal, ended_by_signals
from batchbg.run.watching import Watch
from batchbg.settings import Settings

log = logging.getLogger(__name__)

ACCOUNT_PATIENCE_S = 5.0
"""Seconds for which the account is asked for at the start; a service without that operation works all the same."""

OFF_S = 3600.0
"""Seconds by which this machine's clock may differ from the service's before a run says so: days are counted by it."""

TICK_S = 0.5
"""Seconds between two looks of somebody who watches."""

OPEN = frozenset(JobState) - FINAL

Prepare = Callable[[Tx, Ledger], None]


def run(settings: Settings, key: str, command: str, reporter: Reporter, prepare: Prepare | None = None) -> Summary:
    """Do everything: plan ``settings.photos`` where it is set, then finish every job taken up.

    Args:
        settings: checked.
        key: the API key.
        command: its name, for the ledger.
        reporter: hears what happens.
        prepare: changes jobs before the work begins. With it, planned jobs are left alone: only what is paid for
            is collected.

    Raises:
        ConfigError, LedgerError, DiskError: nothing could be begun.
    """
    with held(settings.ledger, command, settings.retry_lock):
        output = Path(os.path.realpath(settings.output)) if settings.photos else None
        if not exists(settings.ledger):
            if output is None:
                raise ConfigError("there is no ledger yet, so there is nothing to resume; `batchbg run` makes one")
            identity.refuse_new(sqlite_path(settings.ledger), output)
        ledger = open_ledger(settings.ledger)
        try:
            if ledger.made:
                reporter.ledger_made(str(ledger.path))
            settings = _in_its_zone(ledger, settings, output)
            bind_kind(ledger, settings)
            return _Run(settings, key, command, ledger, reporter, prepare).go()
        finally:
            if ledger.is_lost:
                _tell_projects(ledger)
            ledger.close()


def _in_its_zone(ledger: Ledger, settings: Settings, output: Path | None) -> Settings:
    """Make sure that this is the one ledger of its results; return the settings with the zone of its days.

    Raises:
        ConfigError: a copy, an older one, or another's results.
    """
    ledger.watch()
    for remark in identity.settle(ledger, output, settings.timezone):
        log.warning("%s", remark)
    with ledger.reading() as connection:
        return dataclasses.replace(settings, timezone=identity.zone_of(connection))


def _tell_projects(ledger: Ledger) -> None:
    """Print every project of a ledger that was taken away: nobody else knows of them."""
    known = dict(ledger.projects)
    with contextlib.suppress(LedgerError), ledger.reading() as connection:
        known |= {job.id: job.project_id for job in jobs.in_states(connection, frozenset(JobState)) if job.project_id}
    log.error("the ledger %s is not the one that this run wrote to; these are its projects:", ledger.path)
    for job_id, project_id in known.items():
        log.error("job %s: project id %s", job_id, project_id)


def bind_kind(ledger: Ledger, settings: Settings) -> None:
    """Refuse a rehearsal on a real ledger before anything is sent, and the reverse.

    What a ledger is for is told by the address alone: an answer may say anything.

    Raises:
        ConfigError: it was used with something else.
    """
    if settings.sandbox:
        identity.bind_kind(ledger, identity.SANDBOX)
    else:
        is_here = is_loopback(urlsplit(settings.base_url).hostname or "")
        identity.bind_kind(ledger, identity.LOCAL if is_here else identity.API)


def _replan_rehearsed(tx: Tx) -> None:
    """Plan again what was rendering in a sandbox that ended with its process: it took the renders and the books.

    Only what went to a sandbox of this tool's own: anything else may be paid for.
    """
    since = identity.rehearsed_since(tx.connection)
    for job in list(jobs.in_states(tx.connection, PAID)):
        if since is None or job.submitted_at is None or job.submitted_at < since:
            continue
        if job.state is JobState.DOWNLOADING:
            job = jobs.reopen(tx, job, JobState.RENDERING, "its sandbox has ended")
        ended = jobs.ended(tx, job, JobState.FAILED, "its sandbox has ended", Price(0))
        jobs.reopen(tx, ended, JobState.PLANNED, "planned again")


def _is_ours(connection: Connection, owner: str) -> bool:
    """Tell whether this ledger has a job or a run of that id."""
    return jobs.get(connection, owner) is not None or runs.is_one(connection, owner)


class _Run:
    """One run under the ledger's lock."""

    def __init__(
        self,
        settings: Settings,
        key: str,
        command: str,
        ledger: Ledger,
        reporter: Reporter,
        prepare: Prepare | None,
    ) -> None:
        self._settings = settings
        self._key = key
        self._ledger = ledger
        self._reporter = reporter
        self._prepare = prepare
        self._stop = Stop()
        if prepare:
            self._stop.collect_only()
        self._planner: Planner | None = None
        self._pool: Pool | None = None
        self._watch: Watch | None = None
        self._coming: PlanFeed | None = None
        self._carried_over = 0
        self._is_planned = False
        self._is_given_up = False
        self._loop: asyncio.AbstractEventLoop | None = None
        with ledger.transaction() as tx:
            self._run = runs.begin(tx, command, settings.base_url, settings.max_credits, spends=not prepare)
        self._rehearsal = Rehearsal(self._run.id)
        if self._run.continued:
            log.info("continuing the run that was killed, under its cap")
        caps = dataclasses.replace(settings.caps, run=self._run.cap_credits)
        self._budget = Budget(self._run.budget_id, caps, settings.base_url, settings.zone)

    def go(self) -> Summary:
        """Plan, ask, work, sum up; the run's end is in the ledger whatever happens, short of a kill."""
        with asked_by_signal(self._asked), log_context.in_run(self._run.id):
            return self._go()

    def _go(self) -> Summary:
        code: ExitCode | None = None
        try:
            with self._ledger.transaction(self._run.id) as tx:
                self._park_lost(tx)
                if self._settings.sandbox:
                    _replan_rehearsed(tx)
                if self._prepare:
                    self._prepare(tx, self._ledger)
            if self._settings.photos and self._may_start_unasked():
                self._plan_and_work()
            else:
                self._plan_then_work()
            summary = self._summary()
            code = summary.exit_code
            return summary
        except BatchbgError as error:
            code = error.exit_code
            raise
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPT
            raise
        except SystemExit as leaving:
            code = ExitCode(leaving.code) if isinstance(leaving.code, int) else ExitCode.INTERNAL
            raise
        finally:
            with contextlib.suppress(LedgerError), self._ledger.transaction(self._run.id) as tx:
                runs.end(tx, ExitCode.INTERNAL if code is None else code)

    # -- planning --------------------------------------------------------------------------------------------------

    def _park_lost(self, tx: Tx) -> None:
        """Park every create that a dead run left without an answer; nobody else can be at work on it."""
        for job in list(jobs.in_states(tx.connection, {JobState.SUBMITTING})):
            jobs.take_up(tx, job.id)
            jobs.lost(tx, job, "the process ended between the create and its answer")

    def _plan_then_work(self) -> None:
        """Plan everything, ask where a person has to be asked, and only then begin."""
        if self._settings.photos:
            try:
                planner = self._new_planner()
                self._plan(planner)
                for text in some_of(planner.tally.unmatched):
                    log.warning("%s", text)
            except DiskError as error:  # nothing new can be done; what is paid for is collected all the same
                self._stop.creates(error.exit_code, str(error))
        with self._ledger.transaction(self._run.id) as tx:
            self._take_up(tx)
        if not self._may_start():
            self._stop.note(ExitCode.INTERRUPT, "not begun, as you said: nothing was sent")
            return
        self._try_outputs()
        if not self._is_idle():
            asyncio.run(self._work_alone())

    async def _work_alone(self) -> None:
        with ended_by_signals(self._stop), contextlib.suppress(asyncio.CancelledError):
            await self._work()

    def _plan_and_work(self) -> None:
        """Begin with the first job that is planned, while the scan goes on: nothing can forbid it any more."""
        planner = self._new_planner()
        with self._ledger.transaction(self._run.id) as tx:
            self._take_up(tx)
        self._carried_over = self._open_jobs()
        asyncio.run(self._plan_and_work_async(planner))

    async def _plan_and_work_async(self, planner: Planner) -> None:
        self._coming = coming = PlanFeed()
        with ended_by_signals(self._stop), contextlib.suppress(asyncio.CancelledError):
            planning = asyncio.create_task(asyncio.to_thread(self._plan, planner, coming))
            planning.add_done_callback(functools.partial(self._planned_all, coming))
            if self._is_idle():
                await self._stop.before_leaving(coming.news())
            if not (coming.over and self._is_idle()) and not self._stop.leaving:
                try:
                    await self._work(coming)
                except BaseException:
                    self._is_given_up = True
                    raise
            await planning

    def _planned_all(self, coming: PlanFeed, planning: "asyncio.Task[None]") -> None:
        if not planning.cancelled() and (error := planning.exception()):
            code = error.exit_code if isinstance(error, BatchbgError) else ExitCode.INTERNAL
            self._stop.creates(code, str(error))
        coming.end()

    def _new_planner(self) -> Planner:
        """Prepare a plan and its output folder: nothing may be at work there yet."""
        self._planner = planner = Planner(
            self._settings,
            self._ledger,
            self._run.id,
            self._reporter.looked,
            left=lambda: self._stop.leaving or self._is_given_up,
            rehearsal=self._rehearsal,
        )
        try_out(planner.output, self._run.id)
        with self._ledger.reading() as connection:
            sweep(planner.output, functools.partial(_is_ours, connection), planner.originals)
        return planner

    def _plan(self, planner: Planner, coming: PlanFeed | None = None) -> None:
        """Plan every photo; in a thread where the pool is at work on what is planned already."""
        try:
            for line in planner.plan():
                self._reporter.line(line)
                if coming is not None and line.is_job:
                    coming.more()
        except PlanLeft:
            return
        tally = planner.tally
        if tally.missing:
            log.warning("%d results are no longer on disk: `batchbg rescue` fetches them again, free", tally.missing)
        self._is_planned = True
        with self._ledger.transaction(self._run.id) as tx:
            runs.describe(
                tx,
                photo_folder_id=planner.photo_root,
                output_folder_id=planner.output_root,
                scanned=True,
                seen=tally.seen,
                rejected=tally.rejected,
                skipped=sum(tally.skipped.values()),
                ignored=tally.ignored,
            )

    def _end_order(self, tx: Tx) -> None:
        """End the order to pay again where all its photos were planned and none of its jobs is still to be done."""
        if self._is_planned and self._planner and self._planner.order_id:
            orders.end(tx, self._planner.order_id)

    def _take_up(self, tx: Tx) -> None:
        """Count what this run will work on: all that is paid for, and without a scan all that is planned."""
        jobs.take_up_all(tx, PAID if self._planner or self._prepare else PAID | {JobState.PLANNED})

    def _planned(self) -> int:
        """Return how many of this run's jobs are yet to be created."""
        with self._ledger.reading() as connection:
            return jobs.counts(connection, self._run.id)[JobState.PLANNED]

    def _outlook(self) -> Estimate:
        """Return what the jobs that are yet to be created would cost, and what they would find."""
        settings, budget = self._settings, self._budget
        with self._ledger.reading() as connection:
            return estimate(connection, self._run.id, budget.caps, settings.base_url, settings.zone, budget.id)

    def _may_start_unasked(self) -> bool:
        """Tell whether a batch of any size may start, so that it need not be known how large it is."""
        settings = self._settings
        unasked = settings.sandbox or settings.yes or settings.confirm_batch_over < 0 or self._reporter.never_asks
        # What matches nothing may be a slip of the hand, which is to be said before anything is paid for.
        is_picked = settings.include or settings.exclude or settings.files_from or settings.background_map
        return unasked and settings.pilot is None and not is_picked

    def _may_start(self) -> bool:
        """Ask where a person has to be asked.

        Raises:
            ConfigError: there is nobody to ask.
        """
        new = self._planned()
        limit = self._settings.confirm_batch_over
        unasked = self._settings.sandbox or self._settings.yes or self._settings.pilot is not None
        if unasked or limit < 0 or new <= limit:
            return True
        return self._reporter.ask(self._outlook())

    def _try_outputs(self) -> None:
        """Pay for nothing that cannot be saved; a scan has tried its own output folder before it began."""
        if self._planner or self._stop.no_creates:
            return
        with self._ledger.reading() as connection:
            folders = jobs.planned_outputs(connection, self._run.id)
        for folder in folders:
            try:
                try_out(self._ledger.absolute(folder), self._run.id)
            except DiskError as error:
                self._stop.creates(ExitCode.TEMPORARY, str(error))

    # -- working ---------------------------------------------------------------------------------------------------

    def _is_idle(self) -> bool:
        """Tell whether there is nothing to do, so that nobody need be asked for anything."""
        with self._ledger.reading() as connection:
            states = jobs.counts(connection)
            idle = not any(states[state] for state in PAID) and not catalog.undelivered(connection)
            idle = idle and not self._planned()
            return idle and next(jobs.charged_in_vain(connection, time.time() - ASKED_FOR_S), None) is None

    async def _work(self, coming: PlanFeed | None = None) -> None:
        settings = self._settings
        limiter = RateLimiter(settings.requests_per_second)
        width = settings.max_in_flight + 16
        with Writer(self._ledger, self._run.id) as writer:
            async with MagicHour(settings.base_url, self._key, limiter, width=width) as api:
                accounts = await self._accounts(api, writer)
                if accounts is None:
                    return
                self._budget = dataclasses.replace(self._budget, account=accounts[0])
                watch = self._new_watch()
                session = PoolSession(
                    api=api,
                    limiter=limiter,
                    ledger=self._ledger,
                    writer=writer,
                    stop=self._stop,
                    observer=watch,
                    run_id=self._run.id,
                    accounts=accounts,
                    budget=self._budget,
                    limits=self._limits(),
                )
                saving = SaveOptions(
                    settings.quality, settings.flatten, settings.keep_received, settings.force, self._rehearsal
                )
                self._pool = watch.pool = Pool(session, saving)
                with contextlib.suppress(asyncio.CancelledError), self._watched(watch):
                    first = self._pick_pilot()
                    if first is not None:
                        watch.total -= self._planned() - len(first)
                    self._reporter.settled(watch.total)
                    await self._pool.drain(first, coming)
                    if first is not None and not self._stop.no_creates:
                        await self._after_pilot(self._pool, len(first))
                    with contextlib.suppress(LedgerError):
                        await self._read_balance_after(api, writer)

    def _pick_pilot(self) -> frozenset[str] | None:
        """Return the jobs to do first; None where no pilot is wanted, or where it would be all of them."""
        if self._settings.pilot is None:
            return None
        with self._ledger.reading() as connection:
            candidates = plans.planned_by(connection, self._run.id)
        if len(candidates) <= self._settings.pilot:
            return None
        return frozenset(pilot.pick(candidates, self._settings.pilot))

    async def _after_pilot(self, pool: Pool, number: int) -> None:
        """Show what the pilot made, and go on with the rest where a person says so."""
        left = self._planned()
        goes_on = await self._stop.before_leaving(self._reporter.pilot_done(number, self._outlook()))
        if self._stop.leaving:
            return
        if goes_on:
            if self._watch is not None:
                self._watch.total += left
            await pool.drain()
        else:
            why = (
                f"pilot: {number} photos were tried, {left} remain; look at the results, then run again without --pilot"
            )
            self._stop.creates(ExitCode.CAP, why)

    def _open_jobs(self) -> int:
        """Return the number of this run's jobs that are not at their end."""
        with self._ledger.reading() as connection:
            states = jobs.counts(connection, self._run.id)
        return sum(number for state, number in states.items() if state in OPEN)

    def _new_watch(self) -> Watch:
        settings = self._settings
        return Watch(
            self._ledger,
            self._budget,
            self._stop,
            self._open_jobs(),
            max_files=settings.max_files,
            requests_per_second=settings.requests_per_second,
        )

    @contextlib.contextmanager
    def _watched(self, watch: Watch) -> Iterator[None]:
        """Let the reporter look at the run now and then, and whoever asks by signal at any time."""
        self._watch, self._loop = watch, asyncio.get_running_loop()
        ticking = asyncio.create_task(self._tick(watch)) if self._reporter.live else None
        try:
            yield
        finally:
            self._watch = self._loop = None
            if ticking is not None:
                ticking.cancel()

    async def _tick(self, watch: Watch) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with contextlib.suppress(LedgerError):
                self._reporter.tick(self._standing(watch))

    def _standing(self, watch: Watch) -> Progress:
        if self._coming is not None:
            watch.total = self._carried_over + self._coming.jobs
        return watch.standing()

    def _tell(self) -> None:
        """Tell how the run stands."""
        with contextlib.suppress(LedgerError):
            self._reporter.status(self._standing(self._watch) if self._watch else None)

    def _asked(self) -> None:
        """Tell how the run stands, as somebody wants to know it now."""
        # What the event loop is in the middle of must not be entered a second time from here.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell)
        else:
            self._reporter.status(None)

    def _limits(self) -> Limits:
        settings = self._settings
        return Limits(
            max_in_flight=settings.max_in_flight,
            max_files=settings.max_files,
            max_duration_s=settings.max_duration,
            give_up_after_s=settings.give_up_after,
            render_patience_s=settings.render_patience,
        )

    async def _accounts(self, api: MagicHour, writer: Writer) -> list[str] | None:
        """Return the account's name, then the base URL, which is its name where the service has no account operation.

        None where the key is refused. What cannot be asked for now is taken from the last run.
        """
        base_url = self._settings.base_url
        found = None
        code, why = ExitCode.CAP, "the service does not tell it"
        try:
            found = await self._stop.before_leaving(self._ask_account(api, writer))
        except AccountRefused as error:
            self._stop.creates(ExitCode.ACCOUNT, f"the service refuses: {error}; check the key, then run again")
            return None
        except AccountUnreadable as error:
            code, why = ExitCode.ACCOUNT, f"the key lacks the permission to read the account: {error}"
            log.warning("%s; the balance cannot be shown, nor vouch for a lost create", why)
        except ApiError as error:
            code, why = ExitCode.TEMPORARY, str(error)
            log.info("the account is not to be had: %s", error)
        if self._stop.leaving:
            return None
        if found is not None and found.tier == "free":
            log.warning("a free account: results may carry a watermark")
        with self._ledger.reading() as connection:
            if self._budget.caps.keep_balance is not None and not credits.was_read(connection, self._run.id):
                self._stop.creates(code, f"budget.keep_balance: the account's balance is not known: {why}")
        if api.skew_s is not None and abs(api.skew_s) > OFF_S:
            off = f"{abs(api.skew_s) / 3600:.0f} hours {'ahead of' if api.skew_s > 0 else 'behind'}"
            log.warning("this machine's clock is %s the service's: credits count for the days of this machine", off)
        with self._ledger.reading() as connection:
            name = (found.id if found else None) or runs.account_behind(connection, base_url) or base_url
        await writer.do(runs.describe, account=name)
        return list(dict.fromkeys((name, base_url)))

    async def _ask_account(self, api: MagicHour, writer: Writer) -> Account | None:
        """Ask for the account, a few times: a service on which only this operation is down can still be used."""
        return await ask_again(lambda: read_account(api, self._ledger, writer), ACCOUNT_PATIENCE_S)

    async def _read_balance_after(self, api: MagicHour, writer: Writer) -> None:
        """Read the balance once more where something was created: evidence for `audit`."""
        if self._pool is not None and self._pool.admission.let_through:
            with contextlib.suppress(ApiError):
                await self._stop.before_leaving(read_account(api, self._ledger, writer))

    # -- summing up ------------------------------------------------------------------------------------------------

    def _summary(self) -> Summary:
        tally = self._planner.tally if self._planner else Tally()
        photos = self._photo_counts(tally)
        with self._ledger.reading() as connection:
            at = enter(connection, self._run.id).at
            states, sums, room = of_run(connection, self._run.id, self._budget, at)
            ever = jobs.counts(connection)
        # What happened is told also where the ledger can no longer be written.
        with contextlib.suppress(LedgerError), self._ledger.transaction(self._run.id) as tx:
            runs.describe(tx, **photos)
            self._end_order(tx)
        self._judge(states, ever, tally)
        return Summary(states, photos, sums, room, self._stop.exit_code, self._reasons(states))

    def _reasons(self, states: dict[JobState, int]) -> tuple[str, ...]:
        """Return why the run ended as it did, the weightiest first; where it stopped short, how far it got."""
        code = self._stop.exit_code
        first, *others = sorted(self._stop.reasons.items(), key=lambda item: item[0] != code) or [(code, "")]
        reason = first[1]
        if code not in (ExitCode.OK, ExitCode.INCOMPLETE):
            reason += f" ({states[JobState.DONE]} of {sum(states.values())} jobs done"
            reason += "; another run goes on from here)" if any(states[state] for state in OPEN) else ")"
        return tuple(why for why in (reason, *(why for _, why in others)) if why)

    def _photo_counts(self, tally: Tally) -> dict[str, int]:
        reused = self._pool.reused if self._pool else 0
        # What was planned and came to nothing without becoming a job's state: files that changed, copies not made.
        left_out = (self._pool.dropped if self._pool else 0) + max(tally.copies - reused, 0)
        return {
            "seen": tally.seen,
            "rejected": tally.rejected,
            "reused": reused,
            "skipped": sum(tally.skipped.values()) + (left_out if self._planner else 0),
            "ignored": tally.ignored,
        }

    def _judge(self, states: dict[JobState, int], ever: dict[JobState, int], tally: Tally) -> None:
        """Add the reasons that only the end shows: ``states`` are this run's jobs, ``ever`` the whole ledger's."""
        unresolved = ever[JobState.UNRESOLVED]
        bad = states[JobState.FAILED] + states[JobState.CANCELED]
        if self._settings.strict:
            before = ever[JobState.FAILED] + ever[JobState.CANCELED] - bad
            bad += tally.skipped[FAILED_BEFORE] if self._planner else before
        rejects = tally.rejected if self._settings.strict else tally.newly_rejected
        if bad or rejects or unresolved:
            parts = [f"{bad} jobs failed"] if bad else []
            parts += [f"{rejects} photos rejected"] if rejects else []
            parts += [f"{unresolved} jobs unresolved: see `batchbg jobs --state unresolved`"] if unresolved else []
            self._stop.note(ExitCode.INCOMPLETE, ", ".join(parts))
        left = sum(states[state] for state in OPEN)
        if left and self._stop.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE) and not unresolved:
            self._stop.note(ExitCode.TEMPORARY, f"{left} jobs remain; run again to go on")
