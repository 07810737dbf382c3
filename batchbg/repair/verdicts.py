"""``batchbg ledger verdicts``: verdicts from a table, as a spreadsheet or a script has made it."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from batchbg.core.review import ReviewVerdict
from batchbg.core.suggestion import suggestion
from batchbg.core.text import text_of_cell
from batchbg.disk.reading import read_text
from batchbg.errors import ConfigError
from batchbg.ledger import reviews
from batchbg.ledger.store import Ledger

UNDECIDED: Final = "undecided"
"""Takes a verdict back. A row that has none leaves its job as it is."""

WORDS: Final = (*(one.value for one in ReviewVerdict), UNDECIDED)

SEPARATORS: Final = (",", ";", "\t")


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """A job's verdict by a table, None for undecided; ``line`` is where it stands."""

    verdict: ReviewVerdict | None
    reason: str
    line: int


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """How many verdicts were taken, and how many were there already."""

    new: int
    before: int


def read_verdicts(file: Path) -> dict[str, Told]:
    """Read verdicts by job from a table with the columns ``id``, ``verdict`` and, if wanted, ``verdict_reason``.

    Other columns do not matter: the report's table is one, and so is the ledger's exported as CSV.

    Args:
        file: in UTF-8 or UTF-16, with commas, semicolons or tabs.

    Raises:
        ConfigError: names the line and what is wrong with it.
    """
    found: dict[str, Told] = {}
    try:
        for line, row in _rows(read_text(file), file):
            word, job_id = (row["verdict"] or "").strip().casefold(), (row["id"] or "").strip()
            if not word:
                continue
            if word not in WORDS:
                raise ConfigError(
                    f"{file}, line {line}: {word!r} is no verdict, but one of {', '.join(WORDS)}{suggestion(word, WORDS)}"
                )
            if not job_id:
                raise ConfigError(f"{file}, line {line}: a verdict without the id of its job")
            verdict = None if word == UNDECIDED else ReviewVerdict(word)
            told = Told(verdict, text_of_cell(row.get("verdict_reason") or ""), line)
            other = found.setdefault(job_id, told)
            if (other.verdict, other.reason) != (told.verdict, told.reason):
                raise ConfigError(f"{file}: lines {other.line} and {line} have two verdicts for job {job_id}")
    except (OSError, csv.Error) as error:
        raise ConfigError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    return found


def _rows(text: str, file: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Yield each row below the heading, with the number of its last line."""
    heading = text.partition("\n")[0]
    for separator in SEPARATORS:
        names = [name.strip().casefold() for name in next(csv.reader([heading], delimiter=separator), [])]
        if {"id", "verdict"} <= set(names):
            reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
            next(reader)
            yield from (
                (reader.line_num, dict.fromkeys(names) | dict(zip(names, cells, strict=False))) for cells in reader
            )
            return
    raise ConfigError(f"{file}: its first line has to name the columns, id and verdict among them")


def take_verdicts(ledger: Ledger, file: Path, told: Mapping[str, Told]) -> Taken:
    """Take all verdicts of a table, or none.

    Raises:
        ConfigError: there is no such job, or it has no result; names the line.
        LedgerError: the ledger cannot be written.
    """
    new = 0
    with ledger.transaction() as tx:
        for job_id, one in told.items():
            try:
                new += (
                    reviews.withdraw(tx, job_id)
                    if one.verdict is None
                    else reviews.give(tx, job_id, one.verdict, one.reason)
                )
            except ConfigError as error:
                raise ConfigError(f"{file}, line {one.line}: {error}; no verdict was taken") from error
    return Taken(new, len(told) - new)
