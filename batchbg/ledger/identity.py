"""Who a ledger is: its own name, the place it is at, the zone of its days, what it is for, and how late it is by it."""

import contextlib
import dataclasses
import datetime
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from batchbg.core import zone
from batchbg.core.addresses import is_loopback
from batchbg.core.model import new_id
from batchbg.errors import ConfigError, DiskError
from batchbg.ledger import marks
from batchbg.ledger.engine import Ledger, Tx
from batchbg.ledger.marks import ADOPT, Mark, foreign, last_reservation, refuse_behind
from batchbg.ledger.tables import assets, events, folders, meta, outputs, runs

ID: Final = "ledger_id"
PLACE: Final = "place"
ZONE: Final = "timezone"
KIND: Final = "kind"
REHEARSED_SINCE: Final = "rehearsed_since"
"""Keys of ``meta``."""

API: Final = "api"
SANDBOX: Final = "sandbox"
LOCAL: Final = "local"
"""What a ledger is for: the service; sandboxes that `--sandbox` starts; a server on this machine, whatever it is."""

_NAMES: Final = {
    API: "the real API",
    SANDBOX: "the sandbox that --sandbox starts",
    LOCAL: "a server on this machine, such as a sandbox started by hand",
}

AHEAD_S: Final = 60.0
"""Seconds by which the ledger's time may be ahead of the machine's: a clock that is set right moves by less."""

LONG_AGO_S: Final = 400 * 86_400.0
"""Seconds without any entry after which the clock is more likely wrong than the ledger that old."""


def value(connection: sa.Connection, key: str) -> str | None:
    """Return what ``meta`` holds under a key."""
    found: str | None = connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))
    return found


def keep(tx: Tx, key: str, text: str) -> None:
    """Put something into ``meta``."""
    changed = tx.connection.execute(sa.update(meta).where(meta.c.key == key).values(value=text))
    if not changed.rowcount:
        tx.connection.execute(sa.insert(meta).values(key=key, value=text))


# -- the place ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger is: real path, number of its file on its disk, and the machine."""

    path: str
    inode: int
    machine: str

    @classmethod
    def of(cls, path: Path) -> "Place":
        """Return the place of a file."""
        return cls(str(path), path.stat().st_ino, _machine())

    @classmethod
    def read(cls, text: str | None) -> "Place | None":
        """Return the place that ``written`` wrote; None where that cannot be read."""
        try:
            found: Any = json.loads(text or "")
            return cls(str(found["path"]), int(found["inode"]), str(found["machine"]))
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def written(self) -> str:
        """The place as text."""
        return json.dumps(dataclasses.asdict(self))


def _machine() -> str:
    for file in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with contextlib.suppress(OSError):
            if text := file.read_text(encoding="ascii", errors="replace").strip():
                return text
    return socket.gethostname()


def _refuse_copy(path: Path, ledger_id: str, before: Place | None) -> str:
    """Refuse a copy of a ledger that goes on elsewhere; return what to say of one that was moved, or "".

    Raises:
        ConfigError: it is one, or may be.
    """
    if before is None or before.path == str(path):
        return ""
    here = path.stat()
    there = Path(before.path)
    try:
        found = there.stat()
    except OSError:
        if here.st_ino == before.inode:
            return ""  # moved on its disk
        if before.machine == _machine():
            return f"the ledger {path} was at {there} before; should that come back, only one of the two may go on"
        raise ConfigError(
            f"the ledger {path} comes from another machine, where it was {there}: if it goes on there too, the same"
            f" photos are paid for twice. If this is the only one now, say so: {ADOPT}"
        ) from None
    if (found.st_dev, found.st_ino) == (here.st_dev, here.st_ino):
        return ""  # one folder, seen at two places
    if found.st_ino == before.inode or _id_at(there) == ledger_id:
        raise ConfigError(
            f"the ledger {path} is a second copy of {there}, and both would pay for the same photos: go on with that"
            f" one, or remove it. If both shall go on, each for photos of its own, say so: {ADOPT}"
        )
    return ""


def _id_at(path: Path) -> str | None:
    """Return the id of the ledger at a path, as far as it can be told without touching it."""
    quiet = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    with (
        contextlib.suppress(sqlite3.Error, OSError),
        contextlib.closing(sqlite3.connect(f"{path.as_uri()}?{quiet}", uri=True)) as other,
    ):
        row = other.execute("SELECT value FROM meta WHERE key = ?", (ID,)).fetchone()
        return str(row[0]) if row else None
    return None


# -- marks -------------------------------------------------------------------------------------------------------------


def output_folders(ledger: Ledger, connection: sa.Connection) -> list[Path]:
    """Return every folder that this ledger's results were ever written to."""
    is_used = sa.exists().where(outputs.c.folder_id == folders.c.id)
    return [ledger.absolute(path) for path in connection.scalars(sa.select(folders.c.path).where(is_used))]


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
            refuse_behind(connection, folder, mark, ledger.path)
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
                marks.write(folder, Mark(ledger_id, event, str(ledger.path)))


# -- opening to spend ----------------------------------------------------------------------------------------------------


def refuse_new(path: Path, output: Path) -> None:
    """Refuse to make a ledger for a folder whose results are of another.

    Raises:
        ConfigError: they are.
    """
    mark = marks.read(output)
    if mark is not None:
        if mark.path == str(path):
            raise ConfigError(
                f"there is no ledger at {path} any more, and {output} holds its results: a new one would pay for them"
                f" again. Put it back; if it is gone for good, {ADOPT} -o {output} makes a new one theirs"
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
        ledger_id, before = value(connection, ID), Place.read(value(connection, PLACE))
        bound, last = value(connection, ZONE), _last_at(connection)
        if ledger_id and (moved := _refuse_copy(ledger.path, ledger_id, before)):
            yield moved
        _refuse_marks(ledger, connection, ledger_id, output)
    if bound and timezone and bound != timezone:
        raise ConfigError(
            f"timezone: it says {timezone}, and the days of {ledger.path} are those of {bound} since it was made;"
            f" take the setting back, or `batchbg ledger timezone {timezone}`"
        )
    here = Place.of(ledger.path)
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
    yield from _about_time(last)


def adopt(ledger: Ledger, output: Path | None) -> Iterator[tuple[Path, Mark | None, Mark]]:
    """Make this ledger, as it is, that of its results and of those in ``output``.

    Yield each folder with the mark that it had and the one that it has now.

    Raises:
        DiskError: a mark cannot be written.
    """
    with ledger.reading() as connection:
        ledger_id, before = value(connection, ID), Place.read(value(connection, PLACE))
        event = last_reservation(connection)
        found = {folder for folder in output_folders(ledger, connection) if folder.is_dir()}
    if ledger_id is None or (before and before.path != str(ledger.path) and _id_at(Path(before.path)) == ledger_id):
        ledger_id = new_id() + new_id()  # the other copy keeps the name, and its results
    with ledger.transaction() as tx:
        keep(tx, ID, ledger_id)
        keep(tx, PLACE, Place.of(ledger.path).written)
    for folder in sorted({*found, *([output] if output else [])}):
        mark = Mark(ledger_id, event, str(ledger.path))
        yield folder, marks.read(folder), mark
        marks.write(folder, mark)


# -- time ----------------------------------------------------------------------------------------------------------------


def _last_at(connection: sa.Connection) -> float | None:
    found: float | None = connection.scalar(sa.select(events.c.at).order_by(events.c.id.desc()).limit(1))
    return found


def ahead_s(connection: sa.Connection) -> float:
    """Return by how many seconds the ledger's time is ahead of this machine's; 0 where it is not."""
    return max((_last_at(connection) or 0.0) - time.time(), 0.0)


def _about_time(last: float | None) -> Iterator[str]:
    if last is None:
        return
    late = last - time.time()
    if late > AHEAD_S:
        yield told_ahead(last, late)
    elif -late > LONG_AGO_S:
        yield (
            f"{-late / 86_400:.0f} days have passed since the ledger's last entry: if this machine's clock is wrong,"
            " set it right first, or days to come are used up"
        )


def told_if_ahead(connection: sa.Connection) -> str:
    """Say that the ledger's time is ahead of this machine's where that is so; "" where it is not."""
    late = ahead_s(connection)
    return told_ahead(time.time() + late, late) if late > AHEAD_S else ""


def told_ahead(last: float, late: float) -> str:
    """Say that the ledger's time is ahead, and what that does."""
    how_long = f"{late / 86_400:.0f} days" if late > 2 * 86_400 else f"{late / 60:.0f} minutes"
    return (
        f"the ledger's last entry is of {time.strftime('%Y-%m-%d %H:%M', time.localtime(last))}, {how_long} from now:"
        " this machine's clock was ahead once, or is behind now. Credits count for the ledger's day until it is caught"
        " up with; set the clock, or `batchbg ledger clock --reset` goes on with the machine's"
    )


def reset_clock(ledger: Ledger) -> float:
    """Let the ledger's time be the machine's from now on, by a person's word; return seconds since 1970.

    What was entered keeps its day; the order of entries is that of their numbers. The order of runs is that of their
    starts, so that those to come are put into the last second.
    """
    now = time.time()
    with ledger.transaction("clock") as tx:
        tx.connection.execute(sa.insert(events).values(at=now, run_id="clock", kind="clock reset", detail=str(tx.at)))
        ahead = tx.connection.scalars(sa.select(runs.c.id).where(runs.c.started_at > now).order_by(runs.c.started_at))
        for number, run_id in enumerate(ids := list(ahead)):
            tx.connection.execute(
                sa.update(runs).where(runs.c.id == run_id).values(started_at=now - 1e-5 * (len(ids) - number))
            )
        tx.connection.execute(sa.update(runs).where(runs.c.ended_at > now).values(ended_at=now))
        tx.connection.execute(sa.delete(assets).where(assets.c.uploaded_at > now))
    return now


def zone_of(connection: sa.Connection) -> str | None:
    """Return the name of the zone that the ledger's days are bound to; None where it is not bound yet."""
    return value(connection, ZONE)


def zone_in(connection: sa.Connection, otherwise: datetime.tzinfo | None) -> datetime.tzinfo | None:
    """Return the zone that the ledger's days are bound to; ``otherwise`` where it is not bound, or not known here."""
    name = zone_of(connection)
    return zone.named(name) if name and zone.is_known(name) else otherwise


def rebind_zone(ledger: Ledger, name: str) -> None:
    """Let days begin in another zone from now on, by a person's word; what was entered keeps its day.

    Raises:
        ConfigError: there is no such zone.
    """
    if not zone.is_known(name):
        raise ConfigError(f"timezone: {name!r} is not known; try one like 'Europe/Berlin'")
    with ledger.transaction("timezone") as tx:
        keep(tx, ZONE, name)


# -- what it is for ------------------------------------------------------------------------------------------------------


def bind_kind(ledger: Ledger, kind: str) -> None:
    """Bind a ledger to what it is used with, for good and before anything is sent: by its address, by no answer.

    Ledgers that a version before this one bound by what an answer said are bound anew by how they are used now.

    Raises:
        ConfigError: it is bound to something else.
    """
    with ledger.transaction() as tx:
        known = value(tx.connection, KIND)
        is_old = value(tx.connection, _KIND_BY_ADDRESS) is None
        if is_old and known != SANDBOX and _was_abroad(tx.connection):
            known = API
        elif is_old and kind == LOCAL:
            known = None
        if known is not None and known != kind:
            raise ConfigError(
                f"this ledger was used with {_NAMES.get(known, known)} and is refused for {_NAMES[kind]};"
                " name another with --ledger"
            )
        if is_old:
            keep(tx, KIND, kind)
            keep(tx, _KIND_BY_ADDRESS, "yes")
            if kind == SANDBOX:
                keep(tx, REHEARSED_SINCE, repr(tx.at))


_KIND_BY_ADDRESS: Final = "kind_by_address"


def _was_abroad(connection: sa.Connection) -> bool:
    """Tell whether a run was ever sent to an address that is not this machine's."""
    return any(
        not is_loopback(host)
        for url in connection.scalars(sa.select(runs.c.base_url).distinct())
        if (host := urlsplit(url).hostname)
    )


def rehearsed_since(connection: sa.Connection) -> float | None:
    """Return the time from which on every create of this ledger went to a sandbox of this tool's own; or None."""
    found = value(connection, REHEARSED_SINCE)
    return float(found) if value(connection, KIND) == SANDBOX and found else None


# -- checking ------------------------------------------------------------------------------------------------------------


def check(connection: sa.Connection) -> list[str]:
    """Return a line for everything in ``meta`` that makes no sense; nothing where all does."""
    found = []
    kind = value(connection, KIND)
    if kind is not None and kind not in _NAMES:
        found.append(f"meta: kind is {kind!r}, none of {', '.join(_NAMES)}")
    name = value(connection, ZONE)
    if name is not None and not zone.is_known(name):
        found.append(f"meta: timezone is {name!r}, which is not known here")
    place = value(connection, PLACE)
    if place is not None and Place.read(place) is None:
        found.append(f"meta: place is {place!r}, which is none")
    if value(connection, ID) == "":
        found.append("meta: the ledger has no id")
    return found
