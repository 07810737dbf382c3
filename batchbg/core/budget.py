"""The arithmetic of credits: what counts, against which caps, and whether one more reservation fits."""

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from typing import Final

from batchbg.core.words import share


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

    def __add__(self, other: "Credits") -> "Credits":
        return Credits(
            self.charged + other.charged,
            self.refunded + other.refunded,
            self.reserved + other.reserved,
            self.unresolved + other.unresolved,
        )

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
class Headroom:
    """One cap and what is left under it, in credits; ``left`` may be negative where a price rose."""

    name: str
    cap: int
    left: int

    def __str__(self) -> str:
        return f"{self.name}: {share(max(self.left, 0), self.cap, 'credit')} left"


CAP_NAMES: Final = {
    Scope.RUN: "max_credits of this run",
    Scope.DAY: "budget.per_day",
    Scope.MONTH: "budget.per_month",
    Scope.TOTAL: "budget.total",
}


def headrooms(caps: Caps, spent: Mapping[Scope, int]) -> list[Headroom]:
    """Return the headroom under every cap that is set over a scope; ``spent`` holds the credits counted in each."""
    return [Headroom(CAP_NAMES[scope], cap, cap - spent[scope]) for scope, cap in caps.by_scope()]


def tightest(found: Sequence[Headroom]) -> Headroom | None:
    """Return the cap with the least headroom, or None without caps."""
    return min(found, key=lambda headroom: headroom.left, default=None)


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """What one attempt at a job counts against the caps, in credits.

    The rest of ``credits`` is held back: it may yet turn out to be charged.

    Attributes:
        credits: all of it.
        charged: as much of it as the service has said that it charged.
    """

    credits: int = 0
    charged: int = 0

    def answered(self, told: int | None, believed: int | None) -> "Counted":
        """Return what the attempt counts once its create was answered, or its record seen while it renders.

        Nothing that was held back is given up: an answer may understate.

        Args:
            told: credits that the service names; None where it names none.
            believed: as many of them as are taken at its word.
        """
        charged = max(self.charged, believed or 0)
        return Counted(max(self.credits, told or 0, charged), charged)

    def rendered(self, told: int | None, believed: int | None) -> "Counted":
        """Return what the attempt counts by the record of a complete render, which is final."""
        if told is None:
            return Counted(self.credits, self.credits)
        charged = max(self.charged, believed or 0)
        return Counted(max(told, charged), charged)

    def failed(self, told: int | None, believed: int | None) -> "Counted":
        """Return what the attempt counts by the record of a render that came to nothing: refunds are in it."""
        if told is None or believed is None:
            return Counted(self.credits, self.credits)
        return Counted(max(told, believed), believed)

    def moves_to(self, new: "Counted") -> tuple[tuple[Bucket, int], ...]:
        """Return the credit entries that lead from here to ``new``; their sum is the difference in ``credits``."""
        held = (new.credits - new.charged) - (self.credits - self.charged)
        more = new.charged - self.charged
        return (Bucket.RESERVED, held), (Bucket.CHARGED, max(more, 0)), (Bucket.REFUNDED, max(-more, 0))


def next_price(configured: int, *told: int | None) -> int:
    """Return the credits to reserve for the next create: never less than the service last answered or recorded."""
    return max(configured, *(credits or 0 for credits in told))
