"""How a run stands at one moment, and the arithmetic behind its rate and its time left."""

import collections
import dataclasses
from typing import Final

WINDOW_S: Final = 60.0
"""Seconds over which the rate is taken: long beside one render, short beside a change in the service's speed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """The figures of the progress bar and of the status line.

    Attributes:
        ended: jobs that have come as far as this run takes them, good or bad.
        total: jobs of this run.
        in_flight: jobs between their create and their seen end.
        width: places there are for these now.
        widest: places that were asked for; more than ``width`` while the service takes no more.
        spent: credits that count against this run's cap.
        cap: the tightest cap, as what has been spent under it and what it allows; None without one.
        per_minute: results a minute of late; None before the first.
        left_s: seconds until the last job ends; None while it cannot be estimated.
        stopping: whether no further create leaves.
    """

    ended: int
    total: int
    in_flight: int
    width: int
    widest: int
    spent: int
    cap: tuple[int, int] | None
    per_minute: float | None
    left_s: float | None
    stopping: bool


def time_left_s(
    waiting: int, in_flight: int, width: int, render_s: float | None, since_create_s: float, per_second: float
) -> float | None:
    """Return how long a run still takes.

    Each place in flight takes a new job every ``render_s``, so that the last of those waiting is sent after
    ``waiting / width`` renders, unless the request rate holds creates back; then it has to render itself.

    Args:
        waiting: jobs that will still be sent.
        in_flight: jobs between their create and their seen end.
        width: places for these.
        render_s: how long a render takes; None before the first.
        since_create_s: seconds since the last create.
        per_second: creates that may leave in a second at most.
    """
    if not waiting and not in_flight:
        return 0.0
    if render_s is None:
        return None
    if not waiting:
        return max(0.0, render_s - since_create_s)
    return waiting * max(render_s / width, 1 / per_second) + render_s


class Rate:
    """Counts what happens, and tells how often of late."""

    def __init__(self, started_s: float) -> None:
        """Begin to count at ``started_s``, on any clock that runs evenly."""
        self._started_s = started_s
        self._times_s: collections.deque[float] = collections.deque()

    def count(self, now_s: float) -> None:
        """Count one more."""
        self._times_s.append(now_s)
        self._forget(now_s)

    def per_minute(self, now_s: float) -> float | None:
        """Return how many there are in a minute, by the last of it; None before the first."""
        self._forget(now_s)
        over_s = min(now_s - self._started_s, WINDOW_S)
        return len(self._times_s) * 60 / over_s if self._times_s and over_s > 0 else None

    def _forget(self, now_s: float) -> None:
        while self._times_s and self._times_s[0] < now_s - WINDOW_S:
            self._times_s.popleft()
