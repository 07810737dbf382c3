"""The words batchbg thinks in: sizes, photos, treatments, jobs."""

import dataclasses
import enum
import os
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from batchbg.core.lifecycle import JobState
from batchbg.core.review import ReviewVerdict

PRICE_CREDITS: Final = 5
"""Credits an image. Source: the spec of POST /v1/image-background-remover; ``credits_charged`` in an answer wins."""

MAX_UPLOAD_BYTES: Final = 200_000_000
"""Bytes of a file that an account of the free plan may upload. Source: docs, inputs and outputs; others may more."""

NO_BACKGROUND: Final = ""
"""Stands in a job's key for a transparent result; a column that may be NULL would not be unique."""


class Size(NamedTuple):
    """Width and height in pixels, after EXIF orientation."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Treatment(enum.StrEnum):
    """How a background goes up."""

    NONE = "none"  # no background: a transparent result
    AS_IS = "as-is"  # the background's own picture
    FIT = "fit"  # made at the photo's exact size: a cover crop of the background, or a paint


class Stamp(NamedTuple):
    """What tells that a file is still the one that was probed, without reading it.

    Attributes:
        size: bytes.
        mtime_ns: modification time, nanoseconds.
        inode: number of the file on its disk. Disks in the network, and removable ones, may number anew at each mount.
        ctime_ns: time of the last change of its content, name or rights, nanoseconds, which no program can set back;
            0 where it is not known.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int = 0

    def is_still(self, known: Sequence[int]) -> bool:
        """Return whether a file is as it was when it had the stamp ``known``; its number tells where its ctime does not.

        A file that takes another's place has a ctime of its own, but no number that could be relied on.
        """
        has_ctimes = self[3] and known[3]
        return self[:2] == known[:2] and (self[3] == known[3] if has_ctimes else self[2] == known[2])


@dataclasses.dataclass(frozen=True, slots=True)
class PhotoInfo:
    """What probing a file found.

    Attributes:
        stamp: the file as it was when it was read.
        sha256: hex digest of the bytes.
        pixels: size after EXIF orientation; None where the file was rejected.
        extension: how the API calls the format ("jpg", "png", ...), or "" where it does not take it as it is.
        normalise: why a normalised copy has to go up instead ("EXIF orientation 6"), or "" where the own bytes do.
        rejected: why the file cannot be sent, or "".
        picture: hex digest of what the picture looks like, whatever else the file says; "" where that is not known.
        key: content (sha256) under which the ledger keeps jobs for it; "" before the ledger has seen it.
    """

    stamp: Stamp
    sha256: str
    pixels: Size | None
    extension: str
    normalise: str
    rejected: str
    picture: str = ""
    key: str = ""

    @property
    def contents(self) -> tuple[str, ...]:
        """Contents (sha256) under which jobs for this picture may be found, that of new ones first."""
        return tuple(dict.fromkeys((self.key or self.sha256, self.sha256)))


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One paid render of one photo on one background, as the ledger has it.

    ``remote_deleted_at`` tells when its project was deleted at the service: since then its result is on disk alone.
    ``redo_of`` is the job whose result it replaces by a person's word, None of any other job.
    ``verdict`` is what a person said of its result, None where nobody has; ``verdict_reason`` why, or "".
    """

    id: str
    version: int
    state: JobState
    account: str
    photo_sha256: str
    photo_folder: str
    photo_path: str
    background_sha256: str
    background_folder: str
    background_path: str
    treatment: Treatment
    width: int
    height: int
    output_folder: str
    output_path: str
    output_id: int
    attempt: int
    project_id: str | None
    credits: int
    charged: int
    rendered: bool
    submitted_at: float | None
    ended_at: float | None
    error: str
    error_code: str
    remark: str
    replace: bool
    created_at: float
    budget_run_id: str
    budget_day: str
    budget_month: str
    remote_deleted_at: float | None = None
    redo_of: str | None = None
    verdict: ReviewVerdict | None = None
    verdict_reason: str = ""

    @property
    def pixels(self) -> Size:
        """The photo's size, which is the size its result should have."""
        return Size(self.width, self.height)

    @property
    def is_painted(self) -> bool:
        """Whether its background is a paint, written in ``background_path``, and no file."""
        return self.treatment is Treatment.FIT and not self.background_folder

    @property
    def name(self) -> str:
        """The image project's name, under which a person finds it in the web library."""
        return project_name(self.id, self.attempt, self.photo_path.rpartition("/")[2])

    def owns(self, name: str) -> bool:
        """Return whether a project of this name is that of the job's present attempt."""
        return name.split()[:2] == project_name(self.id, self.attempt).split()


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """One output path: the photo that owns it and the result it holds.

    ``wanted_job`` is whose result belongs there, ``saved_job`` whose is there; both None where nothing is.
    """

    id: int
    folder_id: int
    path: str
    photo_folder_id: int
    photo_path: str
    wanted_job: str | None
    saved_job: str | None
    saved_photo_sha256: str | None
    saved_sha256: str | None
    saved_bytes: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class KnownJob:
    """As much of a job as planning needs."""

    id: str
    version: int
    state: JobState
    photo_sha256: str
    background_sha256: str
    generation: int
    output_id: int
    order_id: str | None
    run_id: str
    output_folder_id: int
    photo_folder_id: int
    photo_path: str
    error: str
    error_code: str
    is_remote_deleted: bool = False
    redo_of: str | None = None


MOST_NAME: Final = 100
"""Characters of a photo's name in its project's; no limit is documented."""


def project_name(job_id: str, attempt: int, photo: str = "") -> str:
    """Return the name sent with a create; its first two words are unique to one attempt at one job.

    Args:
        job_id: of the job.
        attempt: its number.
        photo: the photo's file name, for people who look at the service's web library.
    """
    shown = "".join(one for one in photo if one.isprintable())[:MOST_NAME]
    return f"batchbg {job_id}-{attempt} {shown}".rstrip()


def job_named(name: str) -> tuple[str, int] | None:
    """Return the job and the attempt in a project's name, as ``project_name`` puts them; None where it is another's."""
    match name.split(maxsplit=2):
        case ["batchbg", word, *_] if found := re.fullmatch(r"(.+)-([1-9][0-9]{0,8})", word):
            return found[1], int(found[2])
    return None


def new_id() -> str:
    """Return a random identifier of 12 characters that is safe in file names and needs no quoting."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1: people type these from a screen
    return "".join(alphabet[byte % 32] for byte in os.urandom(12))
