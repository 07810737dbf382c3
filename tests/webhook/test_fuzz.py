"""Ten thousand requests, most of them odd and many of them replayed: nothing changes that should not."""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job, project_name
from batchbg.core.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from batchbg.ledger import jobs, transitions
from batchbg.ledger.spool import Spool
from batchbg.ledger.store import Ledger
from batchbg.ledger.tables import metadata
from batchbg.ledger.writer import Writer
from batchbg.pool import inbox as inbox_module
from batchbg.pool.inbox import Inbox
from batchbg.pool.outage import Outage
from batchbg.pool.track import Tracker
from batchbg.webhook.receiver import Receiver
from tests.ledger.support import disagreements, move, open_at, planned, rendering, submitting
from tests.pool.bench import RUN, Bench, record, soon, until
from tests.webhook.support import PATH, SECRET

REQUESTS = 10_000
TYPES = ("image.started", "image.completed", "image.errored", "image.canceled", "video.completed", "batchbg.trial", "")
JOBS = tuple(f"{state}{number}.jpg" for state in "plrdu" for number in range(3))
"""Planned, lost, rendering, done with and unresolved in truth: three jobs of each."""

texts = st.text(st.characters(exclude_categories=()), max_size=20)
values = st.none() | st.booleans() | st.integers() | texts | st.lists(texts, max_size=2)
odd_bodies = st.binary(max_size=200) | st.recursive(values, lambda inner: st.dictionaries(texts, inner)).map(
    lambda value: json.dumps(value).encode()
)


@dataclasses.dataclass(frozen=True)
class Request:
    """One request, of which some parts may be wrong."""

    type: str
    job: int | None
    attempt: int
    project: str
    key: str
    body: bytes | None
    signed: str


requests = st.builds(
    Request,
    type=st.sampled_from(TYPES),
    job=st.none() | st.integers(0, len(JOBS) - 1),
    attempt=st.integers(0, 3),
    project=st.sampled_from([*(f"project-{name}" for name in JOBS), "found", "../v1/account", "\u2615"]),
    key=st.sampled_from(["payload", "object", "data"]),
    body=st.none() | odd_bodies,
    signed=st.sampled_from(["well", "well", "well", "ill", "not", "twice"]),
)


truthful = st.integers(0, len(JOBS) - 1).map(
    lambda job: Request("image.completed", job, 1, f"project-{JOBS[job]}", "payload", None, "well")
)


class Books:
    """A ledger with jobs in many states, and a receiver beside it."""

    def __init__(self, ledger: Ledger, receiver: Receiver) -> None:
        self.ledger = ledger
        self.application = receiver.application(PATH)
        self.jobs = [self._made(name) for name in JOBS]
        self.loop = asyncio.new_event_loop()

    def _made(self, name: str) -> Job:
        match name[0]:
            case "p":
                return planned(self.ledger, name)[0]
            case "l" | "u":
                return move(self.ledger, transitions.lost, submitting(self.ledger, name), "timeout")
            case "r":
                return rendering(self.ledger, name)
        return move(self.ledger, transitions.complete, rendering(self.ledger, name))

    def body_of(self, request: Request) -> bytes:
        if request.body is not None:
            return request.body
        job = None if request.job is None else self.jobs[request.job]
        name = project_name(job.id, request.attempt, job.photo_path) if job else None
        return json.dumps({"type": request.type, request.key: {"id": request.project, "name": name}}).encode()

    def send(self, request: Request) -> int:
        """Send a request; return the status of the answer."""
        body, timestamp = self.body_of(request), b"1764230000"
        signature = sign(SECRET if request.signed != "ill" else b"other", timestamp, body)
        headers = [(SIGNATURE_HEADER.encode(), signature), (TIMESTAMP_HEADER.encode(), timestamp)]
        headers = {"not": [], "twice": headers * 2}.get(request.signed, headers)
        answers: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            answers.append(message)

        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "query_string": b""}
        self.loop.run_until_complete(self.application(scope, receive, send))
        status: int = answers[0]["status"]
        return status


def everything(ledger: Ledger) -> dict[str, list[Any]]:
    """Return all that a ledger holds."""
    with ledger.reading() as connection:
        return {table.name: list(connection.execute(sa.select(table))) for table in metadata.sorted_tables}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_fuzzed_and_replayed_stream_changes_nothing_that_it_should_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Refused are what is not signed and what is no event, and nothing else; no request is a trouble of the receiver's own.

    Of what is stored, a run takes what the service confirms: lost creates are settled by their own projects. It ends with
    the credits as they were, and every other job as it was.
    """
    for name in ("TICK_S", "AGAIN_S"):
        monkeypatch.setattr(inbox_module, name, 0.001)
    ledger = open_at(tmp_path / "batchbg.db")
    spool = Spool(ledger.path)
    with spool.receiving() as writer:
        books = Books(ledger, Receiver(SECRET, writer))
        sent: list[Request] = []

        @settings(max_examples=REQUESTS // 2, database=None, suppress_health_check=list(HealthCheck))
        @given(requests | truthful)
        def fuzz(request: Request) -> None:
            status = books.send(request)
            assert (status == 401) is (request.signed != "well")
            assert status in (200, 400, 401)
            sent.append(request)

        before = everything(ledger)
        fuzz()
        for request in reversed(sent):  # replayed, out of order
            books.send(request)
        assert len(sent) >= REQUESTS // 2
        assert everything(ledger) == before
        assert all(stored.event.project_id for stored in spool.fresh())
        settled = asyncio.run(_read(ledger, books))
    after = everything(ledger)
    books.loop.close()
    touched = {job.id for job in settled}
    assert touched
    assert touched <= {job.id for job, name in zip(books.jobs, JOBS, strict=True) if name[0] == "l"}
    rows = {
        table: [[row for row in of["jobs"] if row.id not in touched] for of in (before, after)] for table in ("jobs",)
    }
    assert rows["jobs"][0] == rows["jobs"][1]
    spent = [sum(row.amount for row in of["credit_totals"] if row.scope == "total") for of in (before, after)]
    assert spent[0] == spent[1]
    assert disagreements(ledger) == []
    ledger.close()


async def _read(ledger: Ledger, books: Books) -> list[Job]:
    """Let a run take all that is there, and the service tell the truth; return the jobs that were settled."""
    with Writer(ledger, RUN) as writer:
        bench = Bench(ledger, writer)
        for job, name in zip(books.jobs, JOBS, strict=True):
            # Of the unresolved ones the service knows three: the projects of the others bear other names.
            told = job.name if name[0] == "l" else "somebody's"
            bench.api.of_project[f"project-{name}"] = [record("complete", told)]
        bench.api.projects = [record("complete", "somebody's")]
        settled: list[Job] = []

        async def collect(job: Job) -> None:
            settled.append(job)

        session = bench.session()
        tracker = Tracker(session, bench.admission(), Outage(bench.stop, 600.0))
        inbox = Inbox(session, tracker, Outage(bench.stop, 600.0), collect)
        running = asyncio.create_task(inbox.run())
        spool = Spool(ledger.path)
        await until(lambda: all(one.event.type == "batchbg.trial" for one in spool.fresh()))
        await soon(inbox._has_looked.wait())
        running.cancel()
        await asyncio.wait({running})
        with ledger.reading() as connection:
            states = {job.id: found.state for job in books.jobs if (found := jobs.get(connection, job.id))}
        assert {states[job.id] for job in settled} <= {JobState.RENDERING}
        return settled
