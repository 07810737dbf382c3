"""The client and the pipeline against what was recorded, without any server."""

import json
import re
from pathlib import Path

import pytest

from tests.contract.cassettes import API, FOLDER, KEY, Cassettes
from tests.contract.description import Description
from tests.contract.listening import Exchange
from tests.contract.record import SANDBOXES, record
from tests.contract.scenarios import EXPECTED, STORIES, Place
from tests.support.tiers import rest_slow

CASSETTES = sorted(FOLDER.glob("*.yaml"))


def test_every_story_has_a_cassette():
    """And every cassette a story."""
    assert {path.stem for path in CASSETTES} == set(STORIES) == set(EXPECTED) == set(SANDBOXES)


@pytest.mark.parametrize("name", rest_slow(STORIES))
def test_a_story_ends_the_same_from_its_cassette(name: str, tmp_path: Path):
    """Same exit codes and credits as when it was recorded; everything recorded is asked for, and nothing else."""
    with Cassettes().use(name) as cassette:
        assert STORIES[name](Place(API, KEY, tmp_path)) == EXPECTED[name]
    assert cassette.all_played


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_cassette_says_what_it_was_recorded_against(path: Path):
    """In its first line."""
    first = path.read_text().splitlines()[0]
    assert re.fullmatch(r"# Recorded against the (service|sandbox) on \d{4}-\d\d-\d\d by batchbg \S+", first)


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_cassette_holds_no_secret(path: Path):
    """No key, no signed query, no e-mail address, no host that exists, and no picture but an empty one."""
    text = path.read_text()
    for secret in ("mhk_", "authorization", "bearer mhk", "signature", "expires=", "x-amz", "x-goog", "cookie", KEY):
        assert secret not in text.lower(), secret
    assert not re.search(r"[\w.+-]+@[\w-]+\.\w", text)
    assert not re.search(r"https?://[^\s\"]*\?", text)
    assert set(re.findall(r"https?://([^/\s\"]+)", text)) <= {"api.invalid", "storage.invalid"}
    assert path.stat().st_size < 50_000


def test_what_a_service_may_echo_is_scrubbed():
    """The key in a message, the owner's address in an account, signatures in links and headers, wherever they stand."""
    scrub = Cassettes("mhk_live_x1y2z3")._scrub_answer
    said = {
        "account": {"id": "cuid1", "email": "Owner+tag@shop.example", "credits": 3},
        "message": "no such key: mhk_live_x1y2z3; write to help@service.example",
        "downloads": [{"url": "https://cdn.example/a/output.png?X-Amz-Signature=abc&expires=9", "expires_at": "2030"}],
    }
    headers = {"Content-Type": ["application/json"], "Set-Cookie": ["s=1"], "X-Amz-Request-Id": ["7"]}
    answer = scrub(
        {"status": {"code": 200}, "headers": headers, "body": {"string": json.dumps(said).encode()}},
    )
    assert answer["headers"] == {"content-type": ["application/json"]}
    assert json.loads(answer["body"]["string"]) == {
        "account": {"id": "account", "email": None, "credits": 3},
        "message": "no such key: KEY; write to e-mail",
        "downloads": [{"url": "https://storage.invalid/a/output.png", "expires_at": "2030"}],
    }


@pytest.mark.slow
def test_the_command_that_records_leaves_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Recorded anew, the stories go as expected and the files are as clean as those that are kept."""
    monkeypatch.setattr("tests.contract.cassettes.FOLDER", tmp_path)
    for name in ("refused_key", "too_few_credits"):
        assert record(name, KEY, live=False) == EXPECTED[name]
        test_a_cassette_holds_no_secret(tmp_path / f"{name}.yaml")


@pytest.mark.parametrize("name", STORIES)
def test_what_was_recorded_is_as_published(name: str, published: Description):
    """Requests and answers in the cassettes fit the description of the API; the recorded ones keep no key."""
    with Cassettes().use(name) as cassette:
        for request, answer in zip(cassette.requests, cassette.responses, strict=True):
            if not request.path.startswith("/v1/"):
                continue
            exchange = Exchange(
                request.method,
                request.path,
                "",
                {"authorization": "Bearer KEY", "content-type": request.headers.get("content-type", "")},
                request.body or b"",
                answer["status"]["code"],
                {key: values[0] for key, values in answer["headers"].items()},
                answer["body"]["string"],
            )
            published.check_request(exchange)
            published.check_answer(exchange)
            assert "JOB" in json.loads(exchange.request_body).get("name", "JOB") if exchange.request_body else True
