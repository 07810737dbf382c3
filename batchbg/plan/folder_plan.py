"""Deciding some photos of a folder: everything that is known is read first, then decided, then written in bulk."""

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from batchbg.core.lifecycle import JobState
from batchbg.core.model import NO_BACKGROUND, KnownJob, Output, PhotoInfo, Size, Treatment, new_id
from batchbg.core.pairing import Misfit
from batchbg.core.planning import A_RESULT, DONE_BEFORE, Action, Decision, Facts, decide
from batchbg.core.remote_deletion import Found
from batchbg.disk.output_formats import can_become, kind_of, too_large
from batchbg.disk.results import compare_length
from batchbg.ledger import jobs, outputs, transitions
from batchbg.ledger.orders import UNFINISHED
from batchbg.ledger.store import Connection
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import NewJob
from batchbg.plan.lines import Line
from batchbg.plan.roots import Roots
from batchbg.plan.saved_plan import Entry
from batchbg.plan.selection import Chooser, Chosen, background_of


@dataclasses.dataclass(frozen=True, slots=True)
class Sendable:
    """Some photos of one folder that can be sent.

    Attributes:
        infos: what was found in them, by path.
        names: output paths by photo path, of these at least.
        refused: why results could not be saved, by photo path; "" or nothing where they could.
        results: contents of results, which are no photos wherever they lie.
    """

    infos: Mapping[str, PhotoInfo]
    names: Mapping[str, str]
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    results: Collection[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """All that the ledger knows of some photos.

    Attributes:
        here: outputs of this folder that hold a result, by the content of their photo.
        jobs: by the content of their photo, in every output folder.
        owned: outputs by the path of their photo.
        planned: ids of planned jobs by the output they are for.
    """

    here: Mapping[str, Sequence[Output]]
    jobs: dict[str, list[KnownJob]]
    owned: Mapping[str, Output]
    planned: Mapping[int, str]

    @classmethod
    def read(cls, connection: Connection, roots: Roots, infos: Mapping[str, PhotoInfo]) -> "_Known":
        contents = {content for info in infos.values() for content in info.contents}
        owned = outputs.of_photos(connection, roots.output_root, roots.photo_root, list(infos))
        return cls(
            outputs.by_content(connection, roots.output_root, contents),
            jobs.by_content(connection, contents),
            owned,
            jobs.planned_for_outputs(connection, [output.id for output in owned.values()]),
        )

    def jobs_for(self, info: PhotoInfo) -> list[KnownJob]:
        """Return all jobs for a photo's picture, newest generation first."""
        found = [job for content in info.contents for job in self.jobs.get(content, ())]
        return found if len(info.contents) == 1 else sorted(found, key=lambda job: -job.generation)


@dataclasses.dataclass(frozen=True, slots=True)
class _Writes:
    """What is to be written, once all is decided.

    Attributes:
        to_open: output paths by the path of a photo that has none yet.
        new: (photo path, job id, job) each.
        wanted: (photo path, id of the job whose result belongs to it) each.
        taken_up: ids of jobs that count among those of this run.
    """

    to_open: dict[str, str] = dataclasses.field(default_factory=dict)
    new: list[tuple[str, str, NewJob]] = dataclasses.field(default_factory=list)
    wanted: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    taken_up: list[str] = dataclasses.field(default_factory=list)

    def write(self, tx: Tx, roots: Roots, owned: Mapping[str, Output]) -> None:
        opened = outputs.assign(
            tx, roots.output_root, roots.photo_root, [(output, path) for path, output in self.to_open.items()]
        )
        ids = {path: output.id for path, output in owned.items()} | dict(zip(self.to_open, opened, strict=True))
        transitions.plan_jobs(
            tx, [(job_id, dataclasses.replace(new, output_id=ids[path])) for path, job_id, new in self.new]
        )
        outputs.want(tx, [(ids[path], job_id) for path, job_id in self.wanted])
        jobs.take_up(tx, *self.taken_up, order_id=roots.order_id)


@dataclasses.dataclass(frozen=True, slots=True)
class _Photo:
    """One photo that is being decided.

    Attributes:
        path: below the photo folder.
        info: what was found in it.
        pixels: its size.
        name: of its result, below the output folder.
        output: the output it owns, None where it has none yet.
        jobs: for its picture, newest generation first.
        chosen: its background, or the reason why it is left out.
    """

    path: str
    info: PhotoInfo
    pixels: Size
    name: str
    output: Output | None
    jobs: list[KnownJob]
    chosen: Chosen | str

    def has_planned(self, job_id: str) -> bool:
        """Return whether a job for this picture is not created yet."""
        return any(job.id == job_id and job.state is JobState.PLANNED for job in self.jobs)


class FolderPlan:
    """The plan of some photos of one folder, decided and written in one transaction."""

    def __init__(self, tx: Tx, roots: Roots, chooser: Chooser, photos: Sendable, *, force: bool) -> None:
        """Read everything that is known of the photos.

        Args:
            tx: the transaction to write in.
            roots: of the plan.
            chooser: of backgrounds.
            photos: to be decided.
            force: pay again for what is done.
        """
        self._tx = tx
        self._roots = roots
        self._chooser = chooser
        self._photos = photos
        self._force = force
        self._known = _Known.read(tx.connection, roots, photos.infos)
        self._writes = _Writes()

    def lines(self) -> list[Line]:
        """Decide every photo, in the order of the listing, and write the plan."""
        lines = [self._decide(self._photo(path, info)) for path, info in self._photos.infos.items()]
        self._writes.write(self._tx, self._roots, self._known.owned)
        return lines

    def _photo(self, path: str, info: PhotoInfo) -> _Photo:
        assert info.pixels is not None
        chosen = self._chooser.choose(path, info.pixels, info.sha256)
        name, output = self._photos.names[path], self._known.owned.get(path)
        return _Photo(path, info, info.pixels, name, output, self._known.jobs_for(info), chosen)

    # -- deciding --------------------------------------------------------------------------------------------------

    def _decide(self, photo: _Photo) -> Line:
        if not photo.jobs and photo.info.sha256 in self._photos.results:
            return Line(photo.path, "skip", detail=A_RESULT, pixels=photo.pixels)
        decision = decide(self._facts(photo))
        why_not = photo.chosen if isinstance(photo.chosen, str) else too_large(photo.pixels, Path(photo.name))
        if why_not and decision.action in (Action.NEW, Action.COPY):
            decision = dataclasses.replace(decision, action=Action.SKIP, reason=why_not)
        for job_id in decision.drop:
            self._drop(job_id)
        unsavable = self._photos.refused.get(photo.path)
        if unsavable and self._is_to_be_saved(photo, decision):
            return self._reject(photo, decision, unsavable)
        match decision.action:
            case Action.SKIP:
                return self._skip(photo, decision)
            case Action.TAKE_UP:
                return self._take_up(photo, decision)
            case Action.COPY:
                return self._copy(photo, decision)
            case Action.NEW:
                assert isinstance(photo.chosen, Chosen)
                return self._plan_new(photo, photo.chosen, decision)

    def _facts(self, photo: _Photo) -> Facts:
        output, contents = photo.output, photo.info.contents
        return Facts(
            contents=contents,
            background_sha256=background_of(photo.chosen),
            output=output,
            here=[held for content in contents for held in self._known.here.get(content, ())],
            jobs=photo.jobs,
            planned_for_output=self._known.planned.get(output.id, "") if output else "",
            taken=(output is None or output.saved_job is None) and self._is_there(photo.name),
            force=self._force,
            order_id=self._roots.order_id,
            run_id=self._tx.run_id,
            gone=self._gone(photo.jobs),
            awaited=output is not None and output.path in self._roots.awaited,
            lost=self._lost(photo),
        )

    def _gone(self, known: Sequence[KnownJob]) -> frozenset[str]:
        """Return planned jobs whose photo is no longer where it was: another path of the same content takes over."""
        return frozenset(
            job.id
            for job in known
            if job.state is JobState.PLANNED
            and job.photo_folder_id == self._roots.photo_root
            and not os.path.lexists(self._roots.photos / job.photo_path)
        )

    def _lost(self, photo: _Photo) -> frozenset[str]:
        """Return jobs whose result nothing holds any more: deleted at the service, and no file here can give a copy."""
        return frozenset(job.id for job in photo.jobs if job.is_remote_deleted and not self._is_here(job, photo.name))

    def _is_here(self, job: KnownJob, name: str) -> bool:
        kind = kind_of(Path(name))
        held = (
            (self._roots.output_of(output.folder_id) / output.path, output.saved_bytes)
            for output in outputs.holding_of(self._tx.connection, job)
        )
        return any(can_become(kind_of(path), kind) and compare_length(path, size) is Found.SAME for path, size in held)

    def _is_there(self, output: str) -> bool:
        return os.path.lexists(self._roots.output / output)

    @staticmethod
    def _is_to_be_saved(photo: _Photo, decision: Decision) -> bool:
        """Return whether a result is still to be paid for, or copied; what is paid for is asked for all the same."""
        if decision.action is Action.TAKE_UP:
            return photo.has_planned(decision.job_id)
        return decision.action in (Action.NEW, Action.COPY)

    # -- what comes of it ------------------------------------------------------------------------------------------

    def _reject(self, photo: _Photo, decision: Decision, why_not: str) -> Line:
        """Leave out a photo whose result could not be saved; another path of the same content may take over."""
        if decision.action is Action.TAKE_UP:
            self._drop(decision.job_id)
        return Line(photo.path, "reject", output=photo.name, detail=why_not, pixels=photo.pixels)

    def _drop(self, job_id: str) -> None:
        """Drop a planned job, so that photos of the same content that come later do not find it either."""
        job = jobs.get(self._tx.connection, job_id)
        if job is not None and job.state is JobState.PLANNED:
            transitions.drop(self._tx, job, "another plan for the same photo")
            known = self._known.jobs.get(job.photo_sha256, [])
            known[:] = [one for one in known if one.id != job_id]

    def _skip(self, photo: _Photo, decision: Decision) -> Line:
        line = Line(photo.path, "skip", output=photo.name, detail=decision.reason, pixels=photo.pixels)
        output = photo.output
        if decision.reason != DONE_BEFORE or output is None:
            return line
        saved = next((job for job in photo.jobs if job.id == output.saved_job), None)
        return dataclasses.replace(
            line,
            other_background=saved is not None and saved.background_sha256 != background_of(photo.chosen),
            missing=not self._is_there(output.path),
        )

    def _take_up(self, photo: _Photo, decision: Decision) -> Line:
        """Go on with a job; one that is not created yet is still to be approved, with a saved plan."""
        self._writes.taken_up.append(decision.job_id)
        line = Line(photo.path, "go on", output=photo.name, pixels=photo.pixels)
        if not photo.has_planned(decision.job_id):
            return line
        if any(job.id == decision.job_id and job.redo_of for job in photo.jobs):
            return self._with_redo(line, photo, decision.job_id)
        if isinstance(photo.chosen, str):
            return line
        entry = _entry(photo, photo.chosen)
        return dataclasses.replace(
            line,
            background=entry.background,
            detail=_explain(photo.chosen),
            entry=entry,
            misfit=_misfit(photo.chosen),
        )

    def _with_redo(self, line: Line, photo: _Photo, job_id: str) -> Line:
        """Return the line of a photo that is done again: on the background it had, whatever pairing would choose."""
        job = jobs.get(self._tx.connection, job_id)
        assert job is not None
        background, name = job.background_path, photo.name
        entry = Entry(photo.path, photo.info.sha256, background, job.background_sha256, job.treatment, name)
        return dataclasses.replace(line, background=background, detail="done again", entry=entry)

    def _copy(self, photo: _Photo, decision: Decision) -> Line:
        self._claim(photo)
        self._writes.wanted.append((photo.path, decision.job_id))
        # The job it waits for has to be done in this run, whichever run planned it.
        waits_for = {JobState.PLANNED} if self._roots.order_id is None else UNFINISHED
        self._writes.taken_up.extend(
            job.id for job in photo.jobs if job.id == decision.job_id and job.state in waits_for
        )
        return Line(photo.path, "copy", output=photo.name, detail="same content as another photo", pixels=photo.pixels)

    def _claim(self, photo: _Photo) -> None:
        if photo.output is None:
            self._writes.to_open[photo.path] = photo.name

    def _plan_new(self, photo: _Photo, chosen: Chosen, decision: Decision) -> Line:
        output, choice = photo.output, chosen.choice
        found = choice.misfit if choice else Misfit(0, 0, 0)
        new = NewJob(
            photo_sha256=photo.info.contents[0],
            background_sha256=choice.background.sha256 if choice else NO_BACKGROUND,
            output_id=output.id if output else 0,
            background_folder_id=self._roots.background_root if choice and not choice.background.is_paint else None,
            background_path=choice.background.path if choice else "",
            treatment=chosen.treatment,
            width=photo.pixels.width,
            height=photo.pixels.height,
            distortion=found.distortion,
            blur=found.blur,
            excess=found.excess,
            generation=decision.generation,
            replace=decision.replace,
            order_id=self._roots.order_id,
        )
        job_id = new_id()
        self._claim(photo)
        self._writes.new.append((photo.path, job_id, new))
        self._remember(photo.path, job_id, new)
        changed = (
            output is not None and output.saved_job is not None and output.saved_photo_sha256 not in photo.info.contents
        )
        enlarged = _enlargement(chosen, photo.pixels)
        return Line(
            photo.path,
            "new",
            new.background_path,
            photo.name,
            _explain(chosen),
            photo.pixels,
            enlarged,
            _entry(photo, chosen),
            changed,
            misfit=_misfit(chosen),
        )

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
        self._known.jobs.setdefault(new.photo_sha256, []).insert(0, job)


def _entry(photo: _Photo, chosen: Chosen) -> Entry:
    background = chosen.choice.background if chosen.choice else None
    name, content = (background.path, background.sha256) if background else ("", NO_BACKGROUND)
    return Entry(photo.path, photo.info.sha256, name, content, chosen.treatment, photo.name)


def _explain(chosen: Chosen) -> str:
    if chosen.choice is None:
        return "no background"
    return chosen.choice.misfit.in_words(cropped=chosen.treatment is Treatment.FIT)


def _misfit(chosen: Chosen) -> Misfit | None:
    return chosen.choice.misfit if chosen.choice else None


def _enlargement(chosen: Chosen, photo: Size) -> float:
    """Return how many times the background is enlarged to cover the photo; 1.0 where it is not."""
    if chosen.choice is None or chosen.treatment is not Treatment.FIT:
        return 1.0
    background = chosen.choice.background.pixels
    return max(1.0, photo.width / background.width, photo.height / background.height)
