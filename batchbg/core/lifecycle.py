"""The states of a job and every arrow between them, as one table.

planned ──reserve──▶ submitting ──id──▶ rendering ──complete──▶ downloading ──▶ done
   ▲                  │  │  └─answer lost─▶ unresolved                └─unusable─▶ failed
   ├─not created──────┘                          └ leaves by a person's word only
   └─refused─▶ failed
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from batchbg.errors import IllegalTransition


class JobState(enum.StrEnum):
    """What is certain about a job."""

    PLANNED = "planned"  # paired and priced; nothing sent, nothing reserved
    SUBMITTING = "submitting"  # credits reserved; the create may have landed
    RENDERING = "rendering"  # the image project's id is on file: never paid for again
    DOWNLOADING = "downloading"  # the render is complete; the result is not yet on disk
    DONE = "done"  # the result is whole, on disk, under its own name
    FAILED = "failed"  # refused, or its render failed; ``credits`` tells what it still counts
    CANCELED = "canceled"  # stopped by hand at the service
    UNRESOLVED = "unresolved"  # the create's answer was lost: counts as spent, never sent again by itself


_S = JobState

NEXT: Final[Mapping[JobState, frozenset[JobState]]] = MappingProxyType(
    {
        # FAILED: the API refuses an upload, or the create, which costs nothing.
        _S.PLANNED: frozenset({_S.SUBMITTING, _S.FAILED}),
        # Back to PLANNED only where the create certainly made nothing.
        _S.SUBMITTING: frozenset({_S.RENDERING, _S.UNRESOLVED, _S.PLANNED}),
        # UNRESOLVED where the project's record shows that it is another's: what this job's create made is not known.
        _S.RENDERING: frozenset({_S.DOWNLOADING, _S.FAILED, _S.CANCELED, _S.UNRESOLVED}),
        # Back to RENDERING where a fresh look finds the project no longer complete.
        _S.DOWNLOADING: frozenset({_S.DONE, _S.FAILED, _S.RENDERING, _S.UNRESOLVED}),
        # A result that went missing is fetched again without a move: the job has been done all the same.
        _S.DONE: frozenset(),
        # `retry`: PLANNED where nothing is charged any more, else RENDERING, which asks again for free.
        _S.FAILED: frozenset({_S.PLANNED, _S.RENDERING}),
        _S.CANCELED: frozenset({_S.PLANNED, _S.RENDERING}),
        # `resolve`: its project id, "it was charged", "it was not".
        _S.UNRESOLVED: frozenset({_S.RENDERING, _S.FAILED, _S.PLANNED}),
    }
)

PAID: Final = frozenset({_S.RENDERING, _S.DOWNLOADING})
"""States in which the project id is known and the result is not yet on disk."""

FINAL: Final = frozenset({_S.DONE, _S.FAILED, _S.CANCELED, _S.UNRESOLVED})
"""States that no run leaves by itself."""

ENDED_BADLY: Final = frozenset({_S.FAILED, _S.CANCELED})
"""Final states without a result, which `retry` leaves; whether they are still charged, each job tells."""

OPEN: Final = frozenset(JobState) - FINAL
"""States in which a run still has something to do."""


def advance(old: JobState, new: JobState) -> JobState:
    """Return ``new``.

    Raises:
        IllegalTransition: the table has no arrow from ``old`` to ``new``.
    """
    if new not in NEXT[old]:
        raise IllegalTransition(f"a job cannot go from {old} to {new}")
    return new
