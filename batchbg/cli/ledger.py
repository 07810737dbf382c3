"""``batchbg ledger``: upgrade, check and export."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.text import as_json, cell
from batchbg.disk.files import whole
from batchbg.errors import DiskError, ExitCode
from batchbg.ledger import audit, export
from batchbg.ledger.engine import HEAD, held, open_ledger
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
    ledger = open_ledger(settings.ledger, create=False)
    with ledger.reading() as connection:
        wrong = audit.check(connection)
    ledger.close()
    for line in wrong:
        output.tell(line)
    if not wrong and not settings.quiet:
        output.tell(f"{ledger.path}: everything adds up")
    ctx.exit(ExitCode.INCOMPLETE if wrong else ExitCode.OK)


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
    ledger = open_ledger(settings.ledger, create=False)
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
