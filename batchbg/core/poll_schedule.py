"""When to ask about a render: rarely, yet soon after its end."""

import collections
import statistics
from typing import Final

SHORTEST_GAP_S: Final = 0.25
LONGEST_GAP_S: Final = 10.0
FIRST: Final = 0.7
GAP: Final = 0.14
GROWTH: Final = 1.05
"""The first question comes at this part of the median and the next this part of it later; each gap grows by a factor.

Where render times spread as a lognormal does with sigma 0.4, a place in flight is then idle for 8 % of its time, at
4.0 questions a render. Fewer questions leave places idle (first at 0.9, growth 1.25: 12 %, at 3.1), more cost requests.
"""

BLIND_FIRST_S: Final = 0.25
BLIND_GAP_S: Final = 0.5
BLIND_GROWTH: Final = 1.25
"""The same before the first render is known; their times may be of any order."""

ASKED_FOR_S: Final = 30 * 86400.0
"""Seconds after the end of a job that is still charged for which later runs ask after its refund, once each."""

REMEMBERED: Final = 100


class PollSchedule:
    """Learns how long renders take and spaces the questions accordingly."""

    def __init__(self) -> None:
        self._times_s: collections.deque[float] = collections.deque(maxlen=REMEMBERED)
        self._median_s: float | None = None

    @property
    def median_s(self) -> float | None:
        """Median of the render times seen lately, seconds; None before the first."""
        return self._median_s

    def learn(self, not_before_s: float, seen_s: float) -> None:
        """Take in a render that ended between two questions, so many seconds after its create.

        One that was over at the first question counts as half as long: quick renders are found by asking earlier.
        """
        self._times_s.append((not_before_s + seen_s) / 2)
        self._median_s = statistics.median(self._times_s)

    def first_s(self) -> float:
        """Return the seconds from a create to the first question: while most renders are still under way."""
        return BLIND_FIRST_S if self._median_s is None else FIRST * self._median_s

    def gap_s(self, asked: int) -> float:
        """Return the seconds from question number ``asked`` (1, 2, ...) to the next; growing."""
        if self._median_s is None:
            base, growth = BLIND_GAP_S, BLIND_GROWTH
        else:
            base, growth = max(SHORTEST_GAP_S, GAP * self._median_s), GROWTH
        return float(min(base * growth ** min(asked - 1, 100), max(LONGEST_GAP_S, base)))
