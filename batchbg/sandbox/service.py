"""The service itself: what each operation does, without sockets' and faults' doing."""

import asyncio
import math
import random
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import formatdate
from time import time
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from batchbg.sandbox.books import Books, InsufficientCredits
from batchbg.sandbox.clock import Clock, iso
from batchbg.sandbox.config import SandboxConfig
from batchbg.sandbox.effects import Effect
from batchbg.sandbox.records import Asset, JobError, Operation, Order, Project
from batchbg.sandbox.rendering import Renderer, RenderFailed
from batchbg.sandbox.requests import (
    IMAGE_EXTENSIONS,
    Refusal,
    StorageRefusal,
    create_fields,
    read_json,
    unprocessable,
    upload_items,
)
from batchbg.sandbox.storage import Signer, origin, receive_upload
from batchbg.sandbox.store import ByteStore

PROJECTS: Final = "/v1/image-projects/"

_LARGEST_SPREAD: Final = 20.0  # of a render time's logarithm: eight digits are enough for anyone


class Service:
    """One account's API and storage.

    Attributes:
        config: replaced whole by `configure`.
        clock: by which everything expires and finishes.
        books: what happened.
        on_opened: told of every new project, and by which host the client reached the sandbox.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.books = Books(self.clock, config.credits, config.max_records)
        self.account_id = config.account_id or f"sandbox-{uuid.uuid4().hex[:8]}"
        self._uploads = ByteStore(config.max_stored_bytes)
        self._renderer = Renderer(self._uploads, config.max_stored_bytes)
        self._signer = Signer()
        self._random = random.Random(config.seed)
        self._accepted_s: deque[float] = deque()  # API requests of the last second
        self.on_opened: Callable[[Project, str], None] = lambda project, host: None

    def configure(self, changes: dict[str, Any]) -> None:
        """Change settings while the sandbox runs; see `SandboxConfig.changed`."""
        config = self.config.changed(changes)
        self.config = config
        if "credits" in changes:
            self.books.set_balance(self.config.credits)

    def close(self) -> None:
        """Stop rendering."""
        self._renderer.close()

    # Before every operation of the API

    def admit(self, request: Request) -> None:
        """Raise `Refusal` for a wrong key and for too many requests."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        wrong = not key if self.config.api_key is None else key != self.config.api_key
        if scheme.lower() != "bearer" or wrong:
            raise Refusal(401, "unauthorized", "Supply a valid API key as a bearer token")
        limit = self.config.requests_per_second
        if limit is None:
            return
        now_s, window_s = self.clock(), max(1.0, 1.0 / limit)
        while self._accepted_s and self._accepted_s[0] <= now_s - window_s:
            self._accepted_s.popleft()
        if len(self._accepted_s) + 1 > limit * window_s:
            raise self._too_many("Too many requests", math.ceil(self._accepted_s[0] + window_s - now_s))
        self._accepted_s.append(now_s)

    def _too_many(self, message: str, retry_after_s: int) -> Refusal:
        headers = {
            "none": {},
            "seconds": {"Retry-After": str(retry_after_s)},
            "date": {"Retry-After": formatdate(math.ceil(time() + retry_after_s), usegmt=True)},
        }[self.config.retry_after]
        return Refusal(429, "rate_limited", message, headers)

    # The API

    async def upload_urls(self, request: Request, effects: list[Effect]) -> Response:
        """POST /v1/files/upload-urls."""
        extensions = upload_items(await read_json(request, self.config.max_json_bytes))
        expires_at_s = self.clock() + self.config.upload_url_ttl_s
        host, items = origin(request), []
        for extension in extensions:
            file_path = f"api-assets/{self.account_id}/{uuid.uuid4().hex}.{extension}"
            url = host + self._signer.sign("PUT", file_path, expires_at_s)
            items.append({"upload_url": url, "expires_at": iso(expires_at_s), "file_path": file_path})
        return JSONResponse({"items": items})

    async def create(self, request: Request, effects: list[Effect]) -> Response:
        """POST /v1/image-background-remover: charge, queue and start to render."""
        name, photo_path, background_path = create_fields(await read_json(request, self.config.max_json_bytes))
        order = self._order(name, photo_path, background_path)
        for effect in effects:
            order = effect.on_order(order)
        project = self._open_project(order)
        self.on_opened(project, origin(request))
        cost = project.order.credits
        return JSONResponse({"id": project.id, "frame_cost": cost, "credits_charged": cost})

    def _order(self, name: str | None, photo_path: str, background_path: str | None) -> Order:
        photo = self._asset(photo_path, "image_file_path")
        background = None if background_path is None else self._asset(background_path, "background_image_file_path")
        spread = min(self._random.gauss(0.0, self.config.render_sigma), _LARGEST_SPREAD)
        order = Order(
            name=f"Background Remover - {datetime.now(UTC):%Y-%m-%d %H:%M:%S}" if name is None else name,
            image_sha256=photo.sha256 if photo else "",
            background_sha256=background.sha256 if background else None,
            credits=self.config.price_credits,
            queue_s=self.config.queue_s,
            render_s=self.config.render_s * math.exp(spread),
        )
        if photo is None or (background_path is not None and background is None):
            lost = JobError("invalid_image_path", "There is no uploaded image at the path given")
            order = order.failing(lost)
        return order

    def _asset(self, path: str, field: str) -> Asset | None:
        """Return the upload at ``path``, or None where the job is to fail without it."""
        if "://" in path:
            unprocessable(f"{field}: the sandbox fetches no URLs; upload the file")
        asset = self.books.asset(path, self.config.asset_ttl_s)
        if asset is not None and self._uploads.get(asset.sha256) is None:
            asset = None  # dropped for lack of memory: earlier than the service would
        if asset is None and self.config.unknown_asset == "refuse":
            unprocessable(f"{field}: nothing was uploaded to this path, or it has been deleted")
        if asset is not None and path.rpartition(".")[2] not in IMAGE_EXTENSIONS:
            unprocessable(f"{field} must be an image: {', '.join(sorted(IMAGE_EXTENSIONS))}")
        return asset

    def _open_project(self, order: Order) -> Project:
        limit, slots = self.config.in_flight_limit, self.config.slots
        if limit is not None:
            if self.config.over_limit == "refuse" and self.books.unfinished() >= limit:
                raise self._too_many("Too many jobs in progress", 1)
            slots = limit if slots is None else min(limit, slots)
        try:
            project = self.books.open_project(order, slots)
        except InsufficientCredits:
            message = f"This costs {order.credits} credits, the balance is {self.books.balance}"
            raise Refusal(402, "insufficient_credits", message) from None
        if order.end == "complete":
            self._picture(project).add_done_callback(lambda made: self._note_picture(project.id, made))
        return project

    def _picture(self, project: Project) -> Future[bytes]:
        order = project.order
        return self._renderer.picture(order.image_sha256, order.background_sha256, self.config.background_cutout)

    def _note_picture(self, project_id: str, made: Future[bytes]) -> None:
        if made.cancelled():  # the sandbox is being stopped
            return
        problem = made.exception()
        if problem is None:
            self.books.picture_ready(project_id)
        else:
            unforeseen = JobError("unknown_error", f"The sandbox failed: {problem!r}")
            self.books.picture_failed(project_id, problem.error if isinstance(problem, RenderFailed) else unforeseen)

    async def status(self, request: Request, effects: list[Effect]) -> Response:
        """GET /v1/image-projects/{id}."""
        project = self._project(request)
        project.polls += 1
        return JSONResponse(self.record(project, origin(request)))

    def record(self, project: Project, host: str) -> dict[str, Any]:
        """Return what the API shows of a project, with a signed URL on ``host`` where there is a result."""
        now_s = self.clock()
        status, error = project.status(now_s), project.order.error
        downloads = []
        if status == "complete" and project.enabled:
            expires_at_s = now_s + self.config.download_url_ttl_s
            url = host + self._signer.sign("GET", f"{quote(project.id, safe='')}/output.png", expires_at_s)
            downloads = [{"url": url, "expires_at": iso(expires_at_s)}]
        return {
            "id": project.id,
            "name": project.order.name,
            "status": status,
            "image_count": 1,
            "type": "BACKGROUND_REMOVER",
            "created_at": iso(project.created_at_s),
            "enabled": project.enabled,
            "total_frame_cost": project.credits_charged,
            "credits_charged": project.credits_charged,
            "downloads": downloads,
            "error": {"message": error.message, "code": error.code} if error and status == "error" else None,
        }

    async def delete(self, request: Request, effects: list[Effect]) -> Response:
        """DELETE /v1/image-projects/{id}: for good, and whatever its status; no credits come back."""
        self._project(request).enabled = False
        return Response(status_code=204)

    def _project(self, request: Request) -> Project:
        # As it was sent, not as it was decoded: an id may hold a slash, and is one segment of the path all the same.
        segment: bytes = request.scope["raw_path"].removeprefix(PROJECTS.encode())
        project = None if b"/" in segment else self.books.project(unquote(segment))
        if project is None or (not project.enabled and self.config.after_delete == "not_found"):
            raise Refusal(404, "not_found", "No such image project")
        return project

    async def account(self, request: Request, effects: list[Effect]) -> Response:
        """GET /v1/account."""
        return JSONResponse(
            {
                "id": self.account_id,
                "email": "sandbox@example.com",
                "tier": self.config.tier,
                "credits": max(0, self.books.balance),
                "subscription": None,
            }
        )

    # Storage

    async def upload(self, request: Request, effects: list[Effect]) -> Response:
        """PUT to a signed URL."""
        path = self._signed_path(request, "PUT")
        config = self.config
        content, sha256 = await receive_upload(
            request, config.max_body_bytes, config.bandwidth_bytes_per_s, config.chunked_uploads
        )
        await asyncio.sleep(config.upload_s)
        self._uploads.put(sha256, content)
        self.books.add_asset(path, sha256, len(content))
        self.books.note_bytes(Operation.UPLOAD, len(content))
        return Response(status_code=200)

    async def download(self, request: Request, effects: list[Effect]) -> Response:
        """GET from a signed URL."""
        project = self.books.project(unquote(self._signed_path(request, "GET").partition("/")[0]))
        if project is None or not project.enabled:
            raise StorageRefusal(404, "NoSuchKey", "The result was deleted")
        try:
            made = self._picture(project)
            content = made.result() if made.done() else await asyncio.wrap_future(made)
        except RenderFailed:  # dropped for lack of memory, and so was what it could be made from
            raise StorageRefusal(404, "NoSuchKey", "The result is no longer stored") from None
        self.books.note_bytes(Operation.DOWNLOAD, len(content))
        return Response(content, media_type="image/png")

    def _signed_path(self, request: Request, method: str) -> str:
        if "authorization" in request.headers:
            self.books.keys_at_storage += 1
            raise StorageRefusal(400, "InvalidArgument", "Only one way to authorise: the signature or a header")
        path: str = request.path_params["path"]
        self._signer.check(request, method, path, self.clock())
        return path
