"""When to ask about a render: seldom, yet soon after its end."""

import collections
import statistics
from typing import Final

SHORTEST_GAP_S: Final = 0.25
LONGEST_GAP_S: Final = 10.0
GROWTH: Final = 1.25
BLIND_FIRST_S: Final = 0.25
BLIND_GAP_S: Final = 0.5
REMEMBERED: Final = 200


class Cadence:
    """Learns how long renders take and spaces the questions accordingly."""

    def __init__(self) -> None:
        self._times_s: collections.deque[float] = collections.deque(maxlen=REMEMBERED)
        self._median_s: float | None = None

    @property
    def median_s(self) -> float | None:
        """Median of the render times seen lately, seconds; None before the first."""
        return self._median_s

    def learn(self, seconds: float) -> None:
        """Take in how long a render took, from its create to its seen end."""
        self._times_s.append(seconds)
        self._median_s = statistics.median(self._times_s)

    def first_s(self) -> float:
        """Return the seconds from a create to the first question: shortly before half of all renders are over."""
        return BLIND_FIRST_S if self._median_s is None else 0.9 * self._median_s

    def gap_s(self, asked: int) -> float:
        """Return the seconds from question number ``asked`` (1, 2, ...) to the next; growing."""
        base = BLIND_GAP_S if self._median_s is None else max(SHORTEST_GAP_S, self._median_s / 10)
        return float(min(base * GROWTH ** min(asked - 1, 50), max(LONGEST_GAP_S, base)))
