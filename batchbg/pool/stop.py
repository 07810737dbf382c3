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
        self._creates = _Cut()
        self._leaving = _Cut()

    def collect_only(self) -> None:
        """Let no create leave, for no reason that would count towards the exit code."""
        self.collecting = True
        self._creates.make()

    def note(self, code: ExitCode, why: str) -> None:
        """Count a reason towards the exit code and go on."""
        if code not in self.reasons:
            self.reasons[code] = why
            log.info("%s", why)

    def creates(self, code: ExitCode, why: str) -> None:
        """Let no further create leave; what is under way is collected."""
        self.note(code, why)
        self._creates.make()

    def leave(self, code: ExitCode, why: str) -> None:
        """Wait for no render any more either: somebody wants the process to end."""
        self.creates(code, why)
        self._leaving.make()

    @property
    def no_creates(self) -> bool:
        """Whether no further create may leave."""
        return self._creates.made

    @property
    def leaving(self) -> bool:
        """Whether nothing is waited for that takes longer than the grace time."""
        return self._leaving.made

    @property
    def exit_code(self) -> ExitCode:
        """The first of all reasons, or OK."""
        return next((code for code in ORDER if code in self.reasons), ExitCode.OK)

    async def before_creates_stop(self, awaitable: Awaitable[T]) -> T | None:
        """Return what is awaited, or None where creates stop first."""
        return await self._creates.before(awaitable)

    async def before_leaving(self, awaitable: Awaitable[T]) -> T | None:
        """Return what is awaited, or None where the run is left first."""
        return await self._leaving.before(awaitable)


class _Cut:
    """Something that happens once, and ends every wait for something else.

    A deadline that is moved up to now ends a wait without a task of its own, of which every job would need several.
    """

    def __init__(self) -> None:
        self.made = False
        self._waits: set[asyncio.Timeout] = set()

    def make(self) -> None:
        """Let it happen."""
        self.made = True
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())
        self._waits.clear()

    async def before(self, awaitable: Awaitable[T]) -> T | None:
        """Return what is awaited, or None where this happens first."""
        if self.made:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            return None
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                return await awaitable
        except TimeoutError:
            if not wait.expired():
                raise  # the awaitable's own
            return None
        finally:
            self._waits.discard(wait)
