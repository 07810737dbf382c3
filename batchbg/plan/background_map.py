"""The background map: a CSV of photo glob and background, the first line that matches a photo holds."""

import csv
import dataclasses
import fnmatch
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from batchbg.core.paint import Paint, looks_like_paint, paint_or_none, read_paint
from batchbg.core.suggestion import suggestion
from batchbg.disk.reading import read_text
from batchbg.errors import ConfigError

TRANSPARENT: Final = "transparent"
"""In a background map: no background."""


@dataclasses.dataclass(frozen=True)
class MapRule:
    """One line of a background map: photos that match ``pattern`` go on ``background``, a file or a paint; "" is none."""

    pattern: str
    background: str
    line: int = dataclasses.field(default=0, compare=False)


def read_map(file: Path) -> list[MapRule]:
    """Read a background map, as a spreadsheet or a person writes it.

    A first line "photo,background" is a heading; blank lines and lines that begin with "#" are skipped.

    Args:
        file: the CSV, in UTF-8 or UTF-16, with commas, semicolons or tabs.

    Raises:
        ConfigError: names the line and what is wrong with it.
    """
    try:
        text = read_text(file)
        separator = _separator(text, file)
        return [_rule(cells, file, line) for line, cells in _rows(text, separator) if not _is_heading(cells)]
    except (OSError, csv.Error) as error:
        raise ConfigError(f"background_map: {file}: {getattr(error, 'strerror', None) or error}") from error


SEPARATORS: Final = (",", ";", "\t")
"""Of cells: which one a spreadsheet writes depends on its country, and on what is chosen there."""


def _separator(text: str, file: Path) -> str:
    """Return what separates the cells: what the heading has, or what makes two of each line.

    Raises:
        ConfigError: several do.
    """
    first = next((line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")), "")
    for separator in SEPARATORS:
        if first.strip() == f"sep={separator}".strip() or _is_heading(
            [cell.strip() for cell in first.split(separator)]
        ):
            return separator
    fitting = [separator for separator in SEPARATORS if _makes_pairs(text, separator)]
    if len(fitting) > 1 and first:
        raise ConfigError(
            f"background_map: {file}: what separates its cells cannot be told, {' or '.join(map(repr, fitting))};"
            f" begin it with a line such as photo{fitting[1]}background"
        )
    return fitting[0] if fitting else max(SEPARATORS, key=first.count)


def _makes_pairs(text: str, separator: str) -> bool:
    try:
        return all(len(cells) == 2 for _, cells in _rows(text, separator))
    except csv.Error:
        return False


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield what stands in each line that is neither blank nor a comment, with its number."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    for row in reader:
        cells = [cell.strip() for cell in row]
        while len(cells) > 2 and not cells[-1]:
            cells.pop()
        if any(cells) and not cells[0].startswith("#") and cells[0] != "sep=":
            yield reader.line_num, cells


def _is_heading(cells: Sequence[str]) -> bool:
    return [cell.strip('"').casefold() for cell in cells[:2]] == ["photo", "background"]


def _rule(cells: Sequence[str], file: Path, line: int) -> MapRule:
    if len(cells) != 2 or not all(cells):
        quotes = "; put the gradient in double quotes" if any("gradient(" in cell for cell in cells) else ""
        raise ConfigError(
            f"background_map: {file}, line {line}: a photo glob and a background are expected, not {len(cells)} cells"
            f"{quotes}"
        )
    pattern, background = cells
    return MapRule(pattern, "" if background == TRANSPARENT else background, line)


def paints_in(rules: Sequence[MapRule], backgrounds: Collection[str]) -> dict[str, Paint]:
    """Return the colours and gradients that rules name, by how they are written; a background of that name counts."""
    named = {rule.background for rule in rules if rule.background} - set(backgrounds)
    return {text: paint for text in named if (paint := paint_or_none(text))}


def check_map(
    rules: Sequence[MapRule], file: Path | None, backgrounds: Mapping[str, object], *, has_folder: bool
) -> None:
    """Refuse a map that names a background which is not there.

    Args:
        rules: as read.
        file: where they stand.
        backgrounds: what may be named: paths below the background folder, and paints.
        has_folder: there is such a folder.

    Raises:
        ConfigError: names the line, and the background that may have been meant.
    """
    for rule in rules:
        if rule.background and rule.background not in backgrounds:
            where = f"background_map: {file}, line {rule.line}"
            if looks_like_paint(rule.background):
                raise ConfigError(f"{where}: {_why_no_paint(rule.background)}")
            if not has_folder:
                raise ConfigError(
                    f"{where}: {rule.background!r} is no colour; where it is a file of the background folder, give"
                    " --backgrounds too"
                )
            raise ConfigError(
                f"{where}: there is no background {rule.background!r}{suggestion(rule.background, backgrounds)}"
            )


def _why_no_paint(text: str) -> str:
    try:
        read_paint(text)
    except ValueError as error:
        return str(error)
    return ""


class BackgroundMap:
    """The rules of a background map; the first one that matches a photo holds.

    Nearly all are the names of single photos, of which there may be thousands: those are looked up, and only patterns
    are tried one after the other.
    """

    def __init__(self, rules: Sequence[MapRule]) -> None:
        self._rules = rules
        self._by_path: dict[str, int] = {}
        self._by_name: dict[str, int] = {}
        self._patterns: list[tuple[int, bool, Callable[[str], object]]] = []
        self._unused = set(range(len(rules)))
        for number, rule in enumerate(rules):
            pattern, is_path = rule.pattern.removeprefix("/"), "/" in rule.pattern
            if _WILD.isdisjoint(pattern):
                (self._by_path if is_path else self._by_name).setdefault(pattern, number)
            else:
                self._patterns.append((number, is_path, re.compile(fnmatch.translate(pattern)).match))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def rule_for(self, path: str) -> MapRule | None:
        """Return the rule for the photo at ``path``; a pattern without "/" is matched against its bare name."""
        name = path.rpartition("/")[2]
        none = len(self._rules)
        first = min(self._by_path.get(path, none), self._by_name.get(name, none))
        for number, is_path, matches in self._patterns:
            if number > first:
                break
            if matches(path if is_path else name):
                first = number
                break
        self._unused.discard(first)
        return self._rules[first] if first < none else None

    @property
    def unused(self) -> list[MapRule]:
        """Rules that hold for no photo asked about so far."""
        return [self._rules[number] for number in sorted(self._unused)]


_WILD: Final = frozenset("*?[")
