"""What was seen of results, kept on disk: thumbnails as files of their own, signs in one file of lines a version."""

import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from batchbg.core.suspicion import VERSION, Kind, Sign
from batchbg.disk.reading import open_file

MOST_DISK_BYTES: Final = 500_000_000
"""Of thumbnails; about 50,000. The oldest go first, and are made again when they are asked for."""

MOST_MEMORY_BYTES: Final = 48_000_000

_SWEEP_EVERY: Final = 2_000
"""Thumbnails, after which it is seen to how much there is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a result.

    Attributes:
        signs: of a bad cut-out, the surest first.
        untold: why most signs could not be told, or "".
        size: pixels (width, height) of the result; (0, 0) where it could not be read.
        trouble: why it could not be read, or "".
    """

    signs: tuple[Sign, ...] = ()
    untold: str = ""
    size: tuple[int, int] = (0, 0)
    trouble: str = ""


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Return where this user's caches are, by the XDG rules; None where the user has no home."""
    named = environ.get("XDG_CACHE_HOME", "")
    if named.startswith("/"):  # others are to be ignored, says the specification
        return Path(named, "batchbg", "review")
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    return Path(home, ".cache", "batchbg", "review") if home and Path(home).is_absolute() else None


def key_of(*parts: object) -> str:
    """Return a name for content that depends on these."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


class LookCache:
    """Keeps looks and thumbnails by key; without a folder, or where it cannot be written, in memory only."""

    def __init__(self, folder: Path | None, name: str) -> None:
        """Read what was kept.

        Args:
            folder: for all ledgers; made where it is missing. None for none.
            name: of this ledger, a file's.
        """
        self._lock = threading.Lock()
        self._looks: dict[str, Look] = {}
        self._thumbs: collections.OrderedDict[str, bytes] = collections.OrderedDict()
        self._bytes = 0
        self._written = 0
        self._folder = folder
        self._signs = folder / f"signs-{VERSION}-{name}.jsonl" if folder else None
        self._file: IO[str] | None = None
        with contextlib.suppress(OSError):
            self._open()

    def _open(self) -> None:
        if self._folder is None or self._signs is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), open_file(self._signs, follow=False) as file:
            for line in file:
                self._read(line)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._file = os.fdopen(os.open(self._signs, flags, 0o600), "a", encoding="ascii")

    def _read(self, line: bytes) -> None:
        """Take a line; one that was cut short, or is somebody else's, is made anew later."""
        with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
            key, value = json.loads(line)
            signs = tuple(Sign(Kind(kind), float(score), str(words)) for kind, score, words in value["signs"])
            width, height = value["size"]
            self._looks[str(key)] = Look(signs, str(value["untold"]), (int(width), int(height)), str(value["trouble"]))

    def look(self, key: str) -> Look | None:
        """Return what was seen, None where nothing was yet."""
        return self._looks.get(key)

    def thumb(self, key: str) -> bytes | None:
        """Return a thumbnail, None where it is not kept."""
        with self._lock:
            if key in self._thumbs:
                self._thumbs.move_to_end(key)
                return self._thumbs[key]
        if self._folder is None:
            return None
        try:
            with open_file(self._place(key), follow=False) as file:
                data = file.read()
        except OSError:
            return None
        self._remember(key, data)
        return data

    def keep(self, key: str, look: Look | None, thumb: bytes) -> None:
        """Keep a thumbnail, and what was seen where that belongs to it."""
        if look is not None:
            self._looks[key] = look
        if thumb:
            self._remember(key, thumb)
        with self._lock, contextlib.suppress(OSError):
            self._write(key, look, thumb)

    def _write(self, key: str, look: Look | None, thumb: bytes) -> None:
        if look is not None and self._file is not None:
            value: dict[str, Any] = {
                "signs": [(sign.kind.value, sign.score, sign.words) for sign in look.signs],
                "untold": look.untold,
                "size": look.size,
                "trouble": look.trouble,
            }
            self._file.write(json.dumps([key, value], ensure_ascii=True) + "\n")
            self._file.flush()
        if thumb and self._folder is not None:
            place = self._place(key)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            number, part = tempfile.mkstemp(prefix=".", dir=place.parent)
            with os.fdopen(number, "wb") as file:
                file.write(thumb)
            Path(part).replace(place)
            self._written += 1
            if self._written % _SWEEP_EVERY == 1:
                _sweep(self._folder)

    def _remember(self, key: str, data: bytes) -> None:
        with self._lock:
            self._bytes += len(data) - len(self._thumbs.pop(key, b""))
            self._thumbs[key] = data
            while self._bytes > MOST_MEMORY_BYTES:
                _, old = self._thumbs.popitem(last=False)
                self._bytes -= len(old)

    def _place(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / f"{key[2:]}.webp"

    def close(self) -> None:
        """Let go of the file of signs."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _sweep(folder: Path) -> None:
    """Remove the oldest thumbnails where there are too many."""
    found = []
    for place in folder.glob("[0-9a-f][0-9a-f]/*"):
        with contextlib.suppress(OSError):
            stat = place.lstat()
            found.append((stat.st_mtime, stat.st_size, place))
    too_many = sum(size for _, size, _ in found) - MOST_DISK_BYTES
    for _, size, place in sorted(found):
        if too_many <= 0:
            return
        with contextlib.suppress(OSError):
            place.unlink()
            too_many -= size
