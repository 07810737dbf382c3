"""The commands that process jobs: the pipeline, with a sandbox, a monitor and a report around it where wanted."""

import contextlib
import dataclasses
import functools
import os
from typing import Final, NoReturn

import click

from batchbg import pipeline
from batchbg.cli import output
from batchbg.cli.console_reporter import ConsoleReporter
from batchbg.cli.heartbeat import heartbeat
from batchbg.cli.suggest import command_line
from batchbg.cli.summary import print_summary, summary_lines
from batchbg.errors import BatchbgError, ConfigError, ExitCode
from batchbg.report.summary import Summary
from batchbg.run.task import Process
from batchbg.settings import Settings, api_key

INTERRUPTED: Final = frozenset({ExitCode.HANGUP, ExitCode.INTERRUPT, ExitCode.TERMINATED})
"""Who ends a run so does not wait for finished pictures."""


def process_and_exit(ctx: click.Context, settings: Settings, name: str) -> NoReturn:
    """Process jobs, tell the terminal and the monitor what became of them, and exit with the run's code."""
    with heartbeat(settings) as told:
        if name == "run" and settings.photos is None:
            raise ConfigError("name the folder of photos: `batchbg run PHOTOS`, or `photos` in config.toml")
        summary = process(settings, name)
        told += summary_lines(summary, settings)
        print_summary(summary, settings)
        ctx.exit(summary.exit_code)


def process(settings: Settings, name: str) -> Summary:
    """Run the pipeline, against the sandbox where the settings say so, and write the report where they name one."""
    if settings.report:
        from batchbg.report.page import check_name

        check_name(settings.report)
    if settings.finish:
        from batchbg.cli.finished import check_before

        check_before(settings)
    key = api_key(settings, os.environ)
    progress = ConsoleReporter(settings)
    with contextlib.ExitStack() as stack:
        stack.callback(progress.close)
        if settings.sandbox:
            from batchbg.sandbox.config import SandboxConfig
            from batchbg.sandbox.rendering import is_rough
            from batchbg.sandbox.rough import TOLD
            from batchbg.sandbox.server import SandboxServer

            if is_rough():
                output.note(TOLD, settings)
            server = stack.enter_context(SandboxServer(SandboxConfig()))
            settings = dataclasses.replace(settings, base_url=server.url)
        summary = pipeline.run(settings, key, Process(name), progress).summary
    summary = _with_report(summary, settings) if settings.report else summary
    if settings.finish and summary.exit_code not in INTERRUPTED:
        from batchbg.cli.finished import with_finished

        summary = with_finished(summary, settings)
    return summary


def _with_report(summary: Summary, settings: Settings) -> Summary:
    """Write the report; what keeps it from being written is no reason not to tell what the run did."""
    from batchbg.report.page import write_report

    try:
        write_report(
            settings.ledger,
            settings.report,
            caps=settings.caps,
            zone=settings.zone,
            price_per_credit=settings.price_per_credit,
            typed=functools.partial(command_line, settings=settings),
        )
    except BatchbgError as error:
        code = summary.exit_code or error.exit_code
        return dataclasses.replace(summary, exit_code=code, notes=(*summary.notes, f"no report: {error}"))
    return summary
