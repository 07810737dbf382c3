r"""A server by hand, on bare sockets, that does to a connection what no framework would.

with Liar() as liar:
    liar.create = lambda call: call.say(b"HTTP/1.1 200 OK\r\n\r\n{\"id\": \"p1\"")   # says half of it
    run_something_against(liar.url)
    assert len(liar.creates) == 1

Every operation is an attribute that takes a ``Call``; those that a test leaves alone behave well.
"""

import contextlib
import dataclasses
import io
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from PIL import Image


def picture(size: tuple[int, int] = (64, 48), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, form)
    return buffer.getvalue()


@dataclasses.dataclass
class Call:
    """One request, and the connection on which it came."""

    connection: socket.socket
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int
    open: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def say(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):
            self.connection.sendall(raw)

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        """Answer in good order."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def hang(self, seconds: float) -> None:
        time.sleep(seconds)
        self.close()


Handler = Callable[[Call], None]


class Liar:
    """A service that keeps books of creates and lets tests put their own hand to every answer."""

    def __init__(self) -> None:
        self.creates: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.keys_elsewhere = 0
        self.account: Handler = lambda call: call.answer({"id": "liar", "credits": 1000, "tier": "free"})
        self.upload_urls: Handler = self.offer
        self.put: Handler = lambda call: call.answer(b"")
        self.create: Handler = lambda call: call.answer({"id": f"p{call.number}", "credits_charged": 5})
        self.status: Handler = self.complete
        self.download: Handler = lambda call: call.answer(picture())
        self.download_url = "/results/{id}"
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    # -- good manners

    def offer(self, call: Call) -> None:
        items = [{"upload_url": f"{self.url}/put/{n}", "file_path": f"a/{n}"} for n in range(len(call.json["items"]))]
        call.answer({"items": items})

    def project(self, project_id: str, **changes: Any) -> dict[str, Any]:
        path = self.download_url.format(id=project_id)
        url = path if "://" in path else self.url + path
        return {"id": project_id, "status": "complete", "credits_charged": 5, "downloads": [{"url": url}]} | changes

    def complete(self, call: Call) -> None:
        call.answer(self.project(call.path.rpartition("/")[2]))

    # -- the server

    def __enter__(self) -> Self:
        liar = self

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    while liar.serve_one(self.request, self.rfile):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Connection)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_one(self, connection: socket.socket, lines: Any) -> bool:
        """Take one request; False where the connection is at its end."""
        first = lines.readline().decode()
        if not first.strip():
            return False
        method, path, _ = first.split(" ", 2)
        headers = {}
        while (line := lines.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = lines.read(int(headers.get("content-length", 0)))
        name = self._operation(method, path)
        with self._lock:
            self.requests.append(f"{method} {path}")
            self._counts[name] = self._counts.get(name, 0) + 1
            call = Call(connection, method, path, headers, body, self._counts[name])
            if name == "create":
                self.creates.append(call.json)
            if name in ("put", "download") and "authorization" in headers:
                self.keys_elsewhere += 1
        getattr(self, name)(call)
        return call.open

    @staticmethod
    def _operation(method: str, path: str) -> str:
        for start, name in (
            ("/v1/account", "account"),
            ("/v1/files/upload-urls", "upload_urls"),
            ("/v1/image-background-remover", "create"),
            ("/v1/image-projects/", "status"),
        ):
            if path.startswith(start):
                return name
        return "put" if method == "PUT" else "download"
