"""``batchbg review``: what it prints, whom it lets in, and the way from a rejected result to a better one."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.privileges import read_only
from tests.support.shop import Shop

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+")


def reviewing(shop: Shop, *options: str) -> "tuple[subprocess.Popen[str], httpx.Client]":
    """Start the command; return it, and who was given its address."""
    process = shop.spawn("review", "--no-browser", *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert ADDRESS.fullmatch(line.strip()), (line, process.stderr and process.stderr.read())
    client = httpx.Client(base_url=line.partition("/?")[0], timeout=60)
    assert client.get(line.strip()).status_code == 200
    client.headers["origin"] = line.partition("/?")[0]
    return process, client


def rows(client: httpx.Client, **asked: str) -> list[dict[str, Any]]:
    view = client.get("/api/view", params=asked).json()["view"]
    return list(client.get("/api/rows", params={"view": view, "count": 100}).json()["rows"])


@pytest.mark.slow
def test_what_is_rejected_in_the_page_is_done_again_under_the_cap(shop: Shop, tmp_path: Path):
    """The page plans and tells the cost; the next run pays; the result before is kept until the new one is accepted."""
    shop.setting("XDG_CACHE_HOME", str(tmp_path / "cache"), prefix="")
    shop.some_photos(4)
    assert shop.run("--max-credits", "100").code == 0
    process, client = reviewing(shop)
    with contextlib.closing(client):
        first, second, *_ = rows(client, order="name")
        for row in (first, second):
            body = {"job": row["id"], "verdict": "rejected", "reason": "a hole in the product"}
            assert client.post("/api/verdict", json=body).status_code == 200
        would = client.post("/api/redo", json={"plan": False}).json()
        assert would["planned"] == 2
        assert "10 credits" in would["lines"][0]
        assert shop.status()["jobs"]["planned"] == 0
        done = client.post("/api/redo", json={"plan": True}).json()
        assert done["planned"] == 2
        assert re.match(r"batchbg resume .*--ledger ", done["next"])
        assert len(shop.creates()) == 4, "nothing is spent by the page"
        assert shop.resume("--max-credits", "5").code == 8
        assert len(shop.creates()) == 5
        assert shop.resume("--max-credits", "5").code == 0
        assert len(shop.creates()) == 6
        assert len(rows(client, group="undecided")) == 4, "what was done again is to be looked at again"
        rejected = [job for job in shop.jobs() if job["verdict"] == "rejected"]
        assert len(rejected) == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert (tmp_path / "cache" / "batchbg" / "review").is_dir()
    assert shop.do("ledger check").code == 0


@pytest.mark.slow
def test_a_run_that_holds_the_ledger_is_told_of_and_verdicts_go_on(shop: Shop):
    shop.some_photos(2)
    shop.run("--max-credits", "50")
    process, client = reviewing(shop)
    shop.sandbox.configure(render_s=60)
    shop.some_photos_more(1)
    run = shop.spawn("run", "--max-credits", "50")
    shop.wait_for(lambda: len(shop.creates()) == 3)
    with contextlib.closing(client):
        row = rows(client, group="undecided")[0]
        body = {"job": row["id"], "verdict": "rejected"}
        assert client.post("/api/verdict", json=body).status_code == 200
        answer = client.post("/api/redo", json={"plan": True})
        assert answer.status_code == 503
        assert "another run" in answer.json()["error"]
    for one in (run, process):
        one.send_signal(signal.SIGTERM)
        one.wait(60)


def test_without_a_ledger_or_a_port_it_says_so(shop: Shop):
    none = shop.do("review", "--no-browser")
    assert none.code == 2
    assert "there is no ledger" in none.err
    shop.photo("a.png")
    shop.run("--max-credits", "5")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        refused = shop.do("review", "--no-browser", "--port", port)
    assert refused.code == 2
    assert f"--port {port}" in refused.err


def test_a_ledger_that_cannot_be_written_is_refused(shop: Shop):
    shop.photo("a.png")
    shop.run("--max-credits", "5")
    with read_only(shop.folder):
        assert "cannot be written" in shop.do("review", "--no-browser").err


def test_the_key_is_not_where_a_browser_could_find_it(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """A browser is another program, and gets what environment there is."""
    seen: dict[str, str] = {}
    monkeypatch.setattr("batchbg.cli.reviewing.review", lambda *_args, **_more: seen.update(os.environ))
    assert shop.do("review").code == 0
    assert seen
    assert "MAGIC_HOUR_API_KEY" not in seen
    assert "mhk_test" not in json.dumps(seen)
