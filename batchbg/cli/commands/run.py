"""``batchbg run``: scan, pair, plan and process."""

import contextlib
import dataclasses
import functools
import os
from pathlib import Path

import click

from batchbg import pipeline
from batchbg.cli.commands.plan import show_plan
from batchbg.cli.console_reporter import ConsoleReporter
from batchbg.cli.heartbeat import heartbeat
from batchbg.cli.options import ASKING, COMMON, LIMITS, RESULTS, SCAN, Sectioned, settings_keys, with_settings
from batchbg.cli.suggest import command_line
from batchbg.cli.summary import print_summary, summary_lines
from batchbg.errors import BatchbgError, ConfigError
from batchbg.report.summary import Summary
from batchbg.run.task import Process
from batchbg.settings import Settings, api_key


@click.command(cls=Sectioned)
@click.argument("photos", required=False, type=click.Path(path_type=Path))
@with_settings(*settings_keys(SCAN, RESULTS, ("plan", "dry_run"), LIMITS, ASKING, COMMON))
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Put every photo in PHOTOS on a new background.

    Skips what is done, and finishes what is already paid for.

    \b
    batchbg run photos -b backgrounds --max-credits 200
    batchbg run photos --sandbox          a rehearsal: no key, nothing charged
    batchbg run photos -n                 what would be done
    """
    if settings.dry_run:
        ctx.exit(show_plan(settings))
    with heartbeat(settings) as told:
        if settings.photos is None:
            raise ConfigError("name the folder of photos: `batchbg run PHOTOS`, or `photos` in config.toml")
        summary = process(settings, "run")
        told += summary_lines(summary, settings)
        print_summary(summary, settings)
        ctx.exit(summary.exit_code)


def process(settings: Settings, name: str) -> Summary:
    """Run the pipeline, against the sandbox where the settings say so, and write the report where they name one."""
    if settings.report:
        from batchbg.report.page import check_name

        check_name(settings.report)
    key = api_key(settings, os.environ)
    progress = ConsoleReporter(settings)
    with contextlib.ExitStack() as stack:
        stack.callback(progress.close)
        if settings.sandbox:
            from batchbg.sandbox.config import SandboxConfig
            from batchbg.sandbox.server import SandboxServer

            server = stack.enter_context(SandboxServer(SandboxConfig()))
            settings = dataclasses.replace(settings, base_url=server.url)
        summary = pipeline.run(settings, key, Process(name), progress).summary
    return _with_report(summary, settings) if settings.report else summary


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
