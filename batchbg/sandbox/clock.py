"""The sandbox's own time, which tests may push forward."""

import threading
import time
from datetime import UTC, datetime
from typing import Final

_LATEST_S: Final = 253_402_300_799.0  # the end of the year 9999, which is as far as datetime goes


class Clock:
    """Unix time that never runs backwards and can be advanced by hand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._origin_s = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the present in Unix seconds."""
        return self._origin_s + time.monotonic()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once.

        Raises:
            ValueError: time would run backwards.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"the clock can only be advanced, not by {seconds!r} s")
        with self._lock:
            self._origin_s += seconds


def iso(at_s: float) -> str:
    """Return ``at_s``, Unix seconds, the way the API writes times: ``2024-10-19T05:16:19.027Z``."""
    return datetime.fromtimestamp(min(at_s, _LATEST_S), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
