"""What the steps of a run share, and the two things held around them: the ledger, and the run's entry in it."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batchbg import log_context
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Stamp
from batchbg.disk.rehearsal import Rehearsal
from batchbg.errors import BatchbgError, ExitCode, LedgerError, NoLedger
from batchbg.ledger import clock, identity, jobs, runs
from batchbg.ledger.budgets import Budget
from batchbg.ledger.engine import held, open_ledger
from batchbg.ledger.store import Ledger
from batchbg.pool.stop import Stop
from batchbg.run.binding import bind_purpose
from batchbg.run.control import Control
from batchbg.run.reporter import Reporter
from batchbg.run.task import Task
from batchbg.run.watching import RunDisplay
from batchbg.settings import Settings

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RunContext:
    """One run under the ledger's lock.

    Attributes:
        settings: checked, with the time zone of the ledger.
        key: the API key.
        creates: whether planned jobs are created; otherwise only what is paid for is collected.
        deletes: whether projects are deleted at the service whose deletion is wanted.
        ledger: open, and held by this process.
        id: of this run.
        budget: whose caps it spends under; its account is known once the service has told it.
        stop: why and how far it stops.
        rehearsal: tries out where results belong before anything is paid for.
        reporter: is told what happens.
        watching: shows how it stands.
        control: who may end it.
        takes: whether a file may be planned now; None where all may.
    """

    settings: Settings
    key: str = dataclasses.field(repr=False)
    creates: bool
    deletes: bool
    ledger: Ledger
    id: str
    budget: Budget
    stop: Stop
    rehearsal: Rehearsal
    reporter: Reporter
    watching: RunDisplay
    control: Control
    takes: Callable[[str, Stamp], bool] | None = None


@contextlib.contextmanager
def holding(settings: Settings, task: Task[Any], reporter: Reporter) -> Iterator[tuple[Ledger, Settings]]:
    """Hold the ledger, and make sure that it is the right one; yield it, and the settings with the zone of its days.

    Raises:
        ConfigError, LedgerError: it is held by another run, is a copy or an older one, or serves another purpose.
    """
    with held(settings.ledger, task.command, settings.retry_lock) as database:
        output = Path(os.path.realpath(settings.output)) if settings.photos else None
        if not database.exists():
            if output is None:
                raise NoLedger("there is no ledger yet, so there is nothing to resume; `batchbg run` makes one")
            identity.refuse_new(database.name, output)
        ledger = open_ledger(database)
        try:
            if ledger.made:
                reporter.ledger_made(ledger.name)
            settings = _in_its_zone(ledger, settings, output)
            bind_purpose(ledger, settings)
            yield ledger, settings
        finally:
            if ledger.is_lost:
                _name_projects(ledger)
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
        return dataclasses.replace(settings, timezone=clock.zone_of(connection))


def _name_projects(ledger: Ledger) -> None:
    """Print every project of a ledger that was taken away: nobody else knows of them."""
    known = dict(ledger.projects)
    with contextlib.suppress(LedgerError), ledger.reading() as connection:
        known |= {job.id: job.project_id for job in jobs.in_states(connection, frozenset(JobState)) if job.project_id}
    told = "these are its projects:" if known else "no project id is known of it"
    log.error("the ledger %s is not the one that this run wrote to; %s", ledger.name, told)
    for job_id, project_id in known.items():
        log.error("job %s: project id %s", job_id, project_id)


@contextlib.contextmanager
def beginning(
    ledger: Ledger, settings: Settings, key: str, task: Task[Any], reporter: Reporter, control: Control
) -> Iterator[RunContext]:
    """Enter a run in the ledger; its end is there too, whatever happens, short of a kill."""
    with ledger.transaction() as tx:
        entry = runs.begin(
            tx,
            task.command,
            settings.base_url,
            settings.max_credits,
            spends=task.creates,
            run_id=log_context.announced(),
        )
    if entry.continued:
        log.info("continuing the run that was killed, under its cap")
    caps = dataclasses.replace(settings.caps, run=entry.cap_credits)
    run = RunContext(
        settings=settings,
        key=key,
        creates=task.creates,
        deletes=task.deletes or settings.delete_remote,
        ledger=ledger,
        id=entry.id,
        budget=Budget(entry.budget_id, caps, settings.base_url, settings.zone),
        stop=Stop(),
        rehearsal=Rehearsal(entry.id),
        reporter=reporter,
        watching=RunDisplay(reporter),
        control=control,
        takes=task.takes,
    )
    if not task.creates:
        run.stop.collect_only()
    code = ExitCode.INTERNAL
    try:
        with control.throughout(run.stop, run.watching.asked), log_context.in_run(run.id):
            yield run
        code = run.stop.exit_code
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
        with contextlib.suppress(LedgerError), ledger.transaction(run.id) as tx:
            runs.end(tx, code)
