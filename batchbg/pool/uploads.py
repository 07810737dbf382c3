"""Bringing files to the service: each content once, however many jobs need it."""

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from batchbg.api.storage import Body, chunks_of
from batchbg.api.wire import UploadTarget
from batchbg.core.model import Job, PhotoInfo, Size, Treatment
from batchbg.core.paint import Paint, read_paint
from batchbg.disk.decoding import cover_crop, painted, upright_copy
from batchbg.disk.reading import open_file
from batchbg.disk.scan import is_same
from batchbg.errors import ApiUnreachable, PhotoChanged, RequestRefused
from batchbg.ledger import assets, photos
from batchbg.ledger.store import Connection
from batchbg.ledger.writer import Writer
from batchbg.pool.decode_limit import DecodeLimit
from batchbg.pool.outage import Outage
from batchbg.pool.session import PoolSession

log = logging.getLogger(__name__)

KEPT_S: Final = 6 * 86400.0
"""Seconds for which an upload is reused. The service deletes inputs after 7 days (docs, inputs and outputs)."""

AT_ONCE: Final = 8
"""Files on their way up at the same time."""

TRIES: Final = 4
"""Addresses tried for one file before its job is left for a later run."""

TOO_LARGE: Final = 413
"""The one refusal by storage that is the file's own fault, and stays; others may come from the address."""

MOST_IN_ONE_REQUEST: Final = 32

_CHUNK: Final = 1 << 18


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A file that a job needs at the service, and the form in which it goes up.

    Attributes:
        path: the file.
        info: what the ledger knows of it.
        fit: pixels of the cover crop to send in its place, or None.
    """

    path: Path
    info: PhotoInfo
    fit: Size | None = None

    @property
    def is_copy(self) -> bool:
        """Whether something else than the file's own bytes goes up."""
        return bool(self.fit or self.info.normalise or not self.info.extension)

    @property
    def recipe(self) -> str:
        """What goes up, by content: the same recipe gives the same picture."""
        if self.fit:
            return f"{self.info.sha256} fit {self.fit}"
        return f"{self.info.sha256} upright" if self.is_copy else self.info.sha256


@dataclasses.dataclass(frozen=True, slots=True)
class Painting:
    """A background that is made for a photo: a colour or a gradient, at its size."""

    paint: Paint
    pixels: Size

    @property
    def recipe(self) -> str:
        """What goes up, as for a ``Source``."""
        return f"{self.paint.sha256} at {self.pixels}"


@dataclasses.dataclass(frozen=True, slots=True)
class Asset:
    """A file at the service; ``fresh`` where this very run put it there."""

    recipe: str
    file_path: str
    fresh: bool


class Uploads:
    """Uploads files, and hands out those that are there already."""

    def __init__(self, session: PoolSession, outage: Outage, decoding: DecodeLimit) -> None:
        self._api = session.api
        self._ledger = session.ledger
        self._writer = session.writer
        self._accounts = session.accounts
        self._outage = outage
        self._decoding = decoding
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Asset]] = {}
        self._asked: list[tuple[str, asyncio.Future[UploadTarget]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def assets_for(self, job: Job) -> tuple[Asset, Asset | None]:
        """Return the job's photo and background at the service.

        Raises:
            PhotoChanged: a file is no longer the one that was paired.
            RequestRefused: the service does not take it.
            ApiUnreachable, AccountRefused: see ``errors``.
        """
        with self._ledger.reading() as connection:
            photo = self._find(connection, self._photo(connection, job))
            source = self._background(connection, job)
            background = self._find(connection, source) if source else None
        return await _arrived(photo), await _arrived(background) if background else None

    async def close(self) -> None:
        """End what nobody waits for any more."""
        tasks = [*self._under_way.values(), *([self._asking] if self._asking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def forget(self, asset: Asset) -> None:
        """Do not use an asset again: the service says that it does not know it."""
        await self._writer.do(assets.forget, asset.recipe, asset.file_path)

    def _photo(self, connection: Connection, job: Job) -> Source:
        return self._source(connection, job.photo_folder, job.photo_path, job.photo_sha256)

    def _background(self, connection: Connection, job: Job) -> Source | Painting | None:
        if job.treatment is Treatment.NONE:
            return None
        if job.is_painted:
            return Painting(read_paint(job.background_path), job.pixels)
        source = self._source(connection, job.background_folder, job.background_path, job.background_sha256)
        return dataclasses.replace(source, fit=job.pixels) if job.treatment is Treatment.FIT else source

    def _source(self, connection: Connection, folder: str, path: str, sha256: str) -> Source:
        info = photos.info_of(connection, folder, path)
        if info is None or sha256 not in info.contents or info.pixels is None:
            raise PhotoChanged(f"{path} has changed since it was paired")
        return Source(self._ledger.absolute(folder) / path, info)

    def _find(self, connection: Connection, source: Source | Painting) -> Asset | asyncio.Task[Asset]:
        """Return a file that is at the service, or the one upload of it that is under way; begin it where none is."""
        if known := assets.find(connection, self._accounts, source.recipe, time.time() - KEPT_S):
            return Asset(source.recipe, known, fresh=False)
        task = self._under_way.get(source.recipe)
        if task is None:
            task = asyncio.create_task(self._upload(source))
            self._under_way[source.recipe] = task
            task.add_done_callback(functools.partial(self._uploaded, source.recipe))
        return task

    def _uploaded(self, recipe: str, task: asyncio.Task[Asset]) -> None:
        if task.cancelled() or task.exception():  # a waiting job has seen it; without one it does not matter
            self._under_way.pop(recipe, None)

    def _remembered(self, recipe: str, kept: asyncio.Future[None]) -> None:
        self._under_way.pop(recipe, None)  # from now on it is found in the ledger
        if not kept.cancelled() and (error := kept.exception()):
            log.info("an upload is not remembered: %s", error)

    async def _upload(self, source: Source | Painting) -> Asset:
        async with self._at_once:
            body, size, extension, unchanged = await self._prepare(source)
            target = await self._put(body, size, extension)
            unchanged()
        account, recipe = self._accounts[0], source.recipe
        # Nobody waits for the disk: should the process end before this is there, the file goes up once more, free.
        kept = self._writer.later(assets.uploaded, account, recipe, target.file_path, size)
        kept.add_done_callback(functools.partial(self._remembered, recipe))
        return Asset(source.recipe, target.file_path, fresh=True)

    async def _prepare(self, source: Source | Painting) -> tuple[Body, int, str, Callable[[], None]]:
        """Return (body, bytes, extension, a check that what was sent is what was paired)."""
        if isinstance(source, Painting):
            async with self._decoding.open(source.pixels):
                data, extension = await asyncio.to_thread(painted, source.paint, source.pixels)
            return chunks_of(data), len(data), extension, lambda: None
        if not source.is_copy:
            sent = _FileBody(source.path, source.info)
            return sent.chunks, source.info.stamp.size, source.info.extension, sent.check
        assert source.info.pixels is not None  # or it would not have been paired
        async with self._decoding.open(source.info.pixels):
            data, extension = await asyncio.to_thread(_copy, source)
        return chunks_of(data), len(data), extension, lambda: None

    async def _put(self, body: Body, size: int, extension: str) -> UploadTarget:
        for attempt in range(1, TRIES + 1):
            target = await self._outage.ask(lambda: self._target(extension))
            try:
                await self._api.storage.put(target, body, size)
            except (ApiUnreachable, RequestRefused) as error:
                if attempt == TRIES:
                    if isinstance(error, RequestRefused) and error.status == TOO_LARGE:
                        raise
                    raise ApiUnreachable(str(error)) from error
                await self._outage.pause(attempt, error)
            else:
                self._outage.answered()
                return target
        raise AssertionError("the last try returns or raises")

    async def _target(self, extension: str) -> UploadTarget:
        """Return an upload address; those asked for at the same time come with one request."""
        future: asyncio.Future[UploadTarget] = asyncio.get_running_loop().create_future()
        self._asked.append((extension, future))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await future

    async def _ask(self) -> None:
        await asyncio.sleep(0)  # all that want one now join the first request
        while self._asked:
            batch, self._asked = self._asked[:MOST_IN_ONE_REQUEST], self._asked[MOST_IN_ONE_REQUEST:]
            try:
                targets = await self._targets([extension for extension, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), target in zip(batch, targets, strict=True):
                if not future.done():
                    future.set_result(target)

    async def _targets(self, extensions: list[str]) -> list[UploadTarget]:
        try:
            return await self._api.upload_targets(extensions)
        except RequestRefused:
            if len(extensions) == 1:
                raise
        # One bad extension, or a limit nobody documents, must not cost the others their upload.
        return [(await self._api.upload_targets([extension]))[0] for extension in extensions]


async def forget_uploads_of(job: Job, writer: Writer) -> None:
    """Do not use again what a job's last create named: the service has found that it is not there.

    What was uploaded since is another upload of the same content, and stays.
    """
    contents = [one for one in (job.photo_sha256, job.background_sha256) if one]
    await writer.do(assets.forget_contents, contents, job.submitted_at or 0.0)


async def _arrived(asset: Asset | asyncio.Task[Asset]) -> Asset:
    """Wait for an upload. Others may wait for it too: who stops waiting does not end it."""
    return asset if isinstance(asset, Asset) else await asyncio.shield(asset)


def _copy(source: Source) -> tuple[bytes, str]:
    """Return the copy that goes up, made of the very bytes that were paired, and its extension.

    Raises:
        PhotoChanged: the file has other bytes, or cannot be read.
    """
    path, sha256 = source.path, source.info.sha256
    return cover_crop(path, source.fit, sha256) if source.fit else upright_copy(path, sha256)


class _FileBody:
    """A file's own bytes on their way up, hashed as they leave: what was paired is what must have been sent."""

    def __init__(self, path: Path, info: PhotoInfo) -> None:
        self._path = path
        self._info = info
        self._digest = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file from its start."""
        self._digest = hashlib.sha256()
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open_file(self._path))
            except OSError as error:
                raise PhotoChanged(f"{self._path.name}: {error.strerror or error}") from error
            if not is_same(os.fstat(file.fileno()), self._info.stamp):
                raise PhotoChanged(f"{self._path.name} has changed since it was checked")
            left = self._info.stamp.size
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                self._digest.update(chunk)
                yield chunk
            if left:
                raise PhotoChanged(f"{self._path.name} became shorter while it was sent")

    def check(self) -> None:
        """Compare what was sent with what was paired.

        Raises:
            PhotoChanged: they differ.
        """
        if self._digest.hexdigest() != self._info.sha256:
            raise PhotoChanged(f"{self._path.name} changed while it was sent")
