"""The commands that process jobs: the pipeline, with a sandbox, a monitor and a report around it where wanted."""

import contextlib
import functools
import os
from typing import NoReturn

import click

from batchbg.cli import output
from batchbg.cli.console_reporter import ConsoleReporter
from batchbg.cli.heartbeat import heartbeat
from batchbg.cli.suggest import command_line
from batchbg.cli.summary import print_summary, summary_lines
from batchbg.errors import ConfigError
from batchbg.library.performing import perform
from batchbg.report.metrics import kept
from batchbg.report.summary import Summary
from batchbg.run.task import Process
from batchbg.settings import Settings, api_key


def process_and_exit(ctx: click.Context, settings: Settings, name: str) -> NoReturn:
    """Process jobs, tell the terminal and the monitor what became of them, and exit with the run's code."""
    with heartbeat(settings) as told, kept(settings):
        if name == "run" and settings.photos is None:
            raise ConfigError("name the folder of photos: `batchbg run PHOTOS`, or `photos` in config.toml")
        summary = process(settings, name)
        told += summary_lines(summary, settings)
        print_summary(summary, settings)
        ctx.exit(summary.exit_code)


def process(settings: Settings, name: str) -> Summary:
    """Run the pipeline, against the sandbox where the settings say so, and write the report where they name one."""
    if settings.sandbox:
        from batchbg.sandbox.rendering import is_rough
        from batchbg.sandbox.rough import TOLD

        if is_rough():
            output.note(TOLD, settings)
    key = api_key(settings, os.environ)
    progress = ConsoleReporter(settings)
    with contextlib.ExitStack() as stack:
        stack.callback(progress.close)
        finishing = None
        if settings.finish:
            from batchbg.cli.finished import bar

            finishing = stack.enter_context(bar(settings))
        typed = functools.partial(command_line, settings=settings)
        return perform(settings, key, Process(name), progress, typed=typed, finishing=finishing)
