"""``batchbg redo``: results that a person does not want are planned anew. It spends nothing."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from batchbg.core import redo as core
from batchbg.core.model import Job, Output, PhotoInfo, Treatment
from batchbg.core.suggestion import suggestion
from batchbg.disk.decoding import probe
from batchbg.disk.probe_limits import ProbeLimits
from batchbg.disk.scan import stamp_of
from batchbg.errors import ConfigError, PhotoChanged
from batchbg.ledger import clock, folders, jobs, outputs, photos, redos, transitions
from batchbg.ledger.estimate import Estimate, estimate
from batchbg.ledger.store import Connection, Ledger
from batchbg.ledger.transaction import Tx
from batchbg.plan.portions import portions
from batchbg.settings import Settings

UNDONE: Final = "a person does not want it done again any more"

RUN: Final = "redo"
"""Stands for a run in the ledger, as the names of other commands do that only plan."""


@dataclasses.dataclass(frozen=True, slots=True)
class Redo:
    """A result that is done again: by which job, from which photo, on which background ("" for none)."""

    job: str
    photo: str
    background: str


@dataclasses.dataclass(frozen=True)
class Redone:
    """What `redo` did.

    Attributes:
        planned: what it planned.
        before: what was planned, or begun, already.
        left_out: (photo, why nothing was planned for it) each.
        undone: what was planned and is not to be done any more.
        estimate: what those cost that are not created yet, and what they would find.
    """

    planned: tuple[Redo, ...]
    before: tuple[Redo, ...]
    left_out: tuple[tuple[str, str], ...]
    estimate: Estimate
    undone: tuple[Redo, ...] = ()


def redo(ledger: Ledger, settings: Settings, named: Sequence[str] | None) -> Redone:
    """Plan a new render of results, each on the background that it has.

    Args:
        ledger: held, or a copy that nobody keeps.
        settings: checked.
        named: paths of photos or results, as a person types them; None for all that are rejected.

    Raises:
        ConfigError: a path is of no photo and no result; nothing was planned.
        LedgerError: the ledger cannot be read or written.
    """
    with ledger.reading() as connection:
        ids = redos.rejected(connection) if named is None else _Finder(connection, ledger, settings).find(named)
    planner = _Planner(ledger, settings)
    for some in portions(list(dict.fromkeys(ids))):
        planner.plan(some)
    return planner.done()


def undo(ledger: Ledger, settings: Settings, named: Sequence[str]) -> Redone:
    """Take back what is planned anew and not created yet: of these photos or results, or all where none is named.

    Raises:
        ConfigError: a path is of no photo and no result; nothing was taken back.
        LedgerError: the ledger cannot be read or written.
    """
    with ledger.reading() as connection:
        ids = redos.planned(connection)
        if named:
            found = _Finder(connection, ledger, settings).find(named)
            wanted = {outputs.get(connection, output_id).wanted_job for output_id in found}
            ids = [job_id for job_id in ids if job_id in wanted]
    undone = []
    with ledger.transaction(RUN) as tx:
        for job_id in ids:
            job = jobs.get(tx.connection, job_id)
            if job is not None:
                transitions.drop(tx, job, UNDONE)
                undone.append(Redo(job.id, job.photo_path, job.background_path))
    return dataclasses.replace(_Planner(ledger, settings).done(), undone=tuple(undone))


# -- which results ---------------------------------------------------------------------------------------------------


class _Finder:
    """Finds the outputs that a person means by the paths of photos or results."""

    def __init__(self, connection: Connection, ledger: Ledger, settings: Settings) -> None:
        self._connection = connection
        self._ledger = ledger
        self._output = Path(os.path.realpath(settings.output))
        self._folders = folders.all_ids(connection)
        self._roots = {number: ledger.absolute(name) for name, number in self._folders.items()}
        self._above: dict[Path, list[tuple[int, str]]] = {}

    def find(self, names: Sequence[str]) -> list[int]:
        """Return the ids of outputs, one for each name.

        Raises:
            ConfigError: a name is of no photo and no result, or of several results.
        """
        found, unknown = [], []
        for name in names:
            if ids := self._at(name):
                found.append(self._one_of(name, ids))
            else:
                unknown.append(name)
        if unknown:
            more = f", nor are {len(unknown) - 1} others" if len(unknown) > 1 else ""
            raise ConfigError(f"{self._unknown(unknown[0])}{more}; nothing was planned")
        return found

    def _at(self, name: str) -> list[int]:
        """Return the outputs at a path; one that is not absolute may be below the folder of photos or results, too."""
        path = Path(os.path.abspath(name))  # noqa: PTH100 - without following the photo itself
        places = [(number, _below(start, path.name)) for number, start in self._folders_above(path.parent)]
        if not os.path.isabs(name):  # noqa: PTH117
            places += [(number, PurePosixPath(Path(os.path.normpath(name))).as_posix()) for number in self._roots]
        for number, below in places:
            if ids := redos.at(self._connection, number, below):
                return ids
        return []

    def _folders_above(self, folder: Path) -> list[tuple[int, str]]:
        """Return (number, way from there to ``folder``) of every folder of the ledger that it is, or lies in."""
        if folder not in self._above:
            real = Path(os.path.realpath(folder))
            self._above[folder] = [
                (self._folders[name], real.relative_to(one).as_posix())
                for one in (real, *real.parents)
                if (name := self._ledger.relative(one)) in self._folders
            ]
        return self._above[folder]

    def _one_of(self, name: str, ids: Sequence[int]) -> int:
        """Return the output that is meant where a photo has several, in different folders.

        Raises:
            ConfigError: they hold different results, and none is in today's output folder.
        """
        found = [outputs.get(self._connection, output_id) for output_id in dict.fromkeys(ids)]
        here = [one for one in found if self._roots[one.folder_id] == self._output] or found
        if len({one.saved_job for one in here}) > 1:
            places = " and ".join(str(self._roots[one.folder_id]) for one in here)
            raise ConfigError(f"{name} has results in {places}: name one of them with --output, or by its own path")
        return here[0].id

    def _unknown(self, name: str) -> str:
        """Return what is wrong with a name, and which other one may be meant."""
        if os.path.isdir(name):  # noqa: PTH112
            return f"{name} is a folder: name the photos in it that are to be done again"
        known: dict[str, str] = {}
        wanted = os.path.basename(name).casefold()  # noqa: PTH119
        stem = wanted.rpartition(".")[0]
        for number, path in redos.photos(self._connection):
            own = path.rpartition("/")[2].casefold()
            known.setdefault(own, path)
            if own == wanted or (stem and own.rpartition(".")[0] == stem):
                return f"{name} is no photo and no result of this ledger; did you mean {self._typed(number, path)!r}?"
        near = suggestion(wanted, known)
        return f"{name} is no photo and no result of this ledger{near}"

    def _typed(self, number: int, path: str) -> str:
        whole = self._roots[number] / path
        here = os.path.relpath(whole)
        return str(whole) if here.startswith("..") else here


def _below(start: str, name: str) -> str:
    return name if start == "." else f"{start}/{name}"


# -- what becomes of each --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    """The photo that would be sent for a result: the output that it owns; or why there is none."""

    output: Output | None
    trouble: str = ""


class _Planner:
    """Decides and plans results, some at a time: a commit waits for the disk."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._files = _Files(ledger, ProbeLimits(settings.first_page, settings.max_upload_bytes, settings.allow_blank))
        self._planned: dict[str, Redo] = {}
        self._before: dict[str, Redo] = {}
        self._left_out: dict[str, str] = {}

    def plan(self, output_ids: Sequence[int]) -> None:
        """Plan the results of outputs anew, except where that is done already or cannot be."""
        # Before the transaction, which others wait for.
        sources = {output_id: self._source(output_id) for output_id in output_ids}
        with self._ledger.transaction(RUN) as tx:
            for output_id, source in sources.items():
                self._plan(tx, outputs.get(tx.connection, output_id), source)

    def _source(self, output_id: int) -> _Source:
        """Return the first of the photos with a result's picture that is there as it was."""
        with self._ledger.reading() as connection:
            output = outputs.get(connection, output_id)
            old = jobs.get(connection, output.saved_job) if output.saved_job else None
            holding = outputs.holding_of(connection, old) if old else []
        if old is None:
            return _Source(None, core.NO_RESULT)
        trouble = self._files.trouble_with_background(old)
        if trouble:
            return _Source(None, trouble)
        for one in (output, *(one for one in holding if one.id != output.id)):
            found = self._files.trouble_with_photo(old, one)
            if not found:
                return _Source(one)
            trouble = trouble or found
        return _Source(None, trouble)

    def _plan(self, tx: Tx, output: Output, source: _Source) -> None:
        old = jobs.get(tx.connection, output.saved_job or output.wanted_job or "")
        known = jobs.by_content(tx.connection, [old.photo_sha256])[old.photo_sha256] if old else []
        decided = core.answer(output, known)
        if old is None or isinstance(decided, core.LeftOut):
            self._left_out[output.photo_path] = decided.reason if isinstance(decided, core.LeftOut) else core.NO_RESULT
        elif isinstance(decided, core.Before):
            self._go_on(tx, old, output, decided)
        elif source.output is None:
            self._left_out[output.photo_path] = source.trouble
        else:
            job_id = redos.plan(tx, old, source.output, decided.generation)
            self._planned[job_id] = Redo(job_id, source.output.photo_path, old.background_path)

    def _go_on(self, tx: Tx, old: Job, output: Output, before: core.Before) -> None:
        if before.adopts:
            redos.adopt(tx, old, before.job_id)
        redos.share(tx, old, before.job_id)
        job = jobs.get(tx.connection, before.job_id)
        if job is not None and job.id not in self._planned:  # else it is another place of what was planned just now
            self._before[job.id] = Redo(job.id, output.photo_path, job.background_path)

    def done(self) -> Redone:
        """Return what was done, and what it costs."""
        settings = self._settings
        with self._ledger.reading() as connection:
            zone = clock.zone_in(connection, settings.zone)
            found = estimate(connection, RUN, settings.caps, settings.base_url, zone)
            to_create = jobs.count_planned(connection, [*self._planned, *self._before])
        return Redone(
            tuple(self._planned.values()),
            tuple(self._before.values()),
            tuple(self._left_out.items()),
            dataclasses.replace(found, jobs=to_create),
        )


class _Files:
    """Looks whether photos and backgrounds are what they were when they were paired; a file is opened where it is not."""

    def __init__(self, ledger: Ledger, limits: ProbeLimits) -> None:
        self._ledger = ledger
        self._limits = limits
        self._backgrounds: dict[tuple[str, str, str], str] = {}

    def trouble_with_photo(self, job: Job, output: Output) -> str:
        """Return why an output's photo cannot be sent as what a job had, or ""."""
        with self._ledger.reading() as connection:
            folder = folders.path_of(connection, output.photo_folder_id)
        return self._trouble(folder, output.photo_path, job.photo_sha256, core.CHANGED)

    def trouble_with_background(self, job: Job) -> str:
        """Return why a job's background cannot be sent as it was, or ""."""
        if job.treatment is Treatment.NONE or job.is_painted:
            return ""
        key = (job.background_folder, job.background_path, job.background_sha256)
        if key not in self._backgrounds:
            trouble = self._trouble(*key, "it is another picture now; put back the one it was")
            self._backgrounds[key] = trouble and f"its background {job.background_path}: {trouble}"
        return self._backgrounds[key]

    def _trouble(self, folder: str, path: str, sha256: str, changed: str) -> str:
        file = self._ledger.absolute(folder) / path
        try:
            stamp = stamp_of(os.stat(file))  # noqa: PTH116 - as the scan does
        except OSError as error:
            return f"{file}: {error.strerror or error}; put it back where it was"
        if stamp is None:
            return f"{file} is not a file any more; put it back"
        with self._ledger.reading() as connection:
            info = photos.info_of(connection, folder, path)
        if info is None or not stamp.is_still(info.stamp):
            try:
                info = self._probe(folder, path, file, probe(file, stamp, self._limits))
            except PhotoChanged:
                return f"{file} is being written; try again when that is done"
        if info.rejected and not info.pixels:
            return f"{file} cannot be sent any more: {info.rejected}"
        return "" if sha256 in info.contents else changed

    def _probe(self, folder: str, path: str, file: Path, found: PhotoInfo) -> PhotoInfo:
        with self._ledger.transaction(RUN) as tx:
            return photos.remember(tx, folders.id_of(tx, folder), {path: found})[path]
