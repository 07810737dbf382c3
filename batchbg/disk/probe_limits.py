"""Within which limits a file is taken: what a person decides, and the reasons that depend on it."""

import dataclasses
from typing import Final

from batchbg.core.model import MAX_UPLOAD_BYTES, PhotoInfo, Stamp

TOO_LARGE: Final = ", and the most that can be uploaded (max_upload_bytes)"
"""In the reason where a file has too many bytes."""

SEVERAL: Final = "; save the one you want by itself"
"""In the reason where a file holds several pictures."""

FIRST: Final = "first of "
"""Begins why a copy goes up where a file holds several pictures."""

BLANK: Final = "blank: nothing in it to cut out"
"""Begins the reason where nothing can be seen."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeLimits:
    """What a person decides about files.

    Attributes:
        first_page: of a file of several pages or frames the first one is sent; else such a file is rejected.
        max_bytes: of a file, by the plan of the account.
        allow_blank: pictures in which nothing can be seen are sent, too.
    """

    first_page: bool = False
    max_bytes: int = MAX_UPLOAD_BYTES
    allow_blank: bool = False

    def may_change(self, known: PhotoInfo) -> bool:
        """Return whether a verdict on a file, found within other limits, may not hold within these."""
        if TOO_LARGE in known.rejected or (known.pixels and known.stamp.size > self.max_bytes):
            return True
        if self.allow_blank and known.rejected.startswith(BLANK):
            return True
        return SEVERAL in known.rejected if self.first_page else known.normalise.startswith(FIRST)

    def too_large(self, stamp: Stamp) -> str:
        """Return why a file of that size cannot be sent, or ""."""
        if stamp.size <= self.max_bytes:
            return ""
        return f"{stamp.size / 1e6:.9g} MB{TOO_LARGE} is {self.max_bytes / 1e6:.9g} MB; save it smaller"


USUAL: Final = ProbeLimits()
