"""Lines on a terminal are broken between words; the terminal itself would tear the word at its edge.

A command between backticks stays in one piece, to be copied. What is longer than a line is torn by the terminal, which
joins it again for whoever marks it.
"""

import io
import os
import re
import unicodedata
from typing import IO, Final

import click

INDENT: Final = "    "
"""Before what a line goes on with."""

_PIECES: Final = re.compile(r"(\s*)((?:`[^`]*`|\S)+)")
"""Blanks, and the word or the command behind them."""


def fitted(line: str, stream: IO[str], indent: str = INDENT, reserve: int = 0) -> str:
    """Return a line as it is to be written on a stream: in several where that is a terminal.

    Args:
        line: without its end.
        stream: to be written on.
        indent: before all lines but the first.
        reserve: columns to leave free at the end.
    """
    columns = _columns(stream)
    return wrapped(line, columns - reserve, indent) if columns else line


def wrapped(line: str, columns: int, indent: str = INDENT) -> str:
    """Return a line broken between words, none wider than so many columns where that can be."""
    if _width(line) <= columns:
        return line
    done: list[str] = []
    text = ""
    for blanks, word in _PIECES.findall(line):
        if text.strip() and _width(text + blanks + word) > columns >= _width(indent + word):
            done.append(text)
            text = indent + word
        else:
            text += blanks + word
    return "\n".join([*done, text])


def _columns(stream: IO[str]) -> int:
    """Return how wide a terminal is, 0 for anything else."""
    try:
        if not stream.isatty():
            return 0
        said = os.environ.get("COLUMNS", "")
        return int(said) if said.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, io.UnsupportedOperation, ValueError):
        return 0


def _width(text: str) -> int:
    """Return how many columns a terminal gives a text: two for a wide letter, none for an accent or a colour."""
    plain = click.unstyle(text)
    if plain.isascii():
        return len(plain)
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else not unicodedata.combining(one) for one in plain)
