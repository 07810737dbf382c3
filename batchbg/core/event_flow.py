"""How far webhook events can be relied on, learnt from renders whose end became known."""

from typing import Final

LEAST_LOST: Final = 0.005
"""Share of ends of which no event is ever expected to tell: a cancelled image has none, and delivery is not promised."""

LOST_AT_FIRST: Final = 0.01
"""The same before any is known, where somebody receives events."""

MOST_LOST: Final = 0.5
"""Where more are lost, events count as not coming."""

WEIGHT: Final = 0.1
"""Of the latest end among all; the first few weigh more, so that one run is enough to learn that none come."""


class EventFlow:
    """The share of ends of which no event tells.

    Attributes:
        received: whether somebody receives events at all.
    """

    def __init__(self) -> None:
        self.received = False
        self._lost = LOST_AT_FIRST
        self._seen = 0

    def told(self) -> None:
        """An event told of the end of a render."""
        self._learn(0.0)

    def missed(self) -> None:
        """No event told of an end that was found by asking."""
        self._learn(1.0)

    def _learn(self, lost: float) -> None:
        self._seen += 1
        self._lost += (lost - self._lost) * max(WEIGHT, 1.0 / (self._seen + 1))

    @property
    def comes(self) -> bool:
        """Whether events come, so that it is worth waiting for them."""
        return self.received and self._lost <= MOST_LOST

    @property
    def lost(self) -> float:
        """Share of the ends that are found by asking alone, 0 to 1; 1 where events do not come."""
        return max(LEAST_LOST, self._lost) if self.comes else 1.0
