"""What webhook events have told of ends, and whether they can be waited for."""

import asyncio
import collections
import logging
import time
from collections.abc import Callable
from typing import Final

from batchbg.core.event_flow import EventFlow
from batchbg.core.model import Job

log = logging.getLogger(__name__)

TOLD_LATE_S: Final = 3.0
"""Seconds for which an event may still tell of an end that was found by asking."""

MOST_TOLD: Final = 10_000
"""Ends that are remembered although nobody follows those projects (yet): an event may come before a create's answer."""


class EventNews:
    """Remembers the projects of whose end an event told, and learns how far events tell of ends.

    Attributes:
        flow: how far they do.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` when events begin to come, or come no longer."""
        self.flow = EventFlow()
        self._on_change = on_change
        self._did_come = self._was_said = False
        self._received_since = 0.0
        self._told: collections.OrderedDict[str, None] = collections.OrderedDict()

    def receives(self, received: bool) -> None:
        """Note whether somebody receives events now."""
        if received and not self.flow.received:
            self._received_since = time.time()
        self.flow.received = received
        self._heed()

    def told(self, project_id: str) -> bool:
        """Note that an event told of a project's end; return whether that is new."""
        is_new = project_id not in self._told
        self._told[project_id] = None
        if len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)
        return is_new

    def is_told(self, project_id: str) -> bool:
        """Return whether an event has told of a project's end."""
        return project_id in self._told

    def useful(self) -> None:
        """Count an end that an event told of before it was found."""
        self.flow.told()
        self._heed()

    def found(self, job: Job) -> None:
        """Count an end that was found by asking, unless an event tells of it in the next moments.

        Of a create from before there was a receiver no event can be expected.
        """
        if self.flow.received and (job.submitted_at or 0.0) >= self._received_since:
            asyncio.get_running_loop().call_later(TOLD_LATE_S, self._judge, job.project_id)

    def _judge(self, project_id: str | None) -> None:
        self.flow.told() if project_id in self._told else self.flow.missed()
        self._heed()

    def _heed(self) -> None:
        if self.flow.comes is self._did_come:
            return
        self._did_come = self.flow.comes
        if self._did_come:
            log.info("webhook events are received: renders are asked about when one tells of their end")
        else:
            level = logging.INFO if self._was_said else logging.WARNING
            log.log(level, "no webhook events come: asking how renders stand, as without them")
            self._was_said = True
        self._on_change()
