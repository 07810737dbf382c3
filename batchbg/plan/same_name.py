"""Files of one folder that are one picture twice, by their names: a camera's raw, or a master, and what was made of it.

Two photos of the same stem are two pictures as a rule: shop.jpg and shop.png may show anything. A raw or a Photoshop file
cannot be sent, so that a picture beside it is what a person wants sent. Of a file on which two people or machines did not agree a
program that syncs keeps both versions; the one with the file's own name counts. A TIFF and a JPEG of one name and one shape are a
master and its export: one of them is sent, by the setting ``prefer``.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from batchbg.core.lifecycle import ENDED_BADLY
from batchbg.core.model import PhotoInfo, Size
from batchbg.core.naming import fold
from batchbg.disk.not_pictures import CAMERA_RAW, PHOTOSHOP, SENT_NAMES, ending_of
from batchbg.disk.scan import Listing
from batchbg.ledger import jobs, outputs, photos
from batchbg.ledger.store import Connection, Ledger
from batchbg.plan.lines import CONFLICT, ORIGINAL, PAID_BEFORE, PREFERRED
from batchbg.plan.roots import Roots

_TIFFS: Final = (".tif", ".tiff")
_ONE_SHAPE: Final = 0.01
"""By how much two aspect ratios may differ: an export in 100x67 pixels is one of 6000x4000."""


def needless(files: Collection[str], left: Iterable[str]) -> dict[str, str]:
    """Return those of ``left`` that are not needed beside another of ``files``, and why: raws, conflicts of a sync."""
    found: dict[str, str] = {}
    unsendable: list[str] = []
    for name in left:
        if ending_of(name) in _UNSENDABLE:
            unsendable.append(name)
        elif (mark := _CONFLICT.search(name)) and name[: mark.start()] + name[mark.end() :] in files:
            found[name] = CONFLICT
    if unsendable:
        beside = {_stem(name) for name in files if ending_of(name) in SENT_NAMES}
        found |= {name: ORIGINAL for name in unsendable if _stem(name) in beside}
    return found


_UNSENDABLE: Final = frozenset((*CAMERA_RAW, *PHOTOSHOP))

_CONFLICT: Final = re.compile(
    r" \([^()]*conflicted copy[^()]*\)| [(\[]conflicted[)\]]|[._](sync-)?conflict-\d{8}-\d{6}(-[A-Z0-9]{7})?"
)
"""What Dropbox and Nextcloud, pCloud, Syncthing and ownCloud put into the name of the version that lost."""


class Masters:
    """Leaves out one of a TIFF and a JPEG that are one picture; never one that is paid for or planned already."""

    def __init__(self, ledger: Ledger, roots: Roots, prefer: str) -> None:
        """Prefer "jpeg" or "tiff", or take "both"."""
        self._ledger = ledger
        self._roots = roots
        self._prefer = prefer

    def left_out(self, listing: Listing, sendable: Sequence[str]) -> dict[str, str]:
        """Return which of the photos that can be sent are not, and why, by path."""
        groups = _groups(listing, sendable) if sendable and self._prefer != "both" else []
        if not groups:
            return {}
        everyone = [path for group in groups for path in group]
        with self._ledger.reading() as connection:
            infos = photos.infos_of(connection, self._roots.photo_root, everyone)
            paid = self._paid(connection, infos)
        found: dict[str, str] = {}
        for group in groups:
            found |= self._choose({path: infos[path] for path in group if path in infos}, paid)
        return {path: found[path] for path in sendable if path in found}

    def _paid(self, connection: Connection, infos: Mapping[str, PhotoInfo]) -> set[str]:
        """Return the photos that have a result, or a job that is to bring one."""
        contents = {content for info in infos.values() for content in info.contents}
        known = jobs.by_content(connection, contents)
        live = {content for content, found in known.items() if any(job.state not in ENDED_BADLY for job in found)}
        owned = outputs.of_photos(connection, self._roots.output_root, self._roots.photo_root, list(infos))
        saved = {path for path, output in owned.items() if output.saved_job is not None}
        return saved | {path for path, info in infos.items() if live.intersection(info.contents)}

    def _choose(self, group: Mapping[str, PhotoInfo], paid: Collection[str]) -> dict[str, str]:
        wanted, other = ("jpg", "tiff") if self._prefer == "jpeg" else ("tiff", "jpg")
        left_out: dict[str, str] = {}
        for path, info in group.items():
            twins = [
                twin
                for twin, found in group.items()
                if info.extension == other and found.extension == wanted and _are_one_shape(info.pixels, found.pixels)
            ]
            if not twins:
                continue
            if path in paid:
                left_out |= {twin: PAID_BEFORE for twin in twins if twin not in paid}
            else:
                left_out[path] = PREFERRED[self._prefer]
        return left_out


def _groups(listing: Listing, sendable: Sequence[str]) -> list[list[str]]:
    """Return the paths of files that have one stem, a TIFF among them, where one of them can be sent now."""
    stems = {_stem(name) for name in listing.files if ending_of(name) in _TIFFS}
    stems &= {_stem(path.rpartition("/")[2]) for path in sendable} if stems else set()
    if not stems:
        return []
    prefix = f"{listing.folder}/" if listing.folder else ""
    by_stem: dict[str, list[str]] = {}
    for name in listing.files:
        if (stem := _stem(name)) in stems and ending_of(name) in SENT_NAMES:
            by_stem.setdefault(stem, []).append(prefix + name)
    return [group for group in by_stem.values() if len(group) > 1]


def _stem(name: str) -> str:
    return fold(os.path.splitext(name)[0])  # noqa: PTH122 - names may be anything


def _are_one_shape(one: Size | None, other: Size | None) -> bool:
    if one is None or other is None:
        return False
    across, along = one.width * other.height, other.width * one.height
    return abs(across - along) <= _ONE_SHAPE * max(across, along)
