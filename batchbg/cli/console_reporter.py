"""How a run shows itself while it goes: a bar on a terminal, a line a photo with -v, one line when asked."""

import asyncio
import contextlib
import functools
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from batchbg.cli.logs import say
from batchbg.cli.output import expected_s, is_animated, money, note
from batchbg.cli.prompt import confirm, confirmed
from batchbg.cli.suggest import command_line
from batchbg.core.progress import Progress
from batchbg.core.words import counted, duration, share
from batchbg.errors import BatchbgError, ConfigError
from batchbg.ledger.estimate import Estimate
from batchbg.plan.lines import Line
from batchbg.run.reporter import Reporter
from batchbg.settings import Settings, api_key

if TYPE_CHECKING:
    from tqdm import tqdm

    from batchbg.api.wire import Account

log = logging.getLogger(__name__)

BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
"""The figures that tqdm would add are those of its own clock; ours know of places and of caps."""


ACCOUNT_WAIT_S: Final = 5.0
"""Seconds for which the balance is asked for before a question."""


class ConsoleReporter(Reporter):
    """Tells a person how a run goes."""

    def __init__(self, settings: Settings) -> None:
        self.live = is_animated() and not settings.quiet
        self.never_asks = settings.is_capped and not _somebody_there()
        self._settings = settings
        self._bar: tqdm[Any] | None = None
        self._probing: tqdm[Any] | None = None
        self._opened = 0
        self._planned = 0
        self._asking = False
        self._at_work = False
        self._caveat = ""

    def line(self, line: Line) -> None:
        """Print one photo of the plan with -v; rejects where they are news."""
        self._planned += 1
        if line.action == "reject":
            if line.is_news or self._settings.verbose or self._settings.strict:
                self.rejected(line)
        elif self._settings.verbose:
            parts = [line.action, line.path, line.background and f"on {line.background}", line.detail]
            note("  ".join(part for part in parts if part), self._settings)

    def rejected(self, line: Line) -> None:
        """Print why a photo cannot be sent."""
        note(f"rejected {line.path}: {line.detail}", self._settings)

    def ledger_made(self, path: str) -> None:
        """Say that a ledger was made, and where, with -q too: one made by mistake knows of nothing that is paid."""
        say(f"new ledger: {path}")

    def opened(self, number: int) -> None:
        """Show how the scan goes, on a terminal."""
        self._opened += number
        if self._at_work or not self.live:
            return  # the work has begun, and has the one line there is
        probing = self._probing  # the work may begin, in another thread, at any moment
        if probing is None:
            from tqdm import tqdm

            probing = tqdm(desc="looking", unit=" files", file=sys.stderr, leave=False)
            self._probing = probing
        probing.update(number)

    def settled(self, total: int) -> None:
        """Show the bar, on a terminal."""
        self._close_probing()
        self._at_work = True
        if not self.live:
            return
        from tqdm import tqdm

        self._bar = tqdm(
            total=total,
            disable=not total,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format=BAR,
            leave=False,
        )

    def tick(self, progress: Progress) -> None:
        """Draw the bar as the run stands now."""
        if self._bar is not None and not self._bar.disable and not self._asking:
            self._bar.total = progress.total
            self._bar.n = progress.ended
            self._bar.set_postfix_str(", ".join(_beside_the_bar(progress)), refresh=True)

    def status(self, progress: Progress | None) -> None:
        """Print one line, as somebody asked, with -q too."""
        text = status_line(progress, self._settings) if progress else self._before_the_pool()
        # The signal may have come in the middle of another line's writing, or stderr be gone: no reason to end a run.
        with contextlib.suppress(RuntimeError, OSError):
            say(text)

    def _before_the_pool(self) -> str:
        if self._at_work:
            return "batchbg: finishing"
        return f"batchbg: planning: {counted(self._planned, 'photo')} so far, {counted(self._opened, 'file')} opened"

    async def pilot_done(self, number: int, found: Estimate) -> bool:
        """Write the report and, on a terminal, ask whether to go on with the rest."""
        from batchbg.report.page import write_report

        typed = functools.partial(command_line, settings=self._settings)
        page = await asyncio.to_thread(write_report, self._settings.ledger, self._settings.report, typed=typed)
        note(f"pilot: {counted(number, 'photo')} tried: see {page}", self._settings)
        if self._settings.yes or not _somebody_there():
            return False
        files = self._settings.max_files
        text = prospect(found, self._settings, found.balance, files if files is None else max(files - number, 0))
        self._asking = True  # the bar would be drawn over the question
        try:
            if self._bar is not None:
                self._bar.clear()
            return await confirmed(f"Still to do: {text}. Go on?")
        finally:
            self._asking = False

    def ask(self, found: Estimate) -> bool:
        """Ask before a large batch.

        Raises:
            ConfigError: there is nobody to ask.
        """
        settings = self._settings
        if _somebody_there():
            self._close_probing()
            account = _account(settings)
            known = found.balance if account is None or account.credits is None else account.credits
            text = prospect(found, settings, known, settings.max_files)
            self._caveat = account.caveat if account is not None else ""
            caveat = f"; {self._caveat}" if self._caveat else ""
            return confirm(f"{text}{caveat}. Go on?")
        if settings.is_capped:
            return True
        cost = f"{counted(found.jobs, 'new job')}, about {money(found.credits, settings)}"
        raise ConfigError(
            f"{cost}, and no terminal to ask on: give --yes, or a cap such as --max-credits {found.credits}"
        )

    def caveat(self, text: str) -> None:
        """Say it once: it may have been part of the question."""
        if text != self._caveat:
            self._caveat = text
            log.warning("%s", text)

    def _close_probing(self) -> None:
        if self._probing is not None:
            self._probing.close()
            self._probing = None

    def close(self) -> None:
        """Take the bars away."""
        self._close_probing()
        if self._bar is not None:
            self._bar.close()


def prospect(found: Estimate, settings: Settings, balance: int | None, max_files: int | None) -> str:
    """Return what going on would really do: the jobs that the caps let through, their cost, the balance, the time."""
    number = found.jobs if max_files is None else min(found.jobs, max_files)
    if found.headroom is not None:
        number = min(number, max(found.headroom.left, 0) // found.price)
    parts = [counted(found.jobs, "new job") + (f", {number} of them now" if number < found.jobs else "")]
    parts[0] += f", about {money(number * found.price, settings)}"
    if found.headroom is not None:
        parts.append(str(found.headroom))
    if max_files is not None:
        parts.append(f"max_files: {max_files} more")
    parts.append(
        "the account's balance is not known" if balance is None else f"{counted(balance, 'credit')} on the account"
    )
    return "; ".join([*parts, f"about {duration(expected_s(number, settings))}"])


def _account(settings: Settings) -> "Account | None":
    """Ask the service for the account, for a few seconds; None where it does not tell."""
    from batchbg.cli.commands.account import read

    try:
        asking = read(settings, api_key(settings, os.environ))
        return asyncio.run(asyncio.wait_for(asking, ACCOUNT_WAIT_S))
    except (BatchbgError, TimeoutError):
        return None


def _somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _beside_the_bar(progress: Progress) -> list[str]:
    """Return the figures beside the bar, short enough for 80 columns."""
    parts = [f"{progress.in_flight}{_of_width(progress)} in flight"]
    parts.append(f"{progress.cap[0]}/{progress.cap[1]} credits" if progress.cap else counted(progress.spent, "credit"))
    if progress.per_minute is not None:
        parts.append(f"{progress.per_minute:.0f}/min")
    if progress.stopping:
        parts.append("stopping")
    elif progress.left_s is not None:
        parts.append(f"{duration(progress.left_s)} left")
    return parts


def _of_width(progress: Progress) -> str:
    """Return the learnt width where the service takes no more than that."""
    return f" of {progress.width} (asked {progress.widest})" if progress.width < progress.widest else ""


def status_line(progress: Progress, settings: Settings) -> str:
    """Return how a run stands as one line."""
    parts = [share(progress.ended, max(progress.total, progress.ended), "job")]
    narrowed = progress.width < progress.widest
    width = f" (the service allows {progress.width}, {progress.widest} were asked for)" if narrowed else ""
    parts.append(f"{progress.in_flight} in flight{width}")
    spent = f"{money(progress.spent, settings)} spent"
    parts.append(f"{spent}, {progress.cap[0]} of {progress.cap[1]} under the cap" if progress.cap else spent)
    if progress.per_minute is not None:
        parts.append(f"{counted(round(progress.per_minute), 'image')} a minute")
    if progress.stopping:
        parts.append("stopping")
    elif progress.left_s is not None:
        parts.append(f"about {duration(progress.left_s)} left")
    return "batchbg: " + ", ".join(parts)
