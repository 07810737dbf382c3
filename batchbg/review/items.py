"""One thing to review: a result, or a job that has none yet."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from batchbg.core.lifecycle import FINAL, JobState
from batchbg.core.model import Treatment
from batchbg.core.paint import Paint, paint_or_none
from batchbg.core.pairing import Misfit
from batchbg.ledger.review_rows import FIELDS

_AT: Final = {name: place for place, name in enumerate(FIELDS)}


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A job as it stands in the ledger, with where its files are.

    Attributes:
        id: of the job.
        output_id: of the output that it is for.
        folder, file: of the photo, below its root.
        verdict, reason: "" where nobody has decided.
        has_result: whether its result was saved; it may be gone from disk since.
        fits: what becomes of the background, for people; "" for a transparent result and a paint.
        photo: None where the photo is no longer the one that was rendered.
    """

    id: str
    output_id: int
    state: JobState
    folder: str
    file: str
    background_path: str
    treatment: Treatment
    width: int
    height: int
    misfit: Misfit
    credits: int
    error: str
    remark: str
    updated_at: float
    output_path: str
    saved_sha256: str
    saved_bytes: int
    has_result: bool
    verdict: str
    reason: str
    result: Path
    photo: Path | None
    background: Path | Paint | None

    @property
    def name(self) -> str:
        """The photo's path below its root."""
        return f"{self.folder}/{self.file}" if self.folder else self.file

    @property
    def fits(self) -> str:
        """What becomes of the background, for people; "" for a transparent result."""
        if self.treatment is Treatment.NONE or isinstance(self.background, Paint):
            return ""
        return self.misfit.in_words(cropped=self.treatment is Treatment.FIT)

    @property
    def group(self) -> str:
        """Where it stands: "undecided", "accepted", "rejected", "failed" or "waiting"."""
        if self.has_result:
            return self.verdict or "undecided"
        return "failed" if self.state in FINAL else "waiting"


def item_of(row: Sequence[Any], roots: Mapping[str, Path]) -> Item:
    """Return the item of a row of ``ledger.review_rows``; ``roots`` are the folders by their names in the ledger."""

    def value(name: str) -> Any:
        return row[_AT[name]]

    has_result = value("state") == JobState.DONE and value("saved_job_id") == value("id")
    folder, _, file = value("photo_path").rpartition("/")
    is_same = value("known_sha256") is None or value("photo_sha256") in (value("known_sha256"), value("known_key"))
    background = value("background_folder")
    paint = _paint(value("background_path")) if background is None and value("background_path") else None
    return Item(
        id=value("id"),
        output_id=value("output_id"),
        state=JobState(value("state")),
        folder=folder,
        file=file,
        background_path=value("background_path"),
        treatment=Treatment(value("treatment")),
        width=value("width"),
        height=value("height"),
        misfit=Misfit(value("distortion"), value("blur"), value("excess")),
        credits=value("credits"),
        error=value("error"),
        remark=value("remark"),
        updated_at=value("updated_at"),
        output_path=value("output_path"),
        saved_sha256=value("saved_sha256") or "" if has_result else "",
        saved_bytes=value("saved_bytes") or 0 if has_result else 0,
        has_result=has_result,
        verdict=value("verdict") or "",
        reason=value("reason") or "",
        result=roots[value("output_folder")] / value("output_path"),
        photo=roots[value("photo_folder")] / value("photo_path") if is_same else None,
        background=roots[background] / value("background_path") if background is not None else paint,
    )


FOLDERS: Final = tuple(_AT[name] for name in ("photo_folder", "output_folder", "background_folder"))
"""Places in a row where names of folders are."""


_paint = functools.lru_cache(maxsize=256)(paint_or_none)
"""Very many results have the same paint."""
