"""Runs batchbg, and dies at a commit of one's choice: DIE_AT=17 or DIE_AT=17- for after or just before the 17th.

Without DIE_AT it counts the commits into the file COMMITS. What dies, dies as by kill -9: nothing is flushed or closed.
"""

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from batchbg.cli import main


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


if __name__ == "__main__":
    hook()
    main()
