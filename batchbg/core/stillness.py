"""Which files of a folder have been still: as they are for so long that nobody is writing them any more."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from batchbg.core.model import Stamp


class _Seen(NamedTuple):
    """A file as it was last seen, and since when it has been so; ``is_taken`` once a turn has had it as it is."""

    stamp: Stamp
    since: float
    is_taken: bool


class Stillness:
    """Remembers how files were at each look. Times are those of a clock that only goes forward, in seconds."""

    def __init__(self, still_s: float) -> None:
        """A file is still when it has not changed for ``still_s`` seconds."""
        self.still_s = still_s
        self._files: dict[str, _Seen] = {}

    def look(self, now: float, files: Iterable[tuple[str, Stamp]]) -> None:
        """Take in all files as they are now; what is not among them is forgotten."""
        before, self._files = self._files, {}
        for path, stamp in files:
            known = before.get(path)
            self._files[path] = known if known and is_same(known.stamp, stamp) else _Seen(stamp, now, is_taken=False)

    def fresh(self, now: float, is_open: Callable[[str], bool] = lambda path: False) -> bool:
        """Return whether there is a still file that no turn has had as it is.

        Args:
            now: as in ``look``.
            is_open: whether somebody has a file open to write; such a one counts as changed just now.
        """
        found = False
        for path, seen in list(self._files.items()):
            if not seen.is_taken and self._is_still(seen, now):
                if is_open(path):
                    self._files[path] = seen._replace(since=now)
                else:
                    found = True
        return found

    def take(self, now: float) -> Callable[[str, Stamp], bool]:
        """Give all that is still to a turn; return whether a file is among it, just as it was."""
        for path, seen in self._files.items():
            if not seen.is_taken and self._is_still(seen, now):
                self._files[path] = seen._replace(is_taken=True)
        return self._is_taken

    def _is_taken(self, path: str, stamp: Stamp) -> bool:
        seen = self._files.get(path)
        return seen is not None and seen.is_taken and is_same(seen.stamp, stamp)

    def next_s(self, now: float) -> float | None:
        """Return the seconds after which the next file will be still, if nobody changes it; None where none may be."""
        waits = [seen.since + self.still_s - now for seen in self._files.values() if not seen.is_taken]
        return max(min(waits), 0.0) if waits else None

    def _is_still(self, seen: _Seen, now: float) -> bool:
        return now - seen.since >= self.still_s


def is_same(one: Stamp, other: Stamp) -> bool:
    """Return whether a file has the size and the times that it had. Numbers of files may change at every mount."""
    return (one.size, one.mtime_ns, one.ctime_ns) == (other.size, other.mtime_ns, other.ctime_ns)


FIRST_S: Final = 30.0
LONGEST_S: Final = 900.0
"""Seconds between turns that come to nothing: at first, and at most."""


def retry_s(failures: int) -> float:
    """Return the seconds to wait after so many turns in a row that came to nothing."""
    return float(min(FIRST_S * 2.0 ** (min(failures, 30) - 1), LONGEST_S))
