"""Runs batchbg in processes that die at a commit of one's choice: DIE_AT=17 or DIE_AT=17- for after or just before it.

Without DIE_AT a process counts its commits into the file COMMITS. What dies, dies as by kill -9: nothing is flushed or
closed. Every process is forked from this one, which has imported everything and done nothing: a test that starts
hundreds does not wait for the imports each time. Speaks lines of JSON on its standard input and output.
"""

import importlib
import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from batchbg.cli import main

NEEDED = ("pipeline", "repair", "cli.commands.run", "cli.commands.resume", "ledger.migrate")


def hook() -> None:
    wanted = os.environ.get("DIE_AT", "")
    before = wanted.endswith("-")
    number = int(wanted.rstrip("-") or 0)
    counter = itertools.count(1)
    commit: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        this = next(counter)
        if this == number and before:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self, connection)
        if this == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if "COMMITS" in os.environ:
            Path(os.environ["COMMITS"]).write_text(str(this))

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def start(arguments: list[str], folder: str, environ: dict[str, str], stderr: str) -> int:
    """Start a batchbg and return its process id."""
    if pid := os.fork():
        return pid
    for end, file, mode in ((0, os.devnull, os.O_RDONLY), (1, os.devnull, os.O_WRONLY), (2, stderr, os.O_WRONLY)):
        os.dup2(os.open(file, mode | (os.O_CREAT | os.O_TRUNC if file == stderr else 0), 0o644), end)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["batchbg", *arguments]
    code: Any = 70
    try:
        hook()
        main()
    except SystemExit as leaving:
        code = leaving.code
    finally:
        sys.stderr.flush()
        os._exit(int(code or 0))


def serve() -> None:
    """Start processes and tell how they ended, as asked, until the input ends."""
    for name in NEEDED:
        importlib.import_module(f"batchbg.{name}")
    assert threading.active_count() == 1, "what forks may have no threads"
    for line in sys.stdin:
        answer: int | None
        match json.loads(line):
            case {"start": dict(settings)}:
                answer = start(**settings)
            case {"ended": int(pid), "wait": bool(wait)}:
                found, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if found else None
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
