"""Reading the API's answers: leniently, for a field that is missing must not cost a result."""

import dataclasses
import enum
from typing import Any, Final

from batchbg.core.outcome import whole_number


class Progress(enum.Enum):
    """What a project's status means for who waits for it."""

    WAITING = enum.auto()  # queued, rendering, draft, anything unknown: not yet
    COMPLETE = enum.auto()
    ERROR = enum.auto()
    CANCELED = enum.auto()


_PROGRESS: Final = {"complete": Progress.COMPLETE, "error": Progress.ERROR, "canceled": Progress.CANCELED}
KNOWN_WAITING: Final = frozenset({"queued", "rendering", "draft"})
"""Source: the spec of GET image-projects; any other word is waited for as well, with a warning."""


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """An image project as GET /v1/image-projects/{id} shows it.

    Attributes:
        status: the service's word.
        progress: what it means.
        name: as the service has it, or "".
        credits_charged: credits, refunds included; None where it does not say.
        downloads: signed addresses of the result. Credentials: never stored or logged.
        error: what went wrong, or "".
        enabled: False once it is deleted.
    """

    status: str
    progress: Progress
    name: str
    credits_charged: int | None
    downloads: tuple[str, ...]
    error: str
    enabled: bool


def project(body: Any) -> Project | None:
    """Read a project; None where the body is none."""
    if not isinstance(body, dict) or not isinstance(body.get("status"), str):
        return None
    status = body["status"][:80]
    listed = body.get("downloads")
    addresses = [one.get("url") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    name = body.get("name")
    return Project(
        status=status,
        progress=_PROGRESS.get(status, Progress.WAITING),
        name=name if isinstance(name, str) else "",
        credits_charged=whole_number(body.get("credits_charged")),
        downloads=tuple(one for one in addresses if isinstance(one, str) and one),
        error=_project_error(body.get("error")),
        enabled=body.get("enabled") is not False,
    )


def _project_error(error: Any) -> str:
    if isinstance(error, dict):
        parts = (error.get("code"), error.get("message"))
        return ": ".join(" ".join(part.split())[:200] for part in parts if isinstance(part, str) and part)
    return error[:200] if isinstance(error, str) else ""


@dataclasses.dataclass(frozen=True, slots=True)
class UploadTarget:
    """Where to put one file: a signed address, and the path under which a create names it."""

    upload_url: str
    file_path: str


def upload_targets(body: Any, count: int) -> list[UploadTarget] | None:
    """Read the answer of upload-urls, matched by position; None where it is not one for ``count`` files."""
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or len(items) != count:
        return None
    targets = []
    for item in items:
        url, path = (item.get("upload_url"), item.get("file_path")) if isinstance(item, dict) else (None, None)
        if not isinstance(url, str) or not isinstance(path, str) or not url or not path:
            return None
        targets.append(UploadTarget(url, path))
    return targets


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """The key's account; ``credits`` can be spent now, None where the service does not say."""

    id: str
    credits: int | None
    tier: str


def account(body: Any) -> Account | None:
    """Read an account; None where the body is none."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), str) or not body["id"]:
        return None
    tier = body.get("tier")
    return Account(body["id"][:200], whole_number(body.get("credits")), tier if isinstance(tier, str) else "")
