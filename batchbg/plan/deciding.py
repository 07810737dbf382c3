"""What becomes of the photos of a folder that can be sent: named together, tried out, decided some at a time."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence

from batchbg.core.planning import UNSAVABLE
from batchbg.disk.rehearsal import Rehearsal
from batchbg.disk.scan import Listing
from batchbg.ledger import outputs, photos
from batchbg.ledger.store import Ledger
from batchbg.plan.folder_plan import FolderPlan, Sendable
from batchbg.plan.lines import Line
from batchbg.plan.output_names import name_outputs, portable_path, rename_unsaved
from batchbg.plan.portions import portions
from batchbg.plan.request import Request
from batchbg.plan.roots import Roots
from batchbg.plan.selection import Chooser


@dataclasses.dataclass(frozen=True, slots=True)
class Decided:
    """What was decided for some photos.

    Attributes:
        lines: one for each photo.
        rejected: how many of them no result could be saved of; of ``newly_rejected`` no earlier run has told.
    """

    lines: Sequence[Line]
    rejected: int
    newly_rejected: int


class Deciding:
    """Decides one folder after the other, for one run."""

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        request: Request,
        roots: Roots,
        chooser: Chooser,
        rehearsal: Rehearsal | None,
    ) -> None:
        """Decide for a request; ``rehearsal`` tries out where results belong, else the last run's word is taken."""
        self._ledger = ledger
        self._run_id = run_id
        self._request = request
        self._roots = roots
        self._chooser = chooser
        self._rehearsal = rehearsal

    def decide(self, listing: Listing, sendable: Sequence[str]) -> Iterator[Decided]:
        """Name the results of all photos together, then decide and write some at a time: memory stays flat."""
        names = self._name(listing, sendable)
        for some in portions(sendable):
            # Both before the transaction, which others wait for.
            refused = {path: self._refuses(names[path]) for path in some} if self._rehearsal else None
            results = self._saved_results
            with self._ledger.transaction(self._run_id) as tx:
                root = self._roots.photo_root
                infos = photos.infos_of(tx.connection, root, some)
                if refused is None:
                    refused = {path: info.rejected for path, info in infos.items()}
                batch = Sendable(infos, names, refused, results)
                lines = FolderPlan(tx, self._roots, self._chooser, batch, force=self._request.settings.force).lines()
                rejected = {line.path: line.detail for line in lines if line.action == "reject"}
                news = {path: rejected.get(path, "") for path in infos}
                photos.refuse(tx, root, {path: why for path, why in news.items() if why != infos[path].rejected})
                fresh = photos.newly_rejected(tx, root, list(rejected))
            known = rejected.keys() - fresh
            lines = [dataclasses.replace(line, is_news=False) if line.path in known else line for line in lines]
            yield Decided(lines, len(rejected), len(fresh))

    def _name(self, listing: Listing, photos: Sequence[str]) -> dict[str, str]:
        """Return the output paths of at least these photos."""
        with self._ledger.transaction(self._run_id) as tx:
            names = name_outputs(tx, self._roots, listing, photos, self._request)
        if not self._request.settings.portable_names or not (refused := self._refused(names, photos)):
            return names
        with self._ledger.transaction(self._run_id) as tx:
            return rename_unsaved(tx, self._roots, listing, names, refused, self._request)

    def _refused(self, names: Mapping[str, str], photos: Sequence[str]) -> list[str]:
        """Return the photos whose names the disk does not take, though there are others that it would."""
        return [path for path in photos if portable_path(names[path]) != names[path] and self._refuses(names[path])]

    def _refuses(self, output: str) -> str:
        """Return why no result could be saved at a path, or ""."""
        why = self._rehearsal.refuses(self._roots.output, output) if self._rehearsal else ""
        return f"{UNSAVABLE}{why}" if why else ""

    @functools.cached_property
    def _saved_results(self) -> frozenset[str]:
        """The content of every result that was ever saved; read once, for there may be many small folders."""
        with self._ledger.reading() as connection:
            return outputs.saved_contents(connection)
