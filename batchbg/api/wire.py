"""Reading the API's answers: leniently, for a field that is missing must not cost a result."""

import dataclasses
import enum
from typing import Any, Final

from batchbg.core.create_outcome import whole_number
from batchbg.core.price import Price, read_price


class ProjectStatus(enum.Enum):
    """What a project's status means for who waits for it."""

    WAITING = enum.auto()  # queued, rendering, draft, anything unknown: not yet
    COMPLETE = enum.auto()
    ERROR = enum.auto()
    CANCELED = enum.auto()


_STATUSES: Final = {
    "complete": ProjectStatus.COMPLETE,
    "error": ProjectStatus.ERROR,
    "canceled": ProjectStatus.CANCELED,
}
KNOWN_WAITING: Final = frozenset({"queued", "rendering", "draft"})
"""Source: the spec of GET image-projects; any other word is waited for as well, with a warning."""


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """An image project as GET /v1/image-projects/{id} shows it.

    Attributes:
        status_word: as the service says it.
        status: what it means.
        name: as the service has it, or "".
        price: credits, refunds included.
        downloads: signed addresses of the result. Credentials: never stored or logged.
        error: what went wrong, or "".
        error_code: the service's word for it, or "".
        enabled: False once it is deleted.
    """

    status_word: str
    status: ProjectStatus
    name: str
    price: Price
    downloads: tuple[str, ...]
    error: str
    error_code: str
    enabled: bool


def project(body: Any, project_id: str) -> Project | None:
    """Read the record of a project; None where the body is none, or another project's."""
    if not isinstance(body, dict) or not isinstance(body.get("status"), str):
        return None
    if body.get("id") is not None and str(body["id"]) != project_id:
        return None
    status_word = body["status"][:80]
    status = _STATUSES.get(status_word, ProjectStatus.WAITING)
    listed = body.get("downloads")
    addresses = [one.get("url") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    name = body.get("name")
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    price = read_price(body.get("credits_charged"))
    if status in (ProjectStatus.ERROR, ProjectStatus.CANCELED):
        price = _less(price, body.get("credits_refunded"))
    return Project(
        status_word=status_word,
        status=status,
        name=name[:500] if isinstance(name, str) else "",
        price=price,
        downloads=tuple(one for one in addresses if isinstance(one, str) and one),
        error=_project_error(error),
        error_code=code[:80] if isinstance(code, str) else "",
        enabled=body.get("enabled") is not False,
    )


def _less(price: Price, refunded: Any) -> Price:
    """Return a price without what the record says was given back.

    Source: an official example reads ``credits_refunded``; the spec has ``credits_charged`` rewritten instead.
    """
    back = whole_number(refunded)
    if price.credits is None or price.odd or not back:
        return price
    return Price(max(price.credits - back, 0))


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

    @property
    def caveat(self) -> str:
        """What its plan may do to results, or ""."""
        return _FREE if self.tier == "free" else ""


_FREE: Final = "a free account: results may carry a watermark, and be smaller than their photos"
"""Source: docs, subscription-pricing; of sizes they say it for other tools, and leave this one open."""


def account(body: Any) -> Account | None:
    """Read an account; None where the body is none."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), str) or not body["id"]:
        return None
    tier = body.get("tier")
    return Account(body["id"][:200], whole_number(body.get("credits")), tier if isinstance(tier, str) else "")
