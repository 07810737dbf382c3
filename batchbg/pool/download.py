"""Fetching a result: download, check, once more where it comes out odd."""

import asyncio
import functools
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

from batchbg.api.wire import Project, ProjectStatus
from batchbg.core.model import Job
from batchbg.disk import files, results
from batchbg.disk.file_identity import Identity
from batchbg.disk.output_formats import OutputFormat
from batchbg.errors import ApiUnreachable, RequestRefused, ResultUnusable, WrongProject
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.outage import Outage
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)

TRIES: Final = 6
"""Downloads of one result before its job is left for a later run."""

UNUSABLE_TRIES: Final = 4
"""Answers that hold no whole picture before the job fails; its project id is kept for `rescue`."""


class Downloads:
    """Fetches results into temporary files, as often as it takes."""

    def __init__(
        self, session: PoolSession, outage: Outage, decoding: DecodeLimit, originals: Collection[Identity]
    ) -> None:
        """Write nothing into the folders ``originals``, of which more may become known."""
        self._api = session.api
        self._ledger = session.ledger
        self._outage = outage
        self._decoding = decoding
        self._originals = originals

    async def fetch(self, job: Job, project: Project | None, part: Path, output_format: OutputFormat) -> results.Result:
        """Download a result, check it and give it its format; once more where it comes out odd.

        Args:
            job: its render is complete.
            project: the record that says so; None to ask for it.
            part: the temporary file.
            output_format: of the result, and the folder that must hold it.

        Raises:
            ResultUnusable: what comes is not a whole picture, or the project has none.
            WrongProject: the project is another's.
            ApiUnreachable: it cannot be fetched now.
            DiskError, OutputRefused: it cannot be written.
        """
        if project is not None and not project.downloads:
            project = None  # complete, but without an address: asked again, which concerns this job alone
        tries = unusable = 0
        was_odd = False
        while True:
            tries += 1
            trouble: ApiUnreachable | RequestRefused | ResultUnusable
            try:
                result = await self._try(job, project or await self._ask(job), part, output_format)
            except (ApiUnreachable, RequestRefused) as error:
                if tries >= TRIES or self._outage.over:
                    raise ApiUnreachable(str(error)) from error
                trouble = error
            except ResultUnusable as error:
                unusable += 1
                if unusable >= UNUSABLE_TRIES:
                    raise
                trouble = error
            else:
                self._outage.answered()
                if was_odd or not results.is_odd(result, job.pixels):
                    return result
                was_odd = True
                project = None
                continue
            log.info("%s: %s", job.output_path, trouble)
            await self._outage.pause(tries, trouble)
            project = None  # an address may have expired: the next comes from a fresh record

    async def _try(self, job: Job, project: Project, part: Path, output_format: OutputFormat) -> results.Result:
        new_part = functools.partial(files.create, part, root=output_format.root, originals=self._originals)
        await self._api.storage.download(project.downloads[0], part, new_part)
        photo = self._ledger.absolute(job.photo_folder) / job.photo_path
        async with self._decoding.open(job.pixels):
            return await asyncio.to_thread(results.check, part, job.pixels, photo, output_format)

    async def _ask(self, job: Job) -> Project:
        assert job.project_id is not None
        project_id = job.project_id
        try:
            project = await self._outage.ask(lambda: self._api.project(project_id))
        except RequestRefused as error:
            raise ResultUnusable(f"the project cannot be found: {error}") from error
        if project.name and not job.owns(project.name):
            raise WrongProject(project.name)
        if project.status is not ProjectStatus.COMPLETE or not project.downloads or not project.enabled:
            raise ResultUnusable(f"the project has no result to download (status {project.status_word})")
        return project
