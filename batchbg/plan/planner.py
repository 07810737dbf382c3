"""From a folder of photos to jobs in the ledger: scan, look, pair, decide, a folder at a time."""

import codecs
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from batchbg.core.model import PhotoInfo, Size, Stamp
from batchbg.core.pairing import Background, Pairing
from batchbg.core.planning import DONE_BEFORE, UNSAVABLE
from batchbg.disk.decoding import probe
from batchbg.disk.files import Identity, identity_of, lies_in, read_bytes
from batchbg.disk.probe import ProbeLimits
from batchbg.disk.rehearsal import Rehearsal
from batchbg.disk.scan import UNREADABLE, Listing, Rules, listed, walk
from batchbg.errors import ConfigError, DiskError, PhotoChanged, PlanLeft
from batchbg.ledger import folders, jobs, orders, outputs, photos
from batchbg.ledger.store import Connection, Ledger
from batchbg.plan.folder_plan import FolderPlan, Line, Roots, name_outputs, portable_path, rename_unsaved
from batchbg.plan.saved_plan import BySavedPlan, Entry, read_plan
from batchbg.plan.selection import ByPairing, Chooser, Transparent, background_of, read_map
from batchbg.settings import Settings

log = logging.getLogger(__name__)

LOOKERS: Final = min(os.cpu_count() or 1, 8)
"""Threads that decode; Pillow lets go of the interpreter while it does."""

AT_ONCE: Final = 1000
"""Photos looked at, or decided, between two commits: what a crash costs, and what memory holds of a folder."""

T = TypeVar("T")

BEING_WRITTEN: Final = "being written; the next run takes it"
NOT_THERE: Final = "named, but not there"


@dataclasses.dataclass
class Tally:
    """What became of every file of one scan.

    Attributes:
        seen: files that claim or turn out to be pictures.
        new: jobs planned; ``taken_up`` are jobs of earlier runs that go on.
        copies: photos that are to get a copy of another's result.
        skipped: by reason.
        rejected: all of them; ``newly_rejected`` are those no earlier run has told of.
        ignored: junk, hidden, filtered and files that are no pictures.
        other_background: done before, on another background than would be chosen today.
        missing: done before, but the result is no longer on disk.
        changed: new jobs for photos that had a result before their content changed.
        backgrounds: new jobs by background path, "" for transparent ones.
        bad_backgrounds: why a background cannot be used, by its path.
        enlarged: new jobs whose cover crop enlarges its background.
        unmatched: a sentence for each pattern, line of a map or name in a list that matches nothing.
    """

    seen: int = 0
    new: int = 0
    taken_up: int = 0
    copies: int = 0
    skipped: Counter[str] = dataclasses.field(default_factory=Counter)
    rejected: int = 0
    newly_rejected: int = 0
    ignored: int = 0
    other_background: int = 0
    missing: int = 0
    changed: int = 0
    backgrounds: Counter[str] = dataclasses.field(default_factory=Counter)
    bad_backgrounds: dict[str, str] = dataclasses.field(default_factory=dict)
    enlarged: int = 0
    unmatched: list[str] = dataclasses.field(default_factory=list)

    def count(self, line: Line) -> None:
        """Take in what was decided for one photo."""
        match line.action:
            case "new":
                self.new += 1
                self.changed += line.changed
                self.backgrounds[line.background] += 1
                self.enlarged += line.enlarged > 1
            case "go on":
                self.taken_up += 1
            case "copy":
                self.copies += 1
            case "skip":
                self.skipped[line.detail] += 1
                self.other_background += line.other_background
                self.missing += line.missing


class Planner:
    """Plans one photo folder into one output folder.

    Attributes:
        photo_root, output_root: numbers of the two folders in the ledger.
        output: the output folder.
        tally: what became of the files so far.
        originals: the folders of photos and backgrounds that are known so far.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        run_id: str,
        looked: Callable[[int], object] = int,
        *,
        tells_all: bool = False,
        left: Callable[[], bool] = bool,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        """Prepare a plan.

        Args:
            settings: ``photos`` is set.
            ledger: to plan into.
            run_id: of the run that plans.
            looked: told how many files were opened, each time that some more were.
            tells_all: photos that are done and unchanged have their lines, too.
            left: whether nobody waits for the plan any more; it ends soon after.
            rehearsal: tries out where results belong; without it the last run's word is taken.

        Raises:
            ConfigError: the folders contradict each other, or the list of files cannot be read.
        """
        assert settings.photos is not None
        self._settings = settings
        self._ledger = ledger
        self._run_id = run_id
        self._photos = Path(os.path.realpath(settings.photos))
        self.output = Path(os.path.realpath(settings.output))
        self._backgrounds = Path(os.path.realpath(settings.backgrounds)) if settings.backgrounds else None
        _check_folders(self._photos, self.output, self._backgrounds)
        with ledger.transaction(run_id) as tx:
            self.photo_root = folders.id_of(tx, ledger.relative(self._photos))
            self.output_root = folders.id_of(tx, ledger.relative(self.output))
            self._background_root = folders.id_of(tx, ledger.relative(self._backgrounds)) if self._backgrounds else None
            # While this plan is made, the pool brings some of them theirs: those are results of this run.
            awaited = outputs.awaiting(tx.connection, self.output_root)
            self.order_id = orders.take(tx, _request(settings), anew=settings.again) if settings.force else None
            if self.order_id and orders.was_begun(tx.connection, self.order_id):
                log.warning("going on with an earlier --force that is not done yet; --again begins anew")
            self._former_outputs = [ledger.absolute(path) for path in folders.output_roots(tx.connection)]
        self._roots = Roots(
            self._photos, self.photo_root, self.output, self.output_root, self._background_root, awaited, self.order_id
        )
        self._terms = ProbeLimits(settings.first_page, settings.max_upload_bytes, settings.allow_blank)
        self._looked = looked
        self._tells_all = tells_all
        self._left = left
        self._rehearsal = rehearsal
        self.originals: set[Identity] = rehearsal.originals if rehearsal else set()
        self.originals |= {found for root in (self._photos, self._backgrounds) if root and (found := identity_of(root))}
        self._results: frozenset[str] | None = None
        self._present = 0
        self._gone: list[str] | None = []
        self._paired: bool | None = None
        # Read here and not where the plan is made, which may be a thread: a signal ends the wait for stdin.
        self._named = _names_from(settings.files_from, null=settings.null) if settings.files_from else None
        self._saved: dict[str, Entry] = {}
        self._rules = Rules(settings.include, settings.exclude, settings.max_depth)
        self.tally = Tally()

    def plan(self) -> Iterator[Line]:
        """Plan every photo into the ledger; yield a line for each as it is decided.

        Raises:
            ConfigError: a folder is missing, or no background can be used.
            DiskError: there are no photos where there were some.
            PlanLeft: nobody waits for it any more.
        """
        saved = read_plan(self._settings.plan) if self._settings.plan else None
        self._saved = saved or {}
        with concurrent.futures.ThreadPoolExecutor(LOOKERS) as lookers:
            chooser = self._chooser(lookers, saved)
            for listing in self._listings(saved):
                self._end_if_left()
                if listing.identity:
                    self.originals.add(listing.identity)
                for line in self._plan_folder(listing, chooser, lookers):
                    self.tally.count(line)
                    yield line
            if saved is None:
                self.tally.unmatched += [*self._rules.unused, *chooser.unused]
        if self._gone:
            raise DiskError(
                f"{self._photos} holds none of the {len(self._gone)} photos that were in it; is its disk mounted?"
                " Nothing was changed"
            )

    def _listings(self, saved: dict[str, Entry] | None) -> Iterator[Listing]:
        rules = self._rules
        shut = [self.output, *self._former_outputs, *([self._backgrounds] if self._backgrounds else [])]
        own = identity_of(self._photos)
        shut = [folder for folder in shut if folder != self._photos and identity_of(folder) != own]
        if saved is not None:
            return listed(self._photos, saved, shut, Rules())
        if self._named is not None:
            return listed(self._photos, self._named, shut, rules)
        return walk(self._photos, shut, rules)

    # -- backgrounds -----------------------------------------------------------------------------------------------

    def _chooser(self, lookers: concurrent.futures.Executor, saved: dict[str, Entry] | None) -> Chooser:
        settings = self._settings
        if self._backgrounds is None:
            if saved and any(entry.background for entry in saved.values()):
                raise ConfigError(f"plan: {settings.plan} names backgrounds; give --backgrounds as when it was saved")
            return BySavedPlan(saved, {}) if saved is not None else Transparent()
        backgrounds = self._load_backgrounds(lookers)
        by_path = {background.path: background for background in backgrounds}
        if saved is not None:
            return BySavedPlan(saved, by_path)
        rules = read_map(settings.background_map, by_path) if settings.background_map else []
        if not backgrounds:
            raise ConfigError(f"backgrounds: {self._backgrounds} holds no picture that can be used")
        try:
            pairing = Pairing(backgrounds, settings.tolerance, settings.background_policy)
        except LookupError as error:
            raise ConfigError(f"background_policy: there is no background {error} in {self._backgrounds}") from error
        return ByPairing(pairing, settings.on_mismatch, rules)

    def _load_backgrounds(self, lookers: concurrent.futures.Executor) -> list[Background]:
        assert self._backgrounds is not None
        assert self._background_root is not None
        found = []
        for listing in walk(self._backgrounds, [], Rules()):
            if listing.identity:
                self.originals.add(listing.identity)
            if listing.trouble:
                self._refuse(f"{listing.folder}/", f"{UNREADABLE}: {listing.trouble}")
            for name, why in listing.unreadable.items():
                self._refuse(_join(listing.folder, name), why)
            for looks, changing in self._look(self._backgrounds, self._background_root, listing, lookers):
                for path in changing:
                    self._refuse(path, BEING_WRITTEN)
                for path, seen in looks.items():
                    if seen.pixels:
                        found.append(Background(path, seen.contents[0], seen.pixels))
                    elif seen.rejected:
                        self._refuse(path, seen.rejected)
        return found

    def _refuse(self, background: str, reason: str) -> None:
        log.warning("background %s: %s", background, reason)
        self.tally.bad_backgrounds[background] = reason

    # -- photos ----------------------------------------------------------------------------------------------------

    def _plan_folder(self, listing: Listing, chooser: Chooser, lookers: concurrent.futures.Executor) -> Iterator[Line]:
        self.tally.ignored += listing.ignored
        self.tally.seen += len(listing.missing)
        self.tally.unmatched += [self._not_there(_join(listing.folder, name)) for name in listing.missing]
        yield from (Line(_join(listing.folder, name), "skip", detail=NOT_THERE) for name in listing.missing)
        if listing.trouble:
            yield from self._reject_unreadable({f"{listing.folder}/": f"the folder {UNREADABLE}: {listing.trouble}"})
            return
        with self._ledger.reading() as connection:
            rest, gone, lines = self._pass_over_settled(connection, listing, chooser)
        yield from lines
        self._present += len(listing.files) + len(listing.unreadable)
        self._forget(gone)
        if listing.unreadable:
            unreadable = {_join(listing.folder, name): why for name, why in listing.unreadable.items()}
            yield from self._reject_unreadable(unreadable)
        if not rest:
            return
        sendable: list[str] = []
        for looks, changing in self._look(
            self._photos, self.photo_root, dataclasses.replace(listing, files=rest), lookers
        ):
            sendable += [path for path, seen in looks.items() if seen.pixels]
            # One that could be sent, and whose result could not be saved, is tried anew.
            rejected = {path: seen.rejected for path, seen in looks.items() if seen.rejected and not seen.pixels}
            self.tally.ignored += sum(not seen.pixels and not seen.rejected for seen in looks.values())
            self.tally.seen += len(rejected) + len(changing)
            yield from (Line(path, "skip", detail=BEING_WRITTEN) for path in changing)
            yield from self._reject(rejected)
        if sendable:
            yield from self._decide(listing, sendable, chooser)

    def _not_there(self, path: str) -> str:
        """Say that a file which was named is not there, and what may have been meant."""
        other = path.replace("\\", "/")
        parent, name = (self._photos / other).parent, other.rpartition("/")[2]
        with contextlib.suppress(OSError):
            for one in os.listdir(parent):  # noqa: PTH208 - names alone
                if one.casefold() == name.casefold():
                    return f"{path!r} is named, but not there; is {other[: -len(name)] + one!r} meant?"
        return f"{path!r} is named, but not there"

    def _decide(self, listing: Listing, sendable: list[str], chooser: Chooser) -> Iterator[Line]:
        """Name the results of all photos together, then decide some at a time: memory stays flat."""
        settings, roots = self._settings, self._roots
        with self._ledger.transaction(self._run_id) as tx:
            names = name_outputs(tx, roots, listing, sendable, settings, self._saved)
        if self._rehearsal and settings.portable_names:
            names = self._rename_refused(names, listing, sendable)
        for some in chunks(sendable, AT_ONCE):
            self._end_if_left()
            tried = self._rehearse(names, some)  # before the transaction, which others wait for
            with self._ledger.transaction(self._run_id) as tx:
                looks = photos.infos_of(tx.connection, self.photo_root, some)
                results = self._saved_results(tx.connection)
                refused = tried if self._rehearsal else {path: seen.rejected for path, seen in looks.items()}
                lines = FolderPlan(tx, roots, names, looks, chooser, settings, refused, results).lines()
                rejected = {line.path: line.detail for line in lines if line.action == "reject"}
                news = {path: rejected.get(path, "") for path, seen in looks.items()}
                photos.refuse(
                    tx, self.photo_root, {path: why for path, why in news.items() if why != looks[path].rejected}
                )
                self.tally.newly_rejected += photos.newly_rejected(tx, self.photo_root, list(rejected))
            self.tally.rejected += len(rejected)
            self.tally.seen += len(lines)
            yield from lines

    def _rehearse(self, names: Mapping[str, str], photos: Sequence[str]) -> dict[str, str]:
        """Return, by photo, why its result could not be saved, of those where it is so."""
        if self._rehearsal is None:
            return {}
        tried = ((path, self._rehearsal.refuses(self.output, names[path])) for path in photos)
        return {path: f"{UNSAVABLE}{why}" for path, why in tried if why}

    def _rename_refused(self, names: dict[str, str], listing: Listing, photos: Sequence[str]) -> dict[str, str]:
        """Return the names, with others for those that the disk does not take and under which nothing was ever saved."""
        refused = [
            path for path in photos if portable_path(names[path]) != names[path] and self._rehearse(names, [path])
        ]
        if not refused:
            return names
        with self._ledger.transaction(self._run_id) as tx:
            return rename_unsaved(tx, self._roots, listing, names, refused, self._settings)

    def _saved_results(self, connection: Connection) -> frozenset[str]:
        """Return the content of every result that was ever saved; read once, for there may be many small folders."""
        if self._results is None:
            self._results = outputs.saved_contents(connection)
        return self._results

    def _reject(self, rejected: dict[str, str]) -> Iterator[Line]:
        self.tally.rejected += len(rejected)
        if rejected:
            with self._ledger.transaction(self._run_id) as tx:
                self.tally.newly_rejected += photos.newly_rejected(tx, self.photo_root, list(rejected))
        yield from (Line(path, "reject", detail=reason) for path, reason in rejected.items())

    def _reject_unreadable(self, unreadable: dict[str, str]) -> Iterator[Line]:
        """Count files of which the disk tells nothing; a folder, whose path ends with "/", counts as one photo."""
        refused = {path: PhotoInfo(Stamp(0, 0, 0), "", None, "", "", why) for path, why in unreadable.items()}
        with self._ledger.transaction(self._run_id) as tx:
            known = photos.infos_of(tx.connection, self.photo_root, list(refused))
            photos.remember(tx, self.photo_root, {path: new for path, new in refused.items() if known.get(path) != new})
        self.tally.seen += len(refused)
        yield from self._reject({path: seen.rejected for path, seen in refused.items()})

    def _pass_over_settled(
        self, connection: Connection, listing: Listing, chooser: Chooser
    ) -> tuple[dict[str, Stamp], list[str], list[Line]]:
        """Count the photos that are as they were and have their result.

        Night after night that is nearly all of them, so that little is done for each.

        Returns:
            The files that are left, photos that are no longer listed, lines for those passed over where they are
            wanted.
        """
        tally, force, awaited = self.tally, self._settings.force, self._roots.awaited
        left = listing.files.copy()
        start = len(listing.folder) + 1 if listing.folder else 0
        paired = self._is_compared_one_by_one(connection, chooser)
        gone, lines = [], []
        here = self._outputs_beside(listing.folder)
        rows = photos.known_photos(
            connection, self.photo_root, self.output_root, listing.folder, deep=bool(listing.subfolders), paired=paired
        )
        for row in itertools.chain.from_iterable(rows):
            name, output = row[0][start:], row[4]
            stamp = left.get(name)
            if stamp is None:
                if name not in listing.unreadable:
                    gone.append(row[0])
            elif output is not None and stamp == row[1:4] and not force and output not in awaited:
                del left[name]
                if output not in here and not os.path.lexists(self.output / output):
                    tally.missing += 1
                if paired:
                    today = background_of(chooser.choose(row[0], Size(row[5], row[6]), row[7]))
                    tally.other_background += today != row[8]
                if self._tells_all:
                    lines.append(Line(row[0], "skip", output=output, detail=DONE_BEFORE))
        passed_over = len(listing.files) - len(left)
        tally.seen += passed_over
        if passed_over:
            tally.skipped[DONE_BEFORE] += passed_over
        return left, gone, lines

    def _outputs_beside(self, folder: str) -> set[str]:
        """Return the paths in the output folder that mirrors a folder of photos; listing is cheaper than asking."""
        prefix = _join(folder, "")
        try:
            return {prefix + name for name in os.listdir(self.output / folder)}  # noqa: PTH208 - names alone
        except OSError:
            return set()

    def _is_compared_one_by_one(self, connection: Connection, chooser: Chooser) -> bool:
        """Tell whether today's choice may differ from the background of what is done; found out once for all sizes."""
        if self._paired is None:
            self._paired = not chooser.by_size or any(
                background_of(chooser.choose("", pixels, "")) != made for pixels, made in jobs.pairs_made(connection)
            )
        return self._paired

    def _look(
        self, root: Path, root_id: int, listing: Listing, lookers: concurrent.futures.Executor
    ) -> Iterator[tuple[dict[str, PhotoInfo], list[str]]]:
        """Yield (looks by path, paths of files that are being written), opening only what has changed."""
        for some in chunks(sorted(listing.files.items()), AT_ONCE):
            stamps = {_join(listing.folder, name): stamp for name, stamp in some}
            with self._ledger.reading() as connection:
                known = photos.infos_of(connection, root_id, list(stamps))
            todo = [one for one in stamps.items() if self._is_news(known.get(one[0]), one[1])]
            seen = dict(zip(todo, lookers.map(lambda one: self._look_at(root, *one), todo), strict=True))
            # What is as bad as it was is not told again.
            fresh = {
                path: now
                for (path, _), now in seen.items()
                if now is not None and not _is_as_before(now, known.get(path))
            }
            if fresh:
                with self._ledger.transaction(self._run_id) as tx:
                    fresh = photos.remember(tx, root_id, fresh)
            changing = {path for (path, _), now in seen.items() if now is None}
            self._looked(len(todo))
            known |= fresh
            yield {path: known[path] for path in stamps if path not in changing}, sorted(changing)

    def _is_news(self, known: PhotoInfo | None, stamp: Stamp) -> bool:
        if known is None or known.stamp != stamp:
            return True
        if known.pixels and not known.picture:
            return True  # an older version looked at it
        return known.rejected.startswith(UNREADABLE) or self._terms.may_change(known)

    def _end_if_left(self) -> None:
        """Say that the plan is over where that is so.

        Raises:
            PlanLeft: nobody waits for the plan any more.
        """
        if self._left():
            raise PlanLeft("the scan was left before its end")

    def _look_at(self, root: Path, path: str, stamp: Stamp) -> PhotoInfo | None:
        self._end_if_left()
        try:
            return probe(root / path, stamp, self._terms)
        except PhotoChanged:
            return None

    def _forget(self, unlisted: Iterable[str]) -> None:
        """Drop what is known of photos that are gone, and of folders that can be read again.

        Photos that are merely filtered out stay. Nothing is dropped before a photo was seen: a disk that is not
        mounted is an empty folder.
        """
        gone = [path for path in unlisted if path.endswith("/") or not os.path.lexists(self._photos / path)]
        if self._gone is not None and not self._present:
            self._gone += gone
            return
        gone += self._gone or []
        self._gone = None
        if gone:
            with self._ledger.transaction(self._run_id) as tx:
                photos.forget(tx, self.photo_root, gone)


def _is_as_before(now: PhotoInfo, before: PhotoInfo | None) -> bool:
    return before is not None and now == dataclasses.replace(before, key=now.key)


def _request(settings: Settings) -> str:
    """Return what an order to pay again is about: which photos, on what. How many at once or for how much is not it."""
    named = ("photos", "output", "backgrounds", "background_map", "plan")
    told = ("include", "exclude", "files_from", "max_depth", "background_policy", "on_mismatch")
    paths = {name: os.path.realpath(path) if (path := getattr(settings, name)) else None for name in named}
    return json.dumps(paths | {name: getattr(settings, name) for name in told}, sort_keys=True)


def some_of(texts: Sequence[str], most: int = 5) -> list[str]:
    """Return the first of many sentences, and how many more there are."""
    more = len(texts) - most
    return [*texts[:most], *([f"... and {more} more"] if more > 0 else [])]


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield ``values`` some at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _check_folders(photos: Path, output: Path, backgrounds: Path | None) -> None:
    """Refuse folders that contradict each other, by whatever names they are given: mounts, links, letter case."""
    if lies_in(photos, output) and lies_in(output, photos):
        raise ConfigError(f"output: {output} is the photo folder{_too(output, photos)}; results need one of their own")
    if lies_in(photos, output):
        raise ConfigError(f"output: the photos lie inside {output}, so that they would pass for results")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"output: {output} is a file")
    if backgrounds is not None:
        if lies_in(photos, backgrounds):
            raise ConfigError(f"backgrounds: the photos lie inside {backgrounds}; name a folder of its own")
        if lies_in(output, backgrounds):
            raise ConfigError(f"output: {output} lies inside the background folder, to which nothing is written")


def _too(output: Path, photos: Path) -> str:
    return "" if output == photos else f", {photos}, by another name"


def _names_from(source: str, *, null: bool) -> Iterable[str]:
    """Return the names in a file or, for "-", on stdin; as bytes of the file system, so that any name can be given."""
    try:
        data = sys.stdin.buffer.read() if source == "-" else read_bytes(source)
    except OSError as error:
        raise ConfigError(f"files_from: {source}: {error.strerror or error}") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as some editors save a list
        data = os.fsencode(data.decode("utf-16", "replace"))
    data = data if null else data.removeprefix(codecs.BOM_UTF8)
    ending = b"\0" if null else b"\n"
    return [os.fsdecode(name.removesuffix(b"\r")) for name in data.split(ending) if name.strip()]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
