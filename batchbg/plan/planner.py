"""From a folder of photos to jobs in the ledger, a folder at a time: scan, probe, choose, decide."""

import concurrent.futures
import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from batchbg.core.model import PhotoInfo, Stamp
from batchbg.core.planning import DONE_BEFORE
from batchbg.disk.file_identity import Identity, identity_of
from batchbg.disk.not_pictures import names_another_kind
from batchbg.disk.patterns import Rules
from batchbg.disk.rehearsal import Rehearsal
from batchbg.disk.scan import UNREADABLE, Listing, listed, walk, without
from batchbg.errors import DiskError
from batchbg.ledger import deletions, outputs, photos
from batchbg.ledger.store import Ledger
from batchbg.plan import backgrounds, same_name
from batchbg.plan.deciding import Deciding
from batchbg.plan.lines import BEING_WRITTEN, MISNAMED, NO_PICTURE, NOT_THERE, Line, Listener, Tally
from batchbg.plan.probing import PROBERS, Probing
from batchbg.plan.request import Request, read_request
from batchbg.plan.roots import Roots, enter, planned_before
from batchbg.plan.selection import Chooser, chooser_for
from batchbg.plan.unchanged import Unchanged
from batchbg.plan.vanished import Vanished
from batchbg.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """What each folder goes through, in this order."""

    unchanged: Unchanged
    vanished: Vanished
    probing: Probing
    masters: same_name.Masters
    deciding: Deciding


class Planner:
    """Plans one photo folder into one output folder.

    Attributes:
        roots: the folders, and their numbers in the ledger.
        tally: what became of the files so far.
        originals: the folders of photos and backgrounds that are known so far.
    """

    def __init__(
        self,
        request: Request,
        roots: Roots,
        ledger: Ledger,
        run_id: str,
        listener: Listener,
        rehearsal: Rehearsal | None,
    ) -> None:
        """Prepare a plan; nothing is read or written yet.

        Args:
            request: what is to be planned.
            roots: its folders.
            ledger: to plan into.
            run_id: of the run that plans.
            listener: whom the plan is made for.
            rehearsal: tries out where results belong; without it the last run's word is taken.
        """
        self._request = request
        self.roots = roots
        self._ledger = ledger
        self._run_id = run_id
        self._listener = listener
        self._rehearsal = rehearsal
        self.originals: set[Identity] = rehearsal.originals if rehearsal else set()
        self.originals |= {
            found for root in (request.photos, request.backgrounds) if root and (found := identity_of(root))
        }
        self.tally = Tally()

    def plan(self) -> Iterator[Line]:
        """Plan every photo into the ledger; yield a line for each as it is decided.

        Raises:
            ConfigError: a folder is missing, or no background can be used.
            DiskError: there are no photos where there were some.
            PlanAbandoned: the plan is no longer wanted.
        """
        request = self._request
        with concurrent.futures.ThreadPoolExecutor(PROBERS) as probers:
            probing = Probing(self._ledger, self._run_id, request.settings, self._listener, probers)
            chooser = self._chooser(probing)
            steps = self._steps(probing, chooser)
            for listing in self._listings():
                self._listener.stop_if_abandoned()
                if listing.identity:
                    self.originals.add(listing.identity)
                for line in self._plan_folder(listing, steps):
                    self.tally.count(line)
                    yield line
        if self.tally.missing:
            self.tally.lost = min(self._count_lost(), self.tally.missing)
        if request.saved is None:
            self.tally.unmatched += [*request.rules.unused, *chooser.unused]
        if gone := steps.vanished.held_back:
            raise DiskError(
                f"{request.photos} holds none of the {len(gone)} photos that were in it; is its disk mounted?"
                " Nothing was changed"
            )

    def _count_lost(self) -> int:
        """Return how many results in the output folder are no longer on disk and were deleted at the service."""
        output = self.roots.output
        with self._ledger.reading() as connection:
            deleted = deletions.deleted_paths(connection, self.roots.output_root)
            return sum(not os.path.lexists(output / path) for path in deleted)

    def _chooser(self, probing: Probing) -> Chooser:
        root, root_id = self._request.backgrounds, self.roots.background_root
        found = backgrounds.Backgrounds()
        if root is not None and root_id is not None:
            found = backgrounds.load(root, root_id, self._request.background, probing, self.originals)
        self.tally.bad_backgrounds |= found.refused
        return chooser_for(self._request, found.usable)

    def _steps(self, probing: Probing, chooser: Chooser) -> Steps:
        request, ledger, run_id = self._request, self._ledger, self._run_id
        force, wants_all = request.settings.force, self._listener.wants_all
        with ledger.reading() as connection:
            unchanged = Unchanged(connection, self.roots, chooser, force=force, wants_all=wants_all)
        deciding = Deciding(ledger, run_id, request, self.roots, chooser, self._rehearsal)
        prefer = "both" if request.saved is not None else request.settings.prefer
        masters = same_name.Masters(ledger, self.roots, prefer)
        return Steps(unchanged, Vanished(ledger, run_id, self.roots), probing, masters, deciding)

    def _listings(self) -> Iterator[Listing]:
        request = self._request
        if not (request.backgrounds and request.background):
            return self._listings_of_all()
        return without(request.backgrounds / request.background, request.photos, self._listings_of_all())

    def _listings_of_all(self) -> Iterator[Listing]:
        request, own = self._request, identity_of(self._request.photos)
        shut = [self.roots.output, *self.roots.former_outputs.values()]
        shut += [request.backgrounds] if request.backgrounds and not request.background else []
        shut = [folder for folder in shut if folder != request.photos and identity_of(folder) != own]
        if request.saved is not None:
            return listed(request.photos, request.saved, shut, Rules())
        if request.names is not None:
            return listed(request.photos, request.names, shut, request.rules)
        return walk(request.photos, shut, request.rules)

    def _plan_folder(self, listing: Listing, steps: Steps) -> Iterator[Line]:
        yield from self._ignore({_join(listing, name): why for name, why in listing.left_out.items()})
        yield from self._tell_missing(listing)
        if listing.trouble:
            yield from self._reject_unreadable({f"{listing.folder}/": f"the folder {UNREADABLE}: {listing.trouble}"})
            return
        with self._ledger.reading() as connection:
            found = steps.unchanged.pass_over(connection, listing)
        if passed_over := len(listing.files) - len(found.left):
            self.tally.seen += passed_over
            self.tally.skipped[DONE_BEFORE] += passed_over - len(found.lines)  # each of which is counted as it is told
        self.tally.missing += found.missing
        self.tally.other_background += found.other_background
        yield from found.lines
        steps.vanished.forget(found.unlisted, len(listing.files) + len(listing.unreadable))
        yield from self._reject_unreadable({_join(listing, name): why for name, why in listing.unreadable.items()})
        yield from self._leave_unsettled(listing, found.left)
        yield from self._ignore_needless(listing, found.left)
        if not found.left:
            return
        sendable: list[str] = []
        yield from self._probe(listing, found.left, steps.probing, sendable)
        twins = steps.masters.left_out(listing, sendable)
        self.tally.seen += len(twins)
        yield from (Line(path, "skip", detail=why) for path, why in twins.items())
        if sendable := [path for path in sendable if path not in twins]:
            yield from self._decide(listing, sendable, steps.deciding)

    def _ignore(self, reasons: Mapping[str, str]) -> Iterator[Line]:
        """Count files that are no photos; those who want all have a line for each."""
        for path, reason in sorted(reasons.items()):
            self.tally.ignore(path, reason)
            if self._listener.wants_all:
                yield Line(path, "ignore", detail=reason)

    def _leave_unsettled(self, listing: Listing, left: dict[str, Stamp]) -> Iterator[Line]:
        """Take out of ``left`` what may still be being written, as far as somebody keeps an eye on that."""
        takes = self._listener.takes
        if takes is None:
            return
        unsettled = sorted(name for name, stamp in left.items() if not takes(_join(listing, name), stamp))
        for name in unsettled:
            del left[name]
        self.tally.seen += len(unsettled)
        yield from (Line(_join(listing, name), "skip", detail=BEING_WRITTEN) for name in unsettled)

    def _ignore_needless(self, listing: Listing, left: dict[str, Stamp]) -> Iterator[Line]:
        """Take out of ``left`` what is not needed beside another file; an older version may have rejected it."""
        needless = same_name.needless(listing.files, left) if self._request.saved is None else {}
        if not needless:
            return
        reasons = {_join(listing, name): reason for name, reason in needless.items()}
        for name in needless:
            del left[name]
        with self._ledger.reading() as connection:
            known = photos.infos_of(connection, self.roots.photo_root, list(reasons))
        if known:
            with self._ledger.transaction(self._run_id) as tx:
                photos.forget(tx, self.roots.photo_root, list(known))
        yield from self._ignore(reasons)

    def _tell_missing(self, listing: Listing) -> Iterator[Line]:
        """Tell of files that were named and are not there."""
        self.tally.seen += len(listing.missing)
        for name in listing.missing:
            path = _join(listing, name)
            self.tally.unmatched.append(self._not_there(path))
            yield Line(path, "skip", detail=NOT_THERE)

    def _not_there(self, path: str) -> str:
        """Say that a file which was named is not there, and what may have been meant."""
        other = path.replace("\\", "/")
        parent, name = (self._request.photos / other).parent, other.rpartition("/")[2]
        with contextlib.suppress(OSError):
            for one in os.listdir(parent):  # noqa: PTH208 - names alone
                if one.casefold() == name.casefold():
                    return f"{path!r} is named, but not there; is {other[: -len(name)] + one!r} meant?"
        return f"{path!r} is named, but not there"

    def _probe(
        self, listing: Listing, files: dict[str, Stamp], probing: Probing, sendable: list[str]
    ) -> Iterator[Line]:
        """Tell of files that cannot be sent; the paths of those that can be go into ``sendable``."""
        for probed in probing.probe(self._request.photos, self.roots.photo_root, listing.folder, files):
            misnamed = self._misnamed([path for path, info in probed.infos.items() if info.pixels])
            sendable += [path for path, info in probed.infos.items() if info.pixels and path not in misnamed]
            # One that could be sent, and whose result could not be saved, is tried anew.
            rejected = {path: info.rejected for path, info in probed.infos.items() if info.rejected and not info.pixels}
            ignored = {path: NO_PICTURE for path, info in probed.infos.items() if not info.pixels and not info.rejected}
            yield from self._ignore(ignored | dict.fromkeys(misnamed, MISNAMED))
            self.tally.seen += len(rejected) + len(probed.changing)
            yield from (Line(path, "skip", detail=BEING_WRITTEN) for path in probed.changing)
            yield from self._reject(rejected)

    def _misnamed(self, pictures: Sequence[str]) -> Collection[str]:
        """Return those whose names say that they are none; not what a person names, nor what was a photo before."""
        if self._request.names is not None or self._request.saved is not None:
            return ()
        found = {path for path in pictures if names_another_kind(path.rpartition("/")[2])}
        if not found:
            return ()
        with self._ledger.reading() as connection:
            return (
                found - outputs.of_photos(connection, self.roots.output_root, self.roots.photo_root, list(found)).keys()
            )

    def _decide(self, listing: Listing, sendable: list[str], deciding: Deciding) -> Iterator[Line]:
        self._listener.stop_if_abandoned()
        for decided in deciding.decide(listing, sendable):
            self.tally.seen += len(decided.lines)
            self.tally.rejected += decided.rejected
            self.tally.newly_rejected += decided.newly_rejected
            yield from decided.lines
            self._listener.stop_if_abandoned()

    def _reject(self, rejected: dict[str, str]) -> Iterator[Line]:
        if not rejected:
            return
        self.tally.rejected += len(rejected)
        with self._ledger.transaction(self._run_id) as tx:
            fresh = photos.newly_rejected(tx, self.roots.photo_root, list(rejected))
        self.tally.newly_rejected += len(fresh)
        yield from (Line(path, "reject", detail=why, is_news=path in fresh) for path, why in rejected.items())

    def _reject_unreadable(self, unreadable: dict[str, str]) -> Iterator[Line]:
        """Count files of which the disk tells nothing; a folder, whose path ends with "/", counts as one photo."""
        if not unreadable:
            return
        refused = {path: PhotoInfo(Stamp(0, 0, 0), "", None, "", "", why) for path, why in unreadable.items()}
        with self._ledger.transaction(self._run_id) as tx:
            known = photos.infos_of(tx.connection, self.roots.photo_root, list(refused))
            fresh = {path: new for path, new in refused.items() if known.get(path) != new}
            photos.remember(tx, self.roots.photo_root, fresh)
        self.tally.seen += len(refused)
        yield from self._reject(unreadable)


def begin_plan(
    settings: Settings,
    ledger: Ledger,
    run_id: str,
    listener: Listener = Listener(),  # noqa: B008 - frozen
    rehearsal: Rehearsal | None = None,
) -> Planner:
    """Read what is asked for, enter its folders into the ledger, and return who plans it.

    Args:
        settings: ``photos`` is set.
        ledger: to plan into.
        run_id: of the run that plans.
        listener: whom the plan is made for.
        rehearsal: tries out where results belong; without it the last run's word is taken.

    Raises:
        ConfigError: the folders contradict each other, or a list cannot be read.
    """
    earlier = planned_before(ledger, Path(os.path.realpath(settings.output))) if settings.files else ()
    request = read_request(settings, earlier)
    return Planner(request, enter(ledger, run_id, request), ledger, run_id, listener, rehearsal)


def _join(listing: Listing, name: str) -> str:
    return f"{listing.folder}/{name}" if listing.folder else name
