"""Trying out whether results can be saved where they belong, before anything is paid for."""

import contextlib
import os
import re
import secrets
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from batchbg.disk.file_identity import Identity, identity_of
from batchbg.disk.folder import Folder, opened
from batchbg.disk.write_errors import write_error
from batchbg.errors import OutputRefused

PART_PREFIX: Final = ".batchbg-"
PART_SUFFIX: Final = ".part"

NAME_SUFFIX: Final = f"-name{PART_SUFFIX}"
"""Ends the name of a file that holds a name being tried out: an empty file of that name is none of anybody's."""

PROBE: Final = re.compile(r"\.([0-9a-z]+)-[0-9a-f]{12}\.batchbg-probe")
"""What a file is called for an instant that is not a temporary one by its name: some disks tell the two apart."""

_PLAIN: Final = re.compile(
    r"(?!(?:con|prn|aux|nul|com\d|lpt\d)[ .])[A-Za-z0-9](?:[A-Za-z0-9._ ~()+-]{0,98}[A-Za-z0-9_~)])?", re.I
)
"""Names that every disk takes: letters and digits of ASCII, not too long, no device of Windows, no blank at the end."""


class Rehearsal:
    """Tries each folder once, and each name that some disk might not take; one for all threads of a run.

    Attributes:
        originals: folders of photos and backgrounds, in which nothing is written; more may become known.
    """

    def __init__(self, owner: str = "") -> None:
        """Try things out for ``owner``, an id: what is left of a trial, should its process be killed, is known by it."""
        self._owner = owner or secrets.token_hex(6)
        self.originals: set[Identity] = set()
        self._turn = threading.Lock()  # a folder that one has made for a moment must not be taken away under another
        self._folders: dict[Path, OSError | OutputRefused | None] = {}

    def refuses(self, root: Path, path: str) -> str:
        """Return why a result cannot be saved at ``path`` below ``root``, or "".

        Folders that are missing are made for that and taken away again.

        Raises:
            DiskError: nothing can be saved below ``root`` now.
        """
        target = root / path
        try:
            with self._turn:
                self._try(root, target)
        except OSError as error:
            refused = write_error(root, target, error)
            if not isinstance(refused, OutputRefused):
                raise refused from error
            return str(refused)
        except OutputRefused as error:
            return str(error)
        return ""

    def knows(self, root: Path, path: str) -> bool:
        """Return whether ``refuses`` would answer without touching the disk, and with ""."""
        target = root / path
        return self._folders.get(target.parent, _UNKNOWN) is None and bool(_PLAIN.fullmatch(target.name))

    def _try(self, root: Path, target: Path) -> None:
        folder = target.parent
        if folder not in self._folders:
            if len(self._folders) >= _REMEMBERED:
                self._folders.clear()
            self._folders[folder] = _outcome(root, folder, self.originals, self._owner)
        if (error := self._folders[folder]) is not None:
            raise error
        if not _PLAIN.fullmatch(target.name):
            with _for_a_moment(root, folder, self.originals) as inside:
                _try_name(inside, target.name, self._owner)


_UNKNOWN: Final = OSError()
_REMEMBERED: Final = 10_000
"""Folders of which it is remembered what came of trying them."""


def _outcome(root: Path, folder: Path, originals: Collection[Identity], owner: str) -> OSError | OutputRefused | None:
    """Return why nothing can be saved in a folder, or None."""
    try:
        with _for_a_moment(root, folder, originals) as inside:
            rehearse(inside, owner, flush=_is_another_disk(root, folder))
    except (OSError, OutputRefused) as error:
        return error
    return None


@contextlib.contextmanager
def _for_a_moment(root: Path, folder: Path, originals: Collection[Identity]) -> Iterator[Folder]:
    """Open a folder; where it is missing it is made, and taken away again."""
    ways = [one for one in (folder, *folder.parents) if one != root and one.is_relative_to(root)]
    made = [one for one in ways if not os.path.lexists(one)]
    try:
        with opened(root, folder, originals, make=True) as inside:
            yield inside
    finally:
        for one in made:
            with contextlib.suppress(OSError, OutputRefused), opened(root, one.parent) as parent:
                parent.remove_folder(one.name)


def rehearse(folder: Folder, owner: str, *, flush: bool) -> None:
    """Do in a folder what a save does: make a file, write, flush, give it a name, another one, flush the folder.

    Raises:
        OSError: the disk refuses.
    """
    token = secrets.token_hex(6)
    part = f"{PART_PREFIX}{owner}-{token}{PART_SUFFIX}"
    names = [f".{owner}-{secrets.token_hex(6)}.batchbg-probe" for _ in range(2)]
    try:
        with folder.create(part) as file:
            if flush:
                file.write(b"\0" * 4096)
                file.flush()
                os.fsync(file.fileno())
        folder.name_anew(part, names[0])
        folder.rename(names[0], names[1])
        if flush:
            folder.sync()
    finally:
        for name in (part, *names):
            with contextlib.suppress(OSError):
                folder.remove(name)


def _try_name(folder: Folder, name: str, owner: str) -> None:
    """Give a file a name that nothing has, for an instant.

    A process that is killed in it leaves an empty file; the note beside it tells ``sweep`` that it is nobody's.

    Raises:
        OSError: the disk refuses.
    """
    if folder.found(name) is not None:
        return
    token = f"{owner}-{secrets.token_hex(6)}"
    note, part = f"{PART_PREFIX}{token}{NAME_SUFFIX}", f"{PART_PREFIX}{token}{PART_SUFFIX}"
    try:
        with folder.create(note) as file:
            file.write(os.fsencode(name))
        folder.create(part).close()
        with contextlib.suppress(FileExistsError):
            folder.name_anew(part, name)
            folder.remove(name)
    finally:
        for one in (part, note):
            with contextlib.suppress(OSError):
                folder.remove(one)


def forget_name(folder: Folder, note: str) -> None:
    """Remove what a killed ``_try_name`` left, by its note."""
    with contextlib.suppress(OSError):
        with folder.open(note) as file:
            name = os.fsdecode(file.read(4096))
        found = folder.found(name) if name and "/" not in name and os.sep not in name else None
        if found is not None and not found.st_size:
            folder.remove(name)
        folder.remove(note)


def _is_another_disk(root: Path, folder: Path) -> bool:
    one, other = identity_of(root), identity_of(folder)
    return one is not None and other is not None and one[0] != other[0]
