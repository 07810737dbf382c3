"""``batchbg retry``: open failed and canceled jobs again."""

import os
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.completion import job_ids
from batchbg.cli.options import COMMON, RESULTS, with_settings
from batchbg.core.lifecycle import JobState
from batchbg.core.words import counted
from batchbg.errors import ExitCode

if TYPE_CHECKING:
    from batchbg.repair.retry import Retried
    from batchbg.settings import Settings


@click.command()
@click.argument("job", nargs=-1, shell_complete=job_ids(JobState.FAILED, JobState.CANCELED))
@click.option("--pay-again", is_flag=True, help="Plan again also what is still charged: it is then paid for twice.")
@with_settings(*RESULTS[1:], "base_url", "requests_per_second", "json", "retry_lock", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: "Settings", job: tuple[str, ...], pay_again: bool) -> None:
    """Open failed and canceled jobs again, all of them or those named.

    One that was never created, or whose refund was seen, is planned again for the next run. One that is still
    charged, or whose render was complete, is asked for and downloaded again, which is free.

    \b
    batchbg retry                 all of them
    batchbg retry JOB --pay-again
    """
    from batchbg import pipeline
    from batchbg.cli.console_reporter import ConsoleReporter
    from batchbg.cli.summary import print_summary
    from batchbg.repair.retry import Retry, retry_alone
    from batchbg.settings import api_key

    task = Retry(job, pay_again)
    done = retry_alone(settings, task)
    if done is not None:
        _print(done)
        return
    ended = pipeline.run(settings, api_key(settings, os.environ), task, ConsoleReporter(settings))
    _print(ended.found)
    summary = ended.summary
    print_summary(summary, settings)
    only_refunded = summary.exit_code is ExitCode.INCOMPLETE and ended.found.refunded == ended.found.asked
    ctx.exit(ExitCode.OK if only_refunded else summary.exit_code)


def _print(done: "Retried") -> None:
    planned = (*done.planned, *done.refunded)
    if planned:
        them = "it" if len(planned) == 1 else "them"
        output.tell(f"{counted(len(planned), 'job')} planned again: `batchbg resume` does {them}", err=True)
    for job_id in done.left:
        output.tell(f"{job_id} was charged and its project is not known; --pay-again pays once more", err=True)
    if not (planned or done.asked or done.left):
        output.tell("there is nothing to retry", err=True)
