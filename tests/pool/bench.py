"""What the pool's tests share: a session on a real ledger, with a stand-in at the edge of the API.

async def test_something(bench):
    admission = bench.admission(max_files=1)
    job = await bench.admitted(admission, "a.jpg")
"""

import asyncio
import datetime
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from batchbg.api.exchange import Exchange
from batchbg.api.limiter import RateLimiter
from batchbg.api.wire import Account, Project, ProjectStatus, UploadTarget
from batchbg.core.budget import Caps
from batchbg.core.create_outcome import Ambiguous, Answer, Created, Outcome, Silence
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, Output, Treatment, new_id
from batchbg.core.price import Price
from batchbg.disk.probe import probe
from batchbg.disk.scan import stamp_of
from batchbg.ledger import balances, credits, folders, outputs, photos, transitions
from batchbg.ledger.budgets import Budget
from batchbg.ledger.store import Ledger
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import NewJob
from batchbg.ledger.writer import Writer
from batchbg.pool.admission import Admission
from batchbg.pool.observer import Observer
from batchbg.pool.session import Limits, PoolSession
from batchbg.pool.stop import Stop
from tests.ledger.support import ACCOUNT, job_of, planned

T = TypeVar("T")

RUN = "run"


def record(status_word: str = "complete", name: str = "", price: int | None = 5, **changes: Any) -> Project:
    """A project's record; nameless, so that it is taken for any job's."""
    status = {
        "complete": ProjectStatus.COMPLETE,
        "error": ProjectStatus.ERROR,
        "canceled": ProjectStatus.CANCELED,
    }.get(status_word, ProjectStatus.WAITING)
    downloads = ("https://storage.example/result",) if status_word == "complete" else ()
    fields = {"price": Price(price), "downloads": downloads, "error": "", "error_code": "", "enabled": True}
    return Project(**{"status_word": status_word, "status": status, "name": name, **fields, **changes})


class StandIn:
    """Stands in for the API: gives the answers that were laid ready, and counts what it was asked.

    Each list is used up from its start, and its last answer is given for ever. An exception is raised, what can be
    called is awaited for the answer. ``of_project`` holds the answers that are for one project alone.
    """

    def __init__(self) -> None:
        self.accounts: list[Any] = [Account(ACCOUNT, 100, "pro")]
        self.creates: list[Any] = [Created("project", Price(5))]
        self.projects: list[Any] = [record()]
        self.of_project: dict[str, list[Any]] = {}
        self.targets: list[Any] = [UploadTarget("https://storage.example/up", "files/up")]
        self.puts: list[Any] = [None]
        self.downloads: list[Any] = [png()]
        self.deletes: list[Any] = [None]
        self.deleted: list[str] = []
        self.storage = self
        self.asked: list[str] = []
        self.sent: list[tuple[str, str | None]] = []
        self.judged: list[Any] = [Ambiguous("left while the create was in the air")]

    def count(self, what: str) -> int:
        return self.asked.count(what)

    async def account(self) -> Account | None:
        found: Account | None = await self._answer("account", self.accounts)
        return found

    async def create(self, _name: str, image: str, background: str | None, _exchange: Exchange) -> Outcome:
        self.sent.append((image, background))
        outcome: Outcome = await self._answer("create", self.creates)
        return outcome

    def judge(self, _reply: Answer | Silence) -> Outcome:
        outcome: Outcome = self.judged[0]
        return outcome

    async def project(self, project_id: str) -> Project:
        found: Project = await self._answer("project", self.of_project.get(project_id, self.projects))
        return found

    async def delete(self, project_id: str) -> None:
        await self._answer("delete", self.deletes)
        self.deleted.append(project_id)

    async def upload_targets(self, extensions: list[str]) -> list[UploadTarget]:
        target = await self._answer("upload_targets", self.targets)
        return target if isinstance(target, list) else [target] * len(extensions)

    async def put(self, _target: UploadTarget, body: Any, _size: int) -> None:
        async for _ in body():
            pass
        await self._answer("put", self.puts)

    async def download(self, _url: str, _part: Path, create: Any) -> None:
        with create() as file:
            file.write(await self._answer("download", self.downloads))

    async def _answer(self, what: str, answers: list[Any]) -> Any:
        self.asked.append(what)
        await asyncio.sleep(0)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer


class Seen(Observer):
    """Notes what the pool tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def sent(self, job: Job) -> None:
        self.told.append(("sent", job.photo_path))

    def unresolved(self, job: Job) -> None:
        self.told.append(("unresolved", job.photo_path))

    def ended(self, job: Job) -> None:
        self.told.append(("ended", job.photo_path))

    def saved(self, job: Job, target: Path) -> None:
        self.told.append(("saved", job.photo_path))

    def reused(self, job: Job, output: Output, target: Path) -> None:
        self.told.append(("reused", target.name))


class Bench:
    """A ledger, its writer, a stop, and a stand-in for the API."""

    def __init__(self, ledger: Ledger, writer: Writer) -> None:
        self.ledger = ledger
        self.writer = writer
        self.photos = ledger.absolute("photos")
        self.output = ledger.absolute("output")
        self._colours = iter(range(1, 1 << 24, 65537))
        self.api = StandIn()
        self.stop = Stop()
        self.seen = Seen()

    def session(self, *, caps: Caps | None = None, budget_id: str = RUN, **limits: Any) -> PoolSession:
        api: Any = self.api
        usual = {
            "max_in_flight": 8,
            "max_files": None,
            "max_duration_s": None,
            "give_up_after_s": 600.0,
            "render_patience_s": 1800.0,
        }
        return PoolSession(
            api=api,
            limiter=RateLimiter(100_000),
            ledger=self.ledger,
            writer=self.writer,
            stop=self.stop,
            observer=self.seen,
            run_id=RUN,
            accounts=[ACCOUNT, "https://api.example"],
            budget=Budget(budget_id, caps or Caps(), ACCOUNT, datetime.UTC),
            limits=Limits(**{**usual, **limits}),
        )

    def admission(self, *, price_known: bool = True, **session: Any) -> Admission:
        """What admits creates in a run that knows the price."""
        admission = Admission(self.session(**session))
        if price_known:
            admission.breaker.recorded()
        return admission

    def planned(self, *names: str) -> list[Job]:
        """Plan jobs for photos of which there is no file."""
        return planned(self.ledger, *names)

    def photo_job(self, name: str = "a.png", output: str = "", *, replace: bool = False) -> Job:
        """Plan a job for a new photo."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), next(self._colours)).save(path)
        stamp = stamp_of(path.stat())
        assert stamp is not None
        info = probe(path, stamp)
        with self.ledger.transaction(RUN) as tx:
            root = folders.id_of(tx, "photos")
            kept = photos.remember(tx, root, {name: info})[name]
            output_id = self.output_of(tx, name, output or f"{name.rpartition('.')[0]}.png")
            new = NewJob(kept.contents[0], "", output_id, None, "", Treatment.NONE, 64, 48, replace=replace)
            job_id = new_id()
            transitions.plan_jobs(tx, [(job_id, new)])
            return job_of(tx.connection, job_id)

    @staticmethod
    def output_of(tx: Tx, photo: str, path: str, folder: str = "output") -> int:
        """Give a photo's result its path."""
        ids = outputs.assign(tx, folders.id_of(tx, folder), folders.id_of(tx, "photos"), [(path, photo)])
        return ids[0]

    def job(self, job: Job) -> Job:
        """Return a job as it is now."""
        with self.ledger.reading() as connection:
            return job_of(connection, job.id)

    async def admitted(self, admission: Admission, name: str = "a.jpg") -> Job:
        """Return a new job whose create is in the air."""
        (job,) = self.planned(name)
        job = await soon(admission.admit(job))
        assert job.state is JobState.SUBMITTING
        return job

    async def created(self, admission: Admission, job: Job) -> Job:
        """Let a create in the air be answered with a project of its own."""
        job = await self.writer.do(transitions.created, job, f"project-{job.photo_path}", Price(5))
        admission.answered(job)
        return job

    async def made_nothing(self, admission: Admission, job: Job, *, busy: bool = False) -> Job:
        """Let a create in the air be refused."""
        job = await self.writer.do(transitions.not_created, job, "refused")
        admission.answered(job, busy=busy)
        return job

    def read_balance(self, balance: int = 100) -> None:
        with self.ledger.transaction(RUN) as tx:
            balances.record(tx, ACCOUNT, balance, credits.settled(tx.connection))

    async def settle(self) -> None:
        """Let everything happen that can without something from outside: all commits, all turns of the loop."""
        for _ in range(3):
            for _ in range(20):
                await asyncio.sleep(0)
            await self.writer.do(lambda _: None)

    async def waits(self, task: "asyncio.Task[Any]") -> bool:
        """Return whether a task goes no further by itself."""
        await self.settle()
        return not task.done()


def png(size: tuple[int, int] = (64, 48), colour: int = 0x3366CC) -> bytes:
    """A result as the service sends it."""
    stream = io.BytesIO()
    picture = Image.new("RGBA", size, colour | 0xFF000000)
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.save(stream, "PNG")
    return stream.getvalue()


async def soon(awaitable: Awaitable[T], seconds: float = 60.0) -> T:
    """Return what is awaited; the limit is there to end a test that has failed, on any machine."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""

    async def wait() -> None:
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)

    await soon(wait())
