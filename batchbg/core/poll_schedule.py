"""When to ask about a render: rarely, yet soon after its end."""

import bisect
import collections
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Final

from batchbg.core.event_flow import EventFlow

COST: Final = 0.03
"""What a question may cost: so many median renders of a place in flight that waits to be noticed as free.

Where render times spread as a lognormal does with sigma 0.4, that is 3.9 questions a render and places that are idle
for 9 % of their time; with sigma 0.1, 2.6 questions and 5 %. At sigma 0.4 no schedule whatever has both 2 questions
and less than 15 % (``python -m tests.benchmarks.efficiency --curve 32`` prints the curve).
"""

SHORTEST_GAP_S: Final = 0.25
LONGEST_GAP_S: Final = 10.0
LATE: Final = 0.14
"""A render that takes longer than all seen lately is asked about again after this part of its age."""

BLIND_FIRST_S: Final = 0.25
BLIND_GAP_S: Final = 0.5
BLIND_GROWTH: Final = 1.25
"""The same before the first render is known; their times may be of any order."""

BLIND_TOLD_S: Final = 10.0
"""The first question where events tell of ends, before the first is known. Most renders take less: docs, processing times."""

LONGER: Final = 4.0
"""By so much of the longest render the next may be longer, divided by the number of those seen lately."""

ASKED_FOR_S: Final = 30 * 86400.0
"""Seconds after the end of a job that is still charged for which later runs ask after its refund, once each."""

REMEMBERED: Final = 200
STEPS: Final = 50
"""Ages, evenly spaced over the render times seen lately, at which a question may be asked."""


class PollSchedule:
    """Learns how long renders take and asks at the ages at which the answer is worth the question.

    Where events tell of ends, a question is for those of which none tells: the fewer these are, the less it is worth.
    """

    def __init__(self, flow: EventFlow | None = None) -> None:
        self._flow = flow or EventFlow()
        self._ended: collections.deque[tuple[float, float]] = collections.deque(maxlen=REMEMBERED)
        self._ages_s: list[float] = []
        self._learned = 0

    @property
    def median_s(self) -> float | None:
        """Median of the render times seen lately, seconds; None before the first."""
        return statistics.median(sum(ended) / 2 for ended in self._ended) if self._ended else None

    def learn(self, not_before_s: float, seen_s: float) -> bool:
        """Take in a render that ended between two questions, so many seconds after its create; return if plans change.

        One that was over at the first question may have ended at any time before: if many are, it is asked earlier.
        """
        self._ended.append((not_before_s, seen_s))
        self._learned += 1
        # The more is known, the less one more render changes; each time it takes a millisecond.
        if self._learned > 8 and self._learned % 16:
            return False
        self.revise()
        return True

    def revise(self) -> None:
        """Plan anew, by what is known by now of renders and of events."""
        median_s, longest_s = self.median_s, self.longest_s
        if median_s is None or longest_s is None:
            return
        ended = list(self._ended)
        if self._flow.comes:  # no questions have to find out how long renders take: the next may take longer than all
            ended.append((longest_s, longest_s * (1 + LONGER / len(ended))))
        self._ages_s = best_ages_s(ended, COST * median_s, self._flow.lost)

    @property
    def longest_s(self) -> float | None:
        """Longest render time of those seen lately, seconds; None before the first."""
        return max((seen_s for _, seen_s in self._ended), default=None)

    def first_s(self) -> float:
        """Return the seconds from a create to the first question."""
        if self._ages_s:
            return self._ages_s[0]
        return BLIND_TOLD_S if self._flow.comes else BLIND_FIRST_S

    def gap_s(self, age_s: float, asked: int) -> float:
        """Return the seconds from question number ``asked`` (1, 2, ...), at this age of its render, to the next."""
        # What a question finds is rarer by that share, and so the best gap longer by its root.
        rarer = math.sqrt(1 / self._flow.lost)
        if not self._ages_s:
            return blind_gap_s(asked) * rarer
        later = bisect.bisect(self._ages_s, age_s)
        if later < len(self._ages_s):
            return max(SHORTEST_GAP_S, self._ages_s[later] - age_s)
        late_s = min(LATE * age_s, max(LONGEST_GAP_S, LATE * self._ages_s[-1]))
        return max(SHORTEST_GAP_S, late_s * rarer)


def blind_gap_s(asked: int) -> float:
    """Return the seconds from question number ``asked`` (1, 2, ...) to the next where no answer tells anything."""
    return float(min(BLIND_GAP_S * BLIND_GROWTH ** min(asked - 1, 100), LONGEST_GAP_S))


def best_ages_s(ended: Sequence[tuple[float, float]], cost_s: float, lost: float = 1.0) -> list[float]:
    """Return the ages, in seconds, at which to ask about a render for the least of idle time and questions.

    The least is found from the last question back to the first: what follows a question does not depend on what came
    before it.

    Args:
        ended: when earlier renders ended, as (not before, seen) in seconds after their create; as likely at any time
            between.
        cost_s: idle seconds that one question less is worth.
        lost: share of the ends of which no event tells; the others need no question, and leave nothing idle.
    """
    grid, over = _share_over(ended)
    # Idle time between two questions grows at each instant by the share of renders that is over by then.
    widths = [later - earlier for earlier, later in itertools.pairwise(grid)]
    areas = (width * (a + b) / 2 for width, (a, b) in zip(widths, itertools.pairwise(over), strict=True))
    idle_s = [0.0, *itertools.accumulate(areas)]
    last = len(grid) - 1
    least = [0.0] * len(grid)
    following = [last] * len(grid)
    for asked in range(last - 1, -1, -1):
        waits = (
            (
                cost_s * (1 - over[asked] - (1 - lost) * (over[at] - over[asked]))
                + lost * (idle_s[at] - idle_s[asked] - over[asked] * (grid[at] - grid[asked]))
                + least[at],
                at,
            )
            for at in range(asked + 1, last + 1)
        )
        least[asked], following[asked] = min(waits)
    ages, at = [], 0
    while at < last:
        at = following[at]
        ages.append(grid[at])
    return ages


def _share_over(ended: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return ages from a create on, and the share of renders that is over at each of them."""
    earliest, latest = min(start for start, _ in ended), max(end for _, end in ended)
    if earliest == latest:
        return [0.0, latest or SHORTEST_GAP_S], [0.0, 1.0]
    step = (latest - earliest) / STEPS
    grid = [0.0] if earliest > 0 else []
    grid += [earliest + number * step for number in range(STEPS + 1)]
    over = [
        sum(1.0 if end <= age else (age - start) / (end - start) if start < age else 0.0 for start, end in ended)
        / len(ended)
        for age in grid
    ]
    over[-1] = 1.0
    return grid, over
