"""What there is to review, as the ledger has it now; and what of it is chosen, in the order of the moment of choosing.

A choice stays as it was made: while a person goes through it, verdicts and a run at work change what is shown of a
picture, never its place.
"""

import collections
import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from batchbg.core.choosing import GROUPS, SIZES, TRANSPARENT, Choice, Order
from batchbg.core.text import shown
from batchbg.ledger import events, review_rows
from batchbg.ledger.store import Ledger
from batchbg.review.items import FOLDERS, Item, item_of

VIEWS: Final = 12
"""Choices that are remembered, one a browser tab and a few more."""

MOST_NEW: Final = 5_000
"""Events after which everything is read anew: what changed is then no less."""

OVERLAP: Final = 200
"""Events that are read once more: on a server one may be committed after others with later numbers."""

Suspicion = Callable[[Item], tuple[float, tuple[str, ...]]]
"""How suspicious a result is, and the kinds of its signs."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What was chosen.

    Attributes:
        number: by which it is asked for.
        ids: of the jobs, in order.
        counts: how many of each group there are without the choice of a group; ``all`` is their sum.
    """

    number: int
    ids: tuple[str, ...]
    counts: dict[str, int]


class Catalogue:
    """Reads the ledger, and keeps what there is in memory: about a kilobyte each."""

    def __init__(self, ledger: Ledger, suspicion: Suspicion) -> None:
        self._ledger = ledger
        self._suspicion = suspicion
        self._lock = threading.Lock()
        self._roots: dict[str, Path] = {}
        self._items: dict[str, Item] = {}
        self._by_output: dict[int, list[str]] = {}
        self._views: collections.OrderedDict[int, View] = collections.OrderedDict()
        self._numbers = itertools.count(1)
        self._event = -1

    @property
    def version(self) -> int:
        """A number that is another whenever the ledger has changed."""
        return self._event

    def refresh(self) -> None:
        """Read what has changed in the ledger.

        Raises:
            LedgerError: it cannot be read.
        """
        with self._lock, self._ledger.reading() as connection:
            last = events.last(connection).id
            if last == self._event:
                return
            if self._event < 0 or last < self._event or last - self._event > MOST_NEW:
                self._items.clear()
                self._by_output.clear()
                self._take(review_rows.read(connection))
            else:
                outputs, rows = review_rows.since(connection, max(self._event - OVERLAP, 0))
                for output in outputs:
                    for job_id in self._by_output.pop(output, ()):
                        self._items.pop(job_id, None)
                self._take(rows)
            self._event = last

    def _take(self, rows: Iterable[Sequence[object]]) -> None:
        for row in rows:
            for name in (row[place] for place in FOLDERS):
                if isinstance(name, str) and name not in self._roots:
                    self._roots[name] = self._ledger.absolute(name)
            item = item_of(row, self._roots)
            self._items[item.id] = item
            self._by_output.setdefault(item.output_id, []).append(item.id)

    def item(self, job_id: str) -> Item | None:
        """Return one item, None where there is none."""
        return self._items.get(job_id)

    def results(self) -> list[Item]:
        """Return all that have a result."""
        with self._lock:
            return [item for item in self._items.values() if item.has_result]

    def choose(self, choice: Choice) -> View:
        """Return what is chosen now."""
        with self._lock:
            items = list(self._items.values())
        test = _Test(choice, self._suspicion)
        counts = dict.fromkeys(GROUPS, 0)
        found = []
        for item in items:
            if test.passes(item):
                counts[item.group] += 1
                if not choice.group or item.group == choice.group:
                    found.append(item)
        found.sort(key=self._key(choice.order))
        view = View(next(self._numbers), tuple(item.id for item in found), counts | {"all": sum(counts.values())})
        with self._lock:
            self._views[view.number] = view
            while len(self._views) > VIEWS:
                self._views.popitem(last=False)
        return view

    def _key(self, order: Order) -> Callable[[Item], tuple[object, ...]]:
        match order:
            case Order.SUSPICION:
                return lambda item: (-self._suspicion(item)[0], item.output_path, item.id)
            case Order.NAME:
                return lambda item: (item.output_path, item.id)
            case Order.NEWEST:
                return lambda item: (-item.updated_at, item.output_path, item.id)
            case Order.MISFIT:
                return lambda item: (-item.misfit.distortion - item.misfit.blur, item.output_path, item.id)
            case Order.SIZE:
                return lambda item: (item.width * item.height, item.output_path, item.id)

    def view(self, number: int) -> View | None:
        """Return a choice that was made; None where it is forgotten."""
        with self._lock:
            if number in self._views:
                self._views.move_to_end(number)
            return self._views.get(number)

    def window(self, view: View, start: int, count: int) -> Iterator[tuple[int, Item]]:
        """Yield the items of a part of a view, beside their places in it; what is gone since is left out."""
        for place, job_id in enumerate(view.ids[start : start + count], start):
            if item := self._items.get(job_id):
                yield place, item

    def next_undecided(self, view: View, after: int) -> int | None:
        """Return the place of the next undecided result after one, round the end; None where none is left."""
        total = len(view.ids)
        for step in range(1, total + 1):
            place = (after + step) % total
            item = self._items.get(view.ids[place])
            if item is not None and item.group == "undecided":
                return place
        return None

    def facets(self) -> dict[str, list[str]]:
        """Return what may be chosen: every folder, background, remark and state that there is."""
        with self._lock:
            items = list(self._items.values())
        folders: set[str] = set()
        for item in items:
            folder = item.folder
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        backgrounds = {shown_path(item.background_path) or TRANSPARENT for item in items}
        remarks = collections.Counter(item.remark for item in items if item.remark)
        return {
            "folders": sorted(map(shown_path, folders)),
            "backgrounds": sorted(backgrounds),
            "remarks": [remark for remark, _ in remarks.most_common(50)],
            "states": sorted({item.state.value for item in items}),
        }


class _Test:
    """Whether an item is among what is wanted, whatever its group."""

    def __init__(self, choice: Choice, suspicion: Suspicion) -> None:
        self._choice = choice
        self._suspicion = suspicion
        self._words = choice.text.lower().split()
        self._least, self._most = SIZES.get(choice.size, (0, 1 << 62))

    def passes(self, item: Item) -> bool:
        """Return whether it is."""
        wanted = self._choice
        if wanted.state and item.state != wanted.state:
            return False
        # As the page has it: what is no character went there as a mark.
        if wanted.folder and not f"{shown_path(item.folder)}/".startswith(f"{wanted.folder}/"):
            return False
        if wanted.background and (shown_path(item.background_path) or TRANSPARENT) != wanted.background:
            return False
        if wanted.remark and not (item.remark if wanted.remark == "*" else item.remark == wanted.remark):
            return False
        if not self._least <= item.width * item.height < self._most:
            return False
        if wanted.misfit and not _has_misfit(item, wanted.misfit):
            return False
        if wanted.sign and wanted.sign not in self._suspicion(item)[1]:
            return False
        return not self._words or self._has_words(item)

    def _has_words(self, item: Item) -> bool:
        text = "\n".join(
            (item.name, item.background_path, item.output_path, item.id, item.remark, item.error, item.reason)
        ).lower()
        return all(word in text for word in self._words)


def _has_misfit(item: Item, wanted: str) -> bool:
    return item.fits == "fits" if wanted == "fits" else wanted in item.fits


def shown_path(path: str) -> str:
    """Return a path as it may stand in a page and in an address: nothing in it is no character, or cannot be seen."""
    return path if path.isascii() and path.isprintable() else shown(path)
