"""What a plan tells: a line for each photo, a tally of all, and who is told."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from batchbg.core.model import Size, Stamp
from batchbg.core.pairing import Misfit
from batchbg.core.planning import DONE_BEFORE
from batchbg.core.words import are, counted
from batchbg.disk.not_pictures import PICTURE_NAMES, ending_of
from batchbg.disk.scan import OLDER, without_leftover
from batchbg.errors import PlanAbandoned
from batchbg.plan.saved_plan import Entry

BEING_WRITTEN: Final = "being written; the next run takes it"
NOT_THERE: Final = "named, but not there"
NO_PICTURE: Final = "no picture"
MISNAMED: Final = "a picture under a name that is not a picture's"
ORIGINAL: Final = "a camera raw or Photoshop file beside a picture of its name"
CONFLICT: Final = "the version that lost a sync's conflict"
PREFERRED: Final = {
    "jpeg": "a TIFF beside a JPEG of the same name and shape (prefer = jpeg)",
    "tiff": "a JPEG beside a TIFF of the same name and shape (prefer = tiff)",
}
"""Why one of two is left out, by the setting."""

PAID_BEFORE: Final = "a TIFF or JPEG of the same name and shape is done or under way (prefer = both pays for each)"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What is done with one photo and why, for people.

    Attributes:
        path: below the photo folder.
        action: "new", "go on", "copy", "skip", "reject", "ignore".
        background: path below the background folder, "" for none.
        output: path below the output folder.
        detail: how the background fits, in words, or the reason.
        pixels: the photo's size, None where it was not opened.
        enlarged: how many times a cover crop enlarges its background, 1.0 where it does not.
        entry: what a saved plan keeps of a new job.
        changed: it had a result before its content changed.
        other_background: it is done, on another background than would be chosen today.
        missing: it is done, and its result is no longer on disk.
        misfit: of the pairing in figures, None where there is no background.
        is_news: of a reject, that no earlier run has told of it.
    """

    path: str
    action: str
    background: str = ""
    output: str = ""
    detail: str = ""
    pixels: Size | None = None
    enlarged: float = 1.0
    entry: Entry | None = None
    changed: bool = False
    other_background: bool = False
    missing: bool = False
    misfit: Misfit | None = None
    is_news: bool = True

    @property
    def is_job(self) -> bool:
        """Whether a job that is not created yet stands behind it."""
        return self.action == "new" or (self.action == "go on" and self.entry is not None)


@dataclasses.dataclass
class Tally:
    """What became of every file of one scan.

    Attributes:
        seen: files that claim or turn out to be pictures.
        new: jobs planned; ``taken_up`` are jobs of earlier runs that go on.
        copies: photos that are to get a copy of another's result.
        skipped: by reason.
        rejected: all of them; ``newly_rejected`` are those no earlier run has told of.
        ignored_by: junk, hidden, filtered and files that are no pictures, by reason; ``ignored`` are all of them.
        misnamed: those that hold pictures under names that are not a picture's; ``misnamed_such_as`` are some of them.
        other_background: done before, on another background than would be chosen today.
        missing: done before, but the result is no longer on disk; ``lost`` of them were deleted at the service, too.
        changed: new jobs for photos that had a result before their content changed.
        backgrounds: new jobs by background path, "" for transparent ones.
        bad_backgrounds: why a background cannot be used, by its path.
        enlarged: new jobs whose cover crop enlarges its background.
        unmatched: a sentence for each pattern, line of a map or name in a list that matches nothing.
    """

    seen: int = 0
    new: int = 0
    taken_up: int = 0
    copies: int = 0
    skipped: Counter[str] = dataclasses.field(default_factory=Counter)
    rejected: int = 0
    newly_rejected: int = 0
    ignored_by: Counter[str] = dataclasses.field(default_factory=Counter)
    misnamed: int = 0
    misnamed_such_as: list[str] = dataclasses.field(default_factory=list)
    other_background: int = 0
    missing: int = 0
    lost: int = 0
    changed: int = 0
    backgrounds: Counter[str] = dataclasses.field(default_factory=Counter)
    bad_backgrounds: dict[str, str] = dataclasses.field(default_factory=dict)
    enlarged: int = 0
    unmatched: list[str] = dataclasses.field(default_factory=list)

    @property
    def ignored(self) -> int:
        """How many files are ignored."""
        return sum(self.ignored_by.values())

    def ignore(self, path: str, reason: str) -> None:
        """Take in a file that is no photo."""
        self.ignored_by[reason] += 1
        is_older_picture = reason is OLDER and ending_of(without_leftover(path)) in PICTURE_NAMES
        if reason is MISNAMED or is_older_picture:
            self.misnamed += 1
            if len(self.misnamed_such_as) < _SUCH_AS:
                self.misnamed_such_as.append(path)

    @property
    def gone(self) -> list[str]:
        """Sentences on results that are no longer on disk."""
        told = []
        if number := self.missing - self.lost:
            away = "; is the output folder's disk mounted?" if number == self.skipped[DONE_BEFORE] else ""
            told.append(
                f"{are(number, 'result')} no longer on disk: `batchbg rescue` fetches what is missing, free{away}"
            )
        if self.lost:
            what, was = are(self.lost, "result"), "was" if self.lost == 1 else "were"
            told.append(
                f"{what} no longer on disk, and {was} deleted at the service: put back what you have, or pay again with"
                " `--force`"
            )
        return told

    @property
    def left_out(self) -> list[str]:
        """Sentences on pictures that a person may have expected to be sent, and that are not skipped."""
        told = []
        if number := self.ignored_by[ORIGINAL]:
            what = counted(number, "camera raw or Photoshop file", "camera raws or Photoshop files")
            told.append(f"{what} beside a picture of the same name: ignored, that picture is the photo")
        if number := self.ignored_by[CONFLICT]:
            lost = counted(number, "version that lost a sync's conflict", "versions that lost a sync's conflict")
            told.append(f"{lost}: ignored, the file with the plain name beside it is the photo")
        if self.misnamed:
            some = ", ".join(self.misnamed_such_as) + (", ..." if self.misnamed > _SUCH_AS else "")
            holds = (
                "holds a picture under a name that is" if self.misnamed == 1 else "hold pictures under names that are"
            )
            told.append(
                f"{counted(self.misnamed, 'file')} {holds} not a picture's: {some}: ignored;"
                " rename what is to be sent, or name it in --files-from"
            )
        return told

    @property
    def of_same_name(self) -> list[str]:
        """Sentences on photos that are skipped because they are another's picture."""
        return [
            f"{self.skipped[why]} skipped: {why}" for why in (*PREFERRED.values(), PAID_BEFORE) if self.skipped[why]
        ]

    def count(self, line: Line) -> None:
        """Take in what was decided for one photo."""
        match line.action:
            case "new":
                self.new += 1
                self.changed += line.changed
                self.backgrounds[line.background] += 1
                self.enlarged += line.enlarged > 1
            case "go on":
                self.taken_up += 1
            case "copy":
                self.copies += 1
            case "skip":
                self.skipped[line.detail] += 1
                self.other_background += line.other_background
                self.missing += line.missing


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """Whom a plan is made for.

    Attributes:
        opened: told how many files were opened, each time that some more were.
        is_abandoned: whether the plan is no longer wanted.
        wants_all: photos that are done and unchanged have their lines, too.
        takes: whether a file may be taken now, by its path and stamp; None where all may.
    """

    opened: Callable[[int], object] = int
    is_abandoned: Callable[[], bool] = bool
    wants_all: bool = False
    takes: Callable[[str, Stamp], bool] | None = None

    def stop_if_abandoned(self) -> None:
        """End the plan if it is no longer wanted.

        Raises:
            PlanAbandoned: the plan is no longer wanted.
        """
        if self.is_abandoned():
            raise PlanAbandoned("the scan was abandoned before its end")


_SUCH_AS: Final = 3


def some_of(texts: Sequence[str], most: int = 5) -> list[str]:
    """Return the first of many sentences, and how many more there are."""
    more = len(texts) - most
    return [*texts[:most], *([f"... and {more} more"] if more > 0 else [])]
