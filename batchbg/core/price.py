"""What the service says that a render takes, and whether that can be believed.

A job counts the most that it may turn out to take: the configured price, what its create's answer said, what its
record says. A figure that cannot be right by itself (no whole number, or far beyond the configured price) stops
creates until a person has judged it.
"""

import dataclasses
import enum
import math
from collections.abc import Collection
from typing import Final

from batchbg.core.model import PRICE_CREDITS

ABSURD_TIMES: Final = 10
"""A price of more than this many times the configured one is not taken at its word."""

MOST_CREDITS: Final = 10**9
"""Credits from which a figure is no price any more; larger ones count as if nothing had been said."""

MOST_TEXT: Final = 40


class Verdict(enum.StrEnum):
    """What a person said of an odd price."""

    OPEN = ""
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


@dataclasses.dataclass(frozen=True, slots=True)
class Price:
    """What the service said.

    Attributes:
        credits: whole credits to count; None where it said nothing that could be counted.
        odd: what it said instead of a whole number of credits, or "".
    """

    credits: int | None = None
    odd: str = ""

    @property
    def told(self) -> str:
        """What it said, as a person sees it."""
        return self.odd or str(self.credits)

    @property
    def is_unusual(self) -> bool:
        """Whether it may have to be judged by a person; what is usual needs no further question."""
        return bool(self.odd) or (self.credits or 0) > ABSURD_TIMES * PRICE_CREDITS


UNTOLD: Final = Price()


def read_price(value: object) -> Price:
    """Read a member of an answer: 5, 5.0 and "5" are five credits; a fraction counts as the next whole number."""
    if value is None:
        return UNTOLD
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return Price(int(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MOST_CREDITS:
        return Price(odd=_shown(value))
    credits = math.ceil(value)
    return Price(credits) if credits == value else Price(credits, _shown(value))


def is_odd(price: Price, accepted: Collection[str] = ()) -> bool:
    """Return whether a person has to judge ``price`` before another create leaves.

    Args:
        price: as the service said it.
        accepted: what a person took for right earlier, as it was said; of whole numbers the lower ones with it.
    """
    if not price.is_unusual or price.told in accepted:
        return False
    return bool(price.odd) or (price.credits or 0) > max((int(one) for one in accepted if one.isdigit()), default=0)


def believed(price: Price, *, odd: bool) -> int | None:
    """Return the credits that were charged as far as the service can be believed, None where it said nothing."""
    if price.credits is None:
        return None
    return min(price.credits, PRICE_CREDITS) if odd else price.credits


def _shown(value: object) -> str:
    try:
        text = repr(value) if isinstance(value, (str, float, bool)) else str(value)
    except ValueError:  # a whole number of more digits than Python prints
        text = "a number of very many digits"
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}..."
