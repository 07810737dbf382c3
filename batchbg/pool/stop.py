"""Why and how far a run stops."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final, TypeVar

from batchbg.errors import ExitCode

T = TypeVar("T")

log = logging.getLogger(__name__)

ORDER: Final = (
    ExitCode.INTERNAL,
    ExitCode.INTERRUPT,
    ExitCode.TERMINATED,
    ExitCode.HANGUP,
    ExitCode.ACCOUNT,
    ExitCode.TEMPORARY,
    ExitCode.CAP,
    ExitCode.TIME,
    ExitCode.INCOMPLETE,
)
"""Where several reasons hold, the first of these is the exit code."""


class Stop:
    """Collects reasons. The first that stops creates stops them for good.

    Attributes:
        reasons: a sentence for each exit code that applies, the first that was given.
        collecting: whether this run creates nothing by its nature: it only fetches what is paid for.
    """

    def __init__(self) -> None:
        self.reasons: dict[ExitCode, str] = {}
        self.collecting = False
        self._creates = asyncio.Event()
        self._leaving = asyncio.Event()

    def collect_only(self) -> None:
        """Let no create leave, for no reason that would count towards the exit code."""
        self.collecting = True
        self._creates.set()

    def note(self, code: ExitCode, why: str) -> None:
        """Count a reason towards the exit code and go on."""
        if code not in self.reasons:
            self.reasons[code] = why
            log.info("%s", why)

    def creates(self, code: ExitCode, why: str) -> None:
        """Let no further create leave; what is under way is collected."""
        self.note(code, why)
        self._creates.set()

    def leave(self, code: ExitCode, why: str) -> None:
        """Wait for no render any more either: somebody wants the process to end."""
        self.creates(code, why)
        self._leaving.set()

    @property
    def no_creates(self) -> bool:
        """Whether no further create may leave."""
        return self._creates.is_set()

    @property
    def leaving(self) -> bool:
        """Whether nothing is waited for that takes longer than the grace time."""
        return self._leaving.is_set()

    @property
    def exit_code(self) -> ExitCode:
        """The first of all reasons, or OK."""
        return next((code for code in ORDER if code in self.reasons), ExitCode.OK)

    async def before_creates_stop(self, awaitable: Awaitable[T]) -> T | None:
        """Return what is awaited, or None where creates stop first."""
        return await _unless(self._creates, awaitable)

    async def before_leaving(self, awaitable: Awaitable[T]) -> T | None:
        """Return what is awaited, or None where the run is left first."""
        return await _unless(self._leaving, awaitable)


async def _unless(event: asyncio.Event, awaitable: Awaitable[T]) -> T | None:
    if event.is_set():
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        return None
    task = asyncio.ensure_future(awaitable)
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        waiter.cancel()
        task.cancel()
