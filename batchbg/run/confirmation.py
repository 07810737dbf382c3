"""Where a person decides: the question before a large batch, and the pilot."""

from typing import TYPE_CHECKING

from batchbg.core import pilot
from batchbg.core.words import counted
from batchbg.errors import ExitCode
from batchbg.ledger import jobs
from batchbg.ledger.estimate import Estimate, estimate
from batchbg.run.context import RunContext
from batchbg.run.counts import planned

if TYPE_CHECKING:
    from batchbg.run.progress_meter import ProgressMeter


def may_start_unasked(run: RunContext) -> bool:
    """Return whether a batch of any size may start, so that it need not be known how large it is."""
    settings = run.settings
    unasked = settings.sandbox or settings.yes or settings.confirm_batch_over < 0 or run.reporter.never_asks
    # A pattern that matches nothing may be a typo, which has to be reported before anything is paid for.
    is_picked = settings.include or settings.exclude or settings.files_from or settings.background_map
    return unasked and settings.pilot is None and not is_picked


def confirmed(run: RunContext) -> bool:
    """Ask where a person has to be asked; return whether to begin. Where no create may leave, nobody has to be.

    Raises:
        ConfigError: there is nobody to ask.
    """
    settings = run.settings
    limit = settings.confirm_batch_over
    unasked = settings.sandbox or settings.yes or settings.pilot is not None or limit < 0 or run.stop.no_creates
    if unasked or planned(run) <= limit or run.reporter.ask(_estimate(run)):
        return True
    run.stop.note(ExitCode.INTERRUPT, "not started, as you answered: nothing was sent")
    return False


def pick_pilot(run: RunContext) -> frozenset[str] | None:
    """Return the jobs to do first; None where no pilot is wanted, or where it would be all of them."""
    if run.settings.pilot is None:
        return None
    with run.ledger.reading() as connection:
        candidates = jobs.planned_by(connection, run.id)
    if len(candidates) <= run.settings.pilot:
        return None
    return frozenset(pilot.pick(candidates, run.settings.pilot))


async def goes_on_after_pilot(run: RunContext, number: int, meter: "ProgressMeter") -> bool:
    """Show what the pilot of ``number`` jobs made; return whether a person wants the rest."""
    left = planned(run)
    goes_on = await run.stop.before_leaving(run.reporter.pilot_done(number, _estimate(run)))
    if run.stop.leaving:
        return False
    if goes_on:
        meter.total += left
        return True
    why = f"pilot: {counted(number, 'photo')} tried, {left} to go; look at the results, then run again without --pilot"
    run.stop.creates(ExitCode.CAP, why)
    return False


def _estimate(run: RunContext) -> Estimate:
    """Return what the jobs that are yet to be created would cost, and what they would find."""
    settings, budget = run.settings, run.budget
    with run.ledger.reading() as connection:
        return estimate(connection, run.id, budget.caps, settings.base_url, settings.zone, budget.id)
