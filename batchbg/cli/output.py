"""What commands print: the summary, questions, the progress bar."""

import json
import sys
from typing import Any

import click
from tqdm import tqdm

from batchbg.core.lifecycle import JobState
from batchbg.core.model import PRICE_CREDITS, Job
from batchbg.errors import ConfigError, ExitCode
from batchbg.folder_plan import Line
from batchbg.pipeline import Reporter
from batchbg.planner import Tally
from batchbg.pool.drain import Pool
from batchbg.report.summary import Summary
from batchbg.settings import Settings


def note(text: str, settings: Settings) -> None:
    """Say something on stderr, unless nothing is to be said."""
    if not settings.quiet:
        tqdm.write(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, ensure_ascii=True))


def money(credits: int, settings: Settings) -> str:
    """Return credits, and money where the price of one is known."""
    text = f"{credits} credits"
    return f"{text} ({credits * settings.price_per_credit:.2f})" if settings.price_per_credit else text


def print_summary(summary: Summary, settings: Settings) -> None:
    """Print what became of a run: one object with --json, else a few lines; nothing with -q on success."""
    if settings.json:
        print_json(summary.as_json())
        return
    if settings.quiet and summary.exit_code is ExitCode.OK:
        return
    for line in summary_lines(summary, settings):
        click.echo(line)


def summary_lines(summary: Summary, settings: Settings) -> list[str]:
    """Return the summary as lines for people."""
    states, photos = summary.jobs, summary.photos
    total = sum(states.values())
    parts = [f"{states[JobState.DONE]} of {total} jobs done"]
    parts += [f"{number} {state}" for state, number in states.items() if number and state is not JobState.DONE]
    lines = [", ".join(parts)]
    if photos["seen"] or photos["ignored"]:
        shown = [f"{photos[name]} {name}" for name in ("seen", "reused", "skipped", "rejected", "ignored")]
        lines.append("photos: " + ", ".join(shown))
    sums = summary.credits
    credits = f"credits: {money(sums.spent, settings)} spent"
    details = [("charged", sums.charged), ("refunded", sums.refunded), ("reserved", sums.reserved)]
    details.append(("unresolved", sums.unresolved))
    if sums.spent != sums.charged:
        credits += " (" + ", ".join(f"{number} {name}" for name, number in details if number) + ")"
    if summary.room:
        credits += f"; {summary.room}"
    lines.append(credits)
    lines += [*summary.notes, *summary.reasons]
    return lines


def ask(settings: Settings) -> Any:
    """Return the function that asks before a large batch."""

    def question(tally: Tally, new: int) -> bool:
        cost = f"{new} new jobs, about {money(new * PRICE_CREDITS, settings)}"
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            if settings.is_capped:
                return True
            raise ConfigError(
                f"{cost}, and nobody to ask: give --yes, or a cap such as --max-credits {new * PRICE_CREDITS}"
            )
        return click.confirm(f"{cost}. Go on?", err=True)

    return question


class Progress(Reporter):
    """A bar on a terminal, a line a photo with -v."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bar: tqdm[Any] | None = None
        self._looking: tqdm[Any] | None = None
        self._pool: Pool | None = None
        self._planned = 0

    def line(self, line: Line) -> None:
        """Print one photo of the plan with -v; rejects always."""
        if line.action in ("new", "go on"):
            self._planned += 1
        if line.action == "reject":
            note(f"rejected {line.path}: {line.detail}", self._settings)
        elif self._settings.verbose:
            parts = [line.action, line.path, line.background and f"on {line.background}", line.detail]
            note("  ".join(part for part in parts if part), self._settings)

    def ledger_made(self, path: str) -> None:
        """Say that a ledger was made, and where: the next run has to find it."""
        note(f"new ledger: {path}", self._settings)

    def looked(self, number: int) -> None:
        """Show how the scan goes, on a terminal."""
        if self._looking is None:
            off = True if self._settings.quiet else None
            self._looking = tqdm(desc="looking", unit="file", disable=off, file=sys.stderr, leave=False)
        self._looking.update(number)

    def settled(self, pool: Pool) -> None:
        """Show the bar, on a terminal."""
        self._close_looking()
        self._pool = pool
        self._bar = tqdm(
            total=self._planned or None,
            unit="job",
            disable=True if self._settings.quiet else None,
            file=sys.stderr,
            dynamic_ncols=True,
        )

    def pilot_done(self, number: int, left: int) -> bool:
        """Write the report and, on a terminal, ask whether to go on with the rest."""
        from batchbg.report.page import write_report

        page = write_report(self._settings.ledger, self._settings.report)
        note(f"pilot: {number} photos tried; {page} shows them", self._settings)
        if self._settings.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        cost = money(left * PRICE_CREDITS, self._settings)
        if self._bar is not None:
            self._bar.clear()
        return click.confirm(f"Go on with the other {left}, about {cost}?", err=True)

    def ended(self, job: Job) -> None:
        """Move the bar on."""
        if self._bar is not None:
            if self._pool is not None:
                self._bar.set_postfix_str(f"{self._pool.slots.held} in flight", refresh=False)
            self._bar.update()

    def _close_looking(self) -> None:
        if self._looking is not None:
            self._looking.close()
            self._looking = None

    def close(self) -> None:
        """Take the bars away."""
        self._close_looking()
        if self._bar is not None:
            self._bar.close()
