"""The log on stderr: text for people, JSON for machines; never across a progress bar."""

import datetime
import json
import logging
import sys
from typing import Any

from tqdm import tqdm

from batchbg import log_context
from batchbg.api.quiet import silence_libraries
from batchbg.settings import Settings


class _TqdmHandler(logging.Handler):
    """Writes lines above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class _TextFormatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # the base class's name
        """Return where it happened, for those who ask for everything; what happened is in the message."""
        return super().formatException(ei) if logging.getLogger().level <= logging.DEBUG else ""


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **log_context.current(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True)


def set_up_logging(settings: Settings) -> None:
    """Send the log to stderr as the settings say."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    handler = _TqdmHandler()
    handler.setFormatter(
        _JsonFormatter() if settings.log_format == "json" else _TextFormatter("%(levelname)s: %(message)s")
    )
    root.addHandler(handler)
    if settings.quiet:
        root.setLevel(logging.ERROR)
    else:
        root.setLevel({0: logging.WARNING, 1: logging.INFO}.get(settings.verbose, logging.DEBUG))
    silence_libraries()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # the sandbox's; that it serves is no news to a run


def say(text: str, level: int = logging.INFO) -> None:
    """Write a line to stderr that no level holds back: as it is, or as a line of the log where that is JSON."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _JsonFormatter):
            handler.handle(logging.getLogger("batchbg").makeRecord("batchbg", level, "", 0, text, (), None))
            return
    tqdm.write(text, file=sys.stderr)
