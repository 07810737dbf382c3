"""What a run says at its end: a table on a terminal, one line elsewhere, one object for programs."""

import re
import sys
import time
from typing import Any, Final

import click

from batchbg import log_context
from batchbg.cli import output
from batchbg.cli.logs import when
from batchbg.cli.output import money, print_json
from batchbg.cli.suggest import command_line, located
from batchbg.cli.wrapping import fitted
from batchbg.core.lifecycle import FINAL, JobState
from batchbg.core.text import shown
from batchbg.core.words import counted
from batchbg.errors import ExitCode
from batchbg.report.summary import Summary
from batchbg.settings import Settings

MARGIN: Final = 13

LEFT_OUT: Final = ("reused", "skipped", "rejected")
"""Counts of photos for which a run has no job."""

_COUNTED: Final = re.compile(r"(\d+) (?:photos?|jobs?)\b")
"""A number with its noun, without which it stands among those of a summary."""


def print_summary(summary: Summary, settings: Settings, then: str | None = None) -> None:
    """Print what became of a run; nothing with -q on success.

    Args:
        summary: of the run.
        settings: of the run.
        then: the command to type next, where the command knows better than the summary.
    """
    if settings.json:
        print_json(_as_json(summary))
        return
    if settings.quiet and summary.exit_code is ExitCode.OK:
        return
    if sys.stdout.isatty():
        for line in table(summary, settings):
            click.echo(fitted(line, sys.stdout, " " * MARGIN))
        click.echo(_next_row(next_command(summary, settings) if then is None else then))
    else:
        output.tell("; ".join(summary_lines(summary, settings)))


def print_outcome(told: list[str], summary: Summary, settings: Settings) -> None:
    """Print what a command has done where that is not what a run does; why it ended otherwise than well; what is next."""
    if settings.json:
        print_json(_as_json(summary))
        return
    if settings.quiet and summary.exit_code is ExitCode.OK:
        return
    for line in (*told, *summary.notes, *summary.reasons):
        output.tell(line)
    if sys.stdout.isatty() and summary.exit_code is not ExitCode.OK:
        click.echo(_next_row(next_command(summary, settings)))


def _as_json(summary: Summary) -> dict[str, Any]:
    """Return the documented object; it may stand in a log beside others."""
    return {"time": when(time.time()), "run": log_context.current().get("run"), **summary.as_json()}


def summary_lines(summary: Summary, settings: Settings) -> list[str]:
    """Return the summary of a run as lines for people; a reason that only counts what is counted before is left out."""
    happened = _happened(summary)
    said = set(re.split(r"[:,] ", ", ".join(happened)))
    reasons = [why for why in summary.reasons if not said.issuperset(_COUNTED.sub(r"\1", why).split(", "))]
    return [located(line) for line in (*happened, _money(summary, settings), *summary.notes, *reasons)]


def ledger_lines(summary: Summary, settings: Settings) -> list[str]:
    """Return the summary of a whole ledger as lines for people."""
    photos = summary.photos
    lines = [_jobs(summary) or "no jobs yet"]
    if photos["seen"] or photos["ignored"]:
        with_jobs = photos["seen"] - sum(photos[name] for name in LEFT_OUT)
        parts = [f"{with_jobs} with {'a job' if with_jobs == 1 else 'jobs'}"] if with_jobs else []
        lines.append(f"the last scan: {_photos(photos, parts + _left_out(photos))}")
    if found := summary.reviews:
        lines.append(f"results: {found.accepted} accepted, {found.rejected} rejected, {found.undecided} undecided")
    return [located(line) for line in (*lines, _money(summary, settings), *summary.notes, *summary.reasons)]


def _happened(summary: Summary) -> list[str]:
    """Return what became of the photos of a scan, and of jobs that no photo of it stands for."""
    photos, total = summary.photos, sum(summary.jobs.values())
    left_out = _left_out(photos)
    if not total and not photos["reused"] and not photos["rejected"]:
        skipped = f": {_photos(photos, left_out)}" if photos["seen"] or photos["ignored"] else ""
        return [f"{NOTHING}{skipped}"]
    if not photos["seen"]:
        return [_jobs(summary) or _photos(photos, left_out)]
    if photos["seen"] == total + photos["reused"] + photos["skipped"] + photos["rejected"]:
        return [_photos(photos, _by_state(summary) + left_out)]
    return [*filter(None, [_jobs(summary)]), _photos(photos, left_out)]


def _by_state(summary: Summary) -> list[str]:
    states = sorted(summary.jobs.items(), key=lambda item: item[0] is not JobState.DONE)
    return [f"{number} {state}" for state, number in states if number]


def _jobs(summary: Summary) -> str:
    found = _by_state(summary)
    return f"{counted(sum(summary.jobs.values()), 'job')}: {', '.join(found)}" if found else ""


def _left_out(photos: dict[str, int]) -> list[str]:
    return [f"{photos[name]} {name}" for name in LEFT_OUT if photos[name]]


def _photos(photos: dict[str, int], parts: list[str]) -> str:
    if photos["ignored"]:
        parts = [*parts, f"{counted(photos['ignored'], 'other file')} ignored"]
    return f"{counted(photos['seen'], 'photo')}: {', '.join(parts)}" if parts else counted(photos["seen"], "photo")


def _money(summary: Summary, settings: Settings) -> str:
    spent = f"{money(summary.credits.spent, settings)} spent{_details(summary)}"
    return f"{spent}; {summary.headroom}" if summary.headroom else spent


def _details(summary: Summary) -> str:
    """Return what the credits spent are made of, where that is more than charges."""
    sums = summary.credits
    if sums.spent == sums.charged:
        return ""
    details = [("charged", sums.charged), ("refunded", sums.refunded), ("reserved", sums.reserved)]
    details.append(("unresolved", sums.unresolved))
    return " (" + ", ".join(f"{number} {name}" for name, number in details if number) + ")"


def table(summary: Summary, settings: Settings) -> list[str]:
    """Return the closing table but for its last row: what became of the photos, the money, where things are, why."""
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
    lines.append(_line("credits", f"{spent}; {summary.headroom}" if summary.headroom else spent))
    results = summary.output
    if results and results.is_dir():
        lines.append(_line("results", str(results)))
    report = settings.report or (results and results / "report.html")
    if report and report.is_file():
        lines.append(_line("report", str(report)))
    reasons = summary.reasons or ((NOTHING,) if not _has_done(summary) else ())
    lines += [_line("" if number else "why", why) for number, why in enumerate(reasons)]
    lines += [_line("note", note) for note in summary.notes]
    return lines


NOTHING: Final = "nothing to do"


def _has_done(summary: Summary) -> bool:
    return bool(sum(summary.jobs.values()) or summary.photos["reused"])


def _next_row(command: str) -> str:
    """Return the last row; in one piece, to be copied."""
    return _line("next") + output.styled(command, bold=True)


def _row(name: str, number: int, colour: str | None) -> str:
    text = _line(name, f"{number:>6}")
    return click.style(text, fg=colour, bold=True) if number and colour else text


def _line(name: str, text: str = "") -> str:
    return f"{name:{MARGIN}}{shown(located(text))}"


def next_command(summary: Summary, settings: Settings) -> str:
    """Return the command that a person most likely wants next."""
    # A pilot that was stopped by something else goes on as a pilot; after one that has ended comes the rest.
    without = ("pilot",) if summary.exit_code is ExitCode.CAP else ()
    return command_line(_next(summary, settings), settings, without)


def _next(summary: Summary, settings: Settings) -> str:
    states = summary.jobs
    waiting = any(number for state, number in states.items() if state not in FINAL)
    if summary.unresolved:
        return "jobs --state unresolved"
    if summary.exit_code is ExitCode.ACCOUNT:
        return "doctor"
    if waiting:
        return "resume"
    if states[JobState.FAILED] or states[JobState.CANCELED]:
        return "jobs --state failed" if settings.sandbox else "retry"
    if summary.photos["rejected"] and summary.exit_code is ExitCode.INCOMPLETE:
        return "jobs --state rejected"
    return "status" if settings.report else "report"
