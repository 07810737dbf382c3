"""Foreign text on its way out: escaped for whoever reads it, and without the key.

Foreign is what others wrote: names of files, messages and headers of servers, cells of tables. Each kind of reader has
its one function here: ``shown`` for terminals and text logs, ``as_json`` for programs, ``cell`` for spreadsheets. HTML
is escaped by the page's template. ``scrub`` takes the API key out where text comes in.
"""

import base64
import functools
import html
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

HIDDEN: Final = "***"
"""Stands where the key stood."""

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}

_JOINERS: Final = "\u200c\u200d"
"""Of letters and of emoji: invisible, and part of many names."""

_DOING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that do something instead of being seen: controls, bidi overrides, ends of lines, halves."""

_FORMULA: Final = re.compile(
    r"\s*'*\s*[=+\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    r"\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}]|'*[\t\r\n]"
)
"""What spreadsheets take for the beginning of a formula. Source: OWASP, "CSV injection"."""

_SHORT: Final = 8
"""Characters; shorter keys are those of rehearsals ("any"), and hidden only where they are a word."""

_BEGINNING: Final = 12
"""Characters of a key that are hidden without the rest too: what all keys begin with ("mhk_live_") is no secret."""


# -- terminals and text logs -------------------------------------------------------------------------------------------


def shown(text: str) -> str:
    r"""Return one line in which every character can be seen: what would do something is escaped, as ``\e`` or ``\n``.

    Nothing in it moves a cursor, colours, ends the line, or turns the direction of writing. Half a character, as in a
    name whose bytes are no text, becomes its byte: ``\xff``.
    """
    if text.isprintable():
        return text
    return "".join(map(_seen, text))


def _seen(character: str) -> str:
    if character.isprintable() or character in _JOINERS or unicodedata.category(character) not in _DOING:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's own sign for a byte that is no text
        code -= 0xDC00
    if named := _NAMED.get(character):
        return named
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# -- programs ----------------------------------------------------------------------------------------------------------


def as_json(value: Any) -> str:
    """Return JSON of plain ASCII letters on one line: a terminal shows it as it is."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


# -- spreadsheets ------------------------------------------------------------------------------------------------------


def cell(value: Any) -> Any:
    """Return what a spreadsheet takes for text and not for a formula; numbers stay numbers.

    A text that begins like a formula, whatever blanks and apostrophes are in front, gets one apostrophe more; to have
    the text back, take one away where an apostrophe is followed by such a beginning.
    """
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if _FORMULA.match(text) else text


def text_of_cell(text: str) -> str:
    """Return the text that ``cell`` was given, or that somebody has typed into a spreadsheet."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


# -- the key -----------------------------------------------------------------------------------------------------------


def scrub(text: str, key: str) -> str:
    """Return ``text`` without the key: as it is, or in an encoding in which servers and proxies repeat headers.

    Those are any letter case, percent and character escapes, base64 (of "Bearer <key>" too), hexadecimal, and the key
    backwards or with blanks in it. Its beginning, as where a message was cut off, is hidden too.
    """
    pattern = _pattern(key.strip())
    return pattern.sub(HIDDEN, text) if pattern else text


def scrubbed(value: Any, key: str) -> Any:
    """Return a JSON value with the key taken out of every text and name in it; what is nested deeply is dropped."""
    return _scrubbed(value, key, 100)


def _scrubbed(value: Any, key: str, depth: int) -> Any:
    match value:
        case str():
            # An address is no place for a key so short that it is a word: "sandbox" is one of a rehearsal's own.
            return value if len(key) < _SHORT and "/" in value else scrub(value, key)
        case list() | dict() if not depth:
            return None
        case list():
            return [_scrubbed(one, key, depth - 1) for one in value]
        case dict():
            return {scrub(name, key): _scrubbed(one, key, depth - 1) for name, one in value.items()}
    return value


@functools.lru_cache(8)
def _pattern(key: str) -> "re.Pattern[str] | None":
    if not key:
        return None
    if len(key) < _SHORT:
        return re.compile(rf"(?<!\w){re.escape(key)}(?!\w)")
    blank = r"[\s\u200b]*"
    whole = blank.join(map(_letter, key))
    beginning = blank.join(map(_letter, key[: max(_BEGINNING, len(key) // 2)]))
    token = r"(?:[\w.~+/=%&;#\\-]*[\w=])?"
    alternatives = [whole, f"{beginning}{token}", re.escape(key[::-1]), *map(re.escape, _encoded(key))]
    return re.compile("|".join(alternatives), re.IGNORECASE)


def _letter(letter: str) -> str:
    """Return what matches one letter, as it is or escaped as URLs, JSON, Python or HTML do."""
    code = ord(letter)
    forms = {re.escape(letter), f"%(?:25)*{code:02x}", rf"\\+u{code:04x}", rf"\\+x{code:02x}"}
    forms |= {f"&#0*{code};", f"&#x0*{code:x};"}
    if (entity := html.escape(letter)) != letter:
        forms.add(re.escape(entity))
    return f"(?:{'|'.join(sorted(forms))})"


def _encoded(key: str) -> Iterator[str]:
    """Yield the key in hexadecimal, and its base64 behind any number of other bytes, without the letters they share."""
    data = key.encode("utf-8", "surrogateescape")
    yield data.hex()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        first = -(-before * 8 // 6)  # of the letters that hold nothing of what is in front
        inner = whole[first : len(whole) - 1 if (len(data) + before) % 3 else None]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
