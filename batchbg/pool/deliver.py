"""From a complete project to files: fetch and name; then copies for other photos of the same content."""

import asyncio
import dataclasses
import logging
import os
from pathlib import Path
from typing import Final

from batchbg.api.wire import Project
from batchbg.core.model import Job, Output
from batchbg.core.planning import LOST, ORIGINAL, UNKNOWN_FILE, UNSAVABLE
from batchbg.disk import results
from batchbg.disk.file_identity import identity_of
from batchbg.disk.output_formats import Colour, OutputFormat, can_become, kind_of
from batchbg.disk.rehearsal import Rehearsal
from batchbg.errors import OutputRefused, ResultUnusable
from batchbg.ledger import commands, deletions, folders, outputs, transitions
from batchbg.ledger import previous as previous_results
from batchbg.ledger.transaction import Tx
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.download import Downloads
from batchbg.pool.outage import Outage
from batchbg.pool.previous import keep, takes_place
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Files on their way down at the same time."""

TAKEN: Final = "output exists, not in this ledger; move it away, then `batchbg rescue` fetches the paid result"

SUPERSEDED: Final = "not saved: the photo has changed since, and its newer result is in place"


RECEIVED: Final = ".received"
"""Folder below the output folder for results as they came. No photo's result is ever in it: hidden folders are not
scanned."""


@dataclasses.dataclass(frozen=True, slots=True)
class SaveOptions:
    """How a run saves results; in which format, each one's own path says.

    Attributes:
        quality: of formats that lose something, 1 to 100.
        flatten: colour behind what is transparent, or None.
        keep_received: what is converted is kept as it came, too.
        force: copies of what was forced may take the place of files that the ledger does not know, as it may itself.
        rehearsal: has tried out where results belong, or will.
        delete_remote: what is saved is to be deleted at the service, at the run's end.
        has_command: the user's own command is due for what is saved.
    """

    quality: int
    flatten: Colour | None
    keep_received: bool
    force: bool = False
    rehearsal: Rehearsal = dataclasses.field(default_factory=Rehearsal)
    delete_remote: bool = False
    has_command: bool = False


class Deliverer:
    """Brings results to disk. Downloads hold no place in flight; so many go on at once.

    Attributes:
        copied: copies made for other photos of the same content.
    """

    def __init__(self, session: PoolSession, outage: Outage, decoding: DecodeLimit, saving: SaveOptions) -> None:
        self._ledger = session.ledger
        self._writer = session.writer
        self._observer = session.observer
        self._decoding = decoding
        self._downloads = Downloads(session, outage, decoding, saving.rehearsal.originals)
        self._saving = saving
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._has_remarked = False
        self._refused: set[int] = set()
        self._rehearsal = saving.rehearsal
        self._learnt: set[Path] = set()
        self.copied = 0

    async def deliver(self, job: Job, project: Project | None) -> Job:
        """Take a downloading job to done or failed.

        Args:
            job: its render is complete.
            project: the record that says so, where this run has one.

        Raises:
            WrongProject: the project is another's; the job stays as it is.
            ApiUnreachable: the result cannot be fetched now; the job stays as it is.
            DiskError: it cannot be written now; the job stays as it is.
        """
        with self._ledger.looking() as connection:
            own = outputs.get(connection, job.output_id)
        if own.wanted_job != job.id and own.wanted_job == own.saved_job:
            return await self._writer.do(transitions.done, job, SUPERSEDED)
        self._learn_originals(job)
        target = self._target(job, own)
        part = results.part_path(target, job.id)
        async with self._at_once:
            try:
                result = await self._downloads.fetch(job, project, part, self._format_of(own, target))
                if not await self._put(job, own, part, target, result):
                    return await self._writer.do(transitions.unusable, job, TAKEN)
            except ResultUnusable as error:
                return await self._writer.do(transitions.unusable, job, str(error))
            except OutputRefused as error:
                log.warning("%s: %s%s", job.photo_path, UNSAVABLE, error)
                return await self._writer.do(transitions.unusable, job, f"{UNSAVABLE}{error}; then `batchbg rescue`")
            finally:
                results.remove(part, _root(target, own))
        job, is_wanted_elsewhere = await self._writer.do(_record, job, own, result, self._saving)
        self._observer.saved(job, target)
        if result.remark:
            # The first is said at once: what is odd about one result is often odd about all.
            log.log(logging.INFO if self._has_remarked else logging.WARNING, "%s: %s", job.output_path, result.remark)
            self._has_remarked = True
        if is_wanted_elsewhere:
            await self.copy(job)
        return job

    async def why_not(self, job: Job) -> str:
        """Return why a planned job's result could not be saved, before it is paid for; "" where it can.

        Raises:
            DiskError: nothing can be saved now.
            OutputRefused: the disk does not take this path.
        """
        root = self._ledger.absolute(job.output_folder)
        self._learn_originals(job)
        if not self._rehearsal.knows(root, job.output_path):
            why = await asyncio.to_thread(self._rehearsal.refuses, root, job.output_path)
            if why:
                raise OutputRefused(f"{UNSAVABLE}{why}")
        target = root / job.output_path
        if not _is_there(target):
            return ""
        with self._ledger.looking() as connection:
            own = outputs.get(connection, job.output_id)
        if job.replace or takes_place(job, own):
            if await asyncio.to_thread(self._is_original, job, own, target):
                raise OutputRefused(ORIGINAL)
            return ""
        return UNKNOWN_FILE if own.saved_job is None else ""

    def _learn_originals(self, job: Job) -> None:
        """Take in the folders of a job's photo and background: a run without a scan knows no others."""
        sources = ((job.photo_folder, job.photo_path), (job.background_folder, job.background_path))
        for folder, path in sources:
            way = self._ledger.absolute(folder) if folder else None
            for step in ("", *path.split("/")[:-1]):
                way = way and way / step
                if way is not None and way not in self._learnt:
                    self._learnt.add(way)
                    if found := identity_of(way):
                        self._rehearsal.originals.add(found)

    @staticmethod
    def _is_original(job: Job, output: Output, target: Path) -> bool:
        """Return whether what lies at a result's path is the photo itself, by another way: nobody wants it replaced."""
        present = results.digest(target)
        return present == job.photo_sha256 and present != output.saved_sha256

    async def copy(self, job: Job) -> None:
        """Give a done job's result to every other output that wants it.

        A result that is no longer on disk is downloaded again, which is free.

        Raises:
            OutputRefused: the disk does not take the path of one of them; the others have theirs.
        """
        with self._ledger.reading() as connection:
            wanting = outputs.wanting(connection, job.id)
            holding = outputs.holding_of(connection, job) if wanting else []
        self._learn_originals(job)
        refused: OutputRefused | None = None
        for output in wanting:
            if output.id in self._refused:
                continue
            target = self._target(job, output)
            part = results.part_path(target, f"{job.id}-{output.id}")
            try:
                result = await self._copy_at(job, output, holding, part, target)
                if not await self._put(job, output, part, target, result):
                    log.warning("%s: output exists, not in this ledger; left as it is", output.path)
                    self._refused.add(output.id)
                    continue
            except OutputRefused as error:  # the others' copies are not held up by it
                self._refused.add(output.id)
                refused = error
                continue
            finally:
                results.remove(part, _root(target, output))
            await self._writer.do(_record_file, job, output, result, self._saving)
            self._observer.reused(job, output, target)
            self.copied += 1
        if refused is not None:
            raise refused

    def _format_of(self, output: Output, target: Path) -> OutputFormat:
        """Return the format of an output's result: its path is fixed, whatever today's setting is."""
        root = _root(target, output)
        kept = root / RECEIVED / output.path if self._saving.keep_received else None
        return OutputFormat(kind_of(target), self._saving.quality, self._saving.flatten, kept, root)

    def _target(self, job: Job, output: Output) -> Path:
        if output.id == job.output_id:
            return self._ledger.absolute(job.output_folder) / output.path
        with self._ledger.looking() as connection:
            return self._ledger.absolute(folders.path_of(connection, output.folder_id)) / output.path

    async def _put(self, job: Job, output: Output, part: Path, target: Path, result: results.Result) -> bool:
        """Name a checked file. It may replace what this ledger put there and nobody has changed since.

        A redo is a person's word to replace whatever stands in the place of the result before it; that is kept.
        """
        if result.converted:
            # A crash may come between the name and its record, and the next run may convert otherwise.
            await self._writer.do(outputs.saving, job.id, result.sha256)
        # That a job was forced once is no leave to replace what lies where a later run wants a copy of it.
        replace = job.replace and (output.id == job.output_id or self._saving.force)
        if not replace and _is_there(target) and (present := await asyncio.to_thread(results.digest, target)):
            with self._ledger.looking() as connection:
                replace = present in {output.saved_sha256, *outputs.saved_ever(connection, job.id)}
        is_redo = takes_place(job, output)
        if (replace or is_redo) and await asyncio.to_thread(self._is_original, job, output, target):
            return False
        if is_redo:
            replace = await self._keep(job, output, target, result) or replace
        return await asyncio.to_thread(
            results.put,
            part,
            target,
            replace=replace,
            sha256=result.sha256,
            root=_root(target, output),
            originals=self._rehearsal.originals,
        )

    async def _keep(self, job: Job, output: Output, target: Path, result: results.Result) -> bool:
        """Copy what a redo replaces out of its way; return whether there is anything that may now be replaced."""
        root, originals = _root(target, output), self._rehearsal.originals
        kept = await asyncio.to_thread(keep, job, output, root, result.sha256, originals)
        if kept is None:
            return False
        await self._writer.do(previous_results.remember, output, kept.path, kept.sha256, kept.size)
        return True

    async def _copy_at(
        self, job: Job, output: Output, holding: list[Output], part: Path, target: Path
    ) -> results.Result:
        """Write a copy of a result to ``part``: from a file that holds it unchanged, else from the service.

        A copy in another format is made from a PNG, which has lost nothing.
        """
        output_format = self._format_of(output, target)
        for other in sorted(holding, key=lambda other: kind_of(Path(other.path)) != output_format.kind):
            source = self._target(job, other)
            kind = kind_of(source)
            if not can_become(kind, output_format.kind) or not other.saved_sha256:
                continue
            if await asyncio.to_thread(results.digest, source) != other.saved_sha256:
                continue
            await asyncio.to_thread(results.copy, source, part, _root(target, output), self._rehearsal.originals)
            if kind == output_format.kind:
                return results.Result(other.saved_sha256, other.saved_bytes or 0, job.pixels, "")
            async with self._decoding.open(job.pixels):
                return await asyncio.to_thread(results.check, part, job.pixels, None, output_format)
        if job.remote_deleted_at is not None:
            raise ResultUnusable(LOST)
        return await self._downloads.fetch(job, None, part, output_format)


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _record_file(tx: Tx, job: Job, output: Output, result: results.Result, saving: SaveOptions) -> None:
    """Say that a result's file is in its place, and what is due for it."""
    outputs.saved(tx, output.id, job.id, job.photo_sha256, result.sha256, result.size)
    if saving.has_command:
        commands.want(tx, output.id, job.id)


def _record(tx: Tx, job: Job, output: Output, result: results.Result, saving: SaveOptions) -> tuple[Job, bool]:
    """Say that a result is in its place; return the job, and whether other outputs want the result, too."""
    _record_file(tx, job, output, result, saving)
    if saving.delete_remote:
        deletions.want(tx, [job.id])
    return transitions.done(tx, job, result.remark), bool(outputs.wanting(tx.connection, job.id))


def _root(target: Path, output: Output) -> Path:
    """Return the output folder of an output whose result belongs at ``target``."""
    return target.parents[output.path.count("/")]
