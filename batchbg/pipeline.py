"""READ THIS FIRST: a run from its folders to its verdict.

scan -> pair -> plan (ledger) -> upload -> submit -> track -> download -> verify -> report

``plan`` turns files into planned jobs, ``pool`` takes jobs to their end, ``ledger`` remembers both. Each step below is
found in ``run``, in a module of its own.
"""

import asyncio
import dataclasses
from typing import Generic

from batchbg.report.summary import Summary
from batchbg.run.confirmation import confirmed, may_start_unasked
from batchbg.run.context import RunContext, beginning, holding
from batchbg.run.control import Control
from batchbg.run.planning import Plan, opened_output, plan_all, take_up, try_outputs
from batchbg.run.recovery import conclude, prepare
from batchbg.run.reporter import Reporter
from batchbg.run.session import Work, plan_and_process, process
from batchbg.run.signal_control import SignalControl
from batchbg.run.task import Found, Task
from batchbg.run.verdict import verdict
from batchbg.settings import Settings


@dataclasses.dataclass(frozen=True)
class Ended(Generic[Found]):
    """A run that has ended: its summary, and what its task found out."""

    summary: Summary
    found: Found


def run(
    settings: Settings, key: str, task: Task[Found], reporter: Reporter, control: Control | None = None
) -> Ended[Found]:
    """Plan ``settings.photos`` where it is set, then take every job of the run to its end.

    Args:
        settings: checked.
        key: the API key.
        task: what the command wants; one that creates nothing leaves planned jobs alone.
        reporter: is told what happens.
        control: who may end it; None lets signals do so, which only the main thread can.

    Raises:
        ConfigError, LedgerError, DiskError: nothing could be begun.
    """
    if not task.creates:  # then new photos are none of its business, whatever config.toml names
        settings = dataclasses.replace(settings, photos=None)
    with (
        holding(settings, task, reporter) as (ledger, settings),
        beginning(ledger, settings, key, task, reporter, control or SignalControl()) as context,
    ):
        found = prepare(context, task)
        plan = Plan.of(context)
        work = (
            _plan_beside_work(context, plan) if plan and may_start_unasked(context) else _plan_then_work(context, plan)
        )
        summary = verdict(context, plan, work)
        return Ended(summary, conclude(context, task, found))


def _plan_beside_work(context: RunContext, plan: Plan) -> Work:
    """Begin with the first job that is planned: nobody has to be asked, however many there are."""
    may_save = opened_output(context, plan)
    take_up(context)
    return asyncio.run(plan_and_process(context, plan) if may_save else process(context))


def _plan_then_work(context: RunContext, plan: Plan | None) -> Work:
    """Plan everything, ask where a person has to be asked, and only then begin."""
    if plan:
        plan_all(context, plan)
    take_up(context)
    if not confirmed(context):
        return Work(context.budget)
    try_outputs(context)
    return asyncio.run(process(context))
