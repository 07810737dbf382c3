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
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What was made of one master.

    Attributes:
        path: below the folder.
        stamp: of the master.
        master_sha256: digest by which the ledger knew it.
        profile: digest of the profile.
        told: facts and remarks, see ``Finished``, as JSON: there are very many entries, and few are looked at.
        file: size and mtime of the finished file.
        sha256: digest of the finished file.
    """

    path: str
    stamp: Stamp
    master_sha256: bytes
    profile: str
    told: str
    file: tuple[int, int]
    sha256: bytes

    @classmethod
    def of(cls, task: "Task", made: Finished, profile: str) -> "Entry":
        """Return what is to be known of a picture before it is saved."""
        told = json.dumps([dataclasses.asdict(made.facts), made.remarks], separators=(",", ":"))
        sha256 = hashlib.sha256(made.data).digest()
        return cls(task.path, task.stamp, bytes.fromhex(task.master.sha256 or ""), profile, told, (0, 0), sha256)

    @property
    def facts(self) -> Facts:
        """What was measured in the finished file."""
        found = json.loads(self.told)[0]
        return Facts(**(found | {"pixels": Size(*found["pixels"])}))

    @property
    def remarks(self) -> list[str]:
        """What a person should know of it."""
        return [str(remark) for remark in json.loads(self.told)[1]]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """One picture to make: of which master, as it is now, and what it is to be called."""

    master: Master
    stamp: Stamp
    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """Whose finished pictures a folder holds: the ledger's id, its output folder, the profile's name."""

    ledger: str
    masters: str
    profile: str


class Record:
    """The record of one folder, to be read or, under the folder's lock, to be written.

    Attributes:
        entries: by the path of the master below the output folder.
    """

    def __init__(self, folder: Path, owner: Owner) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self._owner = owner
        self._making: dict[str, tuple[str, bytes]] = {}
        self._lines = 0
        self._file: io.BufferedRandom | io.BufferedReader | None = None

    def read(self) -> None:
        """Read what is there.

        Raises:
            ConfigError: the folder is another profile's, or another ledger's.
            DiskError: it cannot be read.
        """
        try:
            with open_file(self.folder / RECORD, follow=False) as file:
                for number, line in enumerate(file):
                    self._lines += 1
                    # A line that was cut off by a crash tells nothing; the file of which it told is made once more.
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        self._take(json.loads(line), is_head=not number)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise DiskError(f"{self.folder / RECORD}: {error.strerror or error}") from error

    def _take(self, line: Any, *, is_head: bool) -> None:
        if is_head:
            owner = Owner(line["ledger"], line["masters"], line["profile"])
            if owner != self._owner:
                raise ConfigError(
                    f"{self.folder} holds the pictures that profile {owner.profile!r} made of {owner.masters}; name"
                    f" another with output in [finishing.{self._owner.profile}], or move it away"
                )
        elif "making" in line:
            self._making[line["master"]] = (line["path"], bytes.fromhex(line["making"]))
        elif "gone" in line:
            self.entries.pop(line["master"], None)
            self._making.pop(line["master"], None)
        else:
            size, mtime_ns, ctime_ns = map(int, line["stamp"])
            file_size, file_mtime_ns = map(int, line["file"])
            self.entries[line["master"]] = Entry(
                str(line["path"]),
                (size, mtime_ns, ctime_ns),
                bytes.fromhex(line["of"]),
                sys.intern(line["by"]),
                str(line["told"]),
                (file_size, file_mtime_ns),
                bytes.fromhex(line["sha256"]),
            )
            self._making.pop(line["master"], None)

    # -- what is there

    def is_there(self, entry: Entry) -> bool:
        """Return whether a finished file is still as it was made, by its size and time."""
        try:
            found = (self.folder / entry.path).lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == entry.file

    def is_ours(self, master: str, path: str) -> bool:
        """Return whether the file at a path was made here and is as it was made, so that it may be replaced."""
        entry = self.entries.get(master)
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
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(NoLock):  # a share without locks; masters are safe there, too
                    stack.enter_context(locked(self.folder / LOCK, "batchbg finish"))
                self.read()
                sweep(self.folder, lambda _owner: True)  # every temporary file here is a dead process's
                self._begin()
                stack.callback(self._end)
            except BlockingIOError as error:
                raise LedgerBusy(f"another `batchbg finish` is at work in {self.folder}") from error
            except OSError as error:
                raise DiskError(f"{self.folder}: {error.strerror or error}") from error
            yield

    def _begin(self) -> None:
        """Open the record to go on with it; write it anew where it is missing or mostly tells of what is past."""
        path = self.folder / RECORD
        if self._lines == 0 or self._lines > 2 * len(self.entries) + SLACK:
            with whole(path, "ascii") as file:
                head = {"batchbg": "finished pictures", **dataclasses.asdict(self._owner)}
                file.write(_line(head))
                for master, entry in self.entries.items():
                    file.write(_line(_as_json(master, entry)))
                for master, (path_of, sha256) in self._making.items():
                    file.write(_line({"master": master, "path": path_of, "making": sha256.hex()}))
            self._lines = 1 + len(self.entries) + len(self._making)
        with opened(self.folder, self.folder) as folder:
            self._file = folder.open(RECORD, write=True)
        self._file.seek(0, os.SEEK_END)
        self._file.write(b"\n")  # ends a line that a crash has cut off; an empty one says nothing

    def _end(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def save(self, master: str, data: bytes, entry: Entry) -> None:
        """Write a finished picture, whole or not at all.

        Args:
            master: path below the output folder.
            data: the file's.
            entry: what is to be known of it; ``file`` is filled in here.

        Raises:
            OutputRefused: a file that was not made here has the name.
            DiskError: the disk refuses.
        """
        target = self.folder / entry.path
        replace = self.is_ours(master, entry.path)
        self._note({"master": master, "path": entry.path, "making": entry.sha256.hex()})
        self._making[master] = (entry.path, entry.sha256)
        part = target.with_name(f"{PART_PREFIX}{new_id()}{PART_SUFFIX}")
        self._write(part, data)
        if not put(part, target, replace=replace, sha256=entry.sha256.hex(), root=self.folder):
            raise OutputRefused(f"{target} is there and was not made here, or was changed since; move it away")
        found = target.lstat()
        done = dataclasses.replace(entry, file=(found.st_size, found.st_mtime_ns))
        self._note(_as_json(master, done))
        self.entries[master] = done
        self._making.pop(master, None)

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
        self.entries.pop(master, None)

    def _note(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        try:
            self._file.write(_line(line).encode("ascii"))
            self._file.flush()
        except OSError as error:
            raise DiskError(f"{self.folder / RECORD}: {error.strerror or error}") from error


def _as_json(master: str, entry: Entry) -> dict[str, Any]:
    return {
        "master": master,
        "path": entry.path,
        "stamp": entry.stamp,
        "of": entry.master_sha256.hex(),
        "by": entry.profile,
        "told": entry.told,
        "file": entry.file,
        "sha256": entry.sha256.hex(),
    }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
