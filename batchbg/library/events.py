"""What happens in a run, as values: one for each thing that becomes of a photo.

Photos are named by their paths below the photo folder, jobs by their ids.
"""

import dataclasses
from pathlib import Path
from typing import TypeAlias


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """A photo has a job that will be created, as far as the caps let it; nothing is sent yet.

    Attributes:
        photo: its path.
        background: path below the background folder; None for a transparent result.
        result: path below the output folder.
    """

    photo: str
    background: str | None
    result: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A photo cannot be sent; nothing is paid for it.

    Attributes:
        photo: its path.
        reason: what to do about it.
        is_news: whether no earlier run has told of it.
    """

    photo: str
    reason: str
    is_news: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Submitted:
    """A job was created at the service, and its project's id is in the ledger: from here on it is paid for.

    Attributes:
        photo: its path.
        job_id: of the job.
        project_id: the service's id.
        credits: as they count now; the final record may name another price.
    """

    photo: str
    job_id: str
    project_id: str
    credits: int


@dataclasses.dataclass(frozen=True, slots=True)
class Saved:
    """A result is whole on disk, and its job is done.

    Attributes:
        photo: its path.
        job_id: of the job.
        path: the file.
        remark: what is odd about it, "" where nothing is.
    """

    photo: str
    job_id: str
    path: Path
    remark: str


@dataclasses.dataclass(frozen=True, slots=True)
class Copied:
    """A photo of the same content as another has a copy of its result, for nothing.

    Attributes:
        photo: its path.
        job_id: of the job that made the result.
        path: the file.
    """

    photo: str
    job_id: str
    path: Path


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """A job has come to nothing.

    Attributes:
        photo: its path.
        job_id: of the job.
        reason: the service's, or ours.
        is_canceled: whether somebody canceled it at the service.
        credits: charged and, so far, not given back.
    """

    photo: str
    job_id: str
    reason: str
    is_canceled: bool
    credits: int


@dataclasses.dataclass(frozen=True, slots=True)
class Unresolved:
    """The answer to a create was lost: its credits count as spent, and only a person's word moves the job on.

    Attributes:
        photo: its path.
        job_id: of the job.
        name: of the project, under which a person would find it in the service's web library.
    """

    photo: str
    job_id: str
    name: str


Event: TypeAlias = Planned | Rejected | Submitted | Saved | Copied | Failed | Unresolved
"""Whatever may happen; a ``match`` over it can be checked to be complete."""
