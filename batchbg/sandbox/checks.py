"""Checks that a settings dataclass holds what its annotations promise; its values come from JSON, TOML and people."""

import dataclasses
import math
import types
import typing
from typing import Any, Literal

from batchbg.errors import ConfigError


def check_fields(instance: Any) -> None:
    """Raise `ConfigError` unless every field of ``instance`` has its declared type; numbers are never negative."""
    hints = typing.get_type_hints(type(instance))
    for field in dataclasses.fields(instance):
        _check(field.name, getattr(instance, field.name), hints[field.name])


def _check(name: str, value: object, hint: Any) -> None:
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{name} must be one of {', '.join(typing.get_args(hint))}, not {value!r}")
        return
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in kinds)
    # JSON and TOML write 2 for 2.0; and a bool is an int to Python, but never meant as one here.
    whole = type(value) is int and float in kinds
    if not whole and type(value) not in kinds:
        wanted = " or ".join("null" if kind is types.NoneType else kind.__name__ for kind in kinds)
        raise ConfigError(f"{name} must be {wanted}, not {value!r}")
    if isinstance(value, (int, float)) and not (value >= 0 and math.isfinite(value)):
        raise ConfigError(f"{name} must be a finite number, at least 0, not {value!r}")
