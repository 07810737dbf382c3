"""What ``review`` does: serve the page, open it, until a signal ends it."""

import os
import threading
import webbrowser
from typing import Any

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
        with reviewing(settings.ledger, port, cache, redo=lambda dry_run: _redo(settings, dry_run)) as server:
            address = server.address
            output.tell(address)  # the one thing that is asked for, also with -q
            output.note("the page is for this machine and this address only; Ctrl-C ends it", settings)
            if opens_browser:
                # Some browsers are programs that are waited for.
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            with status_on_signal(lambda: output.note(f"reviewing at {HOST}:{server.port}", settings)):
                server.run()
    except OSError as error:
        raise ConfigError(f"--port {port}: {error.strerror or error}") from error


def _redo(settings: Settings, dry_run: bool) -> dict[str, Any]:
    """Plan all rejected results anew, or show what that would be, as the command ``redo --rejected`` does.

    Raises:
        LedgerError: a run holds the ledger, or it cannot be read or written.
    """
    done = redo.do(settings, None, dry_run=dry_run)
    return {
        "planned": len(done.planned),
        "lines": [*redo.lines(done, settings, dry_run=dry_run), *warnings(done.estimate)],
        "left_out": [f"{photo}: {why}" for photo, why in done.left_out],
        "next": redo.following(done, settings) if done.estimate.jobs else "",
    }
