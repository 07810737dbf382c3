"""What the pool reports to whoever follows it. Silent by default: the command line prints."""

from batchbg.core.model import Job


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

    def reused(self, path: str) -> None:
        """Another photo of the same content got a copy; ``path`` is its output's."""

    def planned(self, number: int) -> None:
        """So many jobs are to be done in this run."""
