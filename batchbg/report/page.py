"""The report: one HTML page that needs nothing but itself, and a CSV beside it.

``gathering`` reads the ledger once, into the CSV and a spool; the page is put together from the spool.
"""

import base64
import contextlib
import dataclasses
import datetime
import functools
import hashlib
import itertools
import math
import os
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import jinja2
from markupsafe import Markup

from batchbg import __version__
from batchbg.core.budget import Caps, Credits, Scope
from batchbg.core.lifecycle import OPEN, JobState
from batchbg.disk.files import whole
from batchbg.disk.reading import open_file
from batchbg.disk.results import make_folder
from batchbg.errors import ConfigError, DiskError
from batchbg.ledger import clock, credits, folders, purpose, runs
from batchbg.ledger.engine import open_to_read
from batchbg.ledger.store import Connection, Ledger
from batchbg.report import gathering, page_thumbs
from batchbg.report.gathering import COLUMNS, FIELDS, Gathered, find_rejected, safe_json, text, when
from batchbg.report.summary import Summary, how_it_ended, of_ledger

RUNS: Final = 100
"""Runs that are listed."""

_CHUNK_ROWS: Final = 500
_SPOOL_BYTES: Final = 8_000_000


def write_report(
    ledger_url: str,
    target: Path | None = None,
    output: Path | None = None,
    *,
    caps: Caps | None = None,
    zone: datetime.tzinfo | None = None,
    price_per_credit: float | None = None,
    typed: Callable[[str], str] = "batchbg {}".format,
) -> Path:
    """Write the page and the CSV, and return the page's path.

    Args:
        ledger_url: an existing ledger; it is only read.
        target: the page, ending in .html; a folder takes ``report.html``. None: the last run's output folder.
        output: the output folder to use where no run has had one.
        caps: to show what is left.
        zone: for times, where the ledger is not bound to one; None is the system's.
        price_per_credit: to show money.
        typed: returns the line to type for a command such as "resume", so that it finds this ledger.

    Raises:
        ConfigError: there is no such ledger, or the page may not stand where it was asked for.
        DiskError: it cannot be written.
    """
    ledger = open_to_read(ledger_url)
    try:
        with ledger.reading() as connection:
            page = _place(ledger, connection, target, output)
            zone = clock.zone_in(connection, zone)
            table = page.with_suffix(".csv")
            _refuse_foreign(table)
            make_folder(page.parent)
            with (
                _whole(table, "utf-8-sig") as csv_file,  # without the mark, spreadsheets take UTF-8 for Latin-1
                tempfile.SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="ascii", newline="\n") as spool,
            ):
                found = Gathered(page.parent, zone)
                found.gather(ledger, connection, csv_file, spool)
                context = _context(ledger, connection, found, caps or Caps(), zone, price_per_credit)
                context["typed"] = typed
                context["csv_name"] = text(table.name)
                context["csv_href"] = urllib.parse.quote(os.fsencode(table.name))
                context |= _previews(page, found)
                context["chunks"] = _chunks(spool)
                with _whole(page, "utf-8") as file:
                    for piece in _template().generate(context):
                        file.write(piece)
        return page
    finally:
        ledger.close()


# -- where -----------------------------------------------------------------------------------------------------------


def check_name(target: Path) -> None:
    """Refuse what no page can be called, before a run begins.

    Raises:
        ConfigError: it does not end in .html, or a folder has the name.
    """
    if target.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"report: {target} does not end in .html")
    if target.is_dir():
        raise ConfigError(f"report: {target} is a folder")


def _place(ledger: Ledger, connection: Connection, target: Path | None, output: Path | None) -> Path:
    """Return the page's path.

    Raises:
        ConfigError: something else is, or belongs, there.
    """
    if target is None:
        last = folders.last_output(connection)
        target = (ledger.absolute(last) if last is not None else output or Path()) / "report.html"
    elif target.is_dir():
        target = target / "report.html"
    check_name(target)
    page = Path(os.path.realpath(target.parent)) / target.name
    if not any(page.is_relative_to(ledger.absolute(root)) for root in folders.output_roots(connection).values()):
        for root in map(ledger.absolute, folders.input_roots(connection)):
            if page.is_relative_to(root):
                raise ConfigError(f"report: {page} lies among the photos in {root}, to which nothing is written")
    return page


def _refuse_foreign(table: Path) -> None:
    """Refuse to replace somebody's own table: nobody named it, it just has the report's name."""
    try:
        with open_file(table) as file:
            first = file.readline(4000).decode("utf-8-sig", "replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DiskError(f"{table}: {error.strerror or error}") from error
    if first and not first.startswith(",".join(COLUMNS[:5])):
        raise ConfigError(f"report: {table} is not a report's table and would be replaced; name another page with -o")


@contextlib.contextmanager
def _whole(path: Path, encoding: str) -> Iterator[IO[str]]:
    """Yield a temporary file beside ``path`` that takes its name at the end, or is gone.

    Raises:
        DiskError: the disk refuses.
    """
    try:
        with whole(path, encoding) as file:
            yield file
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror or error}; the report is not written") from error


# -- the page --------------------------------------------------------------------------------------------------------


def _context(
    ledger: Ledger,
    connection: Connection,
    found: Gathered,
    caps: Caps,
    zone: datetime.tzinfo | None,
    price_per_credit: float | None,
) -> dict[str, Any]:
    """Return everything the template shows besides rows and thumbnails."""
    summary = of_ledger(connection, caps, time.time(), zone)
    rejected, rejected_backgrounds, rejected_counts = find_rejected(connection)
    bad = summary.jobs[JobState.FAILED] + summary.jobs[JobState.CANCELED]
    unfinished = sum(summary.jobs[state] for state in OPEN)
    return {
        "version": __version__,
        "headline": _headline(found.photos, found.photos_done, rejected_counts[0]),
        "now": when(time.time(), zone),
        "ledger": text(ledger.name),
        "rehearsal": purpose.of(connection) == "sandbox",
        "summary": summary,
        "states": [(state.value, summary.jobs[state]) for state in JobState],
        "bar": _bar(summary),
        "total_jobs": sum(summary.jobs.values()),
        "bad": bad,
        "unresolved_count": summary.jobs[JobState.UNRESOLVED],
        "unfinished": unfinished,
        "money": _money(price_per_credit),
        "found": found,
        "rejected": rejected,
        "rejected_backgrounds": rejected_backgrounds,
        "rejected_count": rejected_counts[0],
        "rejected_background_count": rejected_counts[1],
        "runs": _runs(connection, zone),
        "meta": Markup(safe_json({"fields": FIELDS, "states": [state.value for state in JobState]})),
        "style": Markup(_asset("page_style.css")),
        "script": Markup(_asset("page_script.js")),
        "script_hash": _hash(_asset("page_script.js")),
    }


def _headline(photos: int, done: int, rejected: int) -> str:
    """Return what became of all photos: those that are jobs, or copies, and those that are rejected."""
    total = photos + rejected
    if not total:
        return "Nothing has been done yet"
    if done == total:
        return "The one photo is done" if total == 1 else f"All {total:,} photos done"
    number = "1 photo" if total == 1 else f"{total:,} photos"
    return f"{done:,} of {number} done" + (f", {rejected:,} rejected" if rejected else "")


def _bar(summary: Summary) -> list[tuple[str, int, float]]:
    """Return (kind, jobs, percent) of the pieces of the bar, in the order in which they stand."""
    counts = {
        "done": summary.jobs[JobState.DONE],
        "open": sum(summary.jobs[state] for state in OPEN),
        "failed": summary.jobs[JobState.FAILED] + summary.jobs[JobState.CANCELED],
        "unresolved": summary.jobs[JobState.UNRESOLVED],
    }
    total = sum(counts.values())
    return [(kind, number, round(100 * number / total, 2)) for kind, number in counts.items() if number]


@dataclasses.dataclass(frozen=True)
class _RunLine:
    """A run as the page shows it; ``credits`` are None where another line shows those of the same cap."""

    began: str
    lasted: str
    command: str
    ended: str
    good: bool
    credits: Credits | None
    cap: int | None
    photos: str


def _runs(connection: Connection, zone: datetime.tzinfo | None) -> list[_RunLine]:
    lines = []
    for past in runs.last(connection, RUNS):
        counted = [(past.seen, "seen"), (past.reused, "reused"), (past.skipped, "skipped"), (past.rejected, "rejected")]
        lines.append(
            _RunLine(
                began=when(past.started_at, zone),
                lasted=_duration(past.ended_at - past.started_at) if past.ended_at is not None else "",
                command=past.command,
                ended=how_it_ended(past),
                good=past.exit_code == 0,
                credits=credits.totals(connection, Scope.RUN, past.id) if past.budget_id == past.id else None,
                cap=past.cap_credits,
                photos=", ".join(f"{number} {word}" for number, word in counted if number) if past.scanned else "",
            )
        )
    return lines


def _chunks(spool: IO[str]) -> Iterator[Markup]:
    """Yield the rows as JSON arrays of a bounded number each."""
    spool.seek(0)
    piece: list[str] = []
    for line in spool:
        piece.append(line.rstrip("\n"))
        if len(piece) == _CHUNK_ROWS:
            yield Markup(f"[{','.join(piece)}]")
            piece = []
    if piece:
        yield Markup(f"[{','.join(piece)}]")


PATIENCE_S: Final = 120.0
"""For the thumbnails of older rows, which nobody may have asked for; the next report finds those that were made."""


def _previews(page: Path, found: Gathered) -> dict[str, Any]:
    """Return what the template shows of thumbnails; those that the page's last version holds are taken from there."""
    blocks: list[Iterator[str]] = []
    left = 0
    for form, wanted, patience_s in (
        (page_thumbs.LARGE, found.wanted, math.inf),
        (page_thumbs.SMALL, found.wanted_small, PATIENCE_S),
    ):
        thumbs, late = page_thumbs.make(wanted, page_thumbs.earlier(page, wanted, form), form, patience_s)
        blocks.append(page_thumbs.block(thumbs, form))
        left += late
    lines = map(Markup, itertools.chain.from_iterable(blocks))
    return {"thumbs": lines, "previewed": gathering.PREVIEWED, "previews_left": left}


@functools.cache
def _template() -> jinja2.Template:
    """Return the page's template; compiled once, which takes longer than most pages take to write."""
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_asset),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return the source expression by which the page's policy allows this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _duration(seconds: float) -> str:
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _money(price_per_credit: float | None) -> Any:
    def money(number: int) -> str:
        return f"{number * price_per_credit:.2f}" if price_per_credit else ""

    return money
