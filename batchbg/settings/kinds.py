"""How the value of a setting is read, from text or from TOML, and what a good one is."""

import dataclasses
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from batchbg.core.paint import Paint, paint_or_none
from batchbg.errors import ConfigError

MOST: Final = 2**31 - 1
"""The largest number that every database takes; a larger one is a slip of the hand."""

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclasses.dataclass(frozen=True)
class Kind:
    """How to read a value.

    Attributes:
        expects: what a good value is, for messages: "a whole number of at least 1".
        read: turns text or a TOML value into the setting's value, or raises ValueError or TypeError.
        many: several values, as a TOML array, a repeated flag, or separated by the path separator in the environment.
        path: the value is a path, to be taken relative to the file that names it.
        choices: the only values there are, where that is a closed list.
        switch: on or off; a flag without a value.
    """

    expects: str
    read: Callable[[Any], Any]
    many: bool = False
    path: bool = False
    choices: tuple[str, ...] = ()
    switch: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def whole(least: int, most: int = MOST) -> Kind:
    """Return the kind of whole numbers in a range."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise TypeError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    range_ = f"of at least {least}" if most == MOST else f"from {least} to {most}"
    return Kind(f"a whole number {range_}", read)


def number(above: float, *, or_equal: bool) -> Kind:
    """Return the kind of numbers above one, or of at least that one."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise TypeError
        number = float(value)
        if not (above < number < 1e12 or (or_equal and number == above)):
            raise ValueError
        return number

    return Kind(f"a number {'of at least' if or_equal else 'above'} {above:g}", read)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if not isinstance(value, str) or value.lower() not in words:
        raise ValueError
    return words[value.lower()]


def _level(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    number = int(value)
    if number < 0:
        raise ValueError
    return number


def duration_s(value: Any) -> float:
    """Return the seconds in "90", "30s", "5m", "2h" or "1h30m".

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _colour(value: Any) -> tuple[int, int, int]:
    from PIL import ImageColor  # takes longer to import than most commands need

    colour = ImageColor.getrgb(_text(value))
    if len(colour) != 3:  # what lies behind everything is opaque
        raise ValueError
    return colour


def _command(value: Any) -> tuple[str, ...]:
    words = tuple(shlex.split(value)) if isinstance(value, str) else tuple(map(_word, value))
    if not words or not words[0] or any("\0" in word for word in words):
        raise ValueError
    return words


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def choice(*choices: str) -> Kind:
    """Return the kind that is one of a closed list of words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return Kind("one of " + ", ".join(choices), read, choices=choices)


TEXT = Kind("some text", _text)


def _path(value: Any) -> Path:
    return Path(_text(str(value) if isinstance(value, Path) else value)).expanduser()


def _background(value: Any) -> Path | Paint:
    paint = paint_or_none(value) if isinstance(value, str) else value
    return paint if isinstance(paint, Paint) else _path(value)


PATH = Kind("a path", _path, path=True)
BACKGROUND = Kind("a path, a colour such as white or #f5f5f5, or linear-gradient(...)", _background, path=True)
PATHS = Kind("an array of paths", _path, many=True, path=True)
TEXTS = Kind("an array of strings", _text, many=True)
SWITCH = Kind("true or false", _switch, switch=True)
DURATION = Kind("a time such as 30s, 5m or 2h", duration_s)
LEVEL = Kind("a whole number", _level)
COMMAND = Kind("a program and its arguments, as one text or as an array of texts", _command)
COLOUR = Kind("a colour such as white or #f5f5f5", _colour)
COUNT = whole(0)
POSITIVE = whole(1)


def read_value(kind: Kind, raw: Any, where: str) -> Any:
    """Return the value that ``raw`` means.

    Raises:
        ConfigError: it is none; ``where`` says who gave it.
    """
    try:
        if kind.many:
            if not isinstance(raw, (list, tuple)):
                raise TypeError
            return tuple(kind.read(one) for one in raw)
        return kind.read(raw)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where} must be {kind.expects}, not {raw!r}") from error
    except RuntimeError as error:
        raise ConfigError(f"{where}: there is no home folder for {raw!r}; write the whole path, or set HOME") from error
