"""What came of finishing results by one profile."""

import dataclasses
from pathlib import Path
from typing import Any

from batchbg.core.finishing import Profile
from batchbg.errors import ExitCode


@dataclasses.dataclass
class Outcome:
    """What came of one profile.

    Attributes:
        profile: it.
        folder: where its pictures are.
        made: pictures that were made, or would be.
        unchanged: those that are there as they should be.
        removed: those that were taken away, or would be, since their results are rejected or no more.
        rejected: results that are left out since a person has rejected them.
        waiting: results that are not there yet.
        problems: (result, why there is no picture of it).
        unmet: (result, the picture, why it does not meet the profile's rule).
        advised: results by what is advised and not so in their pictures.
        remarks: results by what a person should know of their pictures.
    """

    profile: Profile
    folder: Path
    made: int = 0
    unchanged: int = 0
    removed: int = 0
    rejected: int = 0
    waiting: int = 0
    problems: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    unmet: list[tuple[str, str, list[str]]] = dataclasses.field(default_factory=list)
    advised: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    remarks: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """3 where a result has no picture, or one that does not meet its rule."""
        return ExitCode.INCOMPLETE if self.problems or self.waiting or self.unmet else ExitCode.OK

    def as_json(self) -> dict[str, Any]:
        """Return the documented object."""
        rule = self.profile.rule
        return {
            "profile": self.profile.name,
            "folder": str(self.folder),
            "rule": dataclasses.asdict(rule.source) if rule else None,
            "made": self.made,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "rejected": self.rejected,
            "waiting": self.waiting,
            "problems": [{"result": result, "why": why} for result, why in self.problems],
            "unmet": [{"result": result, "file": file, "why": why} for result, file, why in self.unmet],
            "advised": [{"why": why, "results": results} for why, results in self.advised.items()],
            "remarks": [{"remark": remark, "results": results} for remark, results in self.remarks.items()],
        }


def headline(outcome: Outcome, done: str) -> str:
    """Return the numbers of one profile: "3 made, 2 unchanged, 1 left out: rejected"; ``done`` says what was made."""
    parts = [f"{outcome.made} {done}"]
    parts += [f"{outcome.unchanged} unchanged"] if outcome.unchanged else []
    parts += [f"{outcome.removed} removed: their results are not wanted"] if outcome.removed else []
    parts += [f"{outcome.rejected} left out: rejected"] if outcome.rejected else []
    parts += [f"{outcome.waiting} not done yet"] if outcome.waiting else []
    parts += [f"{len(outcome.problems)} cannot be made"] if outcome.problems else []
    return ", ".join(parts)
