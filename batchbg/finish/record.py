"""What stands beside finished pictures: which of them were made here, of what and how, so that only new ones are made.

One line of JSON for each step, the last one of a master holds. What is about to be made is noted before it gets its
name, so that after a crash every file is known again; a file that is not known here, or was changed by somebody, is
never replaced or removed. The record may be deleted at any time: then all is made anew, where nothing is in the way.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from batchbg.core.marketplaces import Facts
from batchbg.core.model import Size, new_id
from batchbg.disk.files import create, whole
from batchbg.disk.finished import RECORD, Finished
from batchbg.disk.folder import opened
from batchbg.disk.reading import open_file
from batchbg.disk.results import PART_PREFIX, PART_SUFFIX, digest, put
from batchbg.disk.sweep import sweep
from batchbg.disk.write_errors import write_error
from batchbg.errors import ConfigError, DiskError, LedgerBusy, OutputRefused
from batchbg.ledger.lock import NoLock, locked
from batchbg.ledger.masters import Master

LOCK: Final = ".batchbg-finished.lock"

Stamp = tuple[int, int, int]
"""Size, mtime and ctime of a master, as it was when it was finished."""

SLACK: Final = 1_000
"""Lines that hold no longer, beside as many as there are masters, until the record is written anew."""


class Entry(NamedTuple):
    """What was made of one master; there are very many, of which few are more than looked up.

    Attributes:
        path: of the picture, below the folder.
        origin: digest of what it was made of and how, see ``origin_of``.
        sha256: digest of the picture's file.
        size, mtime_ns: of that file.
    """

    path: str
    origin: bytes
    sha256: bytes
    size: int = 0
    mtime_ns: int = 0


def origin_of(master: Master, stamp: Stamp, profile: str) -> bytes:
    """Return a digest of all that decides about a picture: the master, as it is and as it was saved, and the profile."""
    return hashlib.sha256(json.dumps([master.sha256, stamp, profile]).encode()).digest()[:16]


_PACKED: Final = struct.Struct(">16s32sQqQ")
"""An entry without its path, and where in the record its line begins: a fifth of what the values take by themselves."""


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """Whose finished pictures a folder holds: the ledger's id, its output folder, the profile's name."""

    ledger: str
    masters: str
    profile: str


class Record:
    """The record of one folder, to be read or, under the folder's lock, to be written."""

    def __init__(self, folder: Path, owner: Owner) -> None:
        self.folder = folder
        self._owner = owner
        self._packed: dict[str, tuple[str, bytes]] = {}
        self._making: dict[str, tuple[str, bytes]] = {}
        self._lines = 0
        self._file: io.BufferedRandom | io.BufferedReader | None = None

    # -- what is there

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read what is there.

        Raises:
            ConfigError: the folder is another profile's, or another ledger's.
            DiskError: it cannot be read.
        """
        try:
            self._read()
            yield
        finally:
            self._close()

    def _read(self) -> None:
        self._close()
        self._packed.clear()
        self._making.clear()
        self._lines = 0
        try:
            self._file = open_file(self.folder / RECORD, follow=False)
            at = 0
            for line in self._file:
                # A line that was cut off by a crash tells nothing; the file of which it told is made once more.
                with contextlib.suppress(ValueError, KeyError, TypeError, struct.error):
                    self._take(json.loads(line), at)
                if not self._lines:
                    return  # without its head nothing in it counts
                at += len(line)
                self._lines += 1
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise DiskError(f"{self.folder / RECORD}: {error.strerror or error}") from error

    def _take(self, line: Any, at: int) -> None:
        if not at:
            self._check_owner(Owner(line["ledger"], line["masters"], line["profile"]))
            self._lines = 1
            return
        master = line["master"]
        if "gone" in line:
            self._packed.pop(master, None)
            self._making.pop(master, None)
            return
        path = _inside(line["path"])
        if "making" in line:
            self._making[master] = (path, bytes.fromhex(line["making"]))
        else:
            origin, sha256 = bytes.fromhex(line["of"]), bytes.fromhex(line["sha256"])
            self._keep(master, Entry(path, origin, sha256, *line["file"]), at)

    def _check_owner(self, owner: Owner) -> None:
        if owner != self._owner:
            raise ConfigError(
                f"{self.folder} holds the pictures that profile {owner.profile!r} made of {owner.masters}; name"
                f" another with output in [finishing.{self._owner.profile}], or move it away"
            )

    def _keep(self, master: str, entry: Entry, at: int) -> None:
        path, *values = entry
        self._packed[master] = (path, _PACKED.pack(*values, at))
        self._making.pop(master, None)

    def get(self, master: str) -> Entry | None:
        """Return what was made of a master; None where nothing was."""
        found = self._packed.get(master)
        return None if found is None else Entry(found[0], *_PACKED.unpack(found[1])[:-1])

    def told(self, master: str) -> tuple[Facts, list[str]]:
        """Return what was measured in a master's picture, and what a person should know of it."""
        assert self._file is not None
        self._file.seek(_PACKED.unpack(self._packed[master][1])[-1])
        facts, remarks = json.loads(self._file.readline())["told"]
        return Facts(**(facts | {"pixels": Size(*facts["pixels"])})), remarks

    @property
    def paths(self) -> dict[str, str]:
        """The paths of all pictures, by their masters'."""
        return {master: path for master, (path, _) in self._packed.items()}

    def is_there(self, entry: Entry) -> bool:
        """Return whether a finished file is still as it was made, by its size and time."""
        try:
            found = (self.folder / entry.path).lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (entry.size, entry.mtime_ns)

    def is_ours(self, master: str, path: str) -> bool:
        """Return whether the file at a path was made here and is as it was made, so that it may be replaced."""
        entry = self.get(master)
        if entry is not None and entry.path == path and self.is_there(entry):
            return True
        known = {entry.sha256.hex()} if entry is not None and entry.path == path else set()
        if master in self._making and self._making[master][0] == path:  # the process ended over it
            known.add(self._making[master][1].hex())
        return bool(known) and digest(self.folder / path) in known

    # -- what is made

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder, which is made where it is missing, and write in it.

        Raises:
            LedgerBusy: another process is finishing into it.
            DiskError: it cannot be written.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._close)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(NoLock):  # a share without locks; masters are safe there, too
                    stack.enter_context(locked(self.folder / LOCK, "batchbg finish"))
                self._read()
                sweep(self.folder, lambda _owner: True)  # every temporary file here is a dead process's
                self._begin()
            except BlockingIOError as error:
                raise LedgerBusy(f"another `batchbg finish` is at work in {self.folder}") from error
            except OSError as error:
                raise DiskError(f"{self.folder}: {error.strerror or error}") from error
            yield

    def _begin(self) -> None:
        """Open the record to go on with it; write it anew where it is missing or mostly tells of what is past."""
        path = self.folder / RECORD
        if self._lines == 0 or self._lines > 2 * len(self._packed) + SLACK:
            with whole(path, "ascii") as file:
                file.write(_line({"batchbg": "finished pictures", **dataclasses.asdict(self._owner)}))
                for master in self._packed:
                    file.write(_line(self._as_json(master)))
                for master, (path_of, sha256) in self._making.items():
                    file.write(_line({"master": master, "path": path_of, "making": sha256.hex()}))
            self._read()
        self._close()
        with opened(self.folder, self.folder) as folder:
            self._file = folder.open(RECORD, write=True)
        self._file.seek(0, os.SEEK_END)
        self._file.write(b"\n")  # ends a line that a crash has cut off; an empty one says nothing

    def _as_json(self, master: str) -> dict[str, Any]:
        entry = self.get(master)
        assert entry is not None
        return _as_json(master, entry, *self.told(master))

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def save(self, master: str, path: str, origin: bytes, made: Finished) -> None:
        """Write a finished picture, whole or not at all.

        Args:
            master: path below the output folder.
            path: of the picture, below this folder.
            origin: see ``origin_of``.
            made: the picture.

        Raises:
            OutputRefused: a file that was not made here has the name.
            DiskError: the disk refuses.
        """
        target = self.folder / path
        replace = self.is_ours(master, path)
        entry = Entry(path, origin, hashlib.sha256(made.data).digest())
        self._note({"master": master, "path": path, "making": entry.sha256.hex()})
        self._making[master] = (path, entry.sha256)
        part = target.with_name(f"{PART_PREFIX}{new_id()}{PART_SUFFIX}")
        self._write(part, made.data)
        if not put(part, target, replace=replace, sha256=entry.sha256.hex(), root=self.folder):
            raise OutputRefused(f"{target} is there and was not made here, or was changed since; move it away")
        found = target.lstat()
        done = entry._replace(size=found.st_size, mtime_ns=found.st_mtime_ns)
        self._keep(master, done, self._note(_as_json(master, done, made.facts, made.remarks)))

    def _write(self, part: Path, data: bytes) -> None:
        try:
            with create(part, root=self.folder) as file:
                try:
                    file.write(data)
                    file.flush()
                except OSError:
                    part.unlink(missing_ok=True)  # a full disk needs the room
                    raise
        except OSError as error:
            raise write_error(self.folder, part, error) from error

    def remove(self, path: str) -> None:
        """Remove a file that was made here.

        Raises:
            DiskError: the disk refuses.
        """
        target = self.folder / path
        try:
            with opened(self.folder, target.parent) as folder:
                folder.remove(target.name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise DiskError(f"{target}: {error.strerror or error}") from error

    def forget(self, master: str) -> None:
        """Note that nothing is made of a master any more."""
        self._note({"master": master, "gone": True})
        self._packed.pop(master, None)

    def _note(self, line: dict[str, Any]) -> int:
        """Write a line behind the others, and return where it begins."""
        assert self._file is not None
        try:
            at = self._file.seek(0, os.SEEK_END)
            self._file.write(_line(line).encode("ascii"))
            self._file.flush()
            return at
        except OSError as error:
            raise DiskError(f"{self.folder / RECORD}: {error.strerror or error}") from error


def _inside(path: Any) -> str:
    """Return a path that stays in its folder, whoever wrote it down.

    Raises:
        ValueError: it leads out of it.
    """
    if not isinstance(path, str) or {"", ".", ".."} & set(path.split("/")) or Path(path).is_absolute():
        raise ValueError(path)
    return path


def _as_json(master: str, entry: Entry, facts: Facts, remarks: Sequence[str]) -> dict[str, Any]:
    return {
        "master": master,
        "path": entry.path,
        "of": entry.origin.hex(),
        "sha256": entry.sha256.hex(),
        "file": (entry.size, entry.mtime_ns),
        "told": (dataclasses.asdict(facts), remarks),
    }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
