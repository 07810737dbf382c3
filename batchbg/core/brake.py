"""When creates slow down or stop because of what became of earlier ones."""

import dataclasses
from typing import Final

MAX_AMBIGUOUS: Final = 3
"""Ambiguous answers in a row after which no further create leaves in a run."""

MAX_ERRORS: Final = 10
"""Jobs in a row ending in ``error`` after which no further create leaves in a run."""


@dataclasses.dataclass
class Brake:
    """Counts outcomes, in the order in which they become known.

    Attributes:
        price_known: a create of this run was answered, so that what the next one costs is known.
        ambiguous: ambiguous answers in a row.
        errors: jobs in a row that the service could not render, or whose request it refused.
    """

    price_known: bool = False
    ambiguous: int = 0
    errors: int = 0

    @property
    def one_at_a_time(self) -> bool:
        """Whether only one create may be in the air."""
        return not self.price_known or self.ambiguous > 0

    @property
    def tripped(self) -> str:
        """Why no further create may leave, or ""."""
        if self.ambiguous >= MAX_AMBIGUOUS:
            return f"the answers to {self.ambiguous} creates in a row were lost"
        if self.errors >= MAX_ERRORS:
            return f"{self.errors} jobs in a row ended in error"
        return ""

    def created(self) -> None:
        """A create was answered with a project id."""
        self.price_known = True
        self.ambiguous = 0

    def answered(self) -> None:
        """The service answered a create with a refusal; a network that let nothing through is no answer."""
        self.ambiguous = 0

    def lost(self) -> None:
        """Nobody can tell what a create did."""
        self.ambiguous += 1

    def rendered(self) -> None:
        """A job was rendered."""
        self.errors = 0

    def failed(self) -> None:
        """A job ended in error, or its request was refused."""
        self.errors += 1
