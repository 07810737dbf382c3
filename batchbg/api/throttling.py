"""What a 429 or a 503 does: every request waits, not only the one that was refused.

What the refused request itself becomes is decided elsewhere: a create in ``core.create_outcome``, anything else in
``connection``. How many jobs may be in flight after it, ``pool.concurrency`` decides.
"""

import datetime
import logging

from batchbg.api.limiter import RateLimiter
from batchbg.core.backoff import pause_s
from batchbg.core.create_outcome import Answer, retry_after_s

log = logging.getLogger(__name__)

BUSY = (429, 503)
"""HTTP statuses with which the service says that it is too much."""


class Throttling:
    """Pauses all requests to the host when the service is busy, for longer each time in a row."""

    def __init__(self, limiter: RateLimiter) -> None:
        """Pause ``limiter``, which every request waits for."""
        self._limiter = limiter
        self._refused_in_a_row = 0

    def notice(self, reply: Answer, now: datetime.datetime) -> None:
        """Take note of an answer, and pause if it says that the service is busy.

        Args:
            reply: to any request.
            now: the present time with its zone, for a Retry-After that is a date.
        """
        if reply.status not in BUSY:
            self._refused_in_a_row = 0
            return
        wanted = retry_after_s(reply.headers, now)
        if self._limiter.paused_s:  # one of several that were under way together: they count once
            self._limiter.pause(wanted or 0.0)
            return
        self._refused_in_a_row += 1
        seconds = pause_s(self._refused_in_a_row, wanted)
        log.info("the API answers %d: everything pauses for %.1f s", reply.status, seconds)
        self._limiter.pause(seconds)
