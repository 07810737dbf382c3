"""What ``watch`` does at the terminal: turns, what they come to, new settings."""

import functools
import os
import signal
from collections.abc import Callable

import click

from batchbg.cli import output
from batchbg.cli.console_reporter import ConsoleReporter
from batchbg.cli.options import settings_again
from batchbg.cli.suggest import command_line
from batchbg.cli.summary import print_summary
from batchbg.core.model import Stamp
from batchbg.core.words import counted
from batchbg.errors import ConfigError, ExitCode
from batchbg.ledger.estimate import Estimate
from batchbg.library.performing import perform
from batchbg.report.metrics import kept
from batchbg.report.summary import Summary
from batchbg.run.signals import told_on_hangup
from batchbg.run.task import Process
from batchbg.settings import Settings, api_key
from batchbg.watch.wakes import Wakes
from batchbg.watch.watcher import Host, Watcher, check


def watch(ctx: click.Context, settings: Settings) -> ExitCode:
    """Watch a folder until a signal ends it; return how.

    Raises:
        ConfigError: the settings are none to watch with, or there is no key.
    """
    check(settings)
    api_key(settings, os.environ)
    if hasattr(signal, "SIGIO"):
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # see disk/open_files.py
    wakes = Wakes()
    host = _Terminal(ctx, settings, wakes)
    with told_on_hangup(host.hung_up):
        output.note(
            f"watching {settings.photos}: photos are taken {settings.still_for:g} s after their last change", settings
        )
        return Watcher(settings, host, wakes).run()


class _Reporter(ConsoleReporter):
    """Asks nobody: a cap holds each turn."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.never_asks = True

    def ask(self, found: Estimate) -> bool:
        """Go on."""
        return True


class _Terminal(Host):
    """Prints what becomes of a watcher's turns; what goes wrong is said once, and when it is over."""

    def __init__(self, ctx: click.Context, settings: Settings, wakes: Wakes) -> None:
        self._ctx = ctx
        self._settings = settings
        self._wakes = wakes
        self._is_hung_up = False
        self._told: object = None
        self._why = ""

    def hung_up(self) -> None:
        """Have the settings read anew, as soon as no turn is being taken."""
        self._is_hung_up = True
        self._wakes.wake()

    def new_settings(self) -> Settings | None:
        """Read the settings anew where that was asked for."""
        if not self._is_hung_up:
            return None
        self._is_hung_up = False
        try:
            new = settings_again(self._ctx)
            check(new)
            api_key(new, os.environ)
        except ConfigError as error:
            output.tell(f"batchbg: the settings stay as they were: {error}", err=True)
            return None
        self._settings = new
        output.note("the settings were read anew", new)
        return new

    def turn(self, settings: Settings, takes: Callable[[str, Stamp], bool]) -> ExitCode:
        """Make a run, and print its summary where it did anything."""
        self._why = ""
        key = api_key(settings, os.environ)
        progress = _Reporter(settings)
        typed = functools.partial(command_line, settings=settings)
        try:
            with kept(settings) as metrics:
                summary = perform(settings, key, Process("watch", takes), progress, typed=typed)
                metrics.code = summary.exit_code
        finally:
            progress.close()
        self._why = summary.reasons[0] if summary.reasons else ""
        if _did_anything(summary):
            print_summary(summary, settings)
        return summary.exit_code

    def failed(self, code: ExitCode, why: str, again_s: float) -> None:
        """Say what is wrong, once."""
        is_news, self._told = self._told != (code, why), (code, why)
        if is_news:
            when = f"tried again in {counted(round(again_s), 'second')}, and then less often"
            when = "waiting for it" if code is ExitCode.LOCKED else when
            output.tell(f"batchbg: {why or self._why or f'exit code {int(code)}'}; {when}", err=True)

    def recovered(self) -> None:
        """Say that it is over."""
        self._told = None
        output.note("working again", self._settings)


def _did_anything(summary: Summary) -> bool:
    return bool(sum(summary.jobs.values()) or summary.photos["reused"])
