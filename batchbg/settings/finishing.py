"""The tables [finishing.NAME] of config.toml: profiles by which results are finished."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from batchbg.core.finish_names import why_no_pattern
from batchbg.core.finish_profiles import BUILT_IN
from batchbg.core.finishing import FORMATS, MOST_MARGIN, MOST_SIDE, Canvas, Profile
from batchbg.core.suggestion import suggestion
from batchbg.errors import ConfigError
from batchbg.settings.kinds import COLOUR, PATH, SWITCH, TEXT, Kind, choice, read_value, whole

SECTION: Final = "finishing"

RESERVED: Final = frozenset({"sandbox"})
"""Names of which the usual folder, <output>-NAME, is somebody else's."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

MOST_ENLARGED: Final = 4.0
"""Times; what is enlarged more is a blur."""

SMALLEST: Final = 16
"""Pixels of the longer side of what may be asked for: an icon."""

SHADOW: Final = 40.0
"""Darkness, in percent, of a shadow that is only asked for."""


def _between(least: float, most: float) -> Kind:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError
        if not least <= value <= most:
            raise ValueError
        return float(value)

    return Kind(f"a number from {least:g} to {most:g}", read)


def _canvas(value: Any) -> Canvas | None:
    if value == "product":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,3})(:|x)([1-9][0-9]{0,3})", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    canvas = Canvas(int(found[1]), int(found[3]), exact=found[2] == "x")
    sides = (canvas.width, canvas.height)
    if canvas.exact and not (SMALLEST <= max(sides) <= MOST_SIDE):
        raise ValueError
    if max(sides) > 20 * min(sides):
        raise ValueError
    return canvas


def _background(value: Any) -> tuple[int, int, int] | None:
    found: tuple[int, int, int] | None = None if value == "transparent" else COLOUR.read(value)
    return found


def _shadow(value: Any) -> float:
    return SHADOW * value if isinstance(value, bool) else _between(0, 100).read(value)


def _names(value: Any) -> str:
    text: str = TEXT.read(value)
    if why := why_no_pattern(text):
        raise ConfigError(why)
    return text


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a profile: how its value is read, an example, and what it means."""

    kind: Kind
    example: str
    help: str


_SIDE: Final = whole(SMALLEST, MOST_SIDE)

KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {
        "like": Key(TEXT, '"shopify"', "begin with a built-in profile, or with another of yours"),
        "trim": Key(SWITCH, "true", "cut to the product, by its transparency"),
        "threshold": Key(whole(0, 254), "8", "alpha, of 255, up to which a pixel is no part of the product"),
        "margin": Key(_between(0, MOST_MARGIN), "5", "on every side, percent of the canvas's shorter side"),
        "canvas": Key(
            Kind('a ratio as "1:1", pixels as "2000x2000", or "product"', _canvas),
            '"1:1"',
            'ratio, or pixels as "2000x2000"; "product" is the product with its margin',
        ),
        "longest": Key(_SIDE, "2000", "pixels of the longer side at most"),
        "at_least": Key(_SIDE, "1000", "pixels of the longer side to reach by enlarging, within enlarge"),
        "enlarge": Key(_between(1, MOST_ENLARGED), "1.0", "times that a product may be enlarged; 1 is never"),
        "background": Key(
            Kind('a colour such as white or #f5f5f5, or "transparent"', _background), '"white"', 'or "transparent"'
        ),
        "shadow": Key(
            Kind("true, false, or a number from 0 to 100", _shadow),
            "false",
            "soft, where the product stands: true, or its darkness in percent",
        ),
        "format": Key(choice(*FORMATS), '"jpeg"', "png, jpeg or webp"),
        "quality": Key(whole(1, 100), "90", "of jpeg and webp"),
        "max_bytes": Key(whole(5_000, 10**9), "2000000", "quality is lowered to keep to it, then the size"),
        "names": Key(Kind("a pattern of names", _names), '"{sku}-{n}"', "or {stem}; folders are mirrored"),
        "output": Key(PATH, '"web"', "folder [default: <output>-NAME, beside the output folder]"),
    }
)
"""What a table may say, in the order in which a picture is made."""


def check_table(where: str, name: str, table: object) -> None:
    """Refuse a table that says what no profile has.

    Raises:
        ConfigError: with the key that was meant.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: {SECTION}.{name}: profiles are tables, as [{SECTION}.web]")
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ConfigError(f"{where}: [{SECTION}.{name}]: name it in small letters and digits, as [{SECTION}.web]")
    for key in table:
        if key not in KEYS:
            raise ConfigError(f"{where}: [{SECTION}.{name}] has no {key!r}{suggestion(key, KEYS)}")


def profiles(tables: Iterable[tuple[Path, Mapping[str, Mapping[str, Any]]]]) -> Mapping[str, Profile]:
    """Return all profiles by name, the built-in ones among them.

    Args:
        tables: the path and the checked tables of each file, the first file wins.

    Raises:
        ConfigError: a value is none, or two of a profile's do not go together.
    """
    said: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    for path, of_file in tables:
        said = {name: (path, table) for name, table in of_file.items()} | said
    found: dict[str, Profile] = {}
    for name in said:
        _resolve(name, said, found, ())
    return MappingProxyType(dict(BUILT_IN) | found)


def _resolve(
    name: str, said: Mapping[str, tuple[Path, Mapping[str, Any]]], found: dict[str, Profile], below: tuple[str, ...]
) -> Profile:
    if name in found:
        return found[name]
    path, table = said[name]
    where = f"{path}: [{SECTION}.{name}]"
    # A table that is called as a built-in profile changes that one.
    base = read_value(TEXT, table["like"], f"{where} like") if "like" in table else name if name in BUILT_IN else None
    if base is None:
        begun = Profile(name=name)
    elif base in said and base != name:
        if base in below:
            raise ConfigError(f"{where} like: it is based on itself, by way of {base!r}")
        begun = _resolve(base, said, found, (*below, name))
    elif base in BUILT_IN:
        begun = BUILT_IN[base]
    else:
        known = sorted({*BUILT_IN, *said} - {name})
        raise ConfigError(f"{where} like: there is no profile {base!r}{suggestion(base, known)}")
    values = {key: _value(where, path, key, raw) for key, raw in table.items() if key != "like"}
    # A folder is one profile's.
    found[name] = dataclasses.replace(begun, **({"output": None} | values), name=name)
    _check(where, found[name])
    return found[name]


def _value(where: str, path: Path, key: str, raw: Any) -> Any:
    try:
        value = read_value(KEYS[key].kind, raw, f"{where} {key}")
    except ConfigError as error:
        raise error if str(error).startswith(where) else ConfigError(f"{where} {key}: {error}") from error
    return path.parent / value if KEYS[key].kind.path else value


def _check(where: str, profile: Profile) -> None:
    """Refuse what does not go together.

    Raises:
        ConfigError: with what to change.
    """
    if profile.background is None and profile.format == "jpeg":
        raise ConfigError(f'{where} background: a JPEG is never transparent; add format = "png" or "webp"')
    if profile.shadow and profile.margin < 2:
        raise ConfigError(f"{where} shadow: there is no room for one; add margin = 5")
    if profile.at_least and profile.enlarge == 1:
        raise ConfigError(f"{where} at_least: nothing is enlarged; add enlarge = 1.5, or leave it out")
    if profile.at_least and profile.longest and profile.at_least > profile.longest:
        raise ConfigError(f"{where} at_least: it is more than longest, {profile.longest}")


def check_names(names: Iterable[str], known: Mapping[str, Profile], where: str) -> None:
    """Refuse the name of a profile that there is not.

    Raises:
        ConfigError: with the name that was meant, and all there are.
    """
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{where}: there is no profile {name!r}{suggestion(name, known)}; there are {', '.join(known)}"
            )
