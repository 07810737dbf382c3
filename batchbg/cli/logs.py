"""The log on stderr: text for people, JSON for machines; never across a progress bar."""

import datetime
import logging
import sys
from typing import IO, TYPE_CHECKING, Any

from batchbg import log_context
from batchbg.api.quiet import silence_libraries
from batchbg.cli.suggest import located
from batchbg.cli.wrapping import fitted
from batchbg.core.model import new_id
from batchbg.core.text import as_json, shown

if TYPE_CHECKING:
    from batchbg.settings import Settings


class _TqdmHandler(logging.Handler):
    """Writes lines above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        write(self.format(record))


class _TextFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # the base class's name
        """Return one line, whatever names and servers' messages are in it."""
        return fitted(shown(located(super().formatMessage(record))), sys.stderr)

    def formatException(self, ei: Any) -> str:  # the base class's name
        """Return where it happened, for those who ask for everything; what happened is in the message."""
        return shown_lines(super().formatException(ei)) if logging.getLogger().level <= logging.DEBUG else ""


def when(at: float) -> str:
    """Return a time as the log has it: in UTC, to the millisecond."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": when(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            **log_context.current(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return as_json(line)


def log_to_stderr(log_format: str) -> None:
    """Send the log to stderr, "json" or "text"; every line has the id of the run that this process may become."""
    log_context.announce(new_id())
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    handler = _TqdmHandler()
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter("%(levelname)s: %(message)s"))
    root.addHandler(handler)


def set_up_logging(settings: "Settings") -> None:
    """Send the log to stderr as the settings say."""
    log_to_stderr(settings.log_format)
    root = logging.getLogger()
    if settings.quiet:
        root.setLevel(logging.ERROR)
    else:
        root.setLevel({0: logging.WARNING, 1: logging.INFO}.get(settings.verbose, logging.DEBUG))
    silence_libraries()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # the sandbox's; that it serves is no news to a run


def say(text: str, level: int = logging.INFO) -> None:
    """Write a line to stderr that no level holds back: escaped, or as a line of the log where that is JSON."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _JsonFormatter):
            handler.handle(logging.getLogger("batchbg").makeRecord("batchbg", level, "", 0, text, (), None))
            return
    write(fitted(shown(text), sys.stderr))


def write(line: str, file: IO[str] | None = None) -> None:
    """Write a line above a progress bar, if there is one; on stderr where no other stream is named."""
    file = sys.stderr if file is None else file
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(line, file=file)
    else:  # nobody draws a bar
        file.write(f"{line}\n")
        file.flush()


def shown_lines(text: str) -> str:
    """Return text of several lines, such as a traceback, with each of them escaped."""
    return "\n".join(map(shown, text.split("\n")))
