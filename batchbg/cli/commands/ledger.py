"""``batchbg ledger``: what a person does to the ledger itself; ``ledger_care`` does it."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from batchbg.cli.options import COMMON, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings

TABLES: Final = ("jobs", "credits", "events", "runs", "balances")
"""What can be exported."""


@click.group()
def command() -> None:
    """Look after the ledger."""


@command.command()
@with_settings("retry_lock", *COMMON)
def upgrade(settings: "Settings") -> None:
    """Bring the ledger up to date; an older one is copied aside first. Every run does this by itself."""
    from batchbg.cli import ledger_care

    ledger_care.upgrade(settings)


@command.command()
@with_settings(*COMMON)
@click.pass_context
def check(ctx: click.Context, settings: "Settings") -> None:
    """Compare every running total with its entries; 0 where all agree, 3 where something differs."""
    from batchbg.cli import ledger_care

    ctx.exit(ledger_care.check(settings))


@command.command()
@with_settings("output", "retry_lock", *COMMON)
def adopt(settings: "Settings") -> None:
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
    from batchbg.cli import ledger_care

    ledger_care.adopt(settings)


@command.command()
@click.argument("zone", required=False)
@with_settings("retry_lock", *COMMON)
def timezone(settings: "Settings", zone: str | None) -> None:
    """Show the time zone in which the ledger's days and months begin; with ZONE, bind it to another.

    It is bound when the ledger is made, so that another TZ later does not begin a day, and its budget, anew. What was
    spent keeps its day.

    \b
    batchbg ledger timezone
    batchbg ledger timezone Europe/Berlin
    """
    from batchbg.cli import ledger_care

    if zone is None:
        ledger_care.show_timezone(settings)
    else:
        ledger_care.rebind_timezone(settings, zone)


@command.command()
@click.option("--reset", is_flag=True, help="Go on with this machine's time.")
@with_settings("retry_lock", *COMMON)
def clock(settings: "Settings", reset: bool) -> None:
    """Show the ledger's time beside this machine's; --reset goes on with the machine's.

    The ledger's time never runs backwards, or a day's budget could be spent twice: after one run with a clock that was
    years ahead, everything counts for that day until it arrives. --reset is a person's word that the machine's time is
    right. What was spent keeps its day.
    """
    from batchbg.cli import ledger_care

    if reset:
        ledger_care.reset_clock(settings)
    else:
        ledger_care.show_clock(settings)


@command.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@with_settings("retry_lock", *COMMON)
def copy(settings: "Settings", source: str, target: str) -> None:
    """Copy the ledger FROM to TO, a new file or an empty database; both are URLs.

    Every row and every sum is compared. FROM is only read. The results beside it know from then on that they are those
    of TO, so that a run with FROM is refused; keep it until the first run with TO has ended.

    \b
    batchbg ledger copy sqlite:///batchbg.db postgresql+psycopg://batchbg@db.example/batchbg
    batchbg ledger copy postgresql+psycopg://batchbg@db.example/batchbg sqlite:///batchbg.db
    """
    from batchbg.cli import ledger_care

    ledger_care.copy(settings, source, target)


@command.command()
@click.argument("table", type=click.Path(path_type=Path), metavar="FILE")
@with_settings("retry_lock", *COMMON)
def verdicts(settings: "Settings", table: Path) -> None:
    """Take verdicts on results from a CSV file: all of them, or none where a line is wrong.

    Its first line names the columns: id (of the job), verdict (accepted, rejected or undecided) and, if wanted,
    verdict_reason. Others do not matter, and a row without a verdict changes nothing: the report's table can be filled
    in by a spreadsheet and taken back, and so can a table that `batchbg ledger export` wrote, or a script.

    \b
    batchbg ledger verdicts output/report.csv && batchbg redo --rejected
    """
    from batchbg.cli import ledger_care

    ledger_care.take_verdicts(settings, table)


@command.command(name="export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True)
@click.option("--table", type=click.Choice(TABLES), default="jobs", show_default=True)
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="[default: stdout]")
@with_settings(*COMMON)
def export_command(settings: "Settings", form: str, table: str, target: Path | None) -> None:
    """Write a table of the ledger as CSV or as one JSON object a line.

    In CSV a text that a spreadsheet would take for a formula, since it begins with = + - @, a tab or a line's end, gets
    an apostrophe in front; JSON has every text as it is.
    """
    from batchbg.cli import ledger_care

    ledger_care.export(settings, form, table, target)
