"""What is no longer there, and whether that may be believed."""

import os
from collections.abc import Iterable

from batchbg.ledger import photos
from batchbg.ledger.store import Ledger
from batchbg.plan.roots import Roots


class Vanished:
    """Forgets photos that are gone, and folders that can be read again.

    Photos that are merely filtered out stay. Nothing is forgotten before a photo was seen: a disk that is not mounted
    is an empty folder.

    Attributes:
        held_back: photos that are gone, while not one is there.
    """

    def __init__(self, ledger: Ledger, run_id: str, roots: Roots) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._roots = roots
        self._present = 0
        self.held_back: list[str] = []

    def forget(self, unlisted: Iterable[str], present: int) -> None:
        """Take in a folder: paths that are known and not listed, and how many photos are there."""
        self._present += present
        gone = [path for path in unlisted if path.endswith("/") or not self._is_there(path)]
        if not self._present:
            self.held_back += gone
            return
        gone += self.held_back
        self.held_back = []
        if gone:
            with self._ledger.transaction(self._run_id) as tx:
                photos.forget(tx, self._roots.photo_root, gone)

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(self._roots.photos / path)
