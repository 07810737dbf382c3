"""What a run says at its end: a table on a terminal, one line elsewhere, one object for programs."""

import os
import shlex
import sys
from typing import Final

import click

from batchbg.cli.output import money, print_json
from batchbg.core.lifecycle import FINAL, JobState
from batchbg.errors import ConfigError, ExitCode
from batchbg.report.summary import Summary
from batchbg.settings import Settings, load

MARGIN: Final = 13


def print_summary(summary: Summary, settings: Settings, then: str | None = None) -> None:
    """Print what became of a run; nothing with -q on success.

    Args:
        summary: of the run.
        settings: of the run.
        then: the command to type next, where the command knows better than the summary.
    """
    if settings.json:
        print_json(summary.as_json())
        return
    if settings.quiet and summary.exit_code is ExitCode.OK:
        return
    if sys.stdout.isatty():
        for line in table(summary, settings, next_command(summary, settings) if then is None else then):
            click.echo(line)
    else:
        click.echo("; ".join(summary_lines(summary, settings)))


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
    credits = f"credits: {money(summary.credits.spent, settings)} spent{_details(summary)}"
    if summary.room:
        credits += f"; {summary.room}"
    lines.append(credits)
    lines += [*summary.notes, *summary.reasons]
    return lines


def _details(summary: Summary) -> str:
    """Return what the credits spent are made of, where that is more than charges."""
    sums = summary.credits
    if sums.spent == sums.charged:
        return ""
    details = [("charged", sums.charged), ("refunded", sums.refunded), ("reserved", sums.reserved)]
    details.append(("unresolved", sums.unresolved))
    return " (" + ", ".join(f"{number} {name}" for name, number in details if number) + ")"


def table(summary: Summary, settings: Settings, then: str) -> list[str]:
    """Return the closing table: what became of the photos, the money, where things are, what to type next."""
    states = summary.jobs
    rows = [
        ("done", states[JobState.DONE], "green"),
        ("reused", summary.photos["reused"], "green"),
        ("skipped", summary.photos["skipped"], None),
        ("rejected", summary.photos["rejected"], "yellow"),
        ("failed", states[JobState.FAILED] + states[JobState.CANCELED], "red"),
        ("unresolved", states[JobState.UNRESOLVED], "red"),
        ("waiting", sum(number for state, number in states.items() if state not in FINAL), "yellow"),
    ]
    lines = [_row(name, number, colour) for name, number, colour in rows if number or name != "waiting"]
    spent = f"{summary.credits.spent:>6}{_details(summary)}"
    if settings.price_per_credit:
        spent += f" = {summary.credits.spent * settings.price_per_credit:.2f}"
    lines.append(_line("credits", f"{spent}; {summary.room}" if summary.room else spent))
    if settings.output.is_dir():
        lines.append(_line("results", click.format_filename(settings.output)))
    report = settings.report or settings.output / "report.html"
    if report.is_file():
        lines.append(_line("report", click.format_filename(report)))
    lines += [_line("" if number else "why", why) for number, why in enumerate(summary.reasons)]
    lines += [_line("note", note) for note in summary.notes]
    lines.append(_line("next", click.style(then, bold=True)))
    return lines


def _row(name: str, number: int, colour: str | None) -> str:
    text = _line(name, f"{number:>6}")
    return click.style(text, fg=colour, bold=True) if number and colour else text


def _line(name: str, text: str) -> str:
    return f"{name:{MARGIN}}{text}"


def next_command(summary: Summary, settings: Settings) -> str:
    """Return the command that a person most likely wants next."""
    states = summary.jobs
    waiting = any(number for state, number in states.items() if state not in FINAL)
    if states[JobState.UNRESOLVED]:
        return _located("jobs --state unresolved", settings)
    if summary.exit_code is ExitCode.ACCOUNT:
        return _located("doctor", settings)
    if waiting:
        return _located("resume", settings)
    if states[JobState.FAILED] or states[JobState.CANCELED]:
        return _located("jobs --state failed" if settings.sandbox else "retry", settings)
    if summary.photos["rejected"]:
        return _located("jobs --state rejected", settings)
    return _located("status" if settings.report else "report", settings)


def _located(command: str, settings: Settings) -> str:
    """Return a command with the options by which it finds the same ledger and service, where the defaults do not."""
    context = click.get_current_context(silent=True)
    config = context.params.get("config") if context else None
    parts = ["batchbg", *command.split()]
    if config:
        parts += ["--config", click.format_filename(config)]
    flags = {"sandbox": True} if settings.sandbox else {}
    parts += ["--sandbox"] if flags else []
    try:
        plain = load(flags, os.environ, config)
    except ConfigError:
        return shlex.join(parts)
    if plain.ledger != settings.ledger:
        parts += ["--ledger", settings.ledger]
    if command in ("resume", "retry", "doctor") and not flags and plain.base_url != settings.base_url:
        parts += ["--base-url", settings.base_url]
    return shlex.join(parts)
