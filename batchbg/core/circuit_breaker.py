"""When creates slow down or stop, judging by earlier ones."""

import dataclasses
from typing import Final

MAX_DOUBTS: Final = 3
"""Answers that leave a create in doubt, without an id in between, after which no further create leaves in a run."""

MAX_STRANGERS: Final = 3
"""Projects in a row that turn out to be another's after which no further create leaves in a run."""

MAX_ERRORS: Final = 10
"""Jobs in a row ending in ``error`` after which no further create leaves in a run."""


@dataclasses.dataclass
class CircuitBreaker:
    """Counts outcomes, in the order in which they become known.

    Attributes:
        price_known: the record of a create of this run was seen, so that what the next one takes is known.
        doubts: ambiguous answers and 502s since a create last yielded an id. Refusals between them do not reset it: a
            service that is too busy for one create may have lost the answer to the one before.
        strangers: projects in a row whose record has another job's name.
        errors: jobs in a row that the service could not render, or whose request it refused.
    """

    price_known: bool = False
    doubts: int = 0
    strangers: int = 0
    errors: int = 0

    @property
    def one_at_a_time(self) -> bool:
        """Whether only one create may be in the air."""
        return not self.price_known or self.doubts > 0 or self.strangers > 0

    @property
    def tripped(self) -> str:
        """Why no further create may leave, or ""."""
        if self.doubts >= MAX_DOUBTS:
            return f"the answers to {self.doubts} creates in a row were lost or in doubt"
        if self.strangers >= MAX_STRANGERS:
            return f"{self.strangers} projects in a row have another name than the one that was sent"
        if self.errors >= MAX_ERRORS:
            return f"{self.errors} jobs in a row ended in error"
        return ""

    def created(self) -> None:
        """A create was answered with a project id."""
        self.doubts = 0

    def doubted(self) -> None:
        """It is not known what a create did, or not yet."""
        self.doubts += 1

    def recorded(self, *, of_this_run: bool = True) -> None:
        """The record of a project was seen, under its own name; that of an earlier run's names the price of then."""
        self.price_known = self.price_known or of_this_run
        self.strangers = 0

    def mistaken(self) -> None:
        """A project turned out to be another's."""
        self.strangers += 1

    def rendered(self) -> None:
        """A job was rendered."""
        self.errors = 0

    def failed(self) -> None:
        """A job ended in error, or its request was refused."""
        self.errors += 1
