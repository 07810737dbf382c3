"""What a person does to the ledger itself, and what is printed of it."""

import csv
import datetime
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from batchbg.cli import output
from batchbg.cli.logs import say
from batchbg.core import zone as core_zone
from batchbg.core.text import as_json, cell
from batchbg.core.words import counted
from batchbg.disk.files import whole
from batchbg.errors import ConfigError, DiskError, ExitCode
from batchbg.ledger import audit, identity
from batchbg.ledger import clock as ledger_clock
from batchbg.ledger import copying as ledger_copying
from batchbg.ledger import export as ledger_export
from batchbg.ledger.engine import HEAD, held, open_ledger, open_to_read
from batchbg.repair import verdicts
from batchbg.repair.picking import held_ledger
from batchbg.settings import Settings


def upgrade(settings: Settings) -> None:
    """Bring the ledger up to date."""
    with held(settings.ledger, "ledger upgrade", settings.retry_lock) as database:
        ledger = open_ledger(database, create=False)
        ledger.close()
    output.tell(f"{ledger.name} is at schema {HEAD}")


def check(settings: Settings) -> ExitCode:
    """Print what does not add up; return the exit code."""
    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        wrong = audit.check(ledger, connection)
    ledger.close()
    for line in wrong:
        output.tell(line)
    if not wrong and not settings.quiet:
        output.tell(f"{ledger.name}: everything adds up")
    return ExitCode.INCOMPLETE if wrong else ExitCode.OK


def adopt(settings: Settings) -> None:
    """Make the ledger that of all folders that it has written to, and of the output folder."""
    with held(settings.ledger, "ledger adopt", settings.retry_lock) as database:
        ledger = open_ledger(database)
        try:
            if ledger.made:
                say(f"new ledger: {ledger.name}")
            ledger.watch()
            results = Path(os.path.realpath(settings.output))
            for folder, before, now in identity.adopt(ledger, results if results.is_dir() else None):
                output.tell(f"{folder}: belonged to {before or 'no ledger'}, now belongs to {now}")
            list(identity.settle(ledger, None, None))
        finally:
            ledger.close()


def copy(settings: Settings, source: str, target: str) -> None:
    """Copy a ledger; nobody may spend from either meanwhile."""
    with (
        held(source, "ledger copy", settings.retry_lock) as original,
        held(target, "ledger copy", settings.retry_lock) as database,
    ):
        if (original.name, original.path) == (database.name, database.path):
            raise ConfigError("FROM and TO are the same ledger")
        rows_of = ledger_copying.copy_ledger(source, database)
    rows = ", ".join(f"{number} {table}" for table, number in rows_of.items() if number)
    output.tell(f"{original.name} -> {database.name}: {rows or 'an empty ledger'}; every row and every sum is the same")
    output.tell(f"from now on: --ledger {database.name}", err=True)


def show_timezone(settings: Settings) -> None:
    """Print the zone in which the ledger's days and months begin."""
    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        output.tell(ledger_clock.zone_of(connection) or "not bound yet: the next run binds it")
    ledger.close()


def rebind_timezone(settings: Settings, zone: str) -> None:
    """Bind the ledger to another zone."""
    with held(settings.ledger, "ledger timezone", settings.retry_lock) as database:
        ledger = open_ledger(database, create=False)
        try:
            ledger_clock.rebind_zone(ledger, zone)
        finally:
            ledger.close()
    output.tell(f"days and months of {ledger.name} begin in {zone} from now on")


def show_clock(settings: Settings) -> None:
    """Print the ledger's time beside this machine's."""
    ledger = open_to_read(settings.ledger)
    with ledger.reading() as connection:
        late, zone = ledger_clock.ahead_s(connection), core_zone.named(ledger_clock.zone_of(connection) or "UTC")
    ledger.close()
    output.tell(f"the ledger's time is {_when(time.time() + late, zone)}, this machine's {_when(time.time(), zone)}")


def reset_clock(settings: Settings) -> None:
    """Let the ledger go on with this machine's time."""
    with held(settings.ledger, "ledger clock", settings.retry_lock) as database:
        ledger = open_ledger(database, create=False)
        try:
            now = ledger_clock.reset_clock(ledger)
            with ledger.reading() as connection:
                zone = core_zone.named(ledger_clock.zone_of(connection) or "UTC")
        finally:
            ledger.close()
    output.tell(f"{ledger.name} continues at {_when(now, zone)}")


def _when(at: float, zone: datetime.tzinfo) -> str:
    return datetime.datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def take_verdicts(settings: Settings, table: Path) -> None:
    """Take verdicts from a table."""
    told = verdicts.read_verdicts(table)
    with held_ledger(settings, "ledger verdicts") as ledger:
        taken = verdicts.take_verdicts(ledger, table, told)
    before = f", {taken.before} as before" if taken.before else ""
    output.tell(f"{counted(taken.new, 'verdict')} taken{before}")


def export(settings: Settings, form: str, table: str, target: Path | None) -> None:
    """Write a table as CSV or as JSON lines, to stdout where no file is named."""
    ledger = open_to_read(settings.ledger)
    try:
        with ledger.reading() as connection:
            columns, rows = ledger_export.rows(connection, table)
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
