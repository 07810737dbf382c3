"""Turning what a run reports into events."""

from collections.abc import Callable
from pathlib import Path

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, Output
from batchbg.core.words import counted
from batchbg.errors import ConfigError
from batchbg.ledger.estimate import Estimate
from batchbg.library.events import Copied, Event, Failed, Planned, Rejected, Saved, Submitted, Unresolved
from batchbg.plan.lines import Line
from batchbg.pool.observer import Observer
from batchbg.run.reporter import Reporter
from batchbg.settings.values import Settings


class LibraryReporter(Reporter):
    """Asks nobody, and tells of photos as they are planned."""

    def __init__(self, settings: Settings, tell: Callable[[Event], object] | None) -> None:
        """Tell ``tell``, in whatever thread something happens; None where nobody listens."""
        self.never_asks = settings.is_capped
        self._is_capped = settings.is_capped
        self._tell = tell
        if tell is not None:
            self.observer = _Teller(tell)

    def line(self, line: Line) -> None:
        """Tell of a photo that is to be sent, or cannot be."""
        if self._tell is None:
            return
        if line.is_job:
            self._tell(Planned(line.path, line.background or None, line.output))
        elif line.action == "reject":
            self._tell(Rejected(line.path, line.detail, line.is_news))

    def ask(self, found: Estimate) -> bool:
        """Go on where a cap holds the run.

        Raises:
            ConfigError: none does.
        """
        if self._is_capped:
            return True
        raise ConfigError(
            f"{counted(found.jobs, 'new job')}, about {counted(found.credits, 'credit')}, and nobody to ask: give"
            f" yes=True, or a cap such as max_credits={found.credits}"
        )


class _Teller(Observer):
    """Tells of jobs as they move."""

    def __init__(self, tell: Callable[[Event], object]) -> None:
        self._tell = tell

    def sent(self, job: Job) -> None:
        """Tell that a job is paid for."""
        self._tell(Submitted(job.photo_path, job.id, job.project_id or "", job.credits))

    def unresolved(self, job: Job) -> None:
        """Tell that nobody knows whether a job is paid for."""
        self._tell(Unresolved(job.photo_path, job.id, job.name))

    def saved(self, job: Job, target: Path) -> None:
        """Tell where a result is."""
        self._tell(Saved(job.photo_path, job.id, target, job.remark))

    def reused(self, job: Job, output: Output, target: Path) -> None:
        """Tell where a copy is."""
        self._tell(Copied(output.photo_path, job.id, target))

    def ended(self, job: Job) -> None:
        """Tell that a job has come to nothing."""
        if job.state in (JobState.FAILED, JobState.CANCELED):
            canceled = job.state is JobState.CANCELED
            self._tell(Failed(job.photo_path, job.id, job.error, canceled, job.credits))
