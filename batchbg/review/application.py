"""What the page asks and what it is answered. Pictures are named by job, never by path."""

import asyncio
import functools
import json
import mimetypes
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from batchbg import __version__
from batchbg.core.choosing import choice_of
from batchbg.core.review import ReviewVerdict
from batchbg.core.suspicion import Kind
from batchbg.core.text import as_json
from batchbg.disk.reading import open_file
from batchbg.errors import BatchbgError, ConfigError, LedgerError
from batchbg.review.catalogue import Catalogue, View, shown_path
from batchbg.review.items import Item
from batchbg.review.looks import Looks
from batchbg.review.verdicts import UNDECIDED, Busy, Verdicts

MOST_ROWS: Final = 500
"""Rows of one answer."""

MOST_BODY_BYTES: Final = 64_000

MOST_REASON: Final = 500
"""Letters of a reason."""

SHOWN_AS_IS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
"""What browsers show, by how its file begins."""

_CHUNK_BYTES: Final = 256_000


Redo = Callable[[bool], dict[str, Any]]
"""Plans all that is rejected anew, or with True only shows what that would be; returns what the page tells of it."""


class Application:
    """Answers the page."""

    def __init__(
        self, catalogue: Catalogue, looks: Looks, verdicts: Verdicts, about: dict[str, Any], redo: Redo | None
    ) -> None:
        """Take what it works with.

        Args:
            catalogue: of an open ledger.
            looks: that are being made.
            verdicts: into the same ledger.
            about: what the page says of the ledger: ``ledger``, ``rehearsal``.
            redo: None where that is not offered.
        """
        self._redo = redo
        self._catalogue = catalogue
        self._looks = looks
        self._verdicts = verdicts
        self._about = about
        self._problem = ""

    def starlette(self) -> Starlette:
        """Return the ASGI application; it lets everybody in."""
        routes = [
            Route("/", self.page),
            Route("/static/{name}", self.static),
            Route("/api/about", self.about),
            Route("/api/standing", self.standing),
            Route("/api/view", self.choose),
            Route("/api/rows", self.rows),
            Route("/api/next", self.next),
            Route("/api/verdict", self.verdict, methods=["POST"]),
            Route("/api/verdicts", self.verdict_on_rest, methods=["POST"]),
            Route("/api/redo", self.redo, methods=["POST"]),
            Route("/thumb/{job}", self.thumb),
            Route("/picture/{job}/{which}", self.picture),
        ]
        application = Starlette(routes=routes, exception_handlers={BatchbgError: _explained, _Refused: _refused})
        application.router.redirect_slashes = False
        return application

    async def page(self, request: Request) -> Response:
        """Answer with the page."""
        return Response(_static()["index.html"][0], media_type="text/html")

    async def static(self, request: Request) -> Response:
        """Answer with one of the page's own files."""
        found = _static().get(request.path_params["name"])
        if found is None:
            raise _Refused(404, "there is no such file")
        return Response(found[0], media_type=found[1])

    async def about(self, request: Request) -> Response:
        """Tell what does not change while the page is open."""
        await self._refreshed()
        facets = await asyncio.to_thread(self._catalogue.facets)
        return _Json(
            {
                "version": __version__,
                "kinds": [kind.value for kind in Kind],
                "facets": facets,
                "redo": self._redo is not None,
            }
            | self._about
        )

    async def standing(self, request: Request) -> Response:
        """Tell how things stand: a number that is another when anything has changed, and how many were looked at."""
        await self._refreshed()
        return _Json(
            {
                "version": self._catalogue.version,
                "looked": self._looks.done,
                "results": self._looks.total,
                "problem": self._problem,
            }
        )

    async def choose(self, request: Request) -> Response:
        """Choose, and tell how much that is."""
        await self._refreshed()
        view = await asyncio.to_thread(self._catalogue.choose, choice_of(request.query_params))
        return _Json({"view": view.number, "total": len(view.ids), "counts": view.counts})

    async def rows(self, request: Request) -> Response:
        """Answer with a part of what was chosen."""
        view = self._view(request)
        start, count = _number(request, "from"), min(_number(request, "count"), MOST_ROWS)
        found = [self._row(place, item) for place, item in self._catalogue.window(view, start, count)]
        return _Json({"version": self._catalogue.version, "rows": found})

    async def next(self, request: Request) -> Response:
        """Tell the place of the next undecided result."""
        place = await asyncio.to_thread(
            self._catalogue.next_undecided, self._view(request), _number(request, "after", least=-1)
        )
        return _Json({"place": place})

    async def verdict(self, request: Request) -> Response:
        """Take a verdict on one result."""
        asked = await _body(request)
        item = self._item(str(asked.get("job", "")))
        verdict = _verdict(asked)
        reason = str(asked.get("reason", ""))[:MOST_REASON]
        await asyncio.to_thread(self._verdicts.give, [item.id], verdict, reason)
        await self._refreshed()
        return _Json({"row": self._row(_count(asked, "place"), self._item(item.id))})

    async def verdict_on_rest(self, request: Request) -> Response:
        """Take a verdict on all that is undecided of a view."""
        asked = await _body(request)
        view = self._catalogue.view(_count(asked, "view"))
        if view is None:
            raise _Refused(410, "the page has to ask anew")
        todo = [item.id for _, item in self._catalogue.window(view, 0, len(view.ids)) if item.group == "undecided"]
        await asyncio.to_thread(self._verdicts.give, todo, _verdict(asked), "")
        await self._refreshed()
        return _Json({"number": len(todo)})

    async def redo(self, request: Request) -> Response:
        """Plan all that is rejected anew, or tell what that would be and cost; it spends nothing."""
        asked = await _body(request)
        if self._redo is None:
            raise _Refused(404, "that is not offered here")
        told = await asyncio.to_thread(self._redo, asked.get("plan") is not True)
        await self._refreshed()
        return _Json(told)

    async def thumb(self, request: Request) -> Response:
        """Answer with a result's thumbnail."""
        item = self._item(request.path_params["job"])
        data = await _answered(self._looks.thumb(item)) if item.has_result else b""
        if not data:
            raise _Refused(404, "there is no picture")
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=600"})

    async def picture(self, request: Request) -> Response:
        """Answer with a file in full: a result, its photo or its background, in a form that a browser shows."""
        item = self._item(request.path_params["job"])
        path = _path(item, request.path_params["which"])
        kind = await asyncio.to_thread(_kind, path)
        if kind is None:
            raise _Refused(404, "the file is missing on disk")
        if not kind:
            data = await _answered(self._looks.large(path))
            if not data:
                raise _Refused(404, "the file cannot be read")
            return Response(data, media_type="image/webp", headers={"X-Shrunk": "1"})
        return StreamingResponse(_read(path), media_type=kind)

    # -- parts ---------------------------------------------------------------------------------------------------

    async def _refreshed(self) -> None:
        """See what has changed in the ledger; where it cannot be read now, the page says so, and is shown what was."""
        before = self._catalogue.version
        try:
            await asyncio.to_thread(self._catalogue.refresh)
            self._problem = ""
        except LedgerError as error:
            self._problem = str(error)
        if self._catalogue.version != before:
            await asyncio.to_thread(lambda: self._looks.go_through(self._catalogue.results()))

    def _item(self, job_id: str) -> Item:
        item = self._catalogue.item(job_id)
        if item is None:
            raise _Refused(404, "there is no such job")
        return item

    def _view(self, request: Request) -> View:
        view = self._catalogue.view(_number(request, "view"))
        if view is None:
            raise _Refused(410, "the page has to ask anew")
        return view

    def _row(self, place: int, item: Item) -> dict[str, Any]:
        look = self._looks.look(item)
        signs = [{"kind": sign.kind, "score": sign.score, "words": sign.words} for sign in look.signs] if look else []
        return {
            "place": place,
            "id": item.id,
            "state": item.state.value,
            "group": item.group,
            "folder": shown_path(item.folder),
            "file": shown_path(item.file),
            "background": shown_path(item.background_path),
            "fits": item.fits,
            "width": item.width,
            "height": item.height,
            "output": shown_path(item.output_path),
            "bytes": item.saved_bytes,
            "credits": item.credits,
            "error": shown_path(item.error),
            "remark": shown_path(item.remark),
            "verdict": item.verdict,
            "reason": shown_path(item.reason),
            "hasResult": item.has_result,
            "hasPhoto": item.photo is not None,
            "signs": signs,
            "trouble": shown_path(look.trouble) if look else "",
            "untold": look.untold if look else "",
            "looked": look is not None,
            "key": item.saved_sha256[:16],
        }


class _Json(Response):
    """An answer of plain ASCII: a file's name may hold what is no character."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return what is sent."""
        return as_json(content).encode("ascii")


class _Refused(Exception):
    """A request that cannot be answered."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def _refused(_request: Request, error: Exception) -> Response:
    return _Json({"error": str(error)}, getattr(error, "status", 400))


async def _explained(_request: Request, error: Exception) -> Response:
    status = 503 if isinstance(error, LedgerError) else 409 if isinstance(error, ConfigError) else 500
    return _Json({"error": str(error), "busy": isinstance(error, Busy)}, status)


async def _answered(answer: Any) -> bytes:
    try:
        data: bytes = await asyncio.wrap_future(answer)
    except (BatchbgError, OSError):
        return b""
    except asyncio.CancelledError:
        if answer.cancelled():
            raise _Refused(503, "too many pictures are waited for") from None
        raise
    return data


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Refused(415, "only JSON is taken")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                raise _Refused(413, "that is too much")
        value = json.loads(bytes(body))
    except (ValueError, RecursionError, ClientDisconnect) as error:
        raise _Refused(400, "that is no JSON") from error
    if not isinstance(value, dict):
        raise _Refused(400, "that is no object")
    return value


def _verdict(asked: dict[str, Any]) -> ReviewVerdict | None:
    """Return the verdict that is asked for; None to have none."""
    if asked.get("verdict") == UNDECIDED:
        return None
    try:
        return ReviewVerdict(str(asked.get("verdict")))
    except ValueError as error:
        raise _Refused(400, "there is no such verdict") from error


def _count(asked: dict[str, Any], name: str) -> int:
    value = asked.get(name, 0)
    if not isinstance(value, int):
        raise _Refused(400, f"{name} is no number")
    return value


def _number(request: Request, name: str, least: int = 0) -> int:
    try:
        return max(int(request.query_params.get(name, "0")), least)
    except ValueError as error:
        raise _Refused(400, f"{name} is no number") from error


def _path(item: Item, which: str) -> Path:
    path = {
        "result": item.result if item.has_result else None,
        "photo": item.photo,
        "background": item.background,
    }.get(which)
    if not isinstance(path, Path):
        raise _Refused(404, "there is no such picture")
    return path


def _kind(path: Path) -> str | None:
    """Return the media type of a file that browsers show, "" for one that has to be made one, None where there is none."""
    try:
        with open_file(path) as file:
            head = file.read(16)
    except (OSError, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begins, kind in SHOWN_AS_IS.items() if head.startswith(begins)), "")


async def _read(path: Path) -> Any:
    file = await asyncio.to_thread(open_file, path)
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


@functools.cache
def _static() -> dict[str, tuple[bytes, str]]:
    """Return the page's own files by name, with their media types."""
    folder = resources.files("batchbg.review") / "static"
    return {
        one.name: (one.read_bytes(), mimetypes.guess_type(one.name)[0] or "application/octet-stream")
        for one in folder.iterdir()
        if one.is_file()
    }
