"""What is new or changed in a folder is opened, by several threads, and what was found in it is remembered."""

import concurrent.futures
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from batchbg.core.model import PhotoInfo, Stamp
from batchbg.disk.decoding import probe
from batchbg.disk.probe_limits import ProbeLimits
from batchbg.disk.scan import UNREADABLE
from batchbg.errors import PhotoChanged
from batchbg.ledger import photos
from batchbg.ledger.store import Ledger
from batchbg.plan.lines import Listener
from batchbg.plan.portions import portions
from batchbg.settings import Settings

PROBERS: Final = min(os.cpu_count() or 1, 8)
"""Threads that decode; Pillow lets go of the interpreter while it does."""


@dataclasses.dataclass(frozen=True, slots=True)
class Probed:
    """Some files of one folder.

    Attributes:
        infos: what each file is, by path below the root.
        changing: paths of files that are being written.
    """

    infos: Mapping[str, PhotoInfo]
    changing: list[str]


class Probing:
    """Probes files of one folder after the other, for one run."""

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        settings: Settings,
        listener: Listener,
        probers: concurrent.futures.Executor,
    ) -> None:
        """Probe on the terms of today's settings.

        Args:
            ledger: remembers what is found.
            run_id: of the run that plans.
            settings: what may be sent.
            listener: told how many files were opened.
            probers: threads that decode.
        """
        self._ledger = ledger
        self._run_id = run_id
        self._limits = ProbeLimits(settings.first_page, settings.max_upload_bytes, settings.allow_blank)
        self._listener = listener
        self._probers = probers

    def probe(self, root: Path, root_id: int, folder: str, files: Mapping[str, Stamp]) -> Iterator[Probed]:
        """Yield what the files of a folder are, some at a time, opening only what has changed.

        Args:
            root: the folder below which they lie, ``root_id`` is its number in the ledger.
            root_id: see above.
            folder: path below the root.
            files: stamps by name.

        Raises:
            PlanAbandoned: the plan is no longer wanted.
        """
        for some in portions(sorted(files.items())):
            stamps = {f"{folder}/{name}" if folder else name: stamp for name, stamp in some}
            with self._ledger.reading() as connection:
                known = photos.infos_of(connection, root_id, list(stamps))
            todo = [one for one in stamps.items() if self._is_news(known.get(one[0]), one[1])]
            found = dict(zip(todo, self._probers.map(lambda one: self._probe(root, *one), todo), strict=True))
            # What is as bad as it was is not told again.
            fresh = {
                path: now
                for (path, _), now in found.items()
                if now is not None and not _is_as_before(now, known.get(path))
            }
            if fresh:
                with self._ledger.transaction(self._run_id) as tx:
                    fresh = photos.remember(tx, root_id, fresh)
            changing = {path for (path, _), now in found.items() if now is None}
            self._listener.opened(len(todo))
            known |= fresh
            yield Probed({path: known[path] for path in stamps if path not in changing}, sorted(changing))

    def _is_news(self, known: PhotoInfo | None, stamp: Stamp) -> bool:
        if known is None or not stamp.is_still(known.stamp):
            return True
        if known.pixels and not known.picture:
            return True  # an older version probed it
        return known.rejected.startswith(UNREADABLE) or self._limits.may_change(known)

    def _probe(self, root: Path, path: str, stamp: Stamp) -> PhotoInfo | None:
        self._listener.stop_if_abandoned()
        try:
            return probe(root / path, stamp, self._limits)
        except PhotoChanged:
            return None


def _is_as_before(now: PhotoInfo, before: PhotoInfo | None) -> bool:
    return before is not None and now == dataclasses.replace(before, key=now.key)
