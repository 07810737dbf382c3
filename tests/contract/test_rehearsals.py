"""The three rehearsals of the topic `rehearsal`, executed as they stand there."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORT = "8787"
HEADING = "## A bad day"


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """Two commands for two terminals, and how the second ends."""

    serve: str
    run: str
    exit_code: int


FLAKY = Rehearsal(
    """\
batchbg sandbox --render-time 500ms --fault create:hang_up:nth=6 \\
    --fault create:status:status=429,retry_after=1,commit=false,nth=3 --fault upload:reset:nth=3 \\
    --fault status:status:status=500,nth=5-9 --fault download:truncated:nth=3-5""",
    """\
MAGIC_HOUR_API_KEY=any batchbg run sample_inputs/photos -b sample_inputs/backgrounds \\
    --base-url http://127.0.0.1:8787 --ledger sqlite:///flaky.db -o flaky""",
    3,
)
BROKE = Rehearsal(
    "batchbg sandbox --credits 20",
    """\
MAGIC_HOUR_API_KEY=any batchbg run sample_inputs/photos -b sample_inputs/backgrounds \\
    --base-url http://127.0.0.1:8787 --ledger sqlite:///broke.db -o broke""",
    7,
)
SLOW = Rehearsal(
    "batchbg sandbox --render-time 2s",
    """\
MAGIC_HOUR_API_KEY=any batchbg run sample_inputs/photos -b sample_inputs/backgrounds \\
    --base-url http://127.0.0.1:8787 --ledger sqlite:///slow.db -o slow --max-in-flight 2 --max-duration 6s""",
    10,
)


@dataclasses.dataclass
class Terminal:
    """A folder with the sample inputs, and a shell in it.

    Two things are not as they stand there: the port, for 8787 may be in use, and the cut-outs, which take seconds.

    Attributes:
        port: what the sandbox listens on, once it does; it takes a free one.
    """

    folder: Path
    port: str = "0"

    def command(self, text: str) -> dict[str, Any]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATCHBG_", "MAGIC_HOUR_"))}
        return {"args": ["bash", "-c", text.replace(PORT, self.port)], "cwd": self.folder, "env": kept | {"PATH": path}}

    @contextlib.contextmanager
    def serving(self, text: str) -> Iterator[None]:
        """The sandbox, from its first line of output on."""
        told_port = text.replace(
            "batchbg sandbox", f"exec batchbg sandbox --port {self.port} --set background_cutout=fast"
        )
        with subprocess.Popen(**self.command(told_port), stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                told, _, port = process.stdout.readline().strip().rpartition(":")
                assert told == "sandbox at http://127.0.0.1"
                self.port = port
                yield
            finally:
                process.terminate()

    def run(self, text: str, *more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(**self.command(" ".join((text, *more))), capture_output=True, text=True)

    def books(self) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_sandbox/books") as answer:
            return json.load(answer)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    (tmp_path / "sample_inputs").symlink_to(ROOT / "sample_inputs")
    return Terminal(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_flaky_api_leaves_one_job_to_a_person(terminal: Terminal):
    """Everything else mends itself; the lost answer is looked up, as in the web library, and finished for free."""
    with terminal.serving(FLAKY.serve):
        ran = terminal.run(FLAKY.run, "--json")
        assert ran.returncode == FLAKY.exit_code, ran.stderr
        done = json.loads(ran.stdout)["jobs"]
        assert (done["unresolved"], sum(done.values()) - done["done"]) == (1, 1)
        books = terminal.books()
        assert books["charged"] == 5 * sum(done.values())
        connection = f"--base-url http://127.0.0.1:{PORT} --ledger sqlite:///flaky.db"
        listed = terminal.run("batchbg jobs --json --ledger sqlite:///flaky.db").stdout.splitlines()
        (lost,) = [job for job in map(json.loads, listed) if job["state"] == "unresolved"]
        (found,) = [create["project_id"] for create in books["creates"] if create["name"] == lost["name"]]
        key = "MAGIC_HOUR_API_KEY=any"
        assert terminal.run(f"{key} batchbg resolve {lost['id']} --project-id {found} {connection}").returncode == 0
        assert terminal.run(f"{key} batchbg resume {connection}").returncode == 0
        assert terminal.books()["charged"] == books["charged"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_running_out_of_credits_stops_and_can_be_gone_on_with(terminal: Terminal):
    """Four images are paid for and fetched; with more credits the next run does the rest."""
    with terminal.serving(BROKE.serve):
        ran = terminal.run(BROKE.run, "--json")
        assert ran.returncode == BROKE.exit_code, ran.stderr
        assert json.loads(ran.stdout)["jobs"]["done"] == 4
        assert terminal.books()["balance"] == 0
        more = urllib.request.Request(
            f"http://127.0.0.1:{terminal.port}/_sandbox/config", data=b'{"credits": 1000}', method="POST"
        )
        urllib.request.urlopen(more).close()
        assert terminal.run(BROKE.run).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_slow_night_ends_in_time_and_goes_on_the_next(terminal: Terminal):
    """What is under way when time is up is still collected; nothing is paid for twice."""
    with terminal.serving(SLOW.serve):
        ran = terminal.run(SLOW.run, "--json")
        assert ran.returncode == SLOW.exit_code, ran.stderr
        jobs = json.loads(ran.stdout)["jobs"]
        assert 0 < jobs["done"] < sum(jobs.values())
        assert jobs["planned"] + jobs["done"] == sum(jobs.values())
        rest = SLOW.run.removesuffix(" --max-in-flight 2 --max-duration 6s")
        assert terminal.run(rest).returncode == 0
        books = terminal.books()
        assert len({create["image_sha256"] for create in books["creates"]}) == len(books["creates"])


@pytest.mark.parametrize("rehearsal", [FLAKY, BROKE, SLOW], ids=["flaky", "broke", "slow"])
def test_the_topic_shows_just_these(rehearsal: Rehearsal):
    """Commands and exit codes, letter for letter."""
    text = (ROOT / "batchbg" / "topics" / "rehearsal.md").read_text(encoding="utf-8")
    section = text.partition(HEADING)[2].partition("\n## ")[0]
    assert f"```sh\n{rehearsal.serve}\n" in section
    assert f"{rehearsal.run}    # exit {rehearsal.exit_code}\n```" in section
