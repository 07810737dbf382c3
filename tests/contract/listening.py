"""A sandbox that notes every exchange, byte for byte, as it went over the wire.

with ListeningSandbox(SandboxConfig()) as sandbox:
    ...
    for exchange in sandbox.heard: ...
"""

import dataclasses

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchbg.sandbox import SandboxConfig, SandboxServer
from batchbg.sandbox.storage import PREFIX


@dataclasses.dataclass
class Exchange:
    """One request and its answer; header names in lower case. A status of 0 means that no answer began.

    ``port`` is the client's, by which its connections are told apart.
    """

    method: str
    path: str
    query: str
    request_headers: dict[str, str]
    request_body: bytes = b""
    status: int = 0
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    port: int = 0


class ListeningSandbox(SandboxServer):
    """The sandbox with an ear in between.

    Attributes:
        heard: every exchange with the API.
        transfers: every exchange with its storage, which has no published description.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        super().__init__(config)
        self.heard: list[Exchange] = []
        self.transfers: list[Exchange] = []

    def application(self) -> ASGIApp:
        inner = super().application()

        async def listen(scope: Scope, receive: Receive, send: Send) -> None:
            exchange = Exchange(
                scope["method"], scope["raw_path"].decode(), scope["query_string"].decode(), _headers(scope["headers"])
            )
            exchange.port = scope["client"][1]
            (self.transfers if scope["path"].startswith(PREFIX) else self.heard).append(exchange)

            async def hear_request() -> Message:
                message = await receive()
                exchange.request_body += message.get("body", b"")
                return message

            async def hear_answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    exchange.status = message["status"]
                    exchange.headers = _headers(message["headers"])
                exchange.body += message.get("body", b"")
                await send(message)

            await inner(scope, hear_request, hear_answer)

        return listen


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
