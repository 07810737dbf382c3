"""What a create request did, and so whether it may be sent again: created, certainly not created, or unknown.

The API has no idempotency key and no way to list projects, so this is the question on which money depends. A short
list of outcomes is certain not to have created anything; an answer with a readable id has; a quick 502 is checked
against the account's balance; everything else is ambiguous and is never sent again.
"""

import contextlib
import dataclasses
import datetime
import email.utils
import enum
import json
import re
from collections.abc import Mapping
from typing import Final

from batchbg.core.price import Price, read_price

BAD_GATEWAY_QUICK_S: Final = 5.0
"""A 502 whose headers come within this many seconds of the request's last byte is said to have created nothing.

Source: the service's quick start ("if no id came back, no job was created"), which is doubted when the 502 is late.
"""

BAD_GATEWAY_PAUSE_S: Final = 30.0
"""Seconds for which no create leaves after a quick 502. Source: quick start, "retry after 30-60 s"."""

MAX_PAUSE_S: Final = 3600.0
"""A longer Retry-After is cut to this: a server that says "in a year" must not make a run sleep for one."""


class Refusal(enum.Enum):
    """Why a create certainly made nothing, by what it means for the run."""

    UNREACHABLE = enum.auto()  # never left this machine: send again later
    BUSY = enum.auto()  # 429: everything pauses
    ACCOUNT = enum.auto()  # 401 402 403: every job would be refused alike
    REQUEST = enum.auto()  # 400 404 405 413 415 422: this job only


@dataclasses.dataclass(frozen=True, slots=True)
class Created:
    """The project exists; ``price`` is what the answer says that it takes."""

    project_id: str
    price: Price


@dataclasses.dataclass(frozen=True, slots=True)
class NotCreated:
    """Certainly nothing was made or charged; ``retry_after_s`` is what the server asked for, or None."""

    refusal: Refusal
    reason: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may exist and may have been charged."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Guarded:
    """A gateway says that nothing was made; whether that is so, the account's balance shows after ``pause_s``."""

    reason: str
    pause_s: float


Outcome = Created | NotCreated | Guarded | Ambiguous


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back of a create.

    Attributes:
        status: HTTP status.
        headers: names in lower case.
        body: as much of it as arrived.
        waited_s: seconds from the request's last byte to the headers.
        broken: what cut the body short, or "" where it is whole.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    waited_s: float = 0.0
    broken: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Silence:
    """No answer came back; ``sent`` is False only where the request certainly never left (DNS, connect, TLS, pool)."""

    sent: bool
    reason: str


_REFUSALS: Final = {
    400: Refusal.REQUEST,
    401: Refusal.ACCOUNT,
    402: Refusal.ACCOUNT,
    403: Refusal.ACCOUNT,
    404: Refusal.REQUEST,
    405: Refusal.REQUEST,
    413: Refusal.REQUEST,
    415: Refusal.REQUEST,
    422: Refusal.REQUEST,
    429: Refusal.BUSY,
}


def classify(reply: Answer | Silence, now: datetime.datetime) -> Outcome:
    """Decide what a create did.

    Args:
        reply: what the wire gave.
        now: the present time with its zone, for a Retry-After that is a date.
    """
    if isinstance(reply, Silence):
        if reply.sent:
            return Ambiguous(f"no answer: {reply.reason}")
        return NotCreated(Refusal.UNREACHABLE, reply.reason)
    if reply.status in _REFUSALS:
        return _refused(reply, now)
    members = leading_members(reply.body)
    if project_id := identifier(members.get("id")):
        return Created(project_id, read_price(members.get("credits_charged")))
    if reply.status == 502 and reply.waited_s <= BAD_GATEWAY_QUICK_S and not reply.broken:
        return Guarded("502 from a gateway", max(retry_after_s(reply.headers, now) or 0.0, BAD_GATEWAY_PAUSE_S))
    return Ambiguous(_describe(reply))


def is_account_refusal(status: int, code: str) -> bool:
    """Return whether a refusal concerns the account: 422 with ``insufficient_credits`` was the 402 before 2026-03-05."""
    return status in (401, 402, 403) or (status == 422 and code == "insufficient_credits")


def _refused(reply: Answer, now: datetime.datetime) -> NotCreated:
    code, message = error_text(reply.body)
    refusal = Refusal.ACCOUNT if is_account_refusal(reply.status, code) else _REFUSALS[reply.status]
    reason = " ".join(part for part in (str(reply.status), code, message) if part)
    return NotCreated(refusal, reason, reply.status, retry_after_s(reply.headers, now))


def _describe(reply: Answer) -> str:
    if reply.broken:
        return f"{reply.status}, its body broken off: {reply.broken}"
    return f"{reply.status} without a readable project id"


def retry_after_s(headers: Mapping[str, str], now: datetime.datetime) -> float | None:
    """Return the seconds of a Retry-After header, given in seconds or as an HTTP date; None where there is none."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return min(float(value), MAX_PAUSE_S)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        # The date was computed by the server's own clock; this machine's may be wrong.
        now = _aware(email.utils.parsedate_to_datetime(headers.get("date", "")))
    return min(max((_aware(date) - now).total_seconds(), 0.0), MAX_PAUSE_S)


def _aware(date: datetime.datetime) -> datetime.datetime:
    return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)


def error_text(body: bytes) -> tuple[str, str]:
    """Return (code, message) of an error body; either may be empty, the body may be anything."""
    members = leading_members(body)
    code, message = members.get("code"), members.get("message")
    return (
        code[:80] if isinstance(code, str) else "",
        " ".join(message.split())[:300] if isinstance(message, str) else "",
    )


def whole_number(value: object) -> int | None:
    """Return ``value`` where it is a whole number of at least zero (5, 5.0, "5"), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < 10**9 else None


def identifier(value: object) -> str:
    """Return a project id, or "": a string as it is, a whole number as its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 1000:
        return ""
    return "" if any("\ud800" <= character <= "\udfff" for character in value) else value  # half a character


_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
"""A text or a bracket. Possessive, and to the end where a text is not closed: a body of any form is read in one pass."""
_ID_MEMBER: Final = re.compile(r'"id"\s*+:\s*+("(?:[^"\\]++|\\.)*+")', re.DOTALL)
_SPACE: Final = re.compile(r"\s*")


def leading_members(body: bytes) -> dict[str, object]:
    """Return the members of a JSON object, as far as it can be read.

    A body that is cut off or spoilt in the middle still gives the members before that place, and its own ``id``
    from behind it: an id that was told must not be lost because the rest does not parse.
    Anything but an object gives no members.
    """
    text = body.decode("utf-8-sig", errors="replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return _readable_members(text)
    return parsed if isinstance(parsed, dict) else {}


def _readable_members(text: str) -> dict[str, object]:
    members: dict[str, object] = {}
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if not text.startswith("{", at):
        return members
    with contextlib.suppress(ValueError, RecursionError):
        while True:
            at = _skip(text, at + 1)
            key, at = decoder.raw_decode(text, at)
            at = _skip(text, at)
            if not isinstance(key, str) or not text.startswith(":", at):
                break
            value, at = decoder.raw_decode(text, _skip(text, at + 1))
            at = _skip(text, at)
            # A number that runs up to the cut may have lost digits; a string that is closed is whole.
            if at >= len(text) and not isinstance(value, str):
                break
            members[key] = value
            if not text.startswith(",", at):
                break
    if "id" not in members and (found := _own_id(text)):
        members["id"] = found
    return members


def _own_id(text: str) -> str:
    """Return the object's own ``id`` where it is whole, however damaged the rest; "" where it cannot be found.

    An id inside another member is somebody else's.
    """
    depth = 0
    for token in _TOKEN.finditer(text):
        match token[0][0]:
            case "{" | "[":
                depth += 1
            case "}" | "]":
                depth -= 1
            case _ if depth == 1 and (found := _ID_MEMBER.match(text, token.start())):
                with contextlib.suppress(ValueError):
                    return str(json.loads(found[1], strict=False))
    return ""


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
