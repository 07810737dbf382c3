"""The commands that a person is told to type: one place builds them all.

Such a command finds the same ledger and service, and is held by the same limits, as the one that names it: whatever
was given on the command line is given again, as far as the other command takes it.
"""

import importlib
import os
import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from batchbg.cli import module_of
from batchbg.core.addresses import without_password
from batchbg.core.text import shown
from batchbg.errors import ConfigError
from batchbg.settings.definitions import BY_KEY

if TYPE_CHECKING:
    from batchbg.settings import Settings

REPEATED: Final = (
    "ledger",
    "base_url",
    "output",
    "backgrounds",
    "max_credits",
    "max_files",
    "max_duration",
    "pilot",
    "confirm_batch_over",
)
"""Settings that say where things are or limit what is spent."""

_META: Final = "batchbg.settings"

_COMMAND: Final = re.compile(r"`batchbg ([a-z][^`]*)`(?!, pid)")
"""In a sentence. With a process id behind it, it is told of and not suggested."""


def remember(settings: "Settings") -> None:
    """Let suggestions of the present command know its settings."""
    if context := click.get_current_context(silent=True):
        context.meta[_META] = settings


def located(text: str) -> str:
    """Return text in which each `batchbg ...` between backticks is one that can be typed."""
    if "`batchbg " not in text:
        return text
    context = click.get_current_context(silent=True)
    settings = context.meta.get(_META) if context else None
    return _COMMAND.sub(lambda found: f"`{command_line(found[1], settings)}`", text)


def command_line(command: str, settings: "Settings | None", without: Collection[str] = ()) -> str:
    """Return the line to type for a command.

    Args:
        command: as "resume" or "jobs --state failed".
        settings: of the command that names it; None where there are none.
        without: settings that are not to be repeated.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return f"batchbg {command}"
    takes = {name: opts[-1] for name, opts in _options(words).items() if not set(opts) & set(words)}
    typed = _typed()
    parts = list(words)
    if "config" in takes and typed.get("config"):
        parts += ["--config", str(typed["config"])]
    flags = {name: flag for name, flag in takes.items() if name not in without}
    if settings is not None:
        parts += _repeated(settings, typed, flags, words)
    else:
        parts += ["--sandbox"] if "sandbox" in flags and typed.get("sandbox") else []
        given = [name for name in REPEATED if name in flags and typed.get(name) is not None]
        parts += [word for name in given for word in (flags[name], str(typed[name]))]
    return " ".join(["batchbg", *map(quoted, parts)])


def typed_again(command: str, without: Collection[str] = ()) -> str:
    """Return a command with all that was given to the present one, as far as it takes it: "run photos -b walls".

    Args:
        command: its name.
        without: parameters that are not to be repeated.
    """
    context, takes = click.get_current_context(), _options([command])
    parts = [command]
    for one in sorted(context.command.params, key=lambda one: isinstance(one, click.Option)):
        value = context.params.get(one.name or "")
        if one.name in without or value is None or value is False or value == ():
            continue
        if isinstance(one, click.Argument):
            parts += [f"./{each}" if str(each).startswith("-") else str(each) for each in _each(value)]
        elif one.name in takes:
            flag = takes[one.name][0]
            parts += [flag] if value is True else [word for each in _each(value) for word in (flag, str(each))]
    return " ".join(map(quoted, parts))


def _each(value: Any) -> Collection[Any]:
    return value if isinstance(value, tuple | list) else (value,)


def _repeated(settings: "Settings", typed: Mapping[str, Any], takes: Mapping[str, str], words: list[str]) -> list[str]:
    """Return the options that make another command find and spend what this one does."""
    if "--sandbox" in words and not settings.sandbox:
        return []  # a rehearsal must not be led to the real ledger
    from batchbg.settings import load

    rehearses = settings.sandbox and ("sandbox" in takes or "--sandbox" in words)
    parts = ["--sandbox"] if rehearses and "--sandbox" not in words else []
    flags = {"sandbox": True} if rehearses else {}
    try:
        plain = load(flags, os.environ, typed.get("config"))
    except ConfigError:
        plain = None
    for field in REPEATED:
        value = getattr(settings, field)
        if field not in takes or (field == "base_url" and settings.sandbox):
            continue
        if value != getattr(plain, field) if plain else typed.get(field) is not None:
            parts += [takes[field], _text(field, value, typed.get(field))]
    return parts


def _options(words: list[str]) -> dict[str, list[str]]:
    """Return how the options that a command takes are written, the shortest first; none where it does not exist."""
    try:
        command: click.Command = importlib.import_module(module_of(words[0])).command
    except (ImportError, IndexError):
        return {}
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            found = command.get_command(context, words[1]) if len(words) > 1 else None
        command = found or command
    options = [one for one in command.params if isinstance(one, click.Option)]
    return {one.name: sorted(one.opts, key=len) for one in options if one.name}


def _typed() -> dict[str, Any]:
    """Return what was given to the present command."""
    context = click.get_current_context(silent=True)
    return {name: value for name, value in context.params.items() if value is not None} if context else {}


def _text(field: str, value: Any, typed: Any) -> str:
    """Return a value as it was typed, or else as it could be."""
    if isinstance(typed, str | Path):
        return str(typed)
    setting = next(one for one in BY_KEY.values() if one.field == field)
    return f"{value:g}s" if setting.kind.expects.startswith("a time") else str(value)


def quoted(part: str) -> str:
    """Return a word as a shell takes it, without a password.

    What cannot be seen is written in escapes, as bash, zsh and ksh read them.
    """
    part = without_password(part)
    if shown(part) == part:
        return shlex.quote(part)
    letters = []
    for letter in part:
        if letter in "'\\":
            letters.append(f"\\{letter}")
        elif shown(letter) == letter:
            letters.append(letter)
        else:
            letters += [f"\\x{byte:02x}" for byte in os.fsencode(letter)]
    return f"$'{''.join(letters)}'"
