"""The ping around a run, where ``ping_url`` is set."""

import collections
import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Final

import click

from batchbg.core.text import scrub, shown
from batchbg.errors import BatchbgError, ExitCode
from batchbg.settings import KEY_VARIABLE, Settings

LINES: Final = 50
"""Of the log, to send along with the summary."""


class _Tail(logging.Handler):
    """Keeps the last lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: collections.deque[str] = collections.deque(maxlen=LINES)
        self.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(shown(self.format(record)))


@contextlib.contextmanager
def heartbeat(settings: Settings) -> Iterator[list[str]]:
    """Ping before and after what is done in here; the list takes what the second ping is to tell."""
    told: list[str] = []
    if settings.ping_url is None or settings.sandbox:
        yield told
        return
    from batchbg.api.ping import Ping, without_secrets

    tail = _Tail()
    logging.getLogger().addHandler(tail)
    ping = Ping(settings.ping_url)
    ping.start()
    code: int = ExitCode.OK
    try:
        yield told
    except BaseException as error:
        code = _code_of(error)
        if isinstance(error, BatchbgError):
            told.append(str(error))
        raise
    finally:
        logging.getLogger().removeHandler(tail)
        text = without_secrets("\n".join((*tail.lines, *map(shown, told))), (settings.ping_url,))
        ping.end(code, scrub(text, os.environ.get(KEY_VARIABLE, "")))


def _code_of(error: BaseException) -> int:
    """Return what the process will end with for this."""
    match error:
        case click.exceptions.Exit(exit_code=code) | BatchbgError(exit_code=code):
            return int(code)
        case click.ClickException():
            return ExitCode.USAGE
        case KeyboardInterrupt() | click.Abort():
            return ExitCode.INTERRUPT
        case SystemExit(code=int(code)):
            return code
    return ExitCode.INTERNAL
