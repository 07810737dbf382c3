"""The arithmetic of credits: what counts, against which caps, and whether one more reservation fits."""

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from typing import Final


class Bucket(enum.StrEnum):
    """Where a credit stands. Charged and refunded only grow; reserved and unresolved rise and fall."""

    RESERVED = "reserved"
    UNRESOLVED = "unresolved"
    CHARGED = "charged"
    REFUNDED = "refunded"


@dataclasses.dataclass(frozen=True, slots=True)
class Credits:
    """Sums of credit entries over some scope, in credits."""

    charged: int = 0
    refunded: int = 0
    reserved: int = 0
    unresolved: int = 0

    @property
    def spent(self) -> int:
        """What counts against a cap: an answer that was lost may have been charged, so it counts."""
        return self.charged - self.refunded + self.reserved + self.unresolved

    @classmethod
    def of(cls, sums: Mapping[str, int]) -> "Credits":
        """Build from sums by bucket; a missing bucket is zero."""
        return cls(**{bucket.value: sums.get(bucket.value, 0) for bucket in Bucket})


class Scope(enum.StrEnum):
    """What a running total is over."""

    TOTAL = "total"
    RUN = "run"
    DAY = "day"
    MONTH = "month"


@dataclasses.dataclass(frozen=True, slots=True)
class Period:
    """To which run, day and month credits belong: those of their reservation, whenever they move later.

    ``run`` is the id of the budget, which a run that continues a killed one shares with it.
    """

    run: str
    day: str
    month: str

    def scopes(self) -> tuple[tuple[Scope, str], ...]:
        """Return the (scope, period) pairs whose running totals these credits change."""
        return (Scope.TOTAL, ""), (Scope.RUN, self.run), (Scope.DAY, self.day), (Scope.MONTH, self.month)


def period_of(run: str, at: float, zone: datetime.tzinfo | None) -> Period:
    """Return the period of a reservation made at ``at``, seconds since 1970, in ``zone`` (None: the system's)."""
    local = datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone(zone)
    return Period(run, local.strftime("%Y-%m-%d"), local.strftime("%Y-%m"))


@dataclasses.dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be spent, in credits; None is no cap. ``keep_balance`` is a floor under the account."""

    run: int | None = None
    day: int | None = None
    month: int | None = None
    total: int | None = None
    keep_balance: int | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is any cap at all."""
        return self != Caps()

    def by_scope(self) -> tuple[tuple[Scope, int], ...]:
        """Return the caps that are set and hold over a scope of the ledger."""
        named = ((Scope.RUN, self.run), (Scope.DAY, self.day), (Scope.MONTH, self.month), (Scope.TOTAL, self.total))
        return tuple((scope, cap) for scope, cap in named if cap is not None)


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """One cap and what is left under it, in credits; ``left`` may be negative where a price rose."""

    name: str
    cap: int
    left: int

    def __str__(self) -> str:
        return f"{self.name}: {max(self.left, 0)} of {self.cap} credits left"


CAP_NAMES: Final = {
    Scope.RUN: "max_credits of this run",
    Scope.DAY: "budget.per_day",
    Scope.MONTH: "budget.per_month",
    Scope.TOTAL: "budget.total",
}


def rooms(caps: Caps, spent: Mapping[Scope, int]) -> list[Room]:
    """Return the room under every cap that is set over a scope; ``spent`` holds the credits counted in each."""
    return [Room(CAP_NAMES[scope], cap, cap - spent[scope]) for scope, cap in caps.by_scope()]


def tightest(found: Sequence[Room]) -> Room | None:
    """Return the cap with the least room, or None without caps."""
    return min(found, key=lambda room: room.left, default=None)


def next_price(configured: int, last_answered: int | None) -> int:
    """Return the credits to reserve for the next create: never less than the service last took."""
    return max(configured, last_answered or 0)


def newly_refunded(counted: int, credits_charged: int | None) -> int:
    """Return the credits to give back when an ended project reports ``credits_charged``.

    Args:
        counted: credits this job still counts as charged.
        credits_charged: what the project's record says now; None where it does not say.
    """
    if credits_charged is None:
        return 0
    return max(counted - max(credits_charged, 0), 0)
