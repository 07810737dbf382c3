"""What finished pictures are called: a pattern filled in, folders mirrored, and never two of one name.

``{stem}`` is the result's name without its suffix. ``{sku}`` and ``{n}`` are its two halves where it ends with a
separator and a number: mug-blue_03 is number 3 of mug-blue. Without such an end the whole stem is the sku, and its
number is 1. ``{n:02}`` writes at least two digits.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from batchbg.core.naming import MAX_NAME_BYTES, fold

_NUMBERED: Final = re.compile(r"(.*[^\s_.\-])[\s_.\-]+\(?([0-9]{1,6})\)?", re.DOTALL)
_FIELD: Final = re.compile(r"\{(stem|sku|n(?::0?[1-9])?)\}")
_FORBIDDEN: Final = frozenset('/\\\0<>:"|?*')
"""In what a pattern says itself: separators, and what Windows, to which such folders are copied, does not take."""


def why_no_pattern(pattern: str) -> str:
    """Return what is wrong with a pattern of names, or ""."""
    rest = _FIELD.sub("", pattern)
    if "{" in rest or "}" in rest:
        return "it knows {stem}, {sku}, {n} and {n:02}"
    if _FORBIDDEN & set(rest) or not rest.isprintable():
        return 'folders are mirrored by themselves; leave out / \\ < > : " | ? * and what cannot be seen'
    if not _FIELD.search(pattern):
        return "all pictures would have one name: put {stem}, or {sku} and {n}, in it"
    if pattern.startswith("."):
        return "names that begin with a dot are hidden"
    return ""


def sku_of(stem: str) -> tuple[str, int]:
    """Return the article that a picture's name is about, and which of its pictures it is; see the module."""
    found = _NUMBERED.fullmatch(stem)
    return (found[1], int(found[2])) if found else (stem, 1)


def filled(pattern: str, stem: str) -> str:
    """Return the name of a finished picture, without its suffix."""
    sku, number = sku_of(stem)

    def value(field: re.Match[str]) -> str:
        if field[1] in ("stem", "sku"):
            return stem if field[1] == "stem" else sku
        _, _, digits = field[1].partition(":")
        return f"{number:0{int(digits)}}" if digits else str(number)

    return _FIELD.sub(value, pattern)


def finished_paths(
    masters: Iterable[str], pattern: str, suffix: str, kept: Mapping[str, str], taken: Collection[str] = ()
) -> dict[str, str]:
    """Return the path of every finished picture below its folder, by the path of its master below the output folder.

    Args:
        masters: paths of results.
        pattern: of names.
        suffix: of the format, with its dot.
        kept: paths that were given before; a master keeps its own as long as the pattern gives it that one, so that
            who comes later yields.
        taken: paths of other files, which nothing is called.
    """
    paths: dict[str, str] = {}
    used = {fold(path) for path in taken}
    late = []
    for master in sorted(masters, key=os.fsencode):
        before, plain = kept.get(master), _plain(master, pattern, suffix)
        is_kept = before is not None and (before == plain or before == _apart(master, pattern, suffix))
        if before is not None and is_kept and (folded := fold(before)) not in used:
            paths[master] = before
            used.add(folded)
        else:
            late.append((master, plain))
    for master, plain in late:
        is_free = fold(plain) not in used and not _too_long(plain)
        paths[master] = plain if is_free else _apart(master, pattern, suffix)
        used.add(fold(paths[master]))
    return paths


def _plain(master: str, pattern: str, suffix: str) -> str:
    folder, _, name = master.rpartition("/")
    return _join(folder, filled(pattern, _stem(name)) + suffix)


def _apart(master: str, pattern: str, suffix: str) -> str:
    """Return a name that no other master has: with eight hex digits of the master's own path at its end."""
    folder, _, name = master.rpartition("/")
    tail = f"~{hashlib.sha256(os.fsencode(master)).hexdigest()[:8]}{suffix}"
    stem = filled(pattern, _stem(name))
    while len(os.fsencode(stem)) > MAX_NAME_BYTES - len(tail):
        stem = stem[:-1]
    return _join(folder, stem + tail)


def _too_long(path: str) -> bool:
    return len(os.fsencode(path.rpartition("/")[2])) > MAX_NAME_BYTES


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - Path would drop what it takes for a redundant dot


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
