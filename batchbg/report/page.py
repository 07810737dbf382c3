"""The report: one HTML page that needs nothing but itself, and a CSV beside it.

The ledger is read once, a row at a time. Rows go to the CSV and, as JSON, to a spool; the page is put together from
the spool. What stays in memory is bounded: the lists of what needs a person (LISTED each) and the thumbnails of the
last EMBEDDED rows.
"""

import base64
import contextlib
import csv
import dataclasses
import datetime
import hashlib
import json
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
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Treatment
from batchbg.core.pairing import Misfit
from batchbg.core.text import cell
from batchbg.disk.files import whole
from batchbg.disk.reading import open_file
from batchbg.disk.results import make_folder
from batchbg.errors import ConfigError, DiskError
from batchbg.ledger import clock, credits, folders, photos, purpose, runs
from batchbg.ledger.engine import open_to_read
from batchbg.ledger.store import Connection, Ledger
from batchbg.report import page_thumbs, rows
from batchbg.report.rows import Picture, Row
from batchbg.report.summary import Summary, of_ledger

EMBEDDED: Final = 500
"""Rows whose thumbnails are in the page; older ones show the files themselves, as far as they are scrolled to."""

LISTED: Final = 100
"""Entries of each list of what needs a person; the rest is counted, and found in the gallery by state."""

RUNS: Final = 100
"""Runs that are listed."""

SWATCHES: Final = 64
"""Different backgrounds whose thumbnails are in the page."""

COLUMNS: Final = (
    "id",
    "state",
    "photo",
    "background",
    "treatment",
    "distortion",
    "blur",
    "excess",
    "output",
    "project_id",
    "credits",
    "attempts",
    "error",
    "remark",
    "copy_of",
)
"""Of the CSV. ``credits`` add up to what the ledger counts: a copy has 0."""

FIELDS: Final = (
    "id",
    "state",
    "folder",
    "file",
    "background",
    "treatment",
    "fit",
    "width",
    "height",
    "distortion",
    "blur",
    "excess",
    "output",
    "project",
    "name",
    "credits",
    "attempts",
    "error",
    "remark",
    "copyOf",
    "when",
    "photo",
    "photoKey",
    "photoNote",
    "result",
    "resultKey",
    "resultNote",
    "backgroundKey",
)
"""Of a row in the page, in this order; the script reads them by name."""

_CHUNK_ROWS: Final = 500
_SPOOL_BYTES: Final = 8_000_000
_SHOWN: Final = frozenset({"png", "jpg", "webp", "avif", "bmp"})
"""Formats, by the API's names, that browsers show; those of which a link to the file is enough."""
_SHOWN_NAMES: Final = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".bmp", ".gif")

TREATMENTS: Final = {
    Treatment.NONE: "transparent",
    Treatment.AS_IS: "as it is",
    Treatment.FIT: "cropped to fit",
}

EXIT_CODES: Final = {
    0: "all done",
    1: "internal error",
    2: "usage or configuration",
    3: "finished, with problems",
    5: "temporary trouble",
    7: "refused by the account",
    8: "a cap was reached",
    10: "time limit",
    11: "another run held the ledger",
    129: "hung up",
    130: "interrupted",
    143: "terminated",
}


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
                found = _Gathered(page.parent, zone)
                found.gather(ledger, connection, csv_file, spool)
                context = _context(ledger, connection, found, caps or Caps(), zone, price_per_credit)
                context["typed"] = typed
                context["csv_name"] = _text(table.name)
                context["csv_href"] = urllib.parse.quote(os.fsencode(table.name))
                earlier = page_thumbs.earlier(page, found.wanted)
                context["thumbs"] = map(Markup, page_thumbs.block(page_thumbs.make(found.wanted, earlier)))
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
    if not any(page.is_relative_to(ledger.absolute(root)) for root in folders.output_roots(connection)):
        for root in map(ledger.absolute, folders.input_roots(connection)):
            if page.is_relative_to(root):
                raise ConfigError(f"report: {page} lies among the photos in {root}, to which nothing is written")
    return page


def _refuse_foreign(table: Path) -> None:
    """Refuse to replace somebody's own table: nobody named it, it just bears the report's name."""
    try:
        with open_file(table) as file:
            first = file.readline(4000).decode("utf-8-sig", "replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DiskError(f"{table}: {error.strerror or error}") from error
    if first and not first.startswith(",".join(COLUMNS[:5])):
        raise ConfigError(f"report: {table} is no report's table and would be replaced; name another page with -o")


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


# -- reading ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Gathered:
    """What one pass over the ledger leaves in memory.

    Attributes:
        base: the folder of the page, to which links are relative.
        zone: for times.
        wanted: thumbnails by key.
        unresolved, broken, missing: what needs a person, at most LISTED of each.
        missing_count: of all.
        copies: rows that are copies.
        total: rows.
        photos, photos_done: outputs, each counted once however many jobs were made for it.
    """

    base: Path
    zone: datetime.tzinfo | None
    wanted: dict[str, Path] = dataclasses.field(default_factory=dict)
    swatches: set[str] = dataclasses.field(default_factory=set)
    unresolved: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    broken: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    missing: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    missing_count: int = 0
    copies: int = 0
    total: int = 0
    photos: int = 0
    photos_done: int = 0

    def gather(self, ledger: Ledger, connection: Connection, table: IO[str], spool: IO[str]) -> None:
        """Read every row and write it twice: as CSV to ``table``, as a line of JSON to ``spool``."""
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows.read(ledger, connection):
            self.total += 1
            self.copies += bool(row.copy_of)
            self.photos += row.current
            self.photos_done += row.current and row.state is JobState.DONE
            writer.writerow(map(_cell, _csv_row(row)))
            self._want(row)
            self._note(row)
            spool.write(_safe_json(self._fields(row)) + "\n")
        for _root, path, reason in photos.rejected(connection):
            writer.writerow(map(_cell, ["", "rejected", path, *[""] * 9, reason, "", ""]))

    def _want(self, row: Row) -> None:
        """Ask for the thumbnails of the last changed rows, and of those that are listed."""
        listed = row.state in _LISTS and len(self._list(row.state)) < LISTED
        if self.total > EMBEDDED and not listed:
            return
        for picture in (row.photo, row.result):
            if picture.there and picture.sha256:
                self.wanted.setdefault(page_thumbs.key_of(picture.sha256), picture.path)
        if row.background and row.background.there and row.background.sha256:
            key = page_thumbs.key_of(row.background.sha256)
            if key in self.swatches or len(self.swatches) < SWATCHES:
                self.swatches.add(key)
                self.wanted.setdefault(key, row.background.path)

    def _note(self, row: Row) -> None:
        if row.missing:
            self.missing_count += 1
            if len(self.missing) < LISTED:
                self.missing.append(self._entry(row))
        if row.state in _LISTS and not row.copy_of and len(entries := self._list(row.state)) < LISTED:
            entries.append(self._entry(row))

    def _list(self, state: JobState) -> list[dict[str, Any]]:
        return self.unresolved if state is JobState.UNRESOLVED else self.broken

    def _entry(self, row: Row) -> dict[str, Any]:
        """Return what the list of problems shows of a row."""
        return {
            "id": row.id,
            "state": row.state.value,
            "photo": _text(row.photo_path),
            "background": _text(row.background_path),
            "output": _text(row.output_path),
            "credits": row.credits,
            "project": _text(row.project_id),
            "error": _text(row.error) or "no reason was given",
            "name": row.name,
            "when": _when(row.updated_at, self.zone),
            "key": page_thumbs.key_of(row.photo.sha256) if row.photo.there else "",
            "href": self._href(row.photo, row.extension),
            "note": row.photo.why_not,
        }

    def _fields(self, row: Row) -> list[Any]:
        """Return a row of the page, in the order of FIELDS."""
        folder, _, file = row.photo_path.rpartition("/")
        return [
            row.id,
            row.state.value,
            folder,
            file,
            row.background_path,
            TREATMENTS[row.treatment],
            Misfit(row.distortion, row.blur, row.excess).in_words(cropped=row.treatment is Treatment.FIT),
            row.width,
            row.height,
            row.distortion,
            row.blur,
            row.excess,
            row.output_path,
            row.project_id,
            row.name,
            row.credits,
            row.attempts,
            row.error,
            row.remark,
            row.copy_of,
            _when(row.updated_at, self.zone),
            self._href(row.photo, row.extension),
            page_thumbs.key_of(row.photo.sha256) if row.photo.there else "",
            row.photo.why_not,
            self._href(row.result, ""),
            page_thumbs.key_of(row.result.sha256) if row.result.there else "",
            row.result.why_not,
            page_thumbs.key_of(row.background.sha256) if row.background and row.background.there else "",
        ]

    def _href(self, picture: Picture, extension: str) -> str:
        """Return a link to a file that browsers can show, relative to the page; "" for any other."""
        shown = extension in _SHOWN if extension else picture.path.name.lower().endswith(_SHOWN_NAMES)
        if not (picture.there and shown):
            return ""
        try:
            relative = os.path.relpath(picture.path, self.base)
        except ValueError:  # another drive
            return picture.path.as_uri()
        quoted = urllib.parse.quote(os.fsencode(relative.replace(os.sep, "/")))
        return quoted if quoted.startswith(".") else f"./{quoted}"


_LISTS: Final = frozenset({JobState.UNRESOLVED, JobState.FAILED, JobState.CANCELED})


def _csv_row(row: Row) -> list[str]:
    background = row.background_path
    return [
        row.id,
        row.state.value,
        row.photo_path,
        background,
        row.treatment.value,
        f"{row.distortion / 1000:.3f}",
        f"{row.blur / 1000:.3f}",
        f"{row.excess / 1000:.3f}",
        row.output_path,
        row.project_id,
        str(row.credits),
        str(row.attempts),
        row.error,
        row.remark,
        row.copy_of,
    ]


def _cell(value: str) -> str:
    return str(cell(_text(value)))


# -- the page --------------------------------------------------------------------------------------------------------


def _context(
    ledger: Ledger,
    connection: Connection,
    found: _Gathered,
    caps: Caps,
    zone: datetime.tzinfo | None,
    price_per_credit: float | None,
) -> dict[str, Any]:
    """Return everything the template shows besides rows and thumbnails."""
    summary = of_ledger(connection, caps, time.time(), zone)
    rejected, rejected_backgrounds, rejected_counts = _rejected(connection)
    bad = summary.jobs[JobState.FAILED] + summary.jobs[JobState.CANCELED]
    unfinished = sum(summary.jobs[state] for state in _UNFINISHED)
    return {
        "version": __version__,
        "now": _when(time.time(), zone),
        "ledger": _text(str(ledger.path)),
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
        "meta": Markup(_safe_json({"fields": FIELDS, "states": [state.value for state in JobState]})),
        "style": Markup(_asset("page_style.css")),
        "script": Markup(_asset("page_script.js")),
        "script_hash": _hash(_asset("page_script.js")),
    }


_UNFINISHED: Final = (JobState.PLANNED, JobState.SUBMITTING, JobState.RENDERING, JobState.DOWNLOADING)


def _bar(summary: Summary) -> list[tuple[str, int, float]]:
    """Return (kind, jobs, percent) of the pieces of the bar, in the order in which they stand."""
    counts = {
        "done": summary.jobs[JobState.DONE],
        "open": sum(summary.jobs[state] for state in _UNFINISHED),
        "failed": summary.jobs[JobState.FAILED] + summary.jobs[JobState.CANCELED],
        "unresolved": summary.jobs[JobState.UNRESOLVED],
    }
    total = sum(counts.values())
    return [(kind, number, round(100 * number / total, 2)) for kind, number in counts.items() if number]


def _rejected(connection: Connection) -> tuple[list[dict[str, str]], list[dict[str, str]], tuple[int, int]]:
    """Return (photos, backgrounds, the number of each) that cannot be sent; the lists hold LISTED at most."""
    scanned = folders.scanned_roots(connection)
    lists: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
    counts = [0, 0]
    for root, path, reason in photos.rejected(connection):
        which = 0 if root in scanned else 1
        counts[which] += 1
        if len(lists[which]) < LISTED:
            lists[which].append({"path": _text(path), "reason": _text(reason)})
    return lists[0], lists[1], (counts[0], counts[1])


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
        if past.exit_code is None:
            ended = "killed" if past.ended_at is not None else "still going, or killed"
        else:
            ended = f"{past.exit_code}: {EXIT_CODES.get(past.exit_code, 'unknown')}"
        counted = [(past.seen, "seen"), (past.reused, "reused"), (past.skipped, "skipped"), (past.rejected, "rejected")]
        lines.append(
            _RunLine(
                began=_when(past.started_at, zone),
                lasted=_duration(past.ended_at - past.started_at) if past.ended_at is not None else "",
                command=past.command,
                ended=ended,
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


def _template() -> jinja2.Template:
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


def _safe_json(value: Any) -> str:
    """Return JSON that may stand in a script element: ASCII, and nothing in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("'", "\\u0027")


def _text(value: str) -> str:
    """Return text that can be encoded: what is no character (a byte of a file's name) becomes a replacement mark."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _when(at: float, zone: datetime.tzinfo | None) -> str:
    return datetime.datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")


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
