"""What a command wants from a run."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

from batchbg.core.model import Stamp
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx

Found = TypeVar("Found")


class Task(abc.ABC, Generic[Found]):
    """What a command wants from a run; what it finds out on the way is returned.

    Attributes:
        command: its name, for the ledger.
        creates: whether planned jobs are created. Without it only what is paid for is collected.
        deletes: whether projects are deleted whose deletion is wanted, whatever the settings say.
        takes: whether a file, by its path below the photo folder, may be planned now; None where all may. One that may
            not counts as being written.
    """

    command: str
    creates: bool
    deletes = False
    takes: Callable[[str, Stamp], bool] | None = None

    @abc.abstractmethod
    def prepare(self, tx: Tx, ledger: Ledger) -> Found:
        """Change jobs before the work begins; return what was found out."""

    def conclude(self, tx: Tx, found: Found) -> Found:
        """Change jobs once the work is over; ``found`` is what ``prepare`` returned."""
        return found


@dataclasses.dataclass(frozen=True)
class Process(Task[None]):
    """Finish what is planned and paid for, and what is found in a folder where the settings name one."""

    command: str
    takes: Callable[[str, Stamp], bool] | None = None
    creates = True

    def prepare(self, tx: Tx, ledger: Ledger) -> None:
        """Leave every job as it is."""
