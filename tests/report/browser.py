"""A browser without a driver: Debian's chromium, spoken to over two pipes in its own protocol.

    with Browser(tmp_path) as browser:
        browser.open(page)
        assert browser.ask("document.title") == "..."
        browser.key("ArrowRight")
        assert browser.complaints == []

Zero-terminated JSON on file descriptors 3 and 4 is all that ``--remote-debugging-pipe`` asks for.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}

LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)

PATIENCE_S = 100.0


def _code_of(key: str) -> int:
    return KEYS.get(key) or ord(key.upper())


class Browser:
    """One chromium with a new profile and one tab.

    Attributes:
        complaints: what the console and uncaught errors said.
        requests: every address the page asked for.
    """

    def __init__(self, folder: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self._profile = folder / "profile"
        self._size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._dark = dark
        self._number = 0
        self._buffer = b""
        self._loaded = False
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def __enter__(self) -> "Browser":
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            pytest.skip("no browser here: apt-get install chromium")
        pipes = os.pipe(), os.pipe()
        # Above 4, so that neither end is overwritten on its way to 3 and 4.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (pipes[0][0], pipes[1][1])]
        os.close(pipes[0][0])
        os.close(pipes[1][1])
        self._to, self._from = pipes[0][1], pipes[1][0]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, ends), program, *FLAGS, f"--user-data-dir={self._profile}"],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _attach(self) -> None:
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setDeviceMetricsOverride", **self._size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def __exit__(self, *_: object) -> None:
        self._session = ""
        try:
            with contextlib.suppress(AssertionError, OSError):
                self._call("Browser.close")
        finally:
            self._process.terminate()
            self._process.wait(100)
            os.close(self._to)
            os.close(self._from)

    def open(self, page: Path | str) -> None:
        """Show a file, or an address, and wait until it is loaded."""
        self._loaded = False
        self._call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self._wait(lambda: self._loaded)

    def ask(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE_S
        while not self.ask(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def key(self, name: str) -> None:
        """Press a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=_code_of(name))
            if kind == "rawKeyDown" and (name == "Enter" or len(name) == 1):
                self._call("Input.dispatchKeyEvent", type="char", key=name, text="\r" if name == "Enter" else name)

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        self._call("Input.insertText", text=text)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag the mouse."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, file: Path) -> None:
        """Write what is to be seen as PNG."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    # -- the protocol ----------------------------------------------------------------------------------------------

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        found: dict[str, Any] = {}

        def answered() -> bool:
            return bool(found)

        self._wait(answered, number, found)
        assert "error" not in found, f"{method}: {found['error']}"
        result: dict[str, Any] = found["result"]
        return result

    def _wait(self, done: Any, number: int = -1, found: dict[str, Any] | None = None) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            left = end - time.monotonic()
            ready, _, _ = select.select([self._from], [], [], max(left, 0))
            assert ready, "the browser does not answer"
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has ended"
            *messages, self._buffer = (self._buffer + piece).split(b"\0")
            for text in messages:
                message = json.loads(text)
                if message.get("id") == number and found is not None:
                    found.update(message)
                else:
                    self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(parameters["args"]))
            case "Log.entryAdded":
                self.complaints.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
