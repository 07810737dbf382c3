"""Deciding the photos of one folder: everything that is known is read first, then decided, then written in bulk."""

import dataclasses
import functools
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pathvalidate

from batchbg.core.lifecycle import JobState
from batchbg.core.model import NO_BACKGROUND, KnownJob, Output, PhotoInfo, Size, Treatment, new_id
from batchbg.core.naming import SUFFIXES, output_names, promised_names
from batchbg.core.pairing import Misfit
from batchbg.core.planning import A_RESULT, DONE_BEFORE, UNSAVABLE, Action, Decision, Facts, decide
from batchbg.disk.convert import too_large
from batchbg.disk.scan import Listing
from batchbg.ledger import jobs, outputs, transitions
from batchbg.ledger.events import EventKind
from batchbg.ledger.orders import UNFINISHED
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import NewJob
from batchbg.plan.saved_plan import Entry
from batchbg.plan.selection import Chooser, Chosen, background_of
from batchbg.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """The folders of one plan, and their numbers in the ledger.

    Attributes:
        awaited: paths below the output folder that wanted a result when the plan was begun.
        order_id: of the order to pay again, None without ``force``.
    """

    photos: Path
    photo_root: int
    output: Path
    output_root: int
    background_root: int | None
    awaited: Collection[str] = ()
    order_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What is done with one photo and why, for people.

    Attributes:
        path: below the photo folder.
        action: "new", "go on", "copy", "skip", "reject".
        background: path below the background folder, "" for none.
        output: path below the output folder.
        detail: figures of the pairing, or the reason.
        pixels: the photo's size, None where it was not looked at.
        enlarged: how many times a cover crop enlarges its background, 1.0 where it does not.
        entry: what a saved plan keeps of a new job.
        changed: it had a result before its content changed.
        other_background: it is done, on another background than would be chosen today.
        missing: it is done, and its result is no longer on disk.
    """

    path: str
    action: str
    background: str = ""
    output: str = ""
    detail: str = ""
    pixels: Size | None = None
    enlarged: float = 1.0
    entry: Entry | None = None
    changed: bool = False
    other_background: bool = False
    missing: bool = False

    @property
    def is_job(self) -> bool:
        """Whether a job that is not created yet stands behind it."""
        return self.action == "new" or (self.action == "go on" and self.entry is not None)


def name_outputs(
    tx: Tx, roots: Roots, listing: Listing, photos: Sequence[str], settings: Settings, saved: Mapping[str, Entry]
) -> dict[str, str]:
    """Return the output paths of at least these photos; all of a folder's have to be known, for two could meet.

    A name that a saved plan gives stands where it is still free.
    """
    make_valid = _portable if settings.portable_names else str
    folder = portable_path(listing.folder) if settings.portable_names else listing.folder
    outputs.adopt_moved(tx, roots.output_root, roots.photo_root, listing.folder)
    mine = outputs.names_of(tx.connection, roots.output_root, roots.photo_root, listing.folder)
    if all(path in mine for path in photos):
        return mine
    own = set(mine.values())
    taken = [_name_of(path) for path in outputs.paths_in(tx.connection, roots.output_root, folder) if path not in own]
    taken += listing.subfolders
    kept = {_name_of(photo): _name_of(path) for photo, path in mine.items()}
    promised = {_name_of(path): saved[path].output for path in photos if path in saved and path not in mine}
    kept |= promised_names(folder, promised, [*kept.values(), *taken])
    names = output_names(
        listing.folder, [_name_of(path) for path in photos], kept, taken, make_valid, SUFFIXES[settings.format]
    )
    return {path: mine.get(path) or _join(folder, names[_name_of(path)]) for path in photos}


def rename_unsaved(
    tx: Tx, roots: Roots, listing: Listing, names: Mapping[str, str], photos: Sequence[str], settings: Settings
) -> dict[str, str]:
    """Give portable names to results of these photos that have none yet; return all names.

    What is paid for and could not be saved under the old name is asked for again, what was never created is planned.
    """
    slots = outputs.of_photos(tx.connection, roots.output_root, roots.photo_root, photos)
    unsaved = [path for path in photos if path not in slots or slots[path].saved_sha256 is None]
    kept = {path: name for path, name in names.items() if path not in unsaved}
    folder = portable_path(listing.folder)
    own = set(names.values())
    taken = [_name_of(path) for path in outputs.paths_in(tx.connection, roots.output_root, folder) if path not in own]
    taken += [*listing.subfolders, *(_name_of(name) for name in kept.values())]
    new = output_names(
        listing.folder, [_name_of(path) for path in unsaved], {}, taken, _portable, SUFFIXES[settings.format]
    )
    renamed = {path: _join(folder, new[_name_of(path)]) for path in unsaved}
    for path, slot in slots.items():
        if path in renamed:
            outputs.rename(tx, slot, renamed[path])
            _reopen(tx, slot)
    return kept | renamed


def _reopen(tx: Tx, slot: Output) -> None:
    job = jobs.get(tx.connection, slot.wanted_job) if slot.wanted_job else None
    if job is None or job.state is not JobState.FAILED or not job.error.startswith(UNSAVABLE):
        return
    transitions.reopen(tx, job, JobState.RENDERING if job.project_id else JobState.PLANNED, EventKind.RENAMED)


def portable_path(path: str) -> str:
    """Return a path below the output folder as Windows takes it."""
    return "/".join(_portable(part) for part in path.split("/")) if path else ""


class FolderPlan:
    """The plan of some photos of one folder, decided and written in one transaction."""

    def __init__(
        self,
        tx: Tx,
        roots: Roots,
        names: Mapping[str, str],
        looks: dict[str, PhotoInfo],
        chooser: Chooser,
        settings: Settings,
        refused: Mapping[str, str] = MappingProxyType({}),
        results: Collection[str] = (),
    ) -> None:
        """Read everything that is known of the photos.

        Args:
            tx: the transaction to write in.
            roots: of the plan.
            names: output paths by photo path.
            looks: what was seen in the photos, all of which can be sent.
            chooser: of backgrounds.
            settings: of the run.
            refused: why results could not be saved, by photo path; "" where they could.
            results: contents of results, which are no photos wherever they lie.
        """
        self._tx = tx
        self._roots = roots
        self._looks = looks
        self._chooser = chooser
        self._force = settings.force
        contents = {content for seen in looks.values() for content in seen.contents}
        self._here = outputs.by_content(tx.connection, roots.output_root, contents)
        self._jobs = jobs.by_content(tx.connection, contents)
        self._owned = outputs.of_photos(tx.connection, roots.output_root, roots.photo_root, list(looks))
        self._planned = jobs.planned_for_outputs(tx.connection, [slot.id for slot in self._owned.values()])
        self._names = names
        self._refused = refused
        self._results = results
        # What is to be written: photos whose slots are to be opened, jobs, and whose results belong where.
        self._to_open: dict[str, str] = {}
        self._new: list[tuple[str, str, NewJob]] = []
        self._wanted: list[tuple[str, str]] = []
        self._taken_up: list[str] = []

    def lines(self) -> list[Line]:
        """Decide every photo, in the order of the listing, and write the plan."""
        lines = [self._decide(path, seen) for path, seen in self._looks.items()]
        self._write()
        return lines

    def _write(self) -> None:
        tx, roots = self._tx, self._roots
        opened = outputs.assign(
            tx, roots.output_root, roots.photo_root, [(output, path) for path, output in self._to_open.items()]
        )
        slots = {path: slot.id for path, slot in self._owned.items()} | dict(zip(self._to_open, opened, strict=True))
        transitions.plan_jobs(
            tx, [(job_id, dataclasses.replace(new, output_id=slots[path])) for path, job_id, new in self._new]
        )
        outputs.want(tx, [(slots[path], job_id) for path, job_id in self._wanted])
        jobs.take_up(tx, *self._taken_up, order_id=roots.order_id)

    def _gone(self, known: Sequence[KnownJob]) -> frozenset[str]:
        """Return planned jobs whose photo is no longer where it was: another path of the same content takes over."""
        return frozenset(
            job.id
            for job in known
            if job.state is JobState.PLANNED
            and job.photo_folder_id == self._roots.photo_root
            and not os.path.lexists(self._roots.photos / job.photo_path)
        )

    def _is_there(self, output: str) -> bool:
        return os.path.lexists(self._roots.output / output)

    # -- deciding --------------------------------------------------------------------------------------------------

    def _decide(self, path: str, seen: PhotoInfo) -> Line:
        assert seen.pixels is not None
        chosen = self._chooser.choose(path, seen.pixels, seen.sha256)
        slot = self._owned.get(path)
        output = self._names[path]
        known = self._known(seen)
        if not known and seen.sha256 in self._results:
            return Line(path, "skip", detail=A_RESULT, pixels=seen.pixels)
        decision = decide(
            Facts(
                contents=seen.contents,
                background_sha256=background_of(chosen),
                slot=slot,
                here=[slot for content in seen.contents for slot in self._here.get(content, ())],
                jobs=known,
                planned_for_slot=self._planned.get(slot.id, "") if slot else "",
                taken=(slot is None or slot.saved_job is None) and self._is_there(output),
                force=self._force,
                order_id=self._roots.order_id,
                run_id=self._tx.run_id,
                gone=self._gone(known),
                awaited=slot is not None and slot.path in self._roots.awaited,
            )
        )
        why_not = chosen if not isinstance(chosen, Chosen) else too_large(seen.pixels, Path(output))
        if why_not and decision.action in (Action.NEW, Action.COPY):
            decision = dataclasses.replace(decision, action=Action.SKIP, reason=why_not)
        for job_id in decision.drop:
            self._drop(job_id)
        unsavable = self._refused.get(path)
        if unsavable and self._is_to_be_saved(decision, known):
            return self._reject(path, seen, output, decision, known, unsavable)
        match decision.action:
            case Action.SKIP:
                return self._skip(path, seen, output, slot, decision, background_of(chosen))
            case Action.TAKE_UP:
                return self._take_up(path, seen, output, decision, known, chosen)
            case Action.COPY:
                return self._copy(path, output, slot, decision, known)
            case Action.NEW:
                assert isinstance(chosen, Chosen)
                return self._plan_new(path, seen, output, slot, decision, chosen)

    def _known(self, seen: PhotoInfo) -> list[KnownJob]:
        """Return all jobs for a photo's picture, newest generation first."""
        found = [job for content in seen.contents for job in self._jobs.get(content, ())]
        return found if len(seen.contents) == 1 else sorted(found, key=lambda job: -job.generation)

    @staticmethod
    def _is_to_be_saved(decision: Decision, known: Sequence[KnownJob]) -> bool:
        """Tell whether a result is still to be paid for, or copied; what is paid for is asked for all the same."""
        if decision.action is Action.TAKE_UP:
            return any(job.id == decision.job_id and job.state is JobState.PLANNED for job in known)
        return decision.action in (Action.NEW, Action.COPY)

    def _reject(
        self, path: str, seen: PhotoInfo, output: str, decision: Decision, known: list[KnownJob], why_not: str
    ) -> Line:
        """Leave out a photo whose result could not be saved; another path of the same content may take over."""
        if decision.action is Action.TAKE_UP:
            self._drop(decision.job_id)
            known[:] = [job for job in known if job.id != decision.job_id]
        return Line(path, "reject", output=output, detail=why_not, pixels=seen.pixels)

    def _drop(self, job_id: str) -> None:
        job = jobs.get(self._tx.connection, job_id)
        if job is not None and job.state is JobState.PLANNED:
            transitions.drop(self._tx, job, "another plan for the same photo")

    def _skip(
        self, path: str, seen: PhotoInfo, output: str, slot: Output | None, decision: Decision, today: str
    ) -> Line:
        line = Line(path, "skip", output=output, detail=decision.reason, pixels=seen.pixels)
        if decision.reason != DONE_BEFORE or slot is None:
            return line
        saved = next((job for job in self._known(seen) if job.id == slot.saved_job), None)
        return dataclasses.replace(
            line,
            other_background=saved is not None and saved.background_sha256 != today,
            missing=not self._is_there(slot.path),
        )

    def _take_up(
        self,
        path: str,
        seen: PhotoInfo,
        output: str,
        decision: Decision,
        known: Sequence[KnownJob],
        chosen: Chosen | str,
    ) -> Line:
        """Go on with a job; one that is not created yet is still to be approved, with a saved plan."""
        self._taken_up.append(decision.job_id)
        line = Line(path, "go on", output=output, pixels=seen.pixels)
        is_planned = any(job.id == decision.job_id and job.state is JobState.PLANNED for job in known)
        if not is_planned or not isinstance(chosen, Chosen):
            return line
        entry = _entry(path, seen, chosen, output)
        detail = _explain(chosen, _enlargement(chosen, seen.pixels))
        return dataclasses.replace(line, background=entry.background, detail=detail, entry=entry)

    def _copy(self, path: str, output: str, slot: Output | None, decision: Decision, known: Sequence[KnownJob]) -> Line:
        self._claim(path, output, slot)
        self._wanted.append((path, decision.job_id))
        # The job it waits for has to be done in this run, whichever run planned it.
        waits_for = {JobState.PLANNED} if self._roots.order_id is None else UNFINISHED
        self._taken_up += [job.id for job in known if job.id == decision.job_id and job.state in waits_for]
        seen = self._looks[path]
        return Line(path, "copy", output=output, detail="same content as another photo", pixels=seen.pixels)

    def _claim(self, path: str, output: str, slot: Output | None) -> None:
        if slot is None:
            self._to_open[path] = output

    def _plan_new(
        self, path: str, seen: PhotoInfo, output: str, slot: Output | None, decision: Decision, chosen: Chosen
    ) -> Line:
        assert seen.pixels is not None
        choice = chosen.choice
        found = choice.misfit if choice else Misfit(0, 0, 0)
        new = NewJob(
            photo_sha256=seen.contents[0],
            background_sha256=choice.background.sha256 if choice else NO_BACKGROUND,
            output_id=slot.id if slot else 0,
            background_folder_id=self._roots.background_root if choice else None,
            background_path=choice.background.path if choice else "",
            treatment=chosen.treatment,
            width=seen.pixels.width,
            height=seen.pixels.height,
            distortion=found.distortion,
            blur=found.blur,
            excess=found.excess,
            generation=decision.generation,
            replace=decision.replace,
            order_id=self._roots.order_id,
        )
        job_id = new_id()
        self._claim(path, output, slot)
        self._new.append((path, job_id, new))
        self._remember(path, job_id, new)
        entry = _entry(path, seen, chosen, output)
        changed = slot is not None and slot.saved_job is not None and slot.saved_photo_sha256 not in seen.contents
        enlarged = _enlargement(chosen, seen.pixels)
        detail = _explain(chosen, enlarged)
        return Line(path, "new", new.background_path, output, detail, seen.pixels, enlarged, entry, changed)

    def _remember(self, path: str, job_id: str, new: NewJob) -> None:
        """Let photos of the same content that come later in this folder find the job."""
        job = KnownJob(
            id=job_id,
            version=1,
            state=JobState.PLANNED,
            photo_sha256=new.photo_sha256,
            background_sha256=new.background_sha256,
            generation=new.generation,
            output_id=new.output_id,
            order_id=self._roots.order_id,
            run_id=self._tx.run_id,
            output_folder_id=self._roots.output_root,
            photo_folder_id=self._roots.photo_root,
            photo_path=path,
            error="",
            error_code="",
        )
        self._jobs.setdefault(new.photo_sha256, []).insert(0, job)


def _entry(path: str, seen: PhotoInfo, chosen: Chosen, output: str) -> Entry:
    background = chosen.choice.background if chosen.choice else None
    name, content = (background.path, background.sha256) if background else ("", NO_BACKGROUND)
    return Entry(path, seen.sha256, name, content, chosen.treatment, output)


def _explain(chosen: Chosen, enlarged: float) -> str:
    if chosen.choice is None:
        return "no background"
    how = {Treatment.FIT: "cropped to fit", Treatment.AS_IS: "as it is"}[chosen.treatment]
    more = f", enlarged {enlarged:.2f} times" if enlarged > 1 else ""
    return f"{how}{more}; {chosen.choice.misfit}"


def _enlargement(chosen: Chosen, photo: Size | None) -> float:
    """Return how many times the background is enlarged to cover the photo; 1.0 where it is not."""
    if photo is None or chosen.choice is None or chosen.treatment is not Treatment.FIT:
        return 1.0
    background = chosen.choice.background.pixels
    return max(1.0, photo.width / background.width, photo.height / background.height)


@functools.lru_cache(maxsize=1000)
def _portable(name: str) -> str:
    """Return the name as Windows takes it: no forbidden characters, device names, trailing dots or blanks."""
    cleaned = pathvalidate.sanitize_filename(name, platform="universal", replacement_text="_")
    return str(cleaned) or "_"


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]
