"""The ping around a run: heard where somebody listens, and never in the way where nobody does."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from batchbg.api import ping
from batchbg.sandbox import SandboxConfig, SandboxServer
from batchbg.settings import load
from tests.support.shop import KEY, Shop


class Monitor(SandboxServer):
    """A check, as healthchecks.io has them, on the sandbox's own server.

    ``mood`` is the status it answers with, or "hang".
    """

    def __init__(self) -> None:
        super().__init__(SandboxConfig(background_cutout="fast"))
        self.heard: list[tuple[str, str]] = []
        self.headers: list[str] = []
        self.mood: int | str = 200

    def application(self) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            body = (await request.body()).decode()
            query = f"?{request.url.query}" if request.url.query else ""
            self.heard.append((request.url.path + query, body))
            self.headers.append(str(request.headers))
            if self.mood == "hang":
                await asyncio.sleep(60)  # broken off when the server stops
            await Response(status_code=int(self.mood))(scope, receive, send)

        return answer

    @property
    def check(self) -> str:
        return f"{self.url}/secret-check"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.heard]


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with Monitor() as made:
        yield made


@pytest.mark.slow
def test_start_and_exit_code_are_told_with_the_summary(shop: Shop, monitor: Monitor):
    shop.setting("PING_URL", monitor.check)
    shop.some_photos(1)
    (shop.photos / "bad.jpg").write_text("no picture")
    assert shop.run("-q").code == 3
    assert monitor.paths == ["/secret-check/start", "/secret-check/3"]
    assert monitor.heard[0][1] == ""
    assert "2 photos: 1 done, 1 rejected\n" in monitor.heard[1][1]


def test_what_keeps_a_run_from_beginning_is_told_too(shop: Shop, monitor: Monitor):
    shop.setting("PING_URL", monitor.check)
    arguments = [one for one in shop.arguments("run") if one != str(shop.photos)]
    assert shop.batchbg(*arguments).code == 2
    assert monitor.heard[1][0] == "/secret-check/2"
    assert "name the folder of photos" in monitor.heard[1][1]


def test_a_dry_run_and_other_commands_ping_nobody(shop: Shop, monitor: Monitor):
    shop.setting("PING_URL", monitor.check)
    (shop.photos / "bad.jpg").write_text("no picture")
    shop.run("-n")
    shop.do("plan")
    assert not monitor.heard


@pytest.mark.parametrize("mood", ["hang", *(pytest.param(mood, marks=pytest.mark.slow) for mood in (500, "refuse"))])
def test_a_monitor_in_trouble_changes_nothing(
    shop: Shop, monitor: Monitor, mood: int | str, monkeypatch: pytest.MonkeyPatch
):
    """The run ends as it would have; only with -vv is anything said, and never the address."""
    monkeypatch.setattr(ping, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(ping, "WAIT_AT_END_S", 100.0)  # two messages that nobody answers are over long before, anywhere
    monitor.mood = mood
    if mood == "refuse":
        monitor.stop()
    shop.setting("PING_URL", monitor.check)
    (shop.photos / "bad.jpg").write_text("no picture")
    first = shop.run("-vv")
    assert first.code == 3
    assert "ping 3: 127.0.0.1" in first.err
    assert "secret-check" not in first.out + first.err
    assert shop.run("-q").err == ""


@pytest.mark.slow
def test_neither_key_nor_signed_address_is_told(shop: Shop, monitor: Monitor):
    shop.setting("PING_URL", monitor.check)
    shop.photo(f"{KEY}.png")  # the log names it
    shop.faults.add("create", "hang_up")
    assert shop.run("-vv").code == 3
    told = "\n".join(body for _, body in monitor.heard)
    assert "unresolved" in told
    assert "***.png" in told
    assert KEY not in told + "".join(monitor.headers)
    assert "X-Amz" not in told
    signed = ping.without_secrets("GET https://storage.example/a.png?X-Amz-Signature=abc failed", ())
    assert signed == "GET https://storage.example/a.png?*** failed"


def test_the_address_is_shown_nowhere():
    """Whoever knows it can call the alarm off."""
    settings = load({}, {"BATCHBG_PING_URL": "https://hc-ping.com/c0ffee"})
    assert "c0ffee" not in repr(settings)
    with pytest.raises(Exception, match="ping_url") as caught:
        load({}, {"BATCHBG_PING_URL": "hc-ping.com/c0ffee"})
    assert "c0ffee" not in str(caught.value)


def test_the_body_is_cut_from_its_beginning(monitor: Monitor):
    """The last lines are those that tell."""
    one = ping.Ping(monitor.check + "?create=1")
    one.end(0, "x" * ping.MOST_BYTES + "last words")
    assert monitor.paths == ["/secret-check/0?create=1"]
    assert monitor.heard[0][1].endswith("last words")
    assert len(monitor.heard[0][1]) == ping.MOST_BYTES


@pytest.mark.slow
def test_json_lines_tell_run_job_and_time(shop: Shop):
    """What is said otherwise than by logging is a line of the log too."""
    shop.some_photos(2)
    (shop.photos / "bad.jpg").write_text("no picture")
    shop.faults.add("create", "hang_up", nth=1)
    result = shop.run("-v", "--log-format", "json", "--json")
    lines = [json.loads(line) for line in result.err.splitlines()]
    (lost,) = [line for line in lines if "is unresolved" in line["message"]]
    assert lost["level"] == "warning"
    assert lost["time"].endswith("+00:00")
    (unresolved,) = shop.jobs("--state", "unresolved")
    assert lost["job"] == unresolved["id"]
    (export,) = [json.loads(line) for line in shop.do("ledger export", "--table", "runs").out.splitlines()]
    assert lost["run"] == export["id"]
    assert any(line["message"].startswith("rejected bad.jpg") and line["run"] == lost["run"] for line in lines)
    refused = shop.batchbg("run", str(shop.photos), "--ledger", "nonsense://", "--log-format", "json")
    assert json.loads(refused.err.splitlines()[-1])["level"] == "error"
