"""A plan as a file: what a person approved, to be done exactly so.

One JSON object a line: photo, sha256, background (null for none), background_sha256, treatment, output, credits, and
for people and programs distortion, blur and excess of the pairing (null without a background).
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from batchbg.core.model import PRICE_CREDITS, Treatment
from batchbg.core.paint import Paint, paint_or_none
from batchbg.core.pairing import Misfit
from batchbg.disk.reading import read_text
from batchbg.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One photo of a saved plan; paths below their folders, "" for no background, contents as sha256."""

    photo: str
    sha256: str
    background: str
    background_sha256: str
    treatment: Treatment
    output: str


def write_entry(file: IO[str], entry: Entry, misfit: Misfit | None = None) -> None:
    """Append one line; ``misfit`` is only told, and decides nothing."""
    figures = {name: misfit and getattr(misfit, name) / 1000 for name in ("distortion", "blur", "excess")}
    value = dataclasses.asdict(entry) | {
        "background": entry.background or None,
        "background_sha256": entry.background_sha256 or None,
        "credits": PRICE_CREDITS,
        **figures,
    }
    file.write(json.dumps(value) + "\n")


def painted_in(entry: Entry) -> Paint | None:
    """Return the colour or gradient that an entry names as its background; None where that is a file, or nothing."""
    paint = paint_or_none(entry.background) if entry.background else None
    return paint if paint is not None and paint.sha256 == entry.background_sha256 else None


def read_plan(file: Path) -> dict[str, Entry]:
    """Return a saved plan's entries by photo.

    Raises:
        ConfigError: names the line that cannot be read.
    """
    try:
        lines = read_text(file).split("\n")
        return {entry.photo: entry for entry in _entries(file, lines)}
    except OSError as error:
        raise ConfigError(f"plan: {file}: {error.strerror or error}") from error


def _entries(file: Path, lines: Sequence[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _entry(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"plan: {file}, line {number}: not a line of `batchbg plan --save`") from error


def _entry(value: Any) -> Entry:
    texts = [
        value["photo"],
        value["sha256"],
        value["output"],
        value["background"] or "",
        value["background_sha256"] or "",
    ]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    photo, sha256, output, background, background_sha256 = texts
    return Entry(photo, sha256, background, background_sha256, Treatment(value["treatment"]), output)
