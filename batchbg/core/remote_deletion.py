"""Whether a project may be deleted at the service: only where everything that needs it has its result on this disk.

A project that is deleted is gone for good, and `rescue` with it: what is then lost here has to be paid for again. So
whatever is not certain speaks for keeping it.
"""

import dataclasses
import enum
from collections.abc import Collection

from batchbg.core.lifecycle import JobState


class Found(enum.Enum):
    """What lies where a result was saved."""

    SAME = enum.auto()
    CHANGED = enum.auto()
    MISSING = enum.auto()


class Kept(enum.StrEnum):
    """Why a project stays at the service, in words for people."""

    NOT_DONE = "its job is not done"
    SHARED = "another job has the same project"
    AWAITED = "a copy of its result is still to be made"
    REPLACED = "its result was replaced by a newer one"
    MISSING = "its result is missing on disk"
    CHANGED = "its result has changed on disk"


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a project whose deletion is wanted.

    Attributes:
        state: of its job.
        shared: another job names the same project.
        awaited: some output wants the result and does not hold it.
        found: what lies in each place where the result was saved, copies included.
    """

    state: JobState
    shared: bool
    awaited: bool
    found: Collection[Found]


def why_kept(facts: Facts) -> Kept | None:
    """Return why a project has to stay; None where it may be deleted."""
    if facts.state is not JobState.DONE:
        return Kept.NOT_DONE
    if facts.shared:
        return Kept.SHARED
    if facts.awaited:
        return Kept.AWAITED
    if not facts.found:
        return Kept.REPLACED
    if Found.MISSING in facts.found:
        return Kept.MISSING
    return Kept.CHANGED if Found.CHANGED in facts.found else None
