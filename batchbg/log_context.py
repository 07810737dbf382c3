"""Which run and which job a line of the log belongs to."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

JOB: ContextVar[str | None] = ContextVar("job", default=None)
"""The job that the current task carries; a task begins with its parent's, which is none."""

_runs: list[str] = []


@contextlib.contextmanager
def in_run(run_id: str) -> Iterator[None]:
    """Say that everything in this process, in whatever thread, belongs to a run."""
    _runs.append(run_id)
    try:
        yield
    finally:
        _runs.pop()


def current() -> dict[str, str]:
    """Return "run" and "job", as far as there are any."""
    found = {"run": _runs[-1] if _runs else None, "job": JOB.get()}
    return {name: value for name, value in found.items() if value is not None}
