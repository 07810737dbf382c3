"""What is done and as it was, night after night nearly all of a folder: little is done for each photo of it."""

import dataclasses
import itertools
import os

from batchbg.core.model import Size, Stamp
from batchbg.core.planning import DONE_BEFORE
from batchbg.disk.scan import Listing
from batchbg.ledger import jobs, photos
from batchbg.ledger.store import Connection
from batchbg.plan.lines import Line
from batchbg.plan.roots import Roots
from batchbg.plan.selection import Chooser, background_of


@dataclasses.dataclass(slots=True)
class PassedOver:
    """What was found in one folder without opening a file.

    Attributes:
        left: files, by name, of which more has to be found out.
        unlisted: photos the ledger knows, by path, that are no longer listed.
        lines: for those passed over, where they are wanted.
        missing: passed over, but their result is no longer on disk.
        other_background: passed over, on another background than would be chosen today.
    """

    left: dict[str, Stamp]
    unlisted: list[str] = dataclasses.field(default_factory=list)
    lines: list[Line] = dataclasses.field(default_factory=list)
    missing: int = 0
    other_background: int = 0


class Unchanged:
    """Passes over the photos that are as they were and have their result."""

    def __init__(self, connection: Connection, roots: Roots, chooser: Chooser, *, force: bool, wants_all: bool) -> None:
        """Find out once, for all sizes, whether today's choice may differ from the background of what is done.

        Args:
            connection: to read from.
            roots: of the plan.
            chooser: of backgrounds.
            force: nothing is passed over.
            wants_all: photos that are passed over have their lines.
        """
        self._roots = roots
        self._chooser = chooser
        self._force = force
        self._wants_all = wants_all
        self._compares = not chooser.by_size or any(
            background_of(chooser.choose("", pixels, "")) != made for pixels, made in jobs.pairs_made(connection)
        )

    def pass_over(self, connection: Connection, listing: Listing) -> PassedOver:
        """Return what is left of a folder."""
        found = PassedOver(listing.files.copy())
        left, force, awaited, output_folder = found.left, self._force, self._roots.awaited, self._roots.output
        start = len(listing.folder) + 1 if listing.folder else 0
        here = self._outputs_beside(listing.folder)
        rows = photos.known_photos(
            connection,
            self._roots.photo_root,
            self._roots.output_root,
            listing.folder,
            deep=bool(listing.subfolders),
            paired=self._compares,
        )
        for row in itertools.chain.from_iterable(rows):
            name, output = row[0][start:], row[5]
            stamp = left.get(name)
            if stamp is None:
                if name not in listing.unreadable:
                    found.unlisted.append(row[0])
            # Nearly all are exactly as they were, which is seen in half the time that the method takes.
            elif (
                output is not None
                and (stamp == row[1:5] or stamp.is_still(row[1:5]))
                and not force
                and output not in awaited
            ):
                del left[name]
                if output not in here and not os.path.lexists(output_folder / output):
                    found.missing += 1
                if self._compares:
                    today = background_of(self._chooser.choose(row[0], Size(row[6], row[7]), row[8]))
                    found.other_background += today != row[9]
                if self._wants_all:
                    found.lines.append(Line(row[0], "skip", output=output, detail=DONE_BEFORE))
        return found

    def _outputs_beside(self, folder: str) -> set[str]:
        """Return the paths in the output folder that mirrors a folder of photos; listing is cheaper than asking."""
        prefix = f"{folder}/" if folder else ""
        try:
            return {prefix + name for name in os.listdir(self._roots.output / folder)}  # noqa: PTH208 - names alone
        except OSError:
            return set()
