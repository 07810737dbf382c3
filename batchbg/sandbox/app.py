"""The ASGI application: routes, and what happens to every call before and after the service has its turn."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from batchbg.sandbox.control import control_routes
from batchbg.sandbox.effects import Delivery, Effect
from batchbg.sandbox.faults import Faults
from batchbg.sandbox.records import Operation
from batchbg.sandbox.requests import Refusal
from batchbg.sandbox.service import PROJECTS, Service
from batchbg.sandbox.storage import PREFIX
from batchbg.sandbox.webhooks import Webhooks
from batchbg.sandbox.wire import Wire

Handler = Callable[[Request, list[Effect]], Awaitable[Response]]


class _Anything(Convertor[str]):
    """A rest of a path that may hold line ends too; Starlette's own stops at one."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


class Endpoint:
    """One operation: counts the call, lets faults at it, and sends the answer."""

    def __init__(self, operation: Operation, handler: Handler, service: Service, faults: Faults) -> None:
        self._operation, self._handler = operation, handler
        self._service, self._faults = service, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._service.books.note_request(self._operation)
        effects = self._faults.strike(self._operation)
        request, wire = Request(scope, receive), Wire(scope, receive, send)
        try:
            await self._serve(request, wire, effects)
        except ClientDisconnect:
            pass
        except asyncio.CancelledError:
            # The sandbox is being stopped. Uvicorn would log a cancelled request as a crash of the application.
            await wire.hang_up()

    async def _serve(self, request: Request, wire: Wire, effects: list[Effect]) -> None:
        delivery = next((effect for effect in effects if isinstance(effect, Delivery)), None)
        answer = None
        if delivery is None or delivery.commit:
            answer = await self._answer(request, effects)
        elif delivery.hears_out:
            # What is refused is read all the same: closing a socket with unread bytes would reset the connection.
            async for _ in request.stream():
                pass
        if delivery is not None:
            await delivery.deliver(wire, answer)
        elif answer is not None:
            await self._send(wire, answer)

    async def _answer(self, request: Request, effects: list[Effect]) -> Response:
        service = self._service
        if not self._operation.is_transfer and service.config.latency_s:
            await asyncio.sleep(service.config.latency_s)
        try:
            if not self._operation.is_transfer:
                service.admit(request)
            answer = await self._handler(request, effects)
        except Refusal as refusal:
            return refusal.response
        for effect in effects:
            answer = await effect.on_answer(answer)
        return answer

    async def _send(self, wire: Wire, answer: Response) -> None:
        bytes_per_s = self._service.config.bandwidth_bytes_per_s
        if self._operation is Operation.DOWNLOAD and bytes_per_s:
            await wire.throttled(answer, bytes_per_s)
        else:
            await wire.answer(answer)


def build_app(service: Service, faults: Faults) -> ASGIApp:
    """Return the application that serves ``service`` through ``faults``."""

    def route(method: str, path: str, operation: Operation, handler: Handler) -> Route:
        return Route(path, Endpoint(operation, handler, service, faults), methods=[method])

    routes = [
        route("POST", "/v1/image-background-remover", Operation.CREATE, service.create),
        route("GET", PROJECTS + "{id:anything}", Operation.STATUS, service.status),
        route("DELETE", PROJECTS + "{id:anything}", Operation.DELETE, service.delete),
        route("POST", "/v1/files/upload-urls", Operation.UPLOAD_URLS, service.upload_urls),
        route("GET", "/v1/account", Operation.ACCOUNT, service.account),
        route("PUT", PREFIX + "{path:path}", Operation.UPLOAD, service.upload),
        route("GET", PREFIX + "{path:path}", Operation.DOWNLOAD, service.download),
        *(control_routes(service, faults) if service.config.control else []),
    ]
    service.on_opened = Webhooks(service, faults).watch
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error})
    app.router.redirect_slashes = False
    return app


async def _http_error(request: Request, exc: Exception) -> Response:
    """Give what the router refuses, an unknown path or method, the body that every refusal has."""
    assert isinstance(exc, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(exc.status_code, "invalid_request")
    headers = dict(exc.headers or {})
    if exc.status_code == 405:  # the router lists the methods of one route, but some paths have two
        matching = [route for route in request.app.routes if route.path_regex.match(request.url.path)]
        headers["Allow"] = ", ".join(sorted(set().union(*(route.methods for route in matching))))
    return JSONResponse({"code": code, "message": exc.detail}, exc.status_code, headers)
