"""A shop: a folder of photos, backgrounds, a ledger, and a sandbox in place of the service.

def test_something(shop):
    shop.photo("a.jpg")
    result = shop.run()                       # batchbg run, in this process
    assert result.code == 0
    assert len(shop.creates()) == 1           # what the service's own books say
"""

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import httpx
from PIL import Image
from starlette.responses import Response

from batchbg.cli import main
from batchbg.ledger import marks
from batchbg.sandbox import Fault, SandboxServer
from batchbg.sandbox.effects import Effect
from batchbg.sandbox.faults import Planted
from batchbg.sandbox.records import Create, Operation

KEY = "mhk_test_0123456789abcdef"

BRISK = {
    "batchbg.core.poll_schedule": {"BLIND_FIRST_S": 0.03, "BLIND_GAP_S": 0.05, "SHORTEST_GAP_S": 0.03},
    "batchbg.core.backoff": {"FIRST_S": 0.05},
}
"""Constants of modules, in seconds: ask and try again sooner than a real service would like it, so that tests are quick."""


@dataclasses.dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Meanwhile(Effect):
    """Something that happens in the world outside after the service has done its work and before its answer leaves."""

    kind: ClassVar[str] = "meanwhile"
    action: Callable[[], object]

    def __post_init__(self) -> None:
        """Accept the action, which is nothing that JSON or a person could write."""

    async def on_answer(self, answer: Response) -> Response:
        await asyncio.to_thread(self.action)
        return answer


class Shop:
    def __init__(self, folder: Path, sandbox: SandboxServer) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.faults = sandbox.faults
        self.photos = folder / "photos"
        self.backgrounds = folder / "backgrounds"
        self.output = folder / "output"
        self.ledger = f"sqlite:///{folder / 'batchbg.db'}"
        self.photos.mkdir()
        self.base_url = sandbox.url
        self.stream: type[io.StringIO] = io.StringIO
        self._settings: dict[str, str] = {}
        self._colours = iter(range(1, 1 << 24, 65537))
        self._spawned: list[subprocess.Popen[str]] = []

    # -- what lies in the folders

    def photo(self, path: str, size: tuple[int, int] = (64, 48), colour: int | None = None, **options: Any) -> Path:
        """Write a photo; without a colour each has content of its own."""
        target = self.photos / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, next(self._colours) if colour is None else colour).save(target, **options)
        return target

    def some_photos(self, number: int) -> list[Path]:
        return [self.photo(f"photo-{index:03d}.png") for index in range(number)]

    def some_photos_more(self, number: int) -> list[Path]:
        """Write photos beside those that are there."""
        there = len(list(self.photos.iterdir()))
        return [self.photo(f"photo-{there + index:03d}.png") for index in range(number)]

    def background(self, path: str, size: tuple[int, int] = (64, 48)) -> Path:
        self.backgrounds.mkdir(exist_ok=True)
        Image.new("RGB", size, next(self._colours)).save(self.backgrounds / path)
        return self.backgrounds / path

    @classmethod
    def beside(cls, shop: "Shop", name: str) -> "Shop":
        """Return a shop with photos and outputs of its own, and the ledger and the service of another."""
        (shop.folder / name).mkdir()
        other = cls(shop.folder / name, shop.sandbox)
        other.ledger = shop.ledger
        return other

    def move_to(self, folder: Path) -> None:
        """Say that the whole folder has been moved."""
        self.folder = folder
        self.photos, self.output, self.backgrounds = (
            folder / path.name for path in (self.photos, self.output, self.backgrounds)
        )
        self.ledger = f"sqlite:///{folder / 'batchbg.db'}"

    def setting(self, name: str, value: str, prefix: str = "BATCHBG_") -> None:
        """Set what is set by the environment only, for every command from now on."""
        self._settings[prefix + name] = value

    def meanwhile(self, operation: str, action: Callable[[], object], nth: int = 1) -> Planted:
        """Let something happen while the nth call of an operation waits for its answer."""
        number = (range(nth, nth + 1),)
        return self.faults.plant(Fault(Operation(operation), Meanwhile(action=action), number))

    # -- commands

    def arguments(self, command: str, *extra: str) -> list[str]:
        arguments = [*command.split(), "--ledger", self.ledger]
        online = {"run", "watch", "resume", "retry", "resolve", "rescue", "audit", "account", "delete-remote"}
        if command in online:
            arguments += ["--base-url", self.base_url]
        if command in ("run", "watch", "resume"):
            arguments += ["--requests-per-second", "1000"]
        if command in ("run", "plan", "watch"):
            arguments += [str(self.photos), "-o", str(self.output)]
            if self.backgrounds.exists():
                arguments += ["-b", str(self.backgrounds)]
        return [*arguments, *extra]

    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBG_")}
        kept.pop("NO_COLOR", None)
        return kept | {"MAGIC_HOUR_API_KEY": KEY} | self._settings

    def batchbg(self, *arguments: str) -> Result:
        """Run a command in this process, as the entry point does."""
        out, err = self.stream(), self.stream()
        handlers = {
            number: signal.getsignal(number)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
        }
        code: Any = 0
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, self.environ(), clear=True),
            mock.patch.object(sys, "argv", ["batchbg", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as leaving:
                code = leaving.code
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        return Result(int(code or 0), out.getvalue(), err.getvalue())

    def run(self, *extra: str) -> Result:
        return self.batchbg(*self.arguments("run", *extra))

    def resume(self, *extra: str) -> Result:
        return self.batchbg(*self.arguments("resume", *extra))

    def do(self, command: str, *extra: str) -> Result:
        return self.batchbg(*self.arguments(command, *extra))

    def spawn(self, command: str, *extra: str, grace_s: float = 10.0, first: str = "") -> "subprocess.Popen[str]":
        """Start a command as a process of its own.

        ``grace_s`` stands in for the seconds that it takes to leave; ``first`` are statements that come before.
        """
        patches = BRISK | {"batchbg.pool.pool": {"GRACE_S": grace_s}}
        patch = "import importlib; [vars(importlib.import_module(name)).update(new) for name, new in {}.items()];"
        program = f"{patch.format(patches)} {first} from batchbg.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *self.arguments(command, *extra)],
            cwd=self.folder,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._spawned.append(process)
        return process

    def close(self) -> None:
        """End what was started and has not ended, as it is after a test that failed."""
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
            with contextlib.suppress(ValueError):  # read to its end before
                process.communicate()

    # -- what came of it

    def status(self) -> dict[str, Any]:
        return self.do("status", "--json").json

    def jobs(self, *extra: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.do("jobs", "--json", *extra).out.splitlines()]

    def creates(self) -> list[Create]:
        return list(self.sandbox.books.creates())

    def requests(self, operation: str = "create") -> int:
        """Return how many calls arrived, refused and lost ones too."""
        return self.sandbox.books.requests(operation)

    def project(self, project_id: str, method: str = "GET") -> httpx.Response:
        """Ask the service itself about a project, past every command."""
        headers = {"Authorization": f"Bearer {KEY}"}
        return httpx.request(method, f"{self.sandbox.url}/v1/image-projects/{project_id}", headers=headers)

    def result_of(self, project_id: str) -> bytes:
        """Return the result as the service has it."""
        return httpx.get(self.project(project_id).json()["downloads"][0]["url"]).content

    def outputs(self) -> list[str]:
        """Return the files in the output folder, but for the mark that says whose they are."""
        files = (path for path in self.output.rglob("*") if path.is_file() and path.name != marks.NAME)
        return sorted(str(path.relative_to(self.output)) for path in files)

    def assert_adds_up(self) -> None:
        """Every invariant that holds at any time, whatever went wrong."""
        checked = self.do("ledger check")
        assert checked.code == 0, checked.out
        for path in self.output.rglob("*.png"):
            with Image.open(path) as picture:
                picture.load()
        paid = [create.image_sha256 for create in self.creates() if create.credits_charged]
        unresolved = self.status()["jobs"]["unresolved"]
        assert len(paid) - len(set(paid)) <= unresolved, "the same picture was paid for twice"
        assert self.sandbox.books.keys_at_storage == 0

    @staticmethod
    def wait_for(condition: Callable[[], bool], seconds: float = 100.0) -> None:
        """Wait until something is so; the limit is there to end a test that has failed, on any machine."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.005)
