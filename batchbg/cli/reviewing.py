"""What ``review`` does: serve the page, open it, until a signal ends it."""

import os
import threading
import webbrowser

import click

from batchbg.cli import output
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
        with reviewing(settings.ledger, port, cache_folder(os.environ)) as server:
            address = server.address
            click.echo(address)  # the one thing that is asked for, also with -q
            output.note("the page is for this machine and this address only; Ctrl-C ends it", settings)
            if opens_browser:
                # Some browsers are programs that are waited for.
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            with status_on_signal(lambda: output.note(f"reviewing at {HOST}:{server.port}", settings)):
                server.run()
    except OSError as error:
        raise ConfigError(f"--port {port}: {error.strerror or error}") from error
