"""What can go wrong with webhook events, one class a kind."""

import abc
import random
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from batchbg.sandbox.effects import Effect
from batchbg.sandbox.records import Operation


@dataclass(frozen=True, slots=True)
class Sending:
    """An event on its way.

    Attributes:
        type: in the service's words.
        payload: the project, as the API shows it.
        at_s: when it is sent, by the sandbox's clock.
        key: under which the payload stands.
        signed_ago_s: seconds by which its signature is older than that.
        is_forged: whether it is signed with another secret.
    """

    type: str
    payload: dict[str, Any]
    at_s: float
    key: Literal["payload", "object"] = "payload"
    signed_ago_s: float = 0.0
    is_forged: bool = False


@dataclass(frozen=True, kw_only=True)
class EventEffect(Effect, abc.ABC):
    """An effect on an event."""

    operations: ClassVar[frozenset[Operation]] = frozenset({Operation.WEBHOOK})

    @abc.abstractmethod
    def on_event(self, sending: Sending) -> list[Sending]:
        """Return what is sent in the place of an event."""


@dataclass(frozen=True, kw_only=True)
class Dropped(EventEffect):
    """Never send it."""

    kind: ClassVar[str] = "dropped"

    def on_event(self, sending: Sending) -> list[Sending]:
        """Send nothing."""
        return []


@dataclass(frozen=True, kw_only=True)
class Doubled(EventEffect):
    """Send it more than once.

    Attributes:
        copies: in all.
        seconds: between one and the next.
    """

    kind: ClassVar[str] = "doubled"
    copies: int = 2
    seconds: float = 0.0

    def on_event(self, sending: Sending) -> list[Sending]:
        """Send all of them."""
        return [replace(sending, at_s=sending.at_s + number * self.seconds) for number in range(self.copies)]


@dataclass(frozen=True, kw_only=True)
class Late(EventEffect):
    """Send it late, so that another may come first.

    Attributes:
        seconds: at most, each time another number of them.
    """

    kind: ClassVar[str] = "late"
    seconds: float = 5.0

    def on_event(self, sending: Sending) -> list[Sending]:
        """Send it later."""
        return [replace(sending, at_s=sending.at_s + random.uniform(0.0, self.seconds))]


@dataclass(frozen=True, kw_only=True)
class Stale(EventEffect):
    """Send it with an old signature, as a retry after so many seconds may have."""

    kind: ClassVar[str] = "stale"
    seconds: float = 3600.0

    def on_event(self, sending: Sending) -> list[Sending]:
        """Sign it earlier."""
        return [replace(sending, signed_ago_s=self.seconds)]


@dataclass(frozen=True, kw_only=True)
class Forged(EventEffect):
    """Sign it with another secret."""

    kind: ClassVar[str] = "forged"

    def on_event(self, sending: Sending) -> list[Sending]:
        """Sign it wrongly."""
        return [replace(sending, is_forged=True)]


@dataclass(frozen=True, kw_only=True)
class Nameless(EventEffect):
    """Leave the project's name out, as samples in the service's guides do."""

    kind: ClassVar[str] = "nameless"

    def on_event(self, sending: Sending) -> list[Sending]:
        """Leave it out."""
        return [replace(sending, payload={key: sending.payload[key] for key in sending.payload if key != "name"})]


@dataclass(frozen=True, kw_only=True)
class OldForm(EventEffect):
    """Call the payload ``object``, as old samples do."""

    kind: ClassVar[str] = "object"

    def on_event(self, sending: Sending) -> list[Sending]:
        """Call it so."""
        return [replace(sending, key="object")]


@dataclass(frozen=True, kw_only=True)
class Foreign(EventEffect):
    """Send one of another program's project as well, of the same account.

    Attributes:
        name: of that project.
    """

    kind: ClassVar[str] = "foreign"
    name: str = "Background Remover - 2026-11-27 05:10:19"

    def on_event(self, sending: Sending) -> list[Sending]:
        """Send both."""
        other = {"id": f"c{random.getrandbits(96):024x}", "name": self.name}
        return [replace(sending, payload=sending.payload | other), sending]
