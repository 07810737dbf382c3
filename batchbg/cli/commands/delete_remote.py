"""``batchbg delete-remote``: delete older results at the service that are whole on disk."""

import dataclasses
import datetime
import os
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.words import counted
from batchbg.errors import ConfigError, ExitCode
from batchbg.settings.kinds import duration_s

if TYPE_CHECKING:
    from batchbg.repair.delete_remote import Deletable, Deleted
    from batchbg.settings import Settings

ENDS: Final = "`rescue` cannot fetch them afterwards: what is then lost here has to be paid for again"


def _age_s(_ctx: click.Context, _parameter: click.Parameter, value: str) -> float:
    try:
        return duration_s(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time such as 30d or 12h.") from None


@click.command()
@click.option(
    "--older-than",
    "age_s",
    metavar="30d",
    default="30d",
    show_default=True,
    callback=_age_s,
    help="Only results that were done this long ago; 0 for all.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
@with_settings("yes", "base_url", "requests_per_second", "retry_lock", *COMMON)
@click.pass_context
def command(ctx: click.Context, settings: "Settings", age_s: float, dry_run: bool) -> None:
    """Delete results at the service that are whole on disk, and were done some time ago.

    Only those that this ledger knows, each only if its file here is still what was saved, copies included. Shows what
    would be deleted, and asks. From then on the files here are the only ones: `batchbg rescue` cannot fetch them again.
    `batchbg run --delete-remote` does it as soon as a result is saved.

    \b
    batchbg delete-remote -n
    batchbg delete-remote --older-than 90d
    """
    from batchbg import pipeline
    from batchbg.cli.console_reporter import ConsoleReporter
    from batchbg.cli.summary import print_outcome
    from batchbg.ledger.engine import open_to_read
    from batchbg.repair.delete_remote import DeleteRemote, find_deletable
    from batchbg.settings import api_key

    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        found = find_deletable(connection, ledger, time.time() - age_s)
    ledger.close()
    if dry_run or not (settings.yes and settings.quiet):
        for line in _told(found, settings):
            output.tell(line)
    if dry_run or not found.jobs:
        return
    key = api_key(settings, os.environ)
    if not _confirmed(found, settings):
        output.note("nothing was deleted", settings)
        ctx.exit(ExitCode.INTERRUPT)
    ended = pipeline.run(settings, key, DeleteRemote(found.jobs), ConsoleReporter(settings))
    summary = ended.summary
    if ended.found.left and summary.exit_code is ExitCode.OK:
        summary = dataclasses.replace(summary, exit_code=ExitCode.TEMPORARY)
    print_outcome([_done(ended.found)], dataclasses.replace(summary, notes=()), settings)
    ctx.exit(summary.exit_code)


def _told(found: "Deletable", settings: "Settings") -> list[str]:
    """Return what would be deleted, what stays, and why."""
    lines = [f"kept at the service: {number}: {why}" for why, number in found.kept.most_common()]
    if not found.jobs:
        return [*lines, "nothing to delete at the service"]
    assert found.oldest is not None
    assert found.newest is not None
    first, last = (datetime.datetime.fromtimestamp(at, settings.zone).date() for at in (found.oldest, found.newest))
    days = f"of {first}" if first == last else f"of {first} to {last}"
    return [*lines, f"to delete at the service: {counted(len(found.jobs), 'result')} {days}", ENDS]


def _confirmed(found: "Deletable", settings: "Settings") -> bool:
    """Ask a person.

    Raises:
        ConfigError: there is nobody to ask.
    """
    if settings.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError("there is no terminal to ask on: give --yes")
    return click.confirm(f"Delete {counted(len(found.jobs), 'result')} at the service, for good?", err=True)


def _done(found: "Deleted") -> str:
    parts = [f"{counted(found.gone, 'result')} deleted at the service"]
    parts += [f"{found.kept} kept: the files here are not what was saved"] if found.kept else []
    parts += [f"{found.left} still to delete: run it again"] if found.left else []
    return "; ".join(parts)
