"""What commands print, and what they ask."""

import json
import os
import sys
from typing import Any

import click

from batchbg.cli.logs import say
from batchbg.core.model import PRICE_CREDITS
from batchbg.errors import ConfigError
from batchbg.planner import Tally
from batchbg.settings import Settings


def note(text: str, settings: Settings) -> None:
    """Say something on stderr, unless nothing is to be said."""
    if not settings.quiet:
        say(text)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, ensure_ascii=True))


def money(credits: int, settings: Settings) -> str:
    """Return credits, and money where the price of one is known."""
    text = f"{credits} credits"
    return f"{text} ({credits * settings.price_per_credit:.2f})" if settings.price_per_credit else text


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def is_animated() -> bool:
    """Tell whether stderr is a terminal on which a line can be drawn anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


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
