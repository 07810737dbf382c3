"""What commands print, and what they ask."""

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from batchbg.cli.logs import say, write
from batchbg.cli.suggest import located
from batchbg.cli.wrapping import fitted
from batchbg.core.text import as_json, shown
from batchbg.core.words import counted

if TYPE_CHECKING:
    from batchbg.settings import Settings


def note(text: str, settings: "Settings") -> None:
    """Say something on stderr, unless nothing is to be said."""
    if not settings.quiet:
        say(located(text))


def tell(text: str, *, head: str = "", err: bool = False) -> None:
    """Print one line for people; whatever foreign text is in it cannot touch the terminal.

    Args:
        text: foreign or not.
        head: our own beginning of the line, which may be coloured.
        err: on stderr.
    """
    click.echo(fitted(head + shown(located(text)), sys.stderr if err else sys.stdout), err=err)


def tell_above_bar(text: str) -> None:
    """Print one line for people on stdout while a bar is drawn on stderr."""
    write(fitted(shown(located(text)), sys.stdout), sys.stdout)


def styled(text: str, **style: Any) -> str:
    """Return foreign text in a style of ours, for a line that is printed as it is."""
    return click.style(shown(text), **style)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(as_json(value))


def money(credits: int, settings: "Settings") -> str:
    """Return credits, and money where the price of one is known."""
    text = counted(credits, "credit")
    return f"{text} ({credits * settings.price_per_credit:.2f})" if settings.price_per_credit else text


MEDIAN_S: Final = 4.0
"""Seconds from create to result, queueing included. Source: docs, processing times, 30 days to 2026-07-20."""


def expected_s(jobs: int, settings: "Settings") -> float:
    """Return how long jobs take where every place in flight is always taken and every render takes the median."""
    return max(jobs / settings.max_in_flight, bool(jobs)) * MEDIAN_S


def is_animated() -> bool:
    """Return whether stderr is a terminal on which a line can be drawn anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
