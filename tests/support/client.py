"""A client of the sandbox that knows the flow."""

import io
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx
from PIL import Image

from batchbg.sandbox import SandboxServer

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the system's certificates would take 20 ms a client


def picture(width: int = 64, height: int = 48, colour: str = "red", kind: str = "PNG", **options: Any) -> bytes:
    """Return a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, kind, **options)
    return buffer.getvalue()


class Client:
    """A sandbox and both kinds of HTTP client: with the key for the API, without it for signed URLs."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.books = sandbox.books
        self.faults = sandbox.faults
        self.api = httpx.Client(
            base_url=sandbox.url, headers={"Authorization": "Bearer key"}, verify=_NO_TLS, timeout=60, trust_env=False
        )
        self.storage = httpx.Client(verify=_NO_TLS, timeout=60, trust_env=False)

    def close(self) -> None:
        self.api.close()
        self.storage.close()

    def upload_url(self, extension: str = "png") -> dict[str, str]:
        answer = self.api.post("/v1/files/upload-urls", json={"items": [{"type": "image", "extension": extension}]})
        assert answer.status_code == 200, answer.text
        item: dict[str, str] = answer.json()["items"][0]
        return item

    def upload(self, content: bytes | None = None, extension: str = "png") -> str:
        item = self.upload_url(extension)
        answer = self.storage.put(item["upload_url"], content=picture() if content is None else content)
        assert answer.status_code == 200, answer.text
        return item["file_path"]

    def create(self, path: str | None = None, background: str | None = None, **fields: Any) -> httpx.Response:
        assets = {"image_file_path": self.upload() if path is None else path}
        if background is not None:
            assets["background_image_file_path"] = background
        return self.api.post("/v1/image-background-remover", json={"assets": assets, **fields})

    def created(self, *args: Any, **fields: Any) -> str:
        answer = self.create(*args, **fields)
        assert answer.status_code == 200, answer.text
        project_id: str = answer.json()["id"]
        return project_id

    def project(self, project_id: str) -> dict[str, Any]:
        answer = self.api.get(f"/v1/image-projects/{project_id}")
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def finished(self, project_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 100
        while (project := self.project(project_id))["status"] in ("queued", "rendering"):
            assert time.monotonic() < deadline, project
            time.sleep(0.005)
        return project

    def download(self, project_id: str) -> httpx.Response:
        return self.storage.get(self.finished(project_id)["downloads"][0]["url"])

    def result(self, project_id: str) -> Image.Image:
        answer = self.download(project_id)
        assert answer.status_code == 200, answer.text
        image = Image.open(io.BytesIO(answer.content))
        image.load()
        return image

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the sandbox does after its client has gone."""
        deadline = time.monotonic() + 100
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.005)

    def credits(self) -> int:
        balance: int = self.api.get("/v1/account").json()["credits"]
        return balance
