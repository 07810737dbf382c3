"""What the results are called.

``OUT/<sub folders>/<stem>.png``, the stem kept byte for byte. Photos of one folder that would meet all get
``<full file name>.png``; a photo that comes later takes that name and the older keeps its own; where that is taken
too, ``<full file name>~<8 hex of its path>.png``. Results of another format have its suffix instead.
"""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

SUFFIXES: Final = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "avif": ".avif"}
"""What the name of a result ends with, by the format in which it is saved."""

SUFFIX: Final = SUFFIXES["png"]
MAX_NAME_BYTES: Final = 255
"""Bytes in one file name on ext4, APFS, NTFS (there 255 UTF-16 units) and most others."""


def fold(name: str) -> str:
    """Return the form in which two names meet: on some disks case and composition make no difference."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def output_names(
    folder: str,
    photos: Iterable[str],
    kept: Mapping[str, str],
    taken: Collection[str] = (),
    make_valid: Callable[[str], str] = str,
    suffix: str = SUFFIX,
) -> dict[str, str]:
    """Name the results of one folder's photos.

    Args:
        folder: path below the photo root, "" for the root itself.
        photos: file names of all photos in the folder, in any order.
        kept: names given in earlier runs to photos of the folder, by photo file name; they never change.
        taken: other names that stand in the output folder for good: sub folders, results of photos now gone.
        make_valid: changes a name to one that other systems take too; it may cut one that is too long.
        suffix: what new names end with, one of ``SUFFIXES``.

    Returns:
        The result's file name for every photo, those in ``kept`` included.
    """
    names = {photo: kept[photo] for photo in photos if photo in kept}
    used = {fold(name) for name in (*kept.values(), *taken)}
    new = sorted((photo for photo in photos if photo not in kept), key=os.fsencode)
    simple = {photo: make_valid(_stem(photo) + suffix) for photo in {*new, *kept}}
    meeting = Counter(fold(name) for name in simple.values())
    for photo in new:
        name = simple[photo]
        if meeting[fold(name)] > 1 or fold(name) in used or _too_long(_stem(photo) + suffix, name):
            name = make_valid(photo + suffix)
            if fold(name) in used or _too_long(photo + suffix, name):
                name = make_valid(_with_hash(folder, photo, suffix))
        used.add(fold(name))
        names[photo] = name
    return names


def promised_names(folder: str, promised: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """Return, by photo, the names that a saved plan gives to results in ``folder``, as far as they are still free.

    Args:
        folder: path below the output folder, "" for the root itself.
        promised: paths below the output folder, by photo.
        taken: names that stand there for good.
    """
    used = {fold(name) for name in taken}
    names = {}
    for photo, path in promised.items():
        parent, _, name = path.rpartition("/")
        is_one = name.endswith(tuple(SUFFIXES.values())) and not _too_long(name)
        if parent == folder and is_one and fold(name) not in used:
            used.add(fold(name))
            names[photo] = name
    return names


def _stem(photo: str) -> str:
    return os.path.splitext(photo)[0]  # noqa: PTH122 - Path would drop what it takes for a redundant dot


def _too_long(*names: str) -> bool:
    return any(len(os.fsencode(name)) > MAX_NAME_BYTES for name in names)


def received_name(name: str, suffix: str) -> str:
    """Return what the file is called that keeps, as they came, the bytes of the result called ``name``."""
    return _with_hash("", name, suffix) if _too_long(name + suffix) else name + suffix


def previous_name(name: str, sha256: str) -> str:
    """Return what the file with this digest is called that was the result called ``name`` before it was done again."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - as above
    tail = f"~{sha256[:12]}{suffix}"
    return _with_hash("", stem, tail) if _too_long(stem + tail) else stem + tail


def _with_hash(folder: str, name: str, suffix: str) -> str:
    """Return ``<name>~<8 hex of its path><suffix>``, the name cut where that is more than a name may be."""
    path = f"{folder}/{name}" if folder else name
    tail = f"~{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}{suffix}"
    raw = os.fsencode(name)[: MAX_NAME_BYTES - len(tail)]
    return _whole_characters(raw, name) + tail


def _whole_characters(raw: bytes, original: str) -> str:
    """Return the longest start of ``original`` within ``raw``: a cut must not go through a character."""
    kept = ""
    for character in original:
        if len(os.fsencode(kept + character)) > len(raw):
            break
        kept += character
    return kept
