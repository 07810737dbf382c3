"""One pass over the ledger: rows for the table and the page, and what the page says of them all.

A row at a time goes to the CSV and, as JSON, to a spool. What stays in memory is bounded: the lists of what needs a
person (LISTED each) and the thumbnails of the last PREVIEWED rows.
"""

import csv
import dataclasses
import datetime
import json
import os
import urllib.parse
from pathlib import Path
from typing import IO, Any, Final

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Treatment
from batchbg.core.paint import Paint
from batchbg.core.pairing import Misfit
from batchbg.core.text import cell
from batchbg.ledger import folders, photos
from batchbg.ledger.store import Connection, Ledger
from batchbg.report import page_thumbs, rows
from batchbg.report.rows import Picture, Row

EMBEDDED: Final = 500
"""Rows whose thumbnails are in the page."""

PREVIEWED: Final = 5_000
"""Rows whose thumbnails are in the page at all, those of the older ones small: the page takes some 40 MB then, and can be
sent. Still older ones show the files themselves, as far as they are scrolled to, and lie where they lay."""

LISTED: Final = 100
"""Entries of each list of what needs a person; the rest is counted, and found in the gallery by state."""

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
    "verdict",
    "verdict_reason",
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
    "verdict",
    "verdictReason",
)
"""Of a row in the page, in this order; the script reads them by name."""

_SHOWN: Final = frozenset({"png", "jpg", "webp", "avif", "bmp"})
"""Formats, by the API's names, that browsers show; those of which a link to the file is enough."""
_SHOWN_NAMES: Final = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".bmp", ".gif")

TREATMENTS: Final = {
    Treatment.NONE: "transparent",
    Treatment.AS_IS: "as it is",
    Treatment.FIT: "cropped to fit",
}


@dataclasses.dataclass
class Gathered:
    """What one pass over the ledger leaves in memory.

    Attributes:
        base: the folder of the page, to which links are relative.
        zone: for times.
        wanted: thumbnails by key; ``wanted_small`` those of older rows.
        unresolved, broken, missing: what needs a person, at most LISTED of each.
        missing_count: of all; ``lost_count`` of them were deleted at the service, too.
        copies: rows that are copies.
        total: rows.
        photos, photos_done: outputs, each counted once however many jobs were made for it.
    """

    base: Path
    zone: datetime.tzinfo | None
    wanted: dict[str, Path | Paint] = dataclasses.field(default_factory=dict)
    wanted_small: dict[str, Path | Paint] = dataclasses.field(default_factory=dict)
    swatches: set[str] = dataclasses.field(default_factory=set)
    unresolved: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    broken: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    missing: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    missing_count: int = 0
    lost_count: int = 0
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
            spool.write(safe_json(self._fields(row)) + "\n")
        self.wanted_small = {key: path for key, path in self.wanted_small.items() if key not in self.wanted}
        for _root, path, reason in photos.rejected(connection):
            writer.writerow(map(_cell, ["", "rejected", path, *[""] * 9, reason, *[""] * 4]))

    def _want(self, row: Row) -> None:
        """Ask for the thumbnails of the last changed rows, and of those that are listed."""
        listed = row.state in _LISTS and len(self._list(row.state)) < LISTED
        if self.total > PREVIEWED and not listed:
            return
        into = self.wanted if self.total <= EMBEDDED or listed else self.wanted_small
        for picture in (row.photo, row.result):
            if picture.there and picture.sha256:
                into.setdefault(page_thumbs.key_of(picture.sha256), picture.path)
        if (key := _swatch_key(row)) and (key in self.swatches or len(self.swatches) < SWATCHES):
            self.swatches.add(key)
            shown = row.background
            assert shown is not None
            self.wanted.setdefault(key, shown if isinstance(shown, Paint) else shown.path)

    def _note(self, row: Row) -> None:
        if row.missing:
            self.missing_count += 1
            self.lost_count += row.lost
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
            "photo": text(row.photo_path),
            "background": text(row.background_path),
            "output": text(row.output_path),
            "credits": row.credits,
            "project": text(row.project_id),
            "error": text(row.error) or "no reason was given",
            "name": row.name,
            "when": when(row.updated_at, self.zone),
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
            "painted" if isinstance(row.background, Paint) else TREATMENTS[row.treatment],
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
            when(row.updated_at, self.zone),
            self._href(row.photo, row.extension),
            page_thumbs.key_of(row.photo.sha256) if row.photo.there else "",
            row.photo.why_not,
            self._href(row.result, ""),
            page_thumbs.key_of(row.result.sha256) if row.result.there else "",
            row.result.why_not,
            _swatch_key(row),
            row.verdict,
            row.verdict_reason,
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


def _swatch_key(row: Row) -> str:
    """Return the name of the background's thumbnail, "" where it has none."""
    shown = row.background
    is_there = shown is not None and (isinstance(shown, Paint) or shown.there)
    return page_thumbs.key_of(shown.sha256) if shown is not None and is_there else ""


_LISTS: Final = frozenset({JobState.UNRESOLVED, JobState.FAILED, JobState.CANCELED})


def _csv_row(row: Row) -> list[str]:
    background = row.background_path
    return [
        row.id,
        row.state.value,
        row.photo_path,
        background,
        "painted" if isinstance(row.background, Paint) else row.treatment.value,
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
        row.verdict,
        row.verdict_reason,
    ]


def _cell(value: str) -> str:
    return str(cell(text(value)))


def find_rejected(connection: Connection) -> tuple[list[dict[str, str]], list[dict[str, str]], tuple[int, int]]:
    """Return (photos, backgrounds, the number of each) that cannot be sent; the lists hold LISTED at most."""
    scanned = folders.scanned_roots(connection)
    lists: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
    counts = [0, 0]
    for root, path, reason in photos.rejected(connection):
        which = 0 if root in scanned else 1
        counts[which] += 1
        if len(lists[which]) < LISTED:
            lists[which].append({"path": text(path), "reason": text(reason)})
    return lists[0], lists[1], (counts[0], counts[1])


def safe_json(value: Any) -> str:
    """Return JSON that may stand in a script element: ASCII, and nothing in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("'", "\\u0027")


def text(value: str) -> str:
    """Return text that can be encoded: what is no character (a byte of a file's name) becomes a replacement mark."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def when(at: float, zone: datetime.tzinfo | None) -> str:
    """Return a time, seconds since 1970, as the report shows it."""
    return datetime.datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")
