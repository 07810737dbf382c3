"""The metrics of a ledger and its runs: what they are, and a file of them that is kept up to date while a run goes on."""

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Iterator
from typing import Final

from batchbg import __version__
from batchbg.core.budget import Scope, period_of
from batchbg.core.metrics import Gauge, Sample, rendered
from batchbg.disk.files import whole
from batchbg.errors import BatchbgError, ConfigError, ExitCode, LedgerBusy, NoLedger, OutputRefused
from batchbg.ledger import budgets, clock, credits, jobs, runs
from batchbg.ledger.engine import database_at, open_to_read
from batchbg.ledger.store import Connection
from batchbg.report.summary import PHOTO_COUNTS, of_ledger
from batchbg.settings.values import Settings

log = logging.getLogger(__name__)

SUFFIX: Final = ".prom"
"""Of the files that the collector reads; it reads no others."""

EVERY_S: Final = 30.0
"""Seconds between two writings while a run goes on."""

_LOOKED_AT: Final = 20
"""Runs among which the last that has ended is looked for; more than one without an end are killed ones."""


@dataclasses.dataclass
class Kept:
    """A file of metrics that is being kept.

    Attributes:
        code: what the run ends with, once it is known.
    """

    code: ExitCode | None = None


@contextlib.contextmanager
def kept(settings: Settings) -> Iterator[Kept]:
    """Write ``settings.metrics_file`` now and then while a run goes on, and once more at its end.

    A run that finds its ledger held leaves the file to the one that holds it. A file that cannot be written is said once,
    and changes no run.

    Raises:
        ConfigError: nothing can be written there, or nobody would read it.
    """
    found = Kept()
    if settings.metrics_file is None:
        yield found
        return
    check(settings)
    begun_at, over = time.time(), threading.Event()
    writing = threading.Thread(target=_write_now_and_then, args=(settings, over), name="metrics", daemon=True)
    writing.start()
    busy = False
    try:
        yield found
    except BaseException as error:
        busy = isinstance(error, LedgerBusy)
        found.code = _code_of(error)
        raise
    finally:
        over.set()
        writing.join()
        if not busy:
            _write(settings, Ended(begun_at, time.time(), found.code or ExitCode.OK))


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended; times in seconds since 1970."""

    began: float
    ended: float
    code: ExitCode


def check(settings: Settings) -> None:
    """Refuse a file that could not be written or would not be read, before a run begins.

    Raises:
        ConfigError: says why.
    """
    path = settings.metrics_file
    assert path is not None
    if path.suffix != SUFFIX:
        raise ConfigError(f"metrics_file: {path} does not end in {SUFFIX}: node_exporter reads no other file")
    if not path.parent.is_dir():
        raise ConfigError(f"metrics_file: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigError(f"metrics_file: {path} is a folder")
    for root in settings.originals:
        if path.parent.resolve().is_relative_to(root.resolve()):
            raise ConfigError(f"metrics_file: {path} lies in {root}, to which nothing is written")


def _code_of(error: BaseException) -> ExitCode:
    code = getattr(error, "exit_code", getattr(error, "code", ExitCode.INTERNAL))
    if isinstance(error, KeyboardInterrupt):
        code = ExitCode.INTERRUPT
    return ExitCode(code) if code in list(ExitCode) else ExitCode.INTERNAL


def _write_now_and_then(settings: Settings, over: threading.Event) -> None:
    while not over.wait(EVERY_S):
        if not _write(settings, None):
            return


def _write(settings: Settings, ended: Ended | None) -> bool:
    path = settings.metrics_file
    assert path is not None
    try:
        text = rendered(gather(settings, ended), {"ledger": database_at(settings.ledger).name})
        with whole(path, "utf-8") as file:
            file.write(text)
    except (OSError, OutputRefused) as error:
        log.warning("metrics_file: %s: %s", path, getattr(error, "strerror", None) or error)
        return False
    except BatchbgError as error:
        log.warning("metrics_file: %s is not written: %s", path, error)
        return False
    return True


def gather(settings: Settings, ended: Ended | None) -> list[Gauge]:
    """Return what there is to tell of a ledger; ``ended`` is the run that has just ended, None while one goes on.

    Raises:
        LedgerError: it cannot be read.
    """
    gauges = [
        Gauge("batchbg_info", "The version of batchbg.", (Sample(1, {"version": __version__}),)),
        Gauge("batchbg_running", "Whether a run is going on.", (Sample(int(ended is None)),)),
    ]
    last = ended
    last_good = ended.ended if ended is not None and ended.code is ExitCode.OK else None
    with contextlib.suppress(NoLedger):
        ledger = open_to_read(settings.ledger)
        try:
            with ledger.reading() as connection:
                gauges += _of_ledger(connection, settings)
                past = runs.last(connection, _LOOKED_AT)
        finally:
            ledger.close()
        over = [one for one in past if one.ended_at is not None and one.exit_code is not None]
        if last is None and over:
            last = Ended(over[0].started_at, over[0].ended_at or 0.0, ExitCode(over[0].exit_code or 0))
        last_good = last_good or next((one.ended_at for one in over if one.exit_code == ExitCode.OK), None)
    return gauges + _of_run(last, last_good)


def _of_run(last: Ended | None, last_good: float | None) -> list[Gauge]:
    code = () if last is None else (Sample(int(last.code)),)
    began = () if last is None else (Sample(last.began),)
    end = () if last is None else (Sample(last.ended),)
    took = () if last is None else (Sample(max(last.ended - last.began, 0.0)),)
    good = () if last_good is None else (Sample(last_good),)
    return [
        Gauge("batchbg_last_run_exit_code", "Exit code of the last run that has ended.", code),
        Gauge("batchbg_last_run_start_time_seconds", "When that run began, since 1970.", began),
        Gauge("batchbg_last_run_end_time_seconds", "When that run ended, since 1970.", end),
        Gauge("batchbg_last_run_duration_seconds", "How long that run took.", took),
        Gauge("batchbg_last_success_time_seconds", "When a run last ended with exit code 0, since 1970.", good),
    ]


def _of_ledger(connection: Connection, settings: Settings) -> list[Gauge]:
    now = time.time()
    zone = clock.zone_in(connection, settings.zone)
    summary = of_ledger(connection, settings.caps, now, zone)
    past = runs.last(connection, 1)
    period = period_of(past[0].budget_id if past else "", now, zone)
    caps = dataclasses.replace(settings.caps, keep_balance=None)
    if past and caps.run is None:
        caps = dataclasses.replace(caps, run=past[0].cap_credits)
    limits = budgets.headroom_under(connection, caps, period, "")
    today = credits.totals(connection, Scope.DAY, period.day)
    return [
        Gauge(
            "batchbg_jobs",
            "Jobs in the ledger, by state.",
            tuple(Sample(number, {"state": state.value}) for state, number in jobs.counts(connection).items()),
        ),
        Gauge(
            "batchbg_photos",
            "Photos of the last scan, by what became of them.",
            tuple(Sample(summary.photos[name], {"outcome": name}) for name in PHOTO_COUNTS),
        ),
        Gauge(
            "batchbg_credits",
            "Credits that this ledger has ever counted, by bucket; charged and refunded are gross.",
            _by_bucket(dataclasses.asdict(summary.credits)),
        ),
        Gauge("batchbg_credits_spent", "Credits that count as spent.", (Sample(summary.credits.spent),)),
        Gauge("batchbg_credits_spent_today", "Credits that count as spent today.", (Sample(today.spent),)),
        Gauge("batchbg_cap_credits", "Caps.", tuple(Sample(one.cap, {"cap": one.name}) for one in limits)),
        Gauge(
            "batchbg_cap_left_credits",
            "Credits left under each cap.",
            tuple(Sample(one.left, {"cap": one.name}) for one in limits),
        ),
    ]


def _by_bucket(sums: dict[str, int]) -> tuple[Sample, ...]:
    return tuple(Sample(amount, {"bucket": name}) for name, amount in sums.items())
