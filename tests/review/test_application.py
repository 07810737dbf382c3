"""What the page is told, and what it may do: over the live ledger, beside a run."""

import io
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Size
from batchbg.ledger import reviews
from batchbg.review import application, catalogue, verdicts
from batchbg.review.look_cache import LookCache
from tests.report.support import Shop, picture
from tests.review.support import draw, encoded, served


@pytest.fixture
def client(shop: Shop):
    with served(shop) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        client.get(server.address)
        client.headers["origin"] = f"http://127.0.0.1:{server.port}"
        yield client


def names(client: httpx.Client, **asked: str) -> list[str]:
    return [row["file"] for row in rows(client, **asked)]


def rows(client: httpx.Client, **asked: str) -> list[dict[str, Any]]:
    view = client.get("/api/view", params=asked).json()
    found: list[dict[str, Any]] = client.get("/api/rows", params={"view": view["view"], "count": 500}).json()["rows"]
    return found


def verdict_on(shop: Shop, job_id: str) -> tuple[str, str] | None:
    with shop.ledger.reading() as connection:
        found = reviews.of(connection, job_id)
    return (found.verdict.value, found.reason) if found else None


def all_looked_at(client: httpx.Client) -> bool:
    standing = client.get("/api/standing").json()
    return bool(standing["looked"] == standing["results"])


def wait_for(condition) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_verdict_is_a_row_in_the_ledger(shop: Shop, client: httpx.Client):
    job = shop.make("mugs/one.png")
    rows(client)
    answer = client.post("/api/verdict", json={"job": job.id, "verdict": "rejected", "reason": "a hole", "place": 3})
    assert answer.json()["row"] | {"group": "rejected", "reason": "a hole", "place": 3} == answer.json()["row"]
    assert verdict_on(shop, job.id) == ("rejected", "a hole")
    client.post("/api/verdict", json={"job": job.id, "verdict": "accepted"})
    assert verdict_on(shop, job.id) == ("accepted", "")
    client.post("/api/verdict", json={"job": job.id, "verdict": "undecided"})
    assert verdict_on(shop, job.id) is None


def test_what_cannot_be_decided_is_refused(shop: Shop, client: httpx.Client):
    failed = shop.make("failed.png", JobState.FAILED)
    rows(client)
    assert client.post("/api/verdict", json={"job": failed.id, "verdict": "accepted"}).status_code == 409
    assert client.post("/api/verdict", json={"job": "nobody", "verdict": "accepted"}).status_code == 404
    assert client.post("/api/verdict", json={"job": failed.id, "verdict": "superb"}).status_code == 400
    assert client.post("/api/verdict", json=["a list"]).status_code == 400
    assert client.post("/api/verdicts", json={"view": "x", "verdict": "accepted"}).status_code == 400
    deep = client.post("/api/verdict", content="[" * 60_000, headers={"content-type": "application/json"})
    assert deep.status_code == 400
    large = json.dumps({"job": failed.id, "reason": "x" * 100_000})
    headers = {"content-type": "application/json"}
    assert client.post("/api/verdict", content=large, headers=headers).status_code == 413
    assert client.post("/api/redo", json={"plan": True}).status_code == 404


def test_while_others_write_the_page_is_told_so_and_nothing_is_lost(shop: Shop, client: httpx.Client, monkeypatch):
    job = shop.make("mugs/one.png")
    rows(client)
    monkeypatch.setattr(verdicts, "PATIENCE_S", 0.1)
    writer = sqlite3.connect(shop.ledger.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    answer = client.post("/api/verdict", json={"job": job.id, "verdict": "rejected"})
    assert answer.status_code == 503
    assert answer.json()["busy"] is True
    assert names(client) == ["one.png"]  # reading goes on
    writer.execute("ROLLBACK")
    writer.close()
    assert client.post("/api/verdict", json={"job": job.id, "verdict": "rejected"}).status_code == 200


def test_what_a_run_does_meanwhile_is_seen(shop: Shop, client: httpx.Client):
    job = shop.plan("a.png")
    assert [row["group"] for row in rows(client)] == ["waiting"]
    before = client.get("/api/standing").json()["version"]
    shop.bring(job, JobState.DONE)
    shop.make("b.png")
    assert client.get("/api/standing").json()["version"] != before
    assert sorted(names(client, group="undecided")) == ["a.png", "b.png"]


@pytest.mark.slow
def test_everything_is_read_anew_where_much_has_happened(shop: Shop, client: httpx.Client, monkeypatch):
    monkeypatch.setattr(catalogue, "MOST_NEW", 3)
    shop.make("a.png")
    rows(client)
    for number in range(5):
        shop.make(f"more-{number}.png")
    assert len(names(client)) == 6


def test_a_choice_stays_while_one_goes_through_it(shop: Shop, client: httpx.Client):
    jobs = [shop.make(f"{number}.png") for number in range(4)]
    view = client.get("/api/view", params={"group": "undecided", "order": "name"}).json()
    client.post("/api/verdict", json={"job": jobs[1].id, "verdict": "accepted"})
    found = client.get("/api/rows", params={"view": view["view"], "count": 10}).json()["rows"]
    assert [(row["place"], row["group"]) for row in found] == [
        (0, "undecided"),
        (1, "accepted"),
        (2, "undecided"),
        (3, "undecided"),
    ]
    following = {"view": view["view"], "after": 0}
    assert client.get("/api/next", params=following).json() == {"place": 2}
    for job in jobs:
        client.post("/api/verdict", json={"job": job.id, "verdict": "accepted"})
    assert client.get("/api/next", params=following).json() == {"place": None}
    assert client.get("/api/rows", params={"view": 12345}).status_code == 410


@pytest.mark.slow
def test_the_rest_is_accepted_at_once_and_only_that(shop: Shop, client: httpx.Client):
    bad, *good = (shop.make(f"{number}.png") for number in range(5))
    shop.make("other/x.png")
    rows(client)
    client.post("/api/verdict", json={"job": bad.id, "verdict": "rejected", "reason": "halo"})
    view = client.get("/api/view", params={"text": ".png", "folder": ""}).json()
    shop.make("later.png")  # came when the page was drawn already
    assert client.post("/api/verdicts", json={"view": view["view"], "verdict": "accepted"}).json() == {"number": 5}
    assert verdict_on(shop, bad.id) == ("rejected", "halo")
    assert {verdict_on(shop, job.id) for job in good} == {("accepted", "")}
    assert names(client, group="undecided") == ["later.png"]


@pytest.mark.slow
def test_filters_find_what_they_say(shop: Shop, client: httpx.Client):
    shop.make("shoes/boots/a.png", background="walls/brick.png")
    shop.make("shoes/b.png", remark="another size", width=3000, height=2000)
    shop.make("mugs/c.png", distortion=80, background="oak.png")
    shop.make("mugs/d.png", JobState.FAILED, error="refused")
    assert sorted(names(client, folder="shoes")) == ["a.png", "b.png"]
    assert names(client, folder="shoes/boots") == ["a.png"]
    assert names(client, folder="sho") == []
    assert names(client, background="oak.png") == ["c.png"]
    assert sorted(names(client, background="-")) == ["b.png", "d.png"]
    assert names(client, remark="*") == ["b.png"]
    assert names(client, remark="another size") == ["b.png"]
    assert names(client, size="large") == ["b.png"]
    assert names(client, misfit="cropped") == ["c.png"]
    assert names(client, state="failed") == ["d.png"]
    assert names(client, group="failed") == ["d.png"]
    assert names(client, text="WALLS brick") == ["a.png"]
    assert names(client, text="brick oak") == []
    assert len(names(client, size="nonsense", order="nonsense", group="nonsense")) == 4
    assert names(client, order="name") == ["c.png", "d.png", "b.png", "a.png"]
    facets = client.get("/api/about").json()["facets"]
    assert facets["folders"] == ["mugs", "shoes", "shoes/boots"]
    assert facets["backgrounds"] == ["-", "oak.png", "walls/brick.png"]


@pytest.mark.slow
def test_the_bad_ones_come_first_with_their_reasons(shop: Shop, client: httpx.Client):
    draw(shop, "good.jpg", 3)
    draw(shop, "bad.jpg", 8, "hole")
    rows(client)
    wait_for(lambda: all_looked_at(client))
    first, second = rows(client)
    assert (first["file"], second["file"]) == ("bad.jpg", "good.jpg")
    assert first["signs"][0]["kind"] == "hole"
    assert "product" in first["signs"][0]["words"]
    assert names(client, sign="hole") == ["bad.jpg"]


@pytest.mark.slow
def test_pictures_come_by_job(shop: Shop, client: httpx.Client):
    job = draw(shop, "a.jpg", 3)
    tiff = shop.make("b.tif", content=encoded(Image.new("RGB", (60, 40), "red"), "TIFF"), background="wall.png")
    rows(client)
    thumb = client.get(f"/thumb/{job.id}")
    assert thumb.headers["content-type"] == "image/webp"
    result = client.get(f"/picture/{job.id}/result")
    assert result.content == (shop.output / "a.png").read_bytes()
    assert result.headers["content-type"] == "image/png"
    assert client.get(f"/picture/{job.id}/photo").headers["content-type"] == "image/jpeg"
    assert client.get(f"/picture/{job.id}/background").status_code == 404
    assert client.get(f"/picture/{tiff.id}/background").status_code == 200
    shrunk = client.get(f"/picture/{tiff.id}/photo")
    assert shrunk.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(shrunk.content)) as shown:
        assert shown.size == (60, 40)
    (shop.output / "a.png").unlink()
    assert client.get(f"/picture/{job.id}/result").status_code == 404


@pytest.mark.slow
def test_a_photo_that_has_changed_is_not_shown_as_the_old_one(shop: Shop, client: httpx.Client):
    job = shop.make("a.png")
    shop.photo("a.png", picture("blue", Size(30, 30)))
    (row,) = rows(client)
    assert row["hasPhoto"] is False
    assert client.get(f"/picture/{job.id}/photo").status_code == 404


@pytest.mark.slow
def test_odd_names_are_shown_in_letters(shop: Shop, client: httpx.Client):
    shop.make("x\n\udcff<b>/‮a.png")
    (row,) = rows(client)
    assert row["folder"] == "x\\n\\xff<b>"
    assert row["file"] == "\\u202ea.png"
    assert names(client, folder=row["folder"]) == [row["file"]]


@pytest.mark.slow
def test_what_is_spoilt_is_told_and_harms_nothing_else(shop: Shop, client: httpx.Client):
    bad = shop.make("bad.png")
    shop.make("good.png")
    (shop.output / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n spoilt")
    rows(client)
    wait_for(lambda: all_looked_at(client))
    first, _ = rows(client)
    assert first["file"] == "bad.png"
    assert "can no longer be read" in first["trouble"]
    assert client.get(f"/thumb/{bad.id}").status_code == 404


@pytest.mark.slow
def test_what_was_seen_is_kept_for_the_next_time(shop: Shop, tmp_path: Path, monkeypatch):
    draw(shop, "bad.jpg", 8, "hole")
    cache = tmp_path / "cache"
    for turn in range(2):
        if turn:
            monkeypatch.setattr("batchbg.disk.decoding.look_over", None)
        with served(shop, cache) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
            client.get(server.address)
            (row,) = rows(client)
            wait_for(lambda client=client: all_looked_at(client))
            assert rows(client)[0]["signs"][0]["kind"] == "hole"
            assert client.get(f"/thumb/{row['id']}").status_code == 200
    assert oct(cache.stat().st_mode)[-3:] == "700"


def test_a_cache_that_somebody_has_spoilt_is_made_anew(tmp_path: Path):
    first = LookCache(tmp_path, "name")
    first.close()
    (file,) = tmp_path.glob("signs-*")
    file.write_bytes(
        b'["a", {"signs": 3}]\n\xff\n["b", {"signs": [], "untold": "", "size": [1, 2], "trouble": ""}]\n["c"'
    )
    cache = LookCache(tmp_path, "name")
    assert cache.look("a") is None
    assert cache.look("b") is not None
    cache.close()


def test_too_many_thumbnails_are_swept(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("batchbg.review.look_cache.MOST_DISK_BYTES", 2_500)
    monkeypatch.setattr("batchbg.review.look_cache.MOST_MEMORY_BYTES", 1_500)
    monkeypatch.setattr("batchbg.review.look_cache._SWEEP_EVERY", 2)
    cache = LookCache(tmp_path, "name")
    for number in range(9):
        cache.keep(f"{number:032x}", None, bytes(1_000))
    assert len(list(tmp_path.glob("*/*.webp"))) <= 3
    assert cache.thumb(f"{8:032x}") is not None
    assert cache.thumb(f"{0:032x}") is None
    cache.close()


def test_a_remark_and_a_reason_may_hold_what_is_no_character(shop: Shop, client: httpx.Client):
    job = shop.make("a.png", remark="odd \udcff")
    rows(client)
    body = json.dumps({"job": job.id, "verdict": "rejected", "reason": "\ud800 half"})
    sent = client.post("/api/verdict", content=body, headers={"content-type": "application/json"})
    assert sent.status_code == 200
    (row,) = rows(client)
    assert "half" in row["reason"]
    assert client.get("/api/about").status_code == 200


@pytest.mark.slow
def test_redo_is_what_the_caller_gives(shop: Shop):
    calls = []

    def redo(dry_run: bool) -> dict[str, Any]:
        calls.append(dry_run)
        return {"planned": 1, "lines": ["1 result"], "left_out": [], "next": "batchbg resume"}

    with served(shop, redo=redo) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        client.get(server.address)
        client.headers["origin"] = f"http://127.0.0.1:{server.port}"
        assert client.get("/api/about").json()["redo"] is True
        assert client.post("/api/redo", json={}).json()["planned"] == 1
        client.post("/api/redo", json={"plan": True})
    assert calls == [True, False]


def test_the_page_s_own_files_are_all_in_the_package():
    page = application._static()
    assert {"index.html", "style.css", "app.js"} <= set(page)
    assert page["app.js"][1] == "text/javascript"
