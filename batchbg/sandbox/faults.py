"""Faults on demand: which call of which operation goes wrong, and how."""

import contextlib
import dataclasses
import itertools
import json
import random
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from batchbg.errors import ConfigError
from batchbg.sandbox.deliveries import Deaf, Expired, Hang, HangUp, Html, Raw, Reset, Slow, Status, Truncated
from batchbg.sandbox.effects import (
    BrokenJson,
    Corrupt,
    Delay,
    Effect,
    JobCanceled,
    JobFails,
    Jpeg,
    Missing,
    Price,
    ProjectId,
    RenderTime,
    Replace,
    Resized,
    TruncatedJson,
)
from batchbg.sandbox.event_effects import Doubled, Dropped, Foreign, Forged, Late, Nameless, OldForm, Stale
from batchbg.sandbox.records import Operation

KINDS: Final[dict[str, type[Effect]]] = {
    effect.kind: effect
    for effect in (
        *(Status, Html, Raw, HangUp, Deaf, Reset, Hang, Expired, Truncated, Slow),
        *(Delay, BrokenJson, TruncatedJson, Missing, Replace, Corrupt, Resized, Jpeg),
        *(Price, ProjectId, JobFails, JobCanceled, RenderTime),
        *(Dropped, Doubled, Late, Stale, Forged, Nameless, OldForm, Foreign),
    )
}

Nth = int | str | range | Iterable[int | str]
"""Which calls: 3, [1, 4], range(2, 5), "2-5", "3-" (from the third on)."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with some calls of one operation.

    Attributes:
        operation: whose calls.
        effect: what happens to them.
        nth: which calls, the first after planting being 1; empty is every one.
        times: at most so often; None is no limit.
        probability: of each call that the above lets through, 0 to 1.
    """

    operation: Operation
    effect: Effect
    nth: tuple[range, ...] = ()
    times: int | None = None
    probability: float = 1.0

    @classmethod
    def make(
        cls,
        /,
        operation: str,
        kind: str,
        *,
        nth: Nth | None = None,
        times: int | None = None,
        probability: float = 1.0,
        **parameters: Any,
    ) -> "Fault":
        """Return the fault of this ``kind``; ``parameters`` are the fields of its effect.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        if operation not in list(Operation):
            raise ConfigError(f"no such operation: {operation}; there are {', '.join(Operation)}")
        if kind not in KINDS:
            raise ConfigError(f"no such fault: {kind}; there are {', '.join(KINDS)}")
        known = {each.name for each in dataclasses.fields(KINDS[kind])}
        for name in parameters:
            if name not in known:
                raise ConfigError(f"{kind} knows no {name}; it knows {', '.join(sorted(known)) or 'nothing'}")
        if Operation(operation) not in KINDS[kind].operations:
            raise ConfigError(f"{kind} cannot happen to {operation}")
        if not isinstance(probability, (int, float)) or not 0 <= probability <= 1:
            raise ConfigError(f"probability must be 0 to 1, not {probability!r}")
        if times is not None and (type(times) is not int or times < 0):
            raise ConfigError(f"times must be a whole number, not {times!r}")
        return cls(Operation(operation), KINDS[kind](**parameters), _ranges(nth), times, probability)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Fault":
        """Return the fault that an object like ``{"operation": "create", "kind": "reset", "nth": 2}`` describes."""
        if not isinstance(content.get("operation"), str) or not isinstance(content.get("kind"), str):
            raise ConfigError("a fault needs an operation and a kind")
        return cls.make(**content)

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Return the fault that ``OPERATION:KIND[:NAME=VALUE[,NAME=VALUE…]]`` describes, for the command line.

        Values are JSON where they can be read as such, and may then hold commas:
        ``create:status:status=429,retry_after=2,nth=[1,4]``.
        """
        operation, _, rest = text.partition(":")
        kind, _, settings = rest.partition(":")
        content: dict[str, Any] = {"operation": operation, "kind": kind}
        while settings := settings.lstrip(","):
            name, equals, settings = settings.partition("=")
            if not equals or "," in name:
                raise ConfigError(f"{text!r}: {name.partition(',')[0]!r} should be NAME=VALUE")
            content[name.strip()], settings = _value(settings)
        return cls.from_json(content)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            "operation": self.operation.value,
            "kind": self.effect.kind,
            "nth": [_text(calls) for calls in self.nth] or None,
            "times": self.times,
            "probability": self.probability,
            **dataclasses.asdict(self.effect),
        }


def _value(text: str) -> tuple[Any, str]:
    """Return the value at the beginning of ``text``, which ends at a comma, and what follows it."""
    with contextlib.suppress(ValueError):
        value, end = json.JSONDecoder().raw_decode(text)
        if text[end : end + 1] in ("", ","):
            return value, text[end:]
    value, _, rest = text.partition(",")
    return value, rest


def _ranges(nth: object) -> tuple[range, ...]:
    """Return ``nth`` as ranges of call numbers."""
    if nth is None:
        return ()
    if isinstance(nth, range):
        return (nth,)
    if type(nth) is int and nth >= 1:
        return (range(nth, nth + 1),)
    if isinstance(nth, str):
        first, dash, last = nth.partition("-")
        if first.isdecimal() and (last.isdecimal() or not last):
            return (range(int(first), int(last) + 1 if last else sys.maxsize if dash else int(first) + 1),)
    elif isinstance(nth, Iterable):
        return tuple(itertools.chain.from_iterable(_ranges(each) for each in nth))
    raise ConfigError(f"nth must be like 3, [1, 4], '2-5' or '3-', not {nth!r}")


def _text(calls: range) -> str:
    return f"{calls.start}-" if calls.stop == sys.maxsize else f"{calls.start}-{calls.stop - 1}"


@dataclass
class Planted:
    """A fault in place, and what became of it."""

    id: int
    fault: Fault
    calls: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def strikes(self, draw: float) -> bool:
        """Count one call and return whether it goes wrong; ``draw`` is a number in [0, 1)."""
        self.calls += 1
        fault = self.fault
        due = not fault.nth or any(self.calls in calls for calls in fault.nth)
        left = fault.times is None or self.fired < fault.times
        hit = due and left and draw < fault.probability
        self.fired += hit
        return hit


class Faults:
    """The faults in place; safe to change from any thread."""

    def __init__(self, seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._ids = itertools.count(1)
        self._planted: list[Planted] = []

    def add(self, operation: str, kind: str, **settings: Any) -> Planted:
        """Plant a fault; ``settings`` are those of `Fault.make` and of its effect."""
        return self.plant(Fault.make(operation, kind, **settings))

    def plant(self, fault: Fault) -> Planted:
        """Put ``fault`` in place and return the record of what it does."""
        with self._lock:
            planted = Planted(next(self._ids), fault)
            self._planted.append(planted)
            return planted

    def clear(self) -> None:
        """Take every fault away."""
        with self._lock:
            self._planted.clear()

    def strike(self, operation: Operation) -> list[Effect]:
        """Count one call of ``operation`` and return what goes wrong with it, in the order of planting."""
        if not self._planted:
            return []
        with self._lock:
            concerned = [planted for planted in self._planted if planted.fault.operation is operation]
            return [planted.fault.effect for planted in concerned if planted.strikes(self._random.random())]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults in place for the control endpoint."""
        with self._lock:
            return [
                {"id": planted.id, "calls": planted.calls, "fired": planted.fired, **planted.fault.as_json()}
                for planted in self._planted
            ]
