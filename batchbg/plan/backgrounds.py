"""The backgrounds: probed like photos, and named where one cannot be used."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from batchbg.core.pairing import Background
from batchbg.disk.file_identity import Identity
from batchbg.disk.patterns import Rules
from batchbg.disk.scan import UNREADABLE, Listing, listed, walk
from batchbg.plan.lines import BEING_WRITTEN
from batchbg.plan.probing import Probing

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Backgrounds:
    """The pictures of a background folder.

    Attributes:
        usable: in the order of the folder.
        refused: why one cannot be used, by its path.
    """

    usable: Sequence[Background] = ()
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)


def load(root: Path, root_id: int, only: str, probing: Probing, originals: set[Identity]) -> Backgrounds:
    """Return all backgrounds that lie below a folder.

    Args:
        root: the folder.
        root_id: its number in the ledger.
        only: name of the one file in it that counts, "" for all below it.
        probing: opens what is new.
        originals: takes in every folder that is met.

    Raises:
        ConfigError: it is no folder.
    """
    usable: list[Background] = []
    refused: dict[str, str] = {}
    for listing in listed(root, [only], [], Rules()) if only else walk(root, [], Rules()):
        if listing.identity:
            originals.add(listing.identity)
        refused |= _unreadable(listing)
        for probed in probing.probe(root, root_id, listing.folder, listing.files):
            refused |= dict.fromkeys(probed.changing, BEING_WRITTEN)
            usable += [
                Background(path, info.contents[0], info.pixels) for path, info in probed.infos.items() if info.pixels
            ]
            refused |= {path: info.rejected for path, info in probed.infos.items() if info.rejected and not info.pixels}
    for path, reason in refused.items():
        log.warning("background %s: %s", path, reason)
    return Backgrounds(usable, refused)


def _unreadable(listing: Listing) -> Iterator[tuple[str, str]]:
    """Yield (path, reason) for what the disk tells nothing of."""
    if listing.trouble:
        yield f"{listing.folder}/", f"{UNREADABLE}: {listing.trouble}"
    for name, why in listing.unreadable.items():
        yield f"{listing.folder}/{name}" if listing.folder else name, why
