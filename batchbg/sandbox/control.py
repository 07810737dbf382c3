"""``/_sandbox/``: the books, the faults, the settings and the clock, for tests and rehearsals outside this process.

    GET    /_sandbox/books[?brief=1]   everything created, charged, given back and asked for
    GET    /_sandbox/faults            the faults in place, each with how often it fired
    POST   /_sandbox/faults            plant one: {"operation": "create", "kind": "reset", "nth": 2}
    DELETE /_sandbox/faults            take all away
    GET    /_sandbox/config            the settings, without key and secret
    POST   /_sandbox/config            change some: {"render_s": 2, "credits": 30}
    POST   /_sandbox/clock             let time pass: {"advance_s": 86400}

Wrong input gets a 400 that says what is wrong. Not counted, not limited, without a key, and out of the faults' reach.
"""

import dataclasses
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchbg.errors import ConfigError
from batchbg.sandbox.clock import iso
from batchbg.sandbox.faults import Fault, Faults
from batchbg.sandbox.requests import Refusal, invalid, read_json
from batchbg.sandbox.service import Service


def control_routes(service: Service, faults: Faults) -> list[Route]:
    """Return the routes of the control endpoint."""

    async def books(request: Request) -> Response:
        return JSONResponse(service.books.as_json(brief=bool(request.query_params.get("brief"))))

    async def list_faults(request: Request) -> Response:
        return JSONResponse(faults.as_json())

    async def add_fault(request: Request) -> Response:
        planted = faults.plant(Fault.from_json(await read_json(request, service.config.max_json_bytes)))
        return JSONResponse({"id": planted.id}, 201)

    async def clear_faults(request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def show_config(request: Request) -> Response:
        settings = dataclasses.asdict(service.config)
        del settings["api_key"], settings["webhook_secret"]
        return JSONResponse(settings)

    async def change_config(request: Request) -> Response:
        service.configure(await read_json(request, service.config.max_json_bytes))
        return await show_config(request)

    async def advance_clock(request: Request) -> Response:
        seconds = (await read_json(request, service.config.max_json_bytes)).get("advance_s")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            invalid("advance_s must be a number of seconds")
        try:
            service.clock.advance(seconds)
        except ValueError as exc:
            invalid(str(exc))
        return JSONResponse({"now": iso(service.clock())})

    def route(method: str, path: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                return refusal.response
            except ConfigError as exc:
                return Refusal(400, "invalid_request", str(exc)).response

        return Route(f"/_sandbox/{path}", answer, methods=[method])

    return [
        route("GET", "books", books),
        route("GET", "faults", list_faults),
        route("POST", "faults", add_fault),
        route("DELETE", "faults", clear_faults),
        route("GET", "config", show_config),
        route("POST", "config", change_config),
        route("POST", "clock", advance_clock),
    ]
