"""Which background a photo goes on: by pairing, by the background map, or as a saved plan says."""

import csv
import dataclasses
import fnmatch
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from batchbg.core.model import NO_BACKGROUND, Size, Treatment
from batchbg.core.pairing import Choice, Pairing
from batchbg.disk.files import read_text
from batchbg.errors import ConfigError
from batchbg.settings import suggestion

NOT_SIMILAR: Final = "no background is similar enough (on_mismatch = skip)"

TRANSPARENT: Final = "transparent"
"""In a background map: no background."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """A background and how it goes up; ``choice`` is None for a transparent result."""

    choice: Choice | None
    treatment: Treatment


def background_of(chosen: Chosen | str) -> str:
    """Return the content (sha256) of the chosen background, or NO_BACKGROUND."""
    return chosen.choice.background.sha256 if isinstance(chosen, Chosen) and chosen.choice else NO_BACKGROUND


class Chooser(Protocol):
    """Chooses for one photo after the other; ``by_size`` where the choice depends on nothing but the photo's size."""

    by_size: bool

    @property
    def unused(self) -> list[str]:
        """A sentence for each rule that no photo has gone by."""
        ...

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return what is chosen for the photo at ``path``, or the reason why it is left out."""
        ...


class Transparent:
    """Without backgrounds every result is transparent."""

    by_size = True
    unused: Final[list[str]] = []

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return no background."""
        return Chosen(None, Treatment.NONE)


@dataclasses.dataclass(frozen=True)
class MapRule:
    """One line of a background map: photos that match ``pattern`` go on ``background``; "" is none."""

    pattern: str
    background: str
    line: int = dataclasses.field(default=0, compare=False)


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
        """Return the rule that holds for the photo at ``path``; a pattern without "/" goes by its bare name."""
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


class ByPairing:
    """The background map where it has a rule for the photo, else the pairing's policy."""

    def __init__(self, pairing: Pairing, on_mismatch: str, rules: Sequence[MapRule] = ()) -> None:
        self._pairing = pairing
        self._on_mismatch = on_mismatch
        self._map = BackgroundMap(rules)
        self.by_size = pairing.by_size and not rules

    @property
    def unused(self) -> list[str]:
        """A sentence for each line of the map that no photo has gone by."""
        return [
            f"background_map, line {rule.line}: {rule.pattern!r} matches no photo, or only such that an earlier line has"
            for rule in self._map.unused
        ]

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return the choice, made to fit where it is not similar enough."""
        rule = self._map.rule_for(path)
        if rule is not None and not rule.background:
            return Chosen(None, Treatment.NONE)
        if rule is not None:
            choice = self._pairing.fixed(pixels, rule.background)
        else:
            choice = self._pairing.choose(pixels, sha256)
        if choice.similar or self._on_mismatch == "accept":
            return Chosen(choice, Treatment.AS_IS)
        if self._on_mismatch == "fit":
            return Chosen(choice, Treatment.FIT)
        return Chosen(None, Treatment.NONE) if self._on_mismatch == "transparent" else NOT_SIMILAR


def read_map(file: Path, backgrounds: Mapping[str, object]) -> list[MapRule]:
    """Read a background map: a CSV of photo glob and background, the first rule that matches wins.

    A first line "photo,background" is a heading; blank lines and lines that begin with "#" are skipped.

    Args:
        file: the CSV, UTF-8.
        backgrounds: known backgrounds by path below the background folder.

    Raises:
        ConfigError: names the line and what is wrong with it.
    """
    rules = []
    try:
        reader = csv.reader(io.StringIO(read_text(file, "utf-8-sig"), newline=""), strict=True)
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#") or cells[:2] == ["photo", "background"]:
                continue
            rule = _rule(cells, f"{file}, line {reader.line_num}", backgrounds)
            rules.append(dataclasses.replace(rule, line=reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"background_map: {file}: {getattr(error, 'strerror', None) or error}") from error
    return rules


def _rule(cells: Sequence[str], where: str, backgrounds: Mapping[str, object]) -> MapRule:
    if len(cells) != 2 or not all(cells):
        raise ConfigError(
            f"background_map: {where}: a photo glob and a background are expected, not {len(cells)} cells"
        )
    pattern, background = cells
    if background == TRANSPARENT:
        return MapRule(pattern, "")
    if background not in backgrounds:
        raise ConfigError(
            f"background_map: {where}: there is no background {background!r}{suggestion(background, backgrounds)}"
        )
    return MapRule(pattern, background)
