"""Small pictures for the report, made once for each content and kept from one report to the next."""

import base64
import concurrent.futures
import dataclasses
import functools
import io
import math
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from batchbg.core.model import Size
from batchbg.core.paint import Paint
from batchbg.disk import decoding
from batchbg.disk.reading import open_file
from batchbg.errors import PhotoChanged


@dataclasses.dataclass(frozen=True)
class Form:
    """How thumbnails are made: the longer side in pixels, and the quality of WebP."""

    side_px: int
    quality: int

    @property
    def mark(self) -> str:
        """Return the line that begins the element which carries such thumbnails."""
        return f'<script type="application/json" class="thumbs" data-size="{self.side_px}-{self.quality}">'


LARGE: Final = Form(400, 78)
"""240 to 280 CSS pixels in the page, a little more for dense screens; about 6 kB each."""

SMALL: Final = Form(240, 60)
"""For the many older rows; about 2.3 kB each."""

SWATCH: Final = Size(120, 90)
"""Of a paint: there is nothing to be made out in it."""

KEY_LENGTH: Final = 24
"""Hex digits of a content's sha256 that name its thumbnail."""

_MAKERS: Final = min(4, os.cpu_count() or 1)
_LINE: Final = re.compile(rf'"([0-9a-f]{{{KEY_LENGTH}}})":"(data:image/webp;base64,[A-Za-z0-9+/]+={{0,2}})",?\n?')
_AT_ONCE: Final = 64
"""Thumbnails between two looks at the clock."""


def key_of(sha256: str) -> str:
    """Return the name of a content's thumbnail; "" for ""."""
    return sha256[:KEY_LENGTH]


def make(
    wanted: Mapping[str, Path | Paint], earlier: Mapping[str, str], form: Form = LARGE, patience_s: float = math.inf
) -> tuple[dict[str, str], int]:
    """Return a data URI by key, and how many there was no time for; files that cannot be shown are left out.

    Args:
        wanted: file, or paint, by key.
        earlier: thumbnails that are at hand.
        form: of all.
        patience_s: after this time no more are begun.
    """
    todo = [key for key in wanted if key not in earlier]
    made: dict[str, str] = {}
    end = time.monotonic() + patience_s
    with concurrent.futures.ThreadPoolExecutor(_MAKERS) as makers:
        while len(made) < len(todo) and time.monotonic() < end:
            some = todo[len(made) : len(made) + _AT_ONCE]
            made |= zip(some, makers.map(functools.partial(_one, form), (wanted[key] for key in some)), strict=True)
    found = made | {key: earlier[key] for key in wanted if key in earlier}
    return {key: found[key] for key in wanted if found.get(key)}, len(todo) - len(made)


def block(thumbs: Mapping[str, str], form: Form = LARGE) -> Iterator[str]:
    """Yield the element that carries thumbnails in a page, one line each; keys and values need no escaping."""
    yield f"{form.mark}{{\n"
    last = len(thumbs) - 1
    for number, (key, uri) in enumerate(thumbs.items()):
        yield f'"{key}":"{uri}"{"," if number < last else ""}\n'
    yield "}</script>\n"


def earlier(page: Path, wanted: Collection[str], form: Form = LARGE) -> dict[str, str]:
    """Return those of the wanted thumbnails that an earlier report holds; anything else in that file is ignored."""
    found: dict[str, str] = {}
    try:
        with io.TextIOWrapper(open_file(page), encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(form.mark):
                    break
            for line in file:
                match = _LINE.fullmatch(line)
                if match is None:
                    break
                if match[1] in wanted:
                    found[match[1]] = match[2]
    except OSError:
        return {}
    return found


def _one(form: Form, shown: Path | Paint) -> str:
    """Return a thumbnail as a data URI, "" of a file that is no picture that can be shown."""
    try:
        if isinstance(shown, Paint):
            data = decoding.swatch(shown, SWATCH, form.quality)
        else:
            data = decoding.thumbnail(shown, form.side_px, form.quality)
    except PhotoChanged:
        return ""
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")
