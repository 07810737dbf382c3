"""What ``review`` does: serve the page, open it, until a signal ends it."""

import os
import sys
import threading
import webbrowser
from typing import Any

import click

from batchbg.cli import output
from batchbg.cli.commands import redo
from batchbg.cli.planned import warnings
from batchbg.errors import ConfigError
from batchbg.review.look_cache import cache_folder
from batchbg.review.server import HOST, reviewing
from batchbg.run.signals import status_on_signal
from batchbg.settings import Settings


def review(settings: Settings, port: int, *, opens_browser: bool) -> None:
    """Serve the review of these settings' ledger.

    Raises:
        ConfigError: there is no such ledger, it is an older one, or the port cannot be had.
        LedgerError: it cannot be read.
    """
    try:
        cache = cache_folder(os.environ)
        with reviewing(settings.ledger, port, cache, redo=_Redo(settings)) as server:
            output.tell(server.address)  # the one thing that is asked for, also with -q
            output.note("the page is for this machine and this address only; Ctrl-C ends it", settings)
            if opens_browser and _has_screen():
                # Some browsers are programs that are waited for.
                threading.Thread(target=webbrowser.open, args=(server.address_for_once(),), daemon=True).start()
            with status_on_signal(lambda: output.note(f"reviewing at {HOST}:{server.port}", settings)):
                server.run()
    except OSError as error:
        raise ConfigError(f"--port {port}: {error.strerror or error}") from error


def _has_screen() -> bool:
    """Return whether a browser has where to show something; one in this terminal would take it away."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


class _Redo:
    """Plans all rejected results anew, or shows what that would be, as the command ``redo --rejected`` does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = click.get_current_context()

    def __call__(self, dry_run: bool) -> dict[str, Any]:
        """Do it, in any thread; return what the page tells of it.

        Raises:
            LedgerError: a run holds the ledger, or it cannot be read or written.
        """
        with self._context.scope(cleanup=False):  # what was typed is repeated in the command that is suggested
            done = redo.do(self._settings, None, dry_run=dry_run)
            return {
                "planned": len(done.planned),
                "lines": [*redo.lines(done, self._settings, dry_run=dry_run), *warnings(done.estimate)],
                "left_out": [f"{photo}: {why}" for photo, why in done.left_out],
                "next": redo.following(done, self._settings) if done.estimate.jobs else "",
            }
