"""The loop of a hot folder: look, wait until files are still, take a turn, and wait for more."""

import abc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from batchbg.core.model import Stamp
from batchbg.core.stillness import Stillness, retry_s
from batchbg.disk.open_files import is_open_to_write
from batchbg.disk.patterns import Rules
from batchbg.disk.scan import walk
from batchbg.errors import BatchbgError, ConfigError, ExitCode
from batchbg.settings.values import Settings
from batchbg.watch.wakes import Wakes, told_of_changes

LOCK_S: Final = 2.0
"""Seconds between two tries to have a ledger that another process holds."""

DAY_S: Final = 86400.0
"""Seconds after which there is a turn without any news: refunds, and renders that took long, are asked for."""

SHARE: Final = 10
"""A look may take one part in so many of the time."""

SHORTEST_S: Final = 0.2
"""Seconds between two looks at least: whoever copies a thousand files wakes a thousand times."""

GOOD: Final = (ExitCode.OK, ExitCode.INCOMPLETE)
"""How turns end after which there is nothing to be tried again."""

ENDINGS: Final = (ExitCode.INTERRUPT, ExitCode.TERMINATED, ExitCode.HANGUP)


class Host(abc.ABC):
    """What a watcher needs from who runs it."""

    @abc.abstractmethod
    def turn(self, settings: Settings, takes: Callable[[str, Stamp], bool]) -> ExitCode:
        """Make one run, in which only the photos are planned that ``takes`` lets through; return how it ended.

        Raises:
            BatchbgError: it could not begin.
        """

    @abc.abstractmethod
    def new_settings(self) -> Settings | None:
        """Return settings read anew where that was asked for; None where it was not, or where they cannot be used."""

    @abc.abstractmethod
    def failed(self, code: ExitCode, why: str, again_s: float) -> None:
        """A turn, or a look, came to nothing; there will be another try."""

    @abc.abstractmethod
    def recovered(self) -> None:
        """A turn ended well after some that had not."""


def check(settings: Settings) -> None:
    """Refuse what makes no sense, or has no end, in turn after turn.

    Raises:
        ConfigError: says what.
    """
    if settings.photos is None:
        raise ConfigError("name the folder to watch: `batchbg watch PHOTOS`, or `photos` in config.toml")
    for name in ("force", "again", "pilot", "plan", "files", "files_from", "dry_run"):
        if getattr(settings, name):
            raise ConfigError(f"{name}: it is for a single run, and not for `batchbg watch`")
    if settings.max_credits is None and settings.per_day is None and not settings.sandbox:
        raise ConfigError(
            "nobody is there to stop it: give [budget] per_day in config.toml, or --max-credits for each turn"
        )


class Watcher:
    """Watches one folder until a signal ends it."""

    def __init__(self, settings: Settings, host: Host, wakes: Wakes) -> None:
        """Watch on these settings, which have been checked."""
        self._settings = settings
        self._host = host
        self._wakes = wakes
        self._stillness = Stillness(settings.still_for)
        self._failures = 0
        self._turn_at = 0.0  # the first at once: it collects what is paid for
        self._look_s = 0.0

    def run(self) -> ExitCode:
        """Watch; return how the turn ended in which a signal came. One that comes between turns raises its exception."""
        while True:
            with told_of_changes(self._folder, self._wakes, self._settings.poll_every):
                code = self._until_new_settings()
            if code is not None:
                return code

    @property
    def _folder(self) -> Path:
        assert self._settings.photos is not None
        return self._settings.photos

    def _until_new_settings(self) -> ExitCode | None:
        """Look and take turns; None where there are new settings."""
        while True:
            if new := self._host.new_settings():
                self._settings, self._stillness.still_s = new, new.still_for
                self._failures, self._turn_at = 0, 0.0  # what was wrong may be right now
                return None
            code = self._round()
            if code in ENDINGS:
                return code
            self._rest()
            self._wakes.wait(self._pause_s())

    def _round(self) -> ExitCode | None:
        """Look once, and take a turn where one is due; return how that ended."""
        try:
            is_due = self._look()
            if not is_due and time.monotonic() < self._turn_at:
                return None
            code, why = self._host.turn(self._settings, self._stillness.take(time.monotonic())), ""
        except BatchbgError as error:
            code, why = error.exit_code, str(error)
        if code not in ENDINGS:
            self._settle(code, why)
        return code

    def _settle(self, code: ExitCode, why: str) -> None:
        """Set the time of the next turn."""
        if code in GOOD:
            if self._failures:
                self._host.recovered()
            self._failures, pause = 0, DAY_S
        else:
            self._failures += code is not ExitCode.LOCKED or not self._failures
            pause = LOCK_S if code is ExitCode.LOCKED else retry_s(self._failures)
            self._host.failed(code, why, pause)
        self._turn_at = time.monotonic() + pause

    def _look(self) -> bool:
        """See how the files are; return whether a turn is due for them. After one that came to nothing its time counts."""
        before = time.monotonic()
        self._stillness.look(before, self._files())
        is_due = self._stillness.fresh(before, lambda path: is_open_to_write(self._folder / path))
        self._look_s = time.monotonic() - before
        return is_due and not self._failures

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        settings = self._settings
        shut = [settings.output]
        if isinstance(settings.backgrounds, Path) and settings.backgrounds.is_dir():
            shut.append(settings.backgrounds)
        rules = Rules(settings.include, settings.exclude, settings.max_depth)
        for listing in walk(self._folder, shut, rules):
            for name, stamp in listing.files.items():
                yield (f"{listing.folder}/{name}" if listing.folder else name), stamp

    def _pause_s(self) -> float:
        """Return the seconds until the next look, if nothing happens before."""
        now = time.monotonic()
        waits = [self._settings.poll_every, max(self._turn_at - now, 0.0)]
        next_s = self._stillness.next_s(now)
        if next_s is not None and not self._failures:
            waits.append(next_s)
        return min(waits)

    def _rest(self) -> None:
        """Keep looks from taking more than their share of the time, however often something wakes."""
        time.sleep(max(SHORTEST_S, min(self._look_s * SHARE, self._settings.poll_every)))
