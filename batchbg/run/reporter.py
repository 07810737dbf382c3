"""What a run reports on its way. The command line prints it."""

from batchbg.core.progress import Progress
from batchbg.ledger.estimate import Estimate
from batchbg.plan.lines import Line
from batchbg.pool.observer import Observer


class Reporter:
    """What a run reports on its way; silent by default.

    Attributes:
        live: whether ``tick`` is wanted.
        never_asks: whether a batch of any size may start without a word from anybody.
        observer: hears of every job that moves, in the event loop that processes them.
    """

    live = False
    never_asks = False
    observer: Observer = Observer()

    def line(self, line: Line) -> None:
        """Report one photo that was planned."""

    def ledger_made(self, path: str) -> None:
        """A new ledger was made."""

    def opened(self, number: int) -> None:
        """So many more files were opened."""

    def ask(self, found: Estimate) -> bool:
        """These new jobs are more than may start unasked; return whether to go on."""
        return False

    def caveat(self, text: str) -> None:
        """A person should know this of the account before anything is paid."""

    def settled(self, total: int) -> None:
        """The pool is set up and will now start on so many jobs."""

    def tick(self, progress: Progress) -> None:
        """Some time has passed."""

    def status(self, progress: Progress | None) -> None:
        """Somebody asks how the run stands; None while the pool is not at work."""

    async def pilot_done(self, number: int, found: Estimate) -> bool:
        """``number`` photos were tried and those of ``found`` remain; return whether to go on with them."""
        return False
