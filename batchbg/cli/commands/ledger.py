"""``batchbg ledger``: what a person does to the ledger itself."""

import csv
import datetime
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from batchbg.cli import output
from batchbg.cli.logs import say
from batchbg.cli.options import COMMON, with_settings
from batchbg.core import zone as core_zone
from batchbg.core.text import as_json, cell
from batchbg.disk.files import whole
from batchbg.errors import DiskError, ExitCode
from batchbg.ledger import audit, export, identity
from batchbg.ledger import clock as ledger_clock
from batchbg.ledger.engine import HEAD, open_ledger, open_to_read
from batchbg.ledger.lock import held
from batchbg.settings import Settings


@click.group()
def command() -> None:
    """Look after the ledger."""


@command.command()
@with_settings("retry_lock", *COMMON)
def upgrade(settings: Settings) -> None:
    """Bring the ledger up to date; an older one is copied aside first. Every command does this by itself."""
    with held(settings.ledger, "ledger upgrade", settings.retry_lock):
        ledger = open_ledger(settings.ledger, create=False)
        ledger.close()
    output.tell(f"{ledger.path} is at schema {HEAD}")


@command.command()
@with_settings(*COMMON)
@click.pass_context
def check(ctx: click.Context, settings: Settings) -> None:
    """Compare every running total with its entries; 0 where all agree, 3 where something differs."""
    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        wrong = audit.check(connection)
    ledger.close()
    for line in wrong:
        output.tell(line)
    if not wrong and not settings.quiet:
        output.tell(f"{ledger.path}: everything adds up")
    ctx.exit(ExitCode.INCOMPLETE if wrong else ExitCode.OK)


@command.command()
@with_settings("output", "retry_lock", *COMMON)
def adopt(settings: Settings) -> None:
    """Say that this ledger is the one of its results, where a run refuses it.

    A run refuses a second copy of a ledger, one that is older than its results, and results of another ledger: from
    each of these, photos would be paid for that are paid for already. Put the right ledger back where you can. Where
    there is none, this makes the ledger, as it is, that of the output folder and of all folders it has written to;
    a new one is made where there is none. What it does not know of is paid for again: `batchbg audit` shows by how
    much the account differs.

    \b
    batchbg ledger adopt
    batchbg ledger adopt --ledger sqlite:///copy/batchbg.db -o copy/output
    """
    with held(settings.ledger, "ledger adopt", settings.retry_lock):
        ledger = open_ledger(settings.ledger)
        try:
            if ledger.made:
                say(f"new ledger: {ledger.path}")
            ledger.watch()
            results = Path(os.path.realpath(settings.output))
            for folder, before, now in identity.adopt(ledger, results if results.is_dir() else None):
                output.tell(f"{folder}: belonged to {before or 'no ledger'}, now belongs to {now}")
            list(identity.settle(ledger, None, None))
        finally:
            ledger.close()


@command.command()
@click.argument("zone", required=False)
@with_settings("retry_lock", *COMMON)
def timezone(settings: Settings, zone: str | None) -> None:
    """Show the time zone in which the ledger's days and months begin; with ZONE, bind it to another.

    It is bound when the ledger is made, so that another TZ later does not begin a day, and its budget, anew. What was
    spent keeps its day.

    \b
    batchbg ledger timezone
    batchbg ledger timezone Europe/Berlin
    """
    if zone is None:
        ledger = open_to_read(settings.ledger)
        with ledger.reading() as connection:
            output.tell(ledger_clock.zone_of(connection) or "not bound yet: the next run binds it")
        ledger.close()
        return
    with held(settings.ledger, "ledger timezone", settings.retry_lock):
        ledger = open_ledger(settings.ledger, create=False)
        try:
            ledger_clock.rebind_zone(ledger, zone)
        finally:
            ledger.close()
    output.tell(f"days and months of {ledger.path} begin in {zone} from now on")


@command.command()
@click.option("--reset", is_flag=True, help="Go on with this machine's time.")
@with_settings("retry_lock", *COMMON)
def clock(settings: Settings, reset: bool) -> None:
    """Show the ledger's time beside this machine's; --reset goes on with the machine's.

    The ledger's time never runs backwards, or a day's budget could be spent twice: after one run with a clock that was
    years ahead, everything counts for that day until it arrives. --reset is a person's word that the machine's time is
    right. What was spent keeps its day.
    """
    if not reset:
        ledger = open_to_read(settings.ledger)
        with ledger.reading() as connection:
            late, zone = ledger_clock.ahead_s(connection), core_zone.named(ledger_clock.zone_of(connection) or "UTC")
        ledger.close()
        output.tell(
            f"the ledger's time is {_when(time.time() + late, zone)}, this machine's {_when(time.time(), zone)}"
        )
        return
    with held(settings.ledger, "ledger clock", settings.retry_lock):
        ledger = open_ledger(settings.ledger, create=False)
        try:
            now = ledger_clock.reset_clock(ledger)
            with ledger.reading() as connection:
                zone = core_zone.named(ledger_clock.zone_of(connection) or "UTC")
        finally:
            ledger.close()
    output.tell(f"{ledger.path} continues at {_when(now, zone)}")


def _when(at: float, zone: datetime.tzinfo) -> str:
    return datetime.datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


@command.command(name="export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True)
@click.option("--table", type=click.Choice(list(export.TABLES)), default="jobs", show_default=True)
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="[default: stdout]")
@with_settings(*COMMON)
def export_command(settings: Settings, form: str, table: str, target: Path | None) -> None:
    """Write a table of the ledger as CSV or as one JSON object a line.

    In CSV a text that a spreadsheet would take for a formula, since it begins with = + - @, a tab or a line's end, gets
    an apostrophe in front; JSON has every text as it is.
    """
    ledger = open_to_read(settings.ledger)
    try:
        with ledger.reading() as connection:
            columns, rows = export.rows(connection, table)
            if target is None:
                _write(sys.stdout, form, columns, rows)
            else:
                try:
                    with whole(target, "utf-8", newline="") as file:
                        _write(file, form, columns, rows)
                except OSError as error:
                    raise DiskError(f"{target}: {error.strerror or error}") from error
    finally:
        ledger.close()


def _write(file: IO[str], form: str, columns: list[str], rows: Iterator[dict[str, Any]]) -> None:
    if form == "jsonl":
        for row in rows:
            file.write(as_json(row) + "\n")
        return
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: cell(value) for key, value in row.items()})
