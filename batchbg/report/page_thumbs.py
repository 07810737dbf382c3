"""Small pictures for the report, made once for each content and kept from one report to the next."""

import base64
import concurrent.futures
import io
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from batchbg.core.model import Size
from batchbg.core.paint import Paint
from batchbg.disk import decoding
from batchbg.disk.reading import open_file
from batchbg.errors import PhotoChanged

SIZE_PX: Final = 400
"""Longer side: 240 to 280 CSS pixels in the page, a little more for dense screens; about 6 kB each."""

SWATCH: Final = Size(120, 90)
"""Of a paint: there is nothing to be made out in it."""

QUALITY: Final = 78

KEY_LENGTH: Final = 24
"""Hex digits of a content's sha256 that name its thumbnail."""

_MAKERS: Final = min(4, os.cpu_count() or 1)
_LINE: Final = re.compile(rf'"([0-9a-f]{{{KEY_LENGTH}}})":"(data:image/webp;base64,[A-Za-z0-9+/]+={{0,2}})",?\n?')
_MARK: Final = f'<script type="application/json" class="thumbs" data-size="{SIZE_PX}-{QUALITY}">'


def key_of(sha256: str) -> str:
    """Return the name of a content's thumbnail; "" for ""."""
    return sha256[:KEY_LENGTH]


def make(wanted: Mapping[str, Path | Paint], earlier: Mapping[str, str]) -> dict[str, str]:
    """Return a data URI by key; files that cannot be shown are left out.

    Args:
        wanted: file, or paint, by key.
        earlier: thumbnails that are at hand.
    """
    todo = {key: path for key, path in wanted.items() if key not in earlier}
    with concurrent.futures.ThreadPoolExecutor(_MAKERS) as makers:
        made = dict(zip(todo, makers.map(_one, todo.values()), strict=True))
    made |= {key: earlier[key] for key in wanted if key in earlier}
    return {key: made[key] for key in wanted if made[key]}


def block(thumbs: Mapping[str, str]) -> Iterator[str]:
    """Yield the element that carries thumbnails in a page, one line each; keys and values need no escaping."""
    yield f"{_MARK}{{\n"
    last = len(thumbs) - 1
    for number, (key, uri) in enumerate(thumbs.items()):
        yield f'"{key}":"{uri}"{"," if number < last else ""}\n'
    yield "}</script>\n"


def earlier(page: Path, wanted: Collection[str]) -> dict[str, str]:
    """Return those of the wanted thumbnails that an earlier report holds; anything else in that file is ignored."""
    found: dict[str, str] = {}
    try:
        with io.TextIOWrapper(open_file(page), encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(_MARK):
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


def _one(shown: Path | Paint) -> str:
    """Return a thumbnail as a data URI, "" of a file that is no picture that can be shown."""
    try:
        if isinstance(shown, Paint):
            data = decoding.swatch(shown, SWATCH, QUALITY)
        else:
            data = decoding.thumbnail(shown, SIZE_PX, QUALITY)
    except PhotoChanged:
        return ""
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")
