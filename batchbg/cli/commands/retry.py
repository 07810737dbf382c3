"""``batchbg retry``: open failed and canceled jobs again."""

import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.completion import job_ids
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.core.lifecycle import JobState
from batchbg.errors import ExitCode
from batchbg.settings import Settings, api_key

if TYPE_CHECKING:
    from batchbg.ledger.engine import Ledger, Tx
    from batchbg.repair import Retried


@click.command()
@click.argument("job", nargs=-1, shell_complete=job_ids(JobState.FAILED, JobState.CANCELED))
@click.option("--pay-again", is_flag=True, help="Plan again also what is still charged: it is then paid for twice.")
@with_settings(*RESULTS[1:], "base_url", "requests_per_second", "json", "retry_lock", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: Settings, job: tuple[str, ...], pay_again: bool) -> None:
    """Open failed and canceled jobs again, all of them or those named.

    One that was never created, or whose refund was seen, is planned again for the next run. One that is still
    charged, or whose render was complete, is asked for and downloaded again, which is free.

    \b
    batchbg retry                 all of them
    batchbg retry JOB --pay-again
    """
    from batchbg import pipeline, repair
    from batchbg.cli.console_reporter import ConsoleReporter
    from batchbg.cli.summary import print_summary
    from batchbg.ledger.engine import held, open_ledger

    done = repair.Retried((), (), ())

    def prepare(tx: "Tx", _ledger: "Ledger") -> None:
        nonlocal done
        done = repair.retry(tx, job, pay_again=pay_again)

    if not _needs_service(settings, job, pay_again):
        with held(settings.ledger, "retry", settings.retry_lock):
            ledger = open_ledger(settings.ledger, create=False)
            with ledger.transaction("retry") as tx:
                prepare(tx, ledger)
            ledger.close()
        _print(done, done.planned)
        return
    key = api_key(settings, os.environ)
    summary = pipeline.run(settings, key, "retry", ConsoleReporter(settings), prepare)
    ledger = open_ledger(settings.ledger, create=False)
    with held(settings.ledger, "retry", settings.retry_lock), ledger.transaction("retry") as tx:
        refunded = repair.plan_refunded(tx, done.asked)
    ledger.close()
    _print(done, (*done.planned, *refunded))
    print_summary(summary, settings)
    only_refunded = summary.exit_code is ExitCode.INCOMPLETE and set(refunded) == set(done.asked)
    ctx.exit(ExitCode.OK if only_refunded else summary.exit_code)


def _needs_service(settings: Settings, ids: tuple[str, ...], pay_again: bool) -> bool:
    """Return whether some of the jobs are still charged, so that the service has to be asked."""
    from batchbg import repair
    from batchbg.ledger.engine import open_ledger

    ledger = open_ledger(settings.ledger, create=False)
    with ledger.reading() as connection:
        picked = repair.pick(connection, ids, repair.ENDED_BADLY)
    ledger.close()
    return not pay_again and any(repair.may_be_had(job) and job.project_id for job in picked)


def _print(done: "Retried", planned: tuple[str, ...]) -> None:
    if planned:
        output.tell(f"{len(planned)} jobs planned again: `batchbg resume` does them", err=True)
    for job_id in done.left:
        output.tell(f"{job_id} is charged, its project unknown: --pay-again pays once more", err=True)
    if not (planned or done.asked or done.left):
        output.tell("there is nothing to retry", err=True)
