"""Which run and which job a line of the log belongs to."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

JOB: ContextVar[str | None] = ContextVar("job", default=None)
"""The job that the current task works on; a task begins with its parent's, which is none."""


class _Process:
    """The run that this process is: its id is known before the ledger is, and its last lines come after its end."""

    run = ""
    announced = ""


def announce(run_id: str) -> None:
    """Say which id the next run of this process will have, and put it on every line from now on."""
    _Process.run = _Process.announced = run_id


def announced() -> str:
    """Return the id that was announced for the next run, once; "" where there is none."""
    run_id, _Process.announced = _Process.announced, ""
    return run_id


@contextlib.contextmanager
def in_run(run_id: str) -> Iterator[None]:
    """Say that everything in this process, in whatever thread, belongs to a run; what comes after it still does."""
    _Process.run, _Process.announced = run_id, ""
    yield


def current() -> dict[str, str]:
    """Return "run" and "job", as far as there are any."""
    found = {"run": _Process.run or None, "job": JOB.get()}
    return {name: value for name, value in found.items() if value is not None}
