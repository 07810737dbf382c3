"""Who a ledger is: its own name, where it was last, and the marks beside its results that say so."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from batchbg.core import zone
from batchbg.core.model import new_id
from batchbg.errors import ConfigError, DiskError
from batchbg.ledger import marks, purpose
from batchbg.ledger.clock import about_time
from batchbg.ledger.database import Location
from batchbg.ledger.events import last_reservation
from batchbg.ledger.folders import output_roots
from batchbg.ledger.marks import Mark, adopt_with, foreign, refuse_behind
from batchbg.ledger.meta import ID, KIND, PLACE, ZONE, keep, value
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import last_entry_at, now


def refuse_new(name: str, output: Path) -> None:
    """Refuse to make a ledger for a folder whose results are of another.

    Raises:
        ConfigError: they are.
    """
    mark = marks.read(output)
    if mark is not None:
        if mark.path == name:
            raise ConfigError(
                f"there is no ledger at {name} any more, and {output} holds its results: a new one would pay for them"
                f" again. Put it back; if it is gone for good, {adopt_with(output)} makes a new one theirs"
            )
        raise foreign(output, mark)


def settle(ledger: Ledger, output: Path | None, timezone: str | None) -> Iterator[str]:
    """Make sure that this is the one ledger of its results, and bind what is not bound yet; yield what to say.

    Args:
        ledger: under its lock.
        output: the folder to be written to, real path; None where only known ones are.
        timezone: what the settings say; None for the system's.

    Raises:
        ConfigError: a copy, an older one, another's results, or another zone.
    """
    with ledger.reading() as connection:
        ledger_id, before = value(connection, ID), Location.read(value(connection, PLACE))
        bound, last, present = value(connection, ZONE), last_entry_at(connection), now(connection)
        here = ledger.database.location(connection)
        if ledger_id and before and (moved := ledger.database.refuse_copy(ledger_id, before, here)):
            yield moved
        _refuse_marks(ledger, connection, ledger_id, output)
    if bound and timezone and bound != timezone:
        raise ConfigError(
            f"timezone: it says {timezone}, and the days of {ledger.name} are those of {bound} since it was made;"
            f" take the setting back, or `batchbg ledger timezone {timezone}`"
        )
    with ledger.transaction() as tx:
        if ledger_id is None:
            ledger_id = new_id() + new_id()
            keep(tx, ID, ledger_id)
        if before != here:
            keep(tx, PLACE, here.written)
        if bound is None:
            keep(tx, ZONE, timezone or zone.of_system(os.environ))
    ledger.id = ledger_id
    _mark_all(ledger, ledger_id)
    yield from about_time(last, present)


def adopt(ledger: Ledger, output: Path | None) -> Iterator[tuple[Path, Mark | None, Mark]]:
    """Make this ledger, as it is, that of its results and of those in ``output``.

    Yield each folder with the mark that it had and the one that it has now.

    Raises:
        DiskError: a mark cannot be written.
    """
    with ledger.reading() as connection:
        ledger_id, before = value(connection, ID), Location.read(value(connection, PLACE))
        event = last_reservation(connection)
        found = {folder for folder in output_folders(ledger, connection) if folder.is_dir()}
    if ledger_id is None or (before and ledger.database.goes_on_at(before, ledger_id)):
        ledger_id = new_id() + new_id()  # the other copy keeps the name, and its results
    with ledger.transaction() as tx:
        keep(tx, ID, ledger_id)
        keep(tx, PLACE, ledger.database.location(tx.connection).written)
    for folder in sorted({*found, *([output] if output else [])}):
        mark = Mark(ledger_id, event, ledger.name)
        yield folder, marks.read(folder), mark
        marks.write(folder, mark)


def _refuse_marks(ledger: Ledger, connection: sa.Connection, ledger_id: str | None, output: Path | None) -> None:
    """Refuse a ledger that is behind what stands beside its results, or an output folder that is another's.

    Raises:
        ConfigError: with which it is.
    """
    for folder in {*output_folders(ledger, connection), *([output] if output else [])}:
        try:
            mark = marks.read(folder)
        except DiskError:
            if folder == output:
                raise
            continue
        if mark is None:
            continue
        if mark.ledger == ledger_id and mark.ledger:
            refuse_behind(connection, folder, mark, ledger.name)
        elif folder == output:
            raise foreign(folder, mark)


def _mark_all(ledger: Ledger, ledger_id: str) -> None:
    """Bring the marks of all output folders that are there up to date, whichever this run uses."""
    with ledger.reading() as connection:
        event, found = last_reservation(connection), output_folders(ledger, connection)
    for folder in found:
        with contextlib.suppress(DiskError):  # the one that is needed is written when it is needed
            mark = marks.read(folder)
            if folder.is_dir() and (mark is None or (mark.ledger == ledger_id and mark.event.id < event.id)):
                marks.write(folder, Mark(ledger_id, event, ledger.name))


def output_folders(ledger: Ledger, connection: sa.Connection) -> list[Path]:
    """Return every folder that this ledger's results were ever written to."""
    return [ledger.absolute(path) for path in output_roots(connection).values()]


def check(connection: sa.Connection) -> list[str]:
    """Return a line for everything in ``meta`` that makes no sense; nothing where all does."""
    found = []
    kind = value(connection, KIND)
    if kind is not None and kind not in purpose.NAMES:
        found.append(f"meta: kind is {kind!r}, none of {', '.join(purpose.NAMES)}")
    name = value(connection, ZONE)
    if name is not None and not zone.is_known(name):
        found.append(f"meta: timezone is {name!r}, which is not known here")
    location = value(connection, PLACE)
    if location is not None and Location.read(location) is None:
        found.append(f"meta: place is {location!r}, which is none")
    if value(connection, ID) == "":
        found.append("meta: the ledger has no id")
    return found
