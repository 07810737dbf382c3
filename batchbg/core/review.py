"""What a person says of a result after having looked at it."""

import dataclasses
import enum


class ReviewVerdict(enum.StrEnum):
    """A person's word on one paid render; none stands for a job that nobody has decided on."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclasses.dataclass(frozen=True, slots=True)
class Review:
    """A verdict on a job's result.

    Attributes:
        verdict: what was decided.
        reason: why, in the person's own words, or "".
        at: when, seconds since 1970.
    """

    verdict: ReviewVerdict
    reason: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class ReviewCounts:
    """How many of the results that are in their places have which verdict."""

    accepted: int
    rejected: int
    undecided: int
