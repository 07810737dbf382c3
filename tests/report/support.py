"""A ledger with photos, made by the ledger's own functions: no service, no pool."""

import dataclasses
import hashlib
import io
from pathlib import Path
from typing import Any

from PIL import Image

from batchbg.core.budget import Caps
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, Output, PhotoInfo, Size, Stamp, Treatment, new_id
from batchbg.core.price import Price
from batchbg.ledger import folders, jobs, outputs, photos, runs, transitions
from batchbg.ledger.budgets import Budget
from batchbg.ledger.engine import open_ledger
from batchbg.ledger.transaction import Tx
from batchbg.ledger.transitions import NewJob

SMALL = Size(24, 16)


def plan(tx: Tx, new: NewJob) -> str:
    """Record a planned job and return its id."""
    job_id = new_id()
    transitions.plan_jobs(tx, [(job_id, new)])
    return job_id


def picture(colour: str, size: Size = SMALL, mode: str = "RGB", kind: str = "PNG") -> bytes:
    """Return a picture of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


class Shop:
    """A folder with photos, backgrounds, results and the ledger that knows of them.

    Attributes:
        root: everything lies in it.
        url: of the ledger.
        output: the output folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"sqlite:///{root}/batchbg.db"
        self.photos = root / "photos"
        self.backgrounds = root / "backgrounds"
        self.output = root / "output"
        self.ledger = open_ledger(self.url)
        for folder in (self.photos, self.backgrounds, self.output):
            folder.mkdir()
        with self.ledger.transaction() as tx:
            self.run = runs.begin(tx, "run", "http://127.0.0.1", None)
        with self.ledger.transaction(self.run.id) as tx:
            self._roots = [
                folders.id_of(tx, self.ledger.relative(folder))
                for folder in (self.photos, self.backgrounds, self.output)
            ]
            runs.describe(tx, photo_folder_id=self._roots[0], output_folder_id=self._roots[2], scanned=True, seen=3)
        self.budget = Budget(self.run.id, Caps(), "account")

    def photo(self, path: str, content: bytes | None = None, *, rejected: str = "", background: bool = False) -> str:
        """Put a photo on disk and into the ledger; return its sha256."""
        content = picture("red") if content is None else content
        file = (self.backgrounds if background else self.photos) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        pixels = None if rejected else SMALL
        info = PhotoInfo(Stamp(len(content), 1, 1), sha256, pixels, "" if rejected else "png", "", rejected)
        with self.ledger.transaction(self.run.id) as tx:
            photos.remember(tx, self._roots[background], {path: info})
        return sha256

    def plan(self, path: str, content: bytes | None = None, *, background: str = "", **changes: Any) -> Job:
        """Plan a job for a new photo."""
        sha256 = self.photo(path, content if content is not None else picture("red") + path.encode("utf-8", "replace"))
        background_sha256 = self.photo(background, picture("blue"), background=True) if background else ""
        with self.ledger.transaction(self.run.id) as tx:
            output = self._output(tx, path)
            pixels = {"width": SMALL.width, "height": SMALL.height} | changes
            new = NewJob(
                photo_sha256=sha256,
                background_sha256=background_sha256,
                output_id=output.id,
                background_folder_id=self._roots[1] if background else None,
                background_path=background,
                treatment=Treatment.FIT if background else Treatment.NONE,
                **pixels,
            )
            job = jobs.get(tx.connection, plan(tx, new))
        assert job is not None
        return job

    def _output(self, tx: Tx, path: str) -> Output:
        output = path.rpartition(".")[0] + ".png"
        (slot_id,) = outputs.assign(tx, self._roots[2], self._roots[0], [(output, path)])
        return outputs.get(tx.connection, slot_id)

    def copy(self, path: str, job: Job) -> None:
        """Give a done job's result to another photo of the same content."""
        content = (self.photos / job.photo_path).read_bytes()
        self.photo(path, content)
        with self.ledger.transaction(self.run.id) as tx:
            output = self._output(tx, path)
            outputs.want(tx, [(output.id, job.id)])
        self._save(job, output.id, output.path)

    def _save(self, job: Job, slot_id: int, path: str, content: bytes | None = None) -> None:
        content = picture("green", mode="RGBA") if content is None else content
        file = self.output / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        with self.ledger.transaction(self.run.id) as tx:
            digest = hashlib.sha256(content).hexdigest()
            outputs.saved(tx, slot_id, job.id, job.photo_sha256, digest, len(content))

    def bring(
        self,
        job: Job,
        state: JobState,
        *,
        refund: bool = True,
        remark: str = "",
        error: str = "",
        result: bytes | None = None,
    ) -> Job:
        """Take a planned job to a state, the way a run does; ``result`` is the file that comes, where it is done."""
        if state is JobState.PLANNED:
            return job
        with self.ledger.transaction(self.run.id) as tx:
            job = transitions.reserve(tx, job, self.budget)
        if state is JobState.SUBMITTING:
            return job
        with self.ledger.transaction(self.run.id) as tx:
            if state is JobState.UNRESOLVED:
                return transitions.lost(tx, job, error or "the answer was lost")
            job = transitions.created(tx, job, f"project-{job.id}", Price(5))
        if state is JobState.RENDERING:
            return job
        with self.ledger.transaction(self.run.id) as tx:
            if state in (JobState.FAILED, JobState.CANCELED):
                return transitions.ended(tx, job, state, error or "it would not render", Price(0 if refund else 5))
            job = transitions.complete(tx, job, Price(5))
        if state is JobState.DONE:
            self._save(job, job.output_id, job.output_path, result)
            with self.ledger.transaction(self.run.id) as tx:
                job = transitions.done(tx, job, remark)
        return job

    def make(self, path: str, state: JobState = JobState.DONE, **options: Any) -> Job:
        """Plan a job and bring it to a state."""
        names = {field.name for field in dataclasses.fields(NewJob)} | {"content", "background"}
        planning = {name: options.pop(name) for name in list(options) if name in names}
        return self.bring(self.plan(path, **planning), state, **options)

    def end(self, exit_code: int = 0) -> None:
        """End the run."""
        with self.ledger.transaction(self.run.id) as tx:
            runs.end(tx, exit_code)
