"""What the pool reports to whoever follows it. Silent by default: the command line prints."""

from collections.abc import Sequence
from pathlib import Path

from batchbg.core.model import Job, Output


class Observer:
    """Hears of every job that moves."""

    def sent(self, job: Job) -> None:
        """A create was answered with a project id."""

    def unresolved(self, job: Job) -> None:
        """A create's answer was lost."""

    def found(self, job: Job) -> None:
        """A job that was unresolved has its project after all, and goes on."""

    def ended(self, job: Job) -> None:
        """A job has come to its end, good or bad, as far as this run goes."""

    def saved(self, job: Job, target: Path) -> None:
        """A job's result is whole at ``target``, and the ledger says so: the job is done."""

    def reused(self, job: Job, output: Output, target: Path) -> None:
        """Another photo's output has its copy of a job's result at ``target``, and the ledger says so."""


class Observers(Observer):
    """Tells several, in their order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def sent(self, job: Job) -> None:
        """Tell each."""
        for one in self._observers:
            one.sent(job)

    def unresolved(self, job: Job) -> None:
        """Tell each."""
        for one in self._observers:
            one.unresolved(job)

    def found(self, job: Job) -> None:
        """Tell each."""
        for one in self._observers:
            one.found(job)

    def saved(self, job: Job, target: Path) -> None:
        """Tell each."""
        for one in self._observers:
            one.saved(job, target)

    def reused(self, job: Job, output: Output, target: Path) -> None:
        """Tell each."""
        for one in self._observers:
            one.reused(job, output, target)

    def ended(self, job: Job) -> None:
        """Tell each."""
        for one in self._observers:
            one.ended(job)
