"""``Batch``: a folder of photos, as a program sees it."""

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Unpack

from batchbg.core.lifecycle import JobState
from batchbg.errors import ConfigError, LedgerBusy
from batchbg.ledger import clock
from batchbg.ledger.engine import open_to_read
from batchbg.library import results
from batchbg.library.cancellation import Cancellation
from batchbg.library.events import Event
from batchbg.library.going import Going, Tell
from batchbg.library.listening import LibraryReporter
from batchbg.library.options import Options, StrPath, settings_of
from batchbg.library.performing import perform
from batchbg.report.metrics import kept
from batchbg.report.summary import Summary, of_ledger
from batchbg.run.task import Process
from batchbg.settings.key import KEY_VARIABLE, api_key
from batchbg.settings.values import Settings

# Without a handler of anybody's, Python would print warnings.
logging.getLogger("batchbg").addHandler(logging.NullHandler())

LOCK_AGAIN_S: Final = 0.2
"""Seconds between two tries to have the ledger."""

OnEvent = Callable[[Event], object]


class Batch:
    """A folder of photos and what is to be done with it.

    The promises are those of the command line: nothing is paid twice, nothing is spent past a cap, and no result is lost
    whose project id is known. Nothing is printed and nobody is asked: more new jobs than ``confirm_batch_over`` need a
    cap, or ``yes=True``. No signal handler, log level, current folder or environment variable is changed.

    It may be used from any thread. Of two runs on one ledger the second raises ``LedgerBusy``, or waits for
    ``retry_lock``.
    """

    def __init__(
        self,
        photos: StrPath | None = None,
        *,
        config: StrPath | None = None,
        api_key: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Check the settings; nothing is opened or sent yet.

        Args:
            photos: the folder; None for ``files``, for what earlier runs began, or for what ``config`` names.
            config: a config.toml; arguments win over it. Without one no file of settings is read.
            api_key: None takes MAGIC_HOUR_API_KEY from the environment, or ``api_key_file``.
            options: by their names in config.toml.

        Raises:
            ConfigError: one of them is wrong.
        """
        self._settings = settings_of(photos, config, options)
        self._key = api_key
        self._turn = threading.Lock()
        self._going: list[Going] = []

    def __repr__(self) -> str:
        photos = str(self._settings.photos) if self._settings.photos else None
        return f"Batch({photos!r}, ledger={self._settings.ledger!r})"

    def plan(self) -> results.Plan:
        """Return what a run would do now, and what it would cost. Nothing is sent, and no key is needed.

        Raises:
            BatchbgError: it cannot be planned.
        """
        return results.plan(self._with_photos())

    def run(self, on_event: OnEvent | None = None) -> Summary:
        """Do what is new, finish what is paid for, and return what became of it.

        Args:
            on_event: called with each event, in the thread that waits here. What it raises ends the run in order.

        Raises:
            BatchbgError: nothing could be begun. What ends a run that has begun is the summary's ``exit_code``.
            KeyboardInterrupt: after the run has ended in order; a second Ctrl-C ends it at once.
        """
        return self._wait("run", self._with_photos(), on_event)

    def resume(self, on_event: OnEvent | None = None) -> Summary:
        """Finish what earlier runs began, without looking for photos; see ``run``."""
        return self._wait("resume", self._without_photos(), on_event)

    async def run_async(self, on_event: OnEvent | None = None) -> Summary:
        """Do the same as ``run`` beside the running event loop, in which ``on_event`` is called.

        Canceled, it ends in order, within 10 seconds, before the cancellation goes on; canceled again, at once.
        """
        return await self._await("run", self._with_photos(), on_event)

    async def resume_async(self, on_event: OnEvent | None = None) -> Summary:
        """Do the same as ``resume`` beside the running event loop; see ``run_async``."""
        return await self._await("resume", self._without_photos(), on_event)

    def cancel(self) -> bool:
        """End what is going on, from any thread, and return whether anything is.

        Like Ctrl-C: no new create leaves, creates in the air and downloads are awaited for up to 10 seconds, and the
        summary's ``exit_code`` is 130. Called again, it ends at once. Nothing that is paid for is lost.
        """
        with self._turn:
            going = list(self._going)
        for one in going:
            one.cancellation.cancel()
        return bool(going)

    def jobs(self, states: Iterable[JobState] = JobState) -> list[results.JobInfo]:
        """Return the ledger's jobs that are in one of ``states``, the oldest first.

        Raises:
            NoLedger, LedgerError: there is no ledger yet, or it cannot be read.
        """
        return results.jobs_of(self._settings.ledger, frozenset(states))

    def status(self) -> Summary:
        """Return how the whole ledger stands: its jobs, the last scan, the last run's exit code.

        Raises:
            NoLedger, LedgerError: there is no ledger yet, or it cannot be read.
        """
        ledger = open_to_read(self._settings.ledger)
        try:
            with ledger.reading() as connection:
                zone = clock.zone_in(connection, self._settings.zone)
                return of_ledger(connection, self._settings.caps, time.time(), zone)
        finally:
            ledger.close()

    def _with_photos(self) -> Settings:
        if self._settings.photos is None:
            raise ConfigError(
                "name the folder of photos: Batch(photos), or `photos` in config.toml; or single ones: files=[...]"
            )
        return self._settings

    def _without_photos(self) -> Settings:
        return dataclasses.replace(self._settings, photos=None)

    def _wait(self, name: str, settings: Settings, on_event: OnEvent | None) -> Summary:
        going = self._prepare(name, settings, is_heard=on_event is not None)
        try:
            return going.wait(on_event)
        finally:
            self._forget(going)

    async def _await(self, name: str, settings: Settings, on_event: OnEvent | None) -> Summary:
        going = self._prepare(name, settings, is_heard=on_event is not None)
        try:
            return await going.waited_for(on_event)
        finally:
            self._forget(going)

    def _prepare(self, name: str, settings: Settings, *, is_heard: bool) -> Going:
        environ = os.environ | ({KEY_VARIABLE: self._key} if self._key is not None else {})
        key = api_key(settings, environ)

        def work(cancellation: Cancellation, tell: Tell) -> Summary:
            reporter = LibraryReporter(settings, tell if is_heard else None)
            with kept(settings) as metrics:
                summary = _once_free(
                    settings, cancellation, lambda one: perform(one, key, Process(name), reporter, cancellation)
                )
                metrics.code = summary.exit_code
            return summary

        going = Going(work)
        with self._turn:
            self._going.append(going)
        return going

    def _forget(self, going: Going) -> None:
        with self._turn:
            self._going.remove(going)


def _once_free(settings: Settings, cancellation: Cancellation, begin: Callable[[Settings], Summary]) -> Summary:
    """Begin once nobody else holds the ledger, or ``retry_lock`` has passed; whoever cancels need not wait for that.

    Raises:
        LedgerBusy: it is held.
    """
    give_up_at = time.monotonic() + settings.retry_lock
    while True:
        try:
            return begin(dataclasses.replace(settings, retry_lock=0.0))
        except LedgerBusy:
            if time.monotonic() >= give_up_at or cancellation.wait(LOCK_AGAIN_S):
                raise
