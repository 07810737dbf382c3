"""Walking a folder of photos: which files are there, which are junk. No file is opened here."""

import dataclasses
import errno
import functools
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from batchbg.core.model import Stamp
from batchbg.disk.file_identity import Identity, identity, identity_of
from batchbg.disk.finished import RECORD
from batchbg.disk.patterns import Rules
from batchbg.errors import ConfigError, PhotoChanged

HIDDEN: Final = "hidden"
SYSTEMS: Final = "left behind by a system"
RECYCLED: Final = "a recycle bin"
SNAPSHOT: Final = "a snapshot"
OLDER: Final = "an older version"
THUMBNAIL: Final = "a thumbnail"
PARTIAL: Final = "a download that is not whole"
DERIVED: Final = "copies that a program made"
FILTERED: Final = "filtered out"
OWN_FOLDER: Final = "results or backgrounds"
FINISHED: Final = "finished pictures"
LINK: Final = "a link that leads to no photo in this folder"
IRREGULAR: Final = "no regular file"
GONE: Final = "gone since it was listed"

JUNK: Final = {
    **dict.fromkeys(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"), SYSTEMS),
    **dict.fromkeys(("system volume information", "lost+found", "lost.dir", "temporary items"), SYSTEMS),
    **dict.fromkeys(("$recycle.bin", "#recycle", "@recycle", "recycler", "recycled"), RECYCLED),
    **dict.fromkeys(("trash", "network trash folder"), RECYCLED),
    **dict.fromkeys(("#snapshot", "~snapshot", "@recently-snapshot"), SNAPSHOT),
}
"""What systems leave in folders, casefolded, and what it is; everything that begins with a dot is skipped as well."""

LEFTOVER: Final = re.compile(
    r"(~|_original|\.(bak|thm|part|partial|crdownload|download|opdownload|filepart|aria2|tmp|lrdata))$", re.IGNORECASE
)
"""Ends names of older versions, thumbnails and downloads that are not whole yet, and of folders of previews."""

_LEFTOVERS: Final = {"~": OLDER, "_original": OLDER, ".bak": OLDER, ".thm": THUMBNAIL, ".lrdata": DERIVED}
"""What such an ending says; the others are those of downloads."""

LIBRARIES: Final = (".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary")
ORIGINALS: Final = frozenset({"originals", "masters"})
"""Folders in a library of photos that hold them; in the others are copies that its program made."""


UNREADABLE: Final = "cannot be read"
"""Begins the reason where the disk refused: such a file is tried again by every run, though its stamp is the same."""


def why_unreadable(error: OSError) -> str:
    """Return the reason for a file that the disk refuses."""
    return f"{UNREADABLE}: {error.strerror or error}; fix that and run again"


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """One folder's files.

    Attributes:
        folder: path below the root, "" for the root itself.
        files: stamps by name, in no order: of most nothing has to be done, and sorting takes its time.
        subfolders: names of the folders that are walked next.
        left_out: why files and folders are ignored, by name: junk, hidden, filtered or no regular files.
        trouble: why the folder could not be read, or "".
        missing: names that were asked for and are not there.
        unreadable: why the disk tells nothing of a file, by its name.
        identity: of the folder; None where it could not be read.
    """

    folder: str
    files: dict[str, Stamp]
    subfolders: tuple[str, ...]
    left_out: Mapping[str, str]
    trouble: str = ""
    missing: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = dataclasses.field(default_factory=dict)
    identity: Identity | None = None

    @property
    def ignored(self) -> int:
        """How many files and folders are ignored."""
        return len(self.left_out)


def walk(root: Path, excluded: Collection[Path], rules: Rules) -> Iterator[Listing]:
    """Yield every folder below ``root``, parents first, in the order of their names.

    Links are followed to files inside the root and nowhere else, so that no loop can form.

    Args:
        root: the folder of photos.
        excluded: folders that are not entered, by whatever name they are met: outputs, backgrounds.
        rules: filters.

    Raises:
        ConfigError: the root is no folder or cannot be read.
    """
    tree = _Tree(root, excluded, rules)
    waiting = [("", 1)]
    while waiting:
        folder, depth = waiting.pop()
        listing = tree.list(folder, is_deepest=depth == rules.max_depth)
        if listing.trouble and not folder:
            raise ConfigError(f"{root} cannot be read: {listing.trouble}")
        yield listing
        waiting += [(_join(folder, name), depth + 1) for name in reversed(listing.subfolders)]


def listed(root: Path, names: Iterable[str], excluded: Collection[Path], rules: Rules) -> Iterator[Listing]:
    """Yield listings of the named files only, folder by folder; what is not there counts as missing.

    Args:
        root: the folder of photos.
        names: paths below it, or absolute ones inside it.
        excluded: as for ``walk``; names in there are ignored.
        rules: filters, which hold here too.

    Raises:
        ConfigError: the root is no folder, or a name leads out of it.
    """
    tree = _Tree(root, excluded, Rules())
    by_folder: dict[str, set[str]] = {}
    for given in names:
        path = os.path.relpath(os.path.join(tree.root, given), tree.root)  # noqa: PTH118 - keeps the name's bytes
        folder, _, name = path.rpartition("/")
        if path in (".", "..") or path.startswith("../") or not tree.holds(folder):
            raise ConfigError(f"files_from: {given!r} is not a file inside {root}")
        by_folder.setdefault(folder, set()).add(name)
    for folder in sorted(by_folder):
        wanted = by_folder[folder]
        if tree.is_shut(folder):
            yield Listing(folder, {}, (), dict.fromkeys(wanted, OWN_FOLDER))
            continue
        whole = tree.list(folder, named=wanted)
        files = {name: stamp for name, stamp in whole.files.items() if name in wanted}
        kept = {name: stamp for name, stamp in files.items() if rules.wants(_join(folder, name))}
        unreadable = {name: why for name, why in whole.unreadable.items() if name in wanted}
        left_out = {name: why for name, why in whole.left_out.items() if name in wanted}
        missing = tuple(sorted(wanted - files.keys() - unreadable.keys() - left_out.keys()))
        left_out |= dict.fromkeys(files.keys() - kept.keys(), FILTERED)
        yield Listing(folder, kept, whole.subfolders, left_out, whole.trouble, missing, unreadable, whole.identity)


def without(file: Path, root: Path, listings: Iterable[Listing]) -> Iterator[Listing]:
    """Yield the listings of a root, in which one file is no photo, whatever it looks like.

    Args:
        file: its real path.
        root: what is listed, its real path.
        listings: of folders below it.
    """
    folder, _, name = os.path.relpath(file, root).rpartition("/")
    for listing in listings:
        if listing.folder == folder and name in listing.files:
            del listing.files[name]
            listing = dataclasses.replace(listing, left_out={**listing.left_out, name: OWN_FOLDER})
        yield listing


def _why_junk(name: str) -> str:
    if name[0] == ".":
        return HIDDEN
    found = LEFTOVER.search(name)
    return JUNK.get(name.casefold()) or (_LEFTOVERS.get(found[1].lower(), PARTIAL) if found else SYSTEMS)


def without_leftover(name: str) -> str:
    """Return the name of which a leftover's is made ("a.jpg.bak": "a.jpg")."""
    return LEFTOVER.sub("", name)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


class _Tree:
    """A folder with everything in it; real paths as text, for Path costs more than the system's own work."""

    def __init__(self, root: Path, excluded: Collection[Path], rules: Rules) -> None:
        """Take the root.

        Raises:
            ConfigError: it is no folder that could be scanned.
        """
        self.root = os.path.realpath(root)
        self._shut = frozenset(os.path.realpath(folder) for folder in excluded)
        self._shut_by_identity = {found for folder in self._shut if (found := identity_of(folder))}
        self._rules = rules
        if not os.path.isdir(self.root):  # noqa: PTH112
            raise ConfigError(f"{root} is not a folder" if os.path.lexists(self.root) else f"there is no folder {root}")
        if os.path.lexists(os.path.join(self.root, RECORD)):  # noqa: PTH118
            raise ConfigError(f"{root} holds finished pictures, which `batchbg finish` made of results; name another")
        own = identity_of(self.root)
        if self.root in self._shut or own in self._shut_by_identity:
            raise ConfigError(f"{root} is itself a folder of results or backgrounds; name another")
        if own is not None:
            self._shut_by_identity.add(own)  # it may be mounted inside itself

    def holds(self, folder: str) -> bool:
        """Return whether a folder lies inside the root, links followed."""
        real = os.path.realpath(os.path.join(self.root, folder))  # noqa: PTH118
        return os.path.commonpath([real, self.root]) == self.root

    def is_shut(self, folder: str) -> bool:
        """Return whether a folder is one that is not entered, or lies in one."""
        return self._lies_in_shut(os.path.realpath(os.path.join(self.root, folder)))  # noqa: PTH118

    @staticmethod
    def _is_inside(real: str, folders: Collection[str]) -> bool:
        return any(real == folder or real.startswith(folder + os.sep) for folder in folders)

    def _lies_in_shut(self, real: str) -> bool:
        """Return whether a real path inside the root is, or lies in, what is not entered."""
        while True:
            if self._is_inside(real, self._shut):
                return True
            if real == self.root or real == os.path.dirname(real):  # noqa: PTH120
                return False
            if identity_of(real) in self._shut_by_identity or os.path.lexists(os.path.join(real, RECORD)):  # noqa: PTH118
                return True
            real = os.path.dirname(real)  # noqa: PTH120

    def list(self, folder: str, *, is_deepest: bool = False, named: Collection[str] = ()) -> Listing:
        """Return what lies in a folder below the root; nothing is opened, so nothing can hang.

        Hidden files and junk are left out, but for those in ``named``.
        """
        files: dict[str, Stamp] = {}
        unreadable: dict[str, str] = {}
        subfolders: list[str] = []
        left_out: dict[str, str] = {}
        is_filtered = bool(self._rules)
        is_library = (folder or self.root).casefold().endswith(LIBRARIES)
        try:
            path = os.path.join(self.root, folder)  # noqa: PTH118
            here = identity(os.stat(path))  # noqa: PTH116
            # Entries are not kept for sorting: each holds on to all that the system told of it.
            with os.scandir(path) as entries:
                for entry in entries:
                    name = entry.name
                    try:
                        if (name[0] == "." or name.casefold() in JUNK or LEFTOVER.search(name)) and name not in named:
                            left_out[name] = _why_junk(name)
                        elif entry.is_dir(follow_symlinks=False):
                            is_copies = is_library and name.casefold() not in ORIGINALS
                            if is_deepest or is_copies or self._is_shut_entry(entry):
                                left_out[name] = FILTERED if is_deepest else DERIVED if is_copies else OWN_FOLDER
                            else:
                                subfolders.append(name)
                        elif is_filtered and not self._rules.wants(_join(folder, name)):
                            left_out[name] = FILTERED
                        else:
                            found = self._follow(entry) if entry.is_symlink() else entry.stat()
                            if found is not None and stat.S_ISREG(found.st_mode):
                                inode, mtime_ns, ctime_ns = found.st_ino, found.st_mtime_ns, found.st_ctime_ns
                                if inode > _MOST or mtime_ns > _MOST or ctime_ns > _MOST:
                                    inode, mtime_ns, ctime_ns = _fold(inode), _fold(mtime_ns), _fold(ctime_ns)
                                files[name] = _stamp((found.st_size, mtime_ns, inode, ctime_ns))
                            else:
                                left_out[name] = LINK if found is None else IRREGULAR
                    except FileNotFoundError:
                        left_out[name] = GONE
                    except OSError as error:
                        if error.errno in (errno.EACCES, errno.EPERM):
                            raise  # the folder cannot be searched: it will be so with all of them
                        unreadable[name] = why_unreadable(error)
        except OSError as error:
            return Listing(folder, {}, (), {}, error.strerror or str(error))
        if RECORD in left_out:
            return Listing(folder, {}, (), {RECORD: FINISHED}, identity=here)
        subfolders.sort()
        return Listing(folder, files, tuple(subfolders), left_out, unreadable=unreadable, identity=here)

    def _is_shut_entry(self, entry: os.DirEntry[str]) -> bool:
        # Its own inode, which comes for nothing, is another where something is mounted on it.
        found = entry.stat(follow_symlinks=False)
        return entry.path in self._shut or identity(found) in self._shut_by_identity

    def _follow(self, link: os.DirEntry[str]) -> os.stat_result | None:
        """Return what the system tells of a link's target, or None where that is none of this tree's photos."""
        target = os.path.realpath(link.path)
        if not self._is_inside(target, [self.root]) or self._lies_in_shut(target):
            return None
        try:
            return link.stat()
        except OSError:  # broken, a loop, or in a folder that cannot be searched
            return None


_MOST: Final = (1 << 63) - 1
"""The largest number that databases hold. Some file systems count inodes, and some clocks nanoseconds, beyond it."""


def _fold(number: int) -> int:
    """Return another number for one that is too large, the same for the same."""
    return (number + _MOST + 1) % (1 << 64) - _MOST - 1


_stamp: Final = functools.partial(tuple.__new__, Stamp)  # what Stamp() does, in a third of the time


def stamp_of(found: os.stat_result) -> Stamp | None:
    """Return the stamp of a regular file, or None for anything else."""
    if not stat.S_ISREG(found.st_mode):
        return None
    return _stamp((found.st_size, _fold(found.st_mtime_ns), _fold(found.st_ino), _fold(found.st_ctime_ns)))


def is_same(found: os.stat_result, stamp: Stamp) -> bool:
    """Return whether a file that is open is the one with this stamp, and has not been written to since.

    Its number may be another, as on disks that number at every look, or its ctime, by new rights or a second name:
    neither is a reason to leave a photo for the next run. Its bytes are hashed as they are read.
    """
    now = stamp_of(found)
    return now is not None and now[:2] == stamp[:2] and (now[2] == stamp[2] or now[3] == stamp[3])


def expect_same(file: IO[bytes], stamp: Stamp, path: Path) -> None:
    """Go on where an open file is the one that the scan saw.

    Raises:
        PhotoChanged: it is not.
    """
    if not is_same(os.fstat(file.fileno()), stamp):
        raise PhotoChanged(f"{path.name} is being written")
