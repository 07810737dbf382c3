"""A service that lies, hangs, drips and hangs up: what it told is kept, what it took is counted."""

import contextlib
import hashlib
import sqlite3
import time
from typing import Any

import pytest
from PIL import Image

from batchbg.api import connection
from tests.support.shop import KEY, Shop

pytestmark = pytest.mark.slow

ID = '{"id": "<id>"'
"""How an answer to a create begins, with the id of what was made."""


def answer(body: str, status: str = "200 OK", *headers: str) -> dict[str, Any]:
    """Return settings of a ``raw`` fault: an answer in good order, after which the connection is closed."""
    length = "<length>" if body == "<body>" else str(len(body.replace("<id>", "c" + "0" * 24)))
    return raw("\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {length}", *headers, "", body)))


def head(*headers: str) -> str:
    return "\r\n".join(("HTTP/1.1 200 OK", "Content-Type: application/json", *headers, "", ""))


def raw(*pieces: str, **settings: Any) -> dict[str, Any]:
    return {"kind": "raw", "answer": list(pieces), **settings}


def half_of(body: str, **settings: Any) -> dict[str, Any]:
    """Return an answer that announces 500 bytes and does not hold them."""
    return raw(head("Content-Length: 500") + body, **settings)


def chunk(text: str, size: int | None = None) -> str:
    """Return a piece of a chunked body; ``<id>`` stands for 25 bytes."""
    length = len(text.replace("<id>", "c" + "0" * 24)) if size is None else size
    return f"{length:x}\r\n{text}\r\n"


CHUNKED = head("Transfer-Encoding: chunked")


# -- what was told is kept -----------------------------------------------------------------------------------------

TOLD = {
    "cut after the id": half_of(ID + ', "credits_ch'),
    "reset after the id": half_of(ID + ', "credits_ch', then="reset"),
    "informational answers first": raw(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + head("Content-Length: <length>") + "<body>"
    ),
    "an error with an id": answer(ID + ', "message": "queued, but something else broke"}', "500 X"),
    "reset inside a chunk": raw(CHUNKED + chunk(ID + ', "cre', 80)),
    "a bad chunk": raw(CHUNKED + chunk(ID + ', "x":') + "nonsense\r\n"),
    "no length": raw(head("Connection: close") + ID + ', "credits_charged": 5}'),
    "behind rubbish": answer('{"frame_cost": NaN-ish, "name": {"id": "other"}, "id": "<id>"}'),
    "with a BOM": answer("\xef\xbb\xbf" + ID + "}"),
}
"""Answers to a create that hold the id, each cut short or spoilt in its own way."""

GOING_ON = {
    "hangs after the id": half_of(ID + ', "credits_ch', then="hang"),
    "drips after the id": raw(CHUNKED + chunk(ID + ', "x":'), *[chunk(" ")] * 1000, interval_s=0.1),
}
"""The same, but they never end by themselves."""


def check_that_the_id_is_kept(shop: Shop, create: dict[str, Any]) -> None:
    shop.photo("a.png")
    shop.faults.add("create", **create)
    result = shop.run("--json")
    assert result.code == 0, result
    assert [job["project_id"] for job in shop.jobs()] == [made.project_id for made in shop.creates()]
    assert shop.outputs() == ["a.png"]
    assert shop.requests() == 1


@pytest.mark.parametrize("create", TOLD.values(), ids=TOLD)
def test_invariant_1_an_id_that_was_told_is_kept(shop: Shop, create: dict[str, Any]):
    """However the answer goes on, or does not."""
    check_that_the_id_is_kept(shop, create)


@pytest.mark.parametrize("create", GOING_ON.values(), ids=GOING_ON)
def test_invariant_1_an_id_that_was_told_is_kept_at_the_deadline(shop: Shop, monkeypatch, create: dict[str, Any]):
    """Which is two minutes, shortened here."""
    monkeypatch.setattr(connection, "DEADLINE_S", 3.0)
    check_that_the_id_is_kept(shop, create)


UNREADABLE = {
    "half an id": half_of('{"id": "c123'),
    "half a number": half_of('{"id": 12'),
    "garbage": raw("\x16\x03\x01 this is not HTTP\r\n\r\n"),
    "a list": answer('[{"id": "p1"}]'),
    "elsewhere": answer('{"error": {"id": "req-1"}}'),
    "nothing": answer("", "204 No Content"),
    "an endless head": raw("HTTP/1.1 200 OK\r\nX-Filler: " + "x" * 300_000),
}
"""Answers that nobody can make anything of."""

SILENT = {
    "silence": raw("", then="hang"),
    "half a head": raw("HTTP/1.1 200 OK\r\nContent-Len", then="hang"),
}
"""The same, but they never end by themselves."""


def check_that_it_is_never_sent_again(shop: Shop, create: dict[str, Any]) -> None:
    shop.photo("a.png")
    shop.faults.add("create", **create)
    result = shop.run("--json")
    assert result.code == 3, result
    assert result.json["jobs"]["unresolved"] == 1
    assert result.json["credits"]["unresolved"] == 5
    assert shop.run().code == 3
    assert shop.run("--force").code == 3
    assert shop.do("retry").code == 0
    assert shop.resume().code == 3
    assert shop.requests() == 1


@pytest.mark.parametrize("create", UNREADABLE.values(), ids=UNREADABLE)
def test_invariant_3_what_nobody_can_read_is_unresolved_and_never_sent_again(shop: Shop, create: dict[str, Any]):
    """In this run and in the next, with --force as well."""
    check_that_it_is_never_sent_again(shop, create)


@pytest.mark.parametrize("create", SILENT.values(), ids=SILENT)
def test_invariant_3_what_is_never_answered_is_unresolved_and_never_sent_again(
    shop: Shop, monkeypatch, create: dict[str, Any]
):
    """At the deadline, which is two minutes, shortened here."""
    monkeypatch.setattr(connection, "DEADLINE_S", 2.0)
    check_that_it_is_never_sent_again(shop, create)


# -- ids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("project_id", ["../../v1/a?c=d#e", 1234567, "schön ☂ 1", "x" * 1000, '"', "a\nb"])
def test_invariant_1_any_id_is_taken_as_it_is(shop: Shop, project_id: str | int):
    """And asked for by one path segment, which is all that the sandbox takes for one."""
    shop.photo("a.png")
    shop.faults.add("create", "project_id", id=str(project_id))
    shop.faults.add("create", "replace", fields={"id": project_id})
    assert shop.run().code == 0
    assert shop.jobs()[0]["project_id"] == str(project_id)
    assert [made.project_id for made in shop.creates()] == [str(project_id)]
    assert shop.outputs() == ["a.png"]


def test_the_same_id_for_two_creates_never_gives_one_photo_the_others_picture(shop: Shop):
    """Which of the two it is, a person has to say; the second counts as spent."""
    shop.some_photos(2)
    shop.faults.add("create", "project_id", id="same", nth=1)
    shop.faults.add("create", "replace", fields={"id": "same"}, nth=2)
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 1, "unresolved": 1} == result.json["jobs"]
    assert result.json["credits"]["spent"] == 10
    (name,) = shop.outputs()
    with Image.open(shop.output / name) as picture:
        assert picture.info["Photo"] == hashlib.sha256((shop.photos / name).read_bytes()).hexdigest()


# -- connections ---------------------------------------------------------------------------------------------------


def test_a_server_that_closes_after_every_answer_loses_nothing(shop: Shop):
    """Without saying so: an idle connection that was closed is not written to."""
    for operation in ("account", "upload_urls", "upload", "create", "status", "download"):
        shop.faults.add(operation, **answer("<body>", "200 OK", "Server: batchbg-sandbox"))
    shop.some_photos(12)
    result = shop.run("--json")
    assert result.code == 0, result
    assert shop.requests() == len(shop.creates()) == 12


def test_a_server_without_an_account_operation(shop: Shop):
    """The base URL stands for the account, in this run and later ones."""
    shop.faults.add("account", "status", status=404, message="no such route")
    shop.photo("a.png")
    assert shop.run().code == 0
    shop.photo("b.png")
    shop.faults.clear()
    shop.faults.add("account", "replace", fields={"id": "now there is one", "credits": 3})
    assert shop.run().code == 0
    assert len(shop.creates()) == 2


@pytest.mark.parametrize("body", ['{"items": []}', "{}", "[]", '{"items": [{"upload_url": 5, "file_path": "x"}]}'])
def test_upload_addresses_that_cannot_be_read_cost_nothing(shop: Shop, body: str):
    """The API counts as down after a while; nothing is created."""
    shop.setting("GIVE_UP_AFTER", "1")
    shop.faults.add("upload_urls", "status", status=200, body=body)
    shop.photo("a.png")
    assert shop.run().code == 5
    assert not shop.requests()


def test_uploads_that_fail_leave_the_photo_for_a_later_run(shop: Shop):
    """Each time with a new address."""
    shop.faults.add("upload", "status", status=403, body="<Error/>")
    shop.photo("a.png")
    assert shop.run().code == 5
    assert shop.requests("upload") == 4
    assert shop.requests("upload_urls") >= 4
    assert not shop.requests()
    shop.faults.clear()
    assert shop.run().code == 0


# -- invariant 5: results ------------------------------------------------------------------------------------------

ARRIVING = {
    "redirected": [{"kind": "status", "status": 302, "headers": {"Location": ""}, "nth": 1}],  # to the same address
    "at the fourth try": [
        {"kind": "truncated", "keep": 0.9, "nth": 1},
        {"kind": "truncated", "keep": 0.3, "length": "actual", "nth": 2},
        {"kind": "expired", "nth": 3},
    ],
    "chunked": [{"kind": "truncated", "keep": 1.0, "length": "chunked"}],
    "dripping": [{"kind": "slow", "chunk_bytes": 16, "interval_s": 0.01}],
    "until the connection closes": [raw("HTTP/1.0 200 OK\r\n\r\n<body>")],
}


@pytest.mark.parametrize("faults", ARRIVING.values(), ids=ARRIVING)
def test_invariant_5_a_result_arrives_whole_in_the_end(shop: Shop, faults: list[dict[str, Any]]):
    """By redirects, in chunks, in drips, at the fourth try; and without the key."""
    shop.photo("a.png")
    for fault in faults:
        shop.faults.add("download", **fault)
    result = shop.run("--json", "-vv")
    assert result.code == 0, result
    shop.faults.clear()
    assert (shop.output / "a.png").read_bytes() == shop.result_of(shop.creates()[0].project_id)
    assert shop.sandbox.books.keys_at_storage == 0
    assert KEY not in result.err
    assert "signature=" not in result.err
    assert shop.outputs() == ["a.png"]


@pytest.mark.parametrize(
    "download",
    [
        {"kind": "html"},
        answer(""),
        {"kind": "truncated", "keep": 0.3, "length": "actual"},
        answer("\x89PNG\r\n\x1a\n" + "\0" * 300),
    ],
    ids=["a web page", "nothing", "a part", "the beginning of a PNG"],
)
def test_invariant_5_what_is_no_picture_never_gets_the_name_of_a_result(shop: Shop, download: dict[str, Any]):
    """The job fails and stays charged; `rescue` fetches it when the service has come to its senses."""
    shop.photo("a.png")
    shop.faults.add("download", **download)
    result = shop.run("--json")
    assert result.code == 3, result
    assert result.json["jobs"]["failed"] == 1
    assert result.json["credits"]["spent"] == 5
    assert not shop.outputs()
    shop.faults.clear()
    rescued = shop.do("rescue")
    assert rescued.code == 0, rescued
    assert shop.outputs() == ["a.png"]
    assert shop.requests() == 1


def test_invariant_5_a_jpeg_becomes_a_png_with_a_remark(shop: Shop):
    """Losslessly."""
    shop.photo("a.png")
    shop.faults.add("download", "jpeg")
    assert shop.run().code == 0
    with Image.open(shop.output / "a.png") as saved:
        assert saved.format == "PNG"
    assert "JPEG" in shop.jobs()[0]["remark"]


def test_invariant_5_another_shape_is_fetched_once_more_then_kept(shop: Shop):
    """With a remark."""
    shop.photo("a.png")
    shop.faults.add("download", "resized", width=1.0, height=0.4)
    assert shop.run().code == 0
    assert shop.requests("download") == 2
    assert "another shape" in shop.jobs()[0]["remark"]


def test_empty_downloads_are_asked_for_again(shop: Shop):
    """Complete, but the address comes a little later."""
    shop.faults.add("status", "replace", fields={"status": "complete", "downloads": []}, nth="1-2")
    shop.photo("a.png")
    assert shop.run().code == 0
    assert shop.outputs() == ["a.png"]


def test_invariant_5_a_file_that_appears_meanwhile_is_not_replaced(shop: Shop):
    """The result is kept at the service, and fetched by `rescue` once the place is free."""
    shop.photo("a.png")
    mine = shop.output / "a.png"
    shop.meanwhile("download", lambda: mine.write_text("mine"))
    result = shop.run("--json")
    assert result.code == 3
    assert mine.read_text() == "mine"
    mine.unlink()
    assert shop.do("rescue").code == 0
    assert shop.outputs() == ["a.png"]
    assert shop.requests() == 1


def test_a_result_that_is_gone_does_not_end_a_rescue(shop: Shop):
    """The others come back; the one is named."""
    shop.some_photos(3)
    assert shop.run().code == 0
    for path in shop.output.iterdir():
        path.unlink()
    shop.sandbox.configure(after_delete="not_found")
    assert shop.project(shop.creates()[1].project_id, "DELETE").status_code == 204
    result = shop.do("rescue")
    assert result.code == 3, result
    assert len(shop.outputs()) == 2
    assert "cannot be found" in result.out
    assert shop.requests() == 3


# -- what else a status can say ------------------------------------------------------------------------------------

UNREADABLE_STATUS = {
    "half": answer("{"),
    "a list": answer("[]"),
    "no status": {"kind": "replace", "fields": {"status": None}},
    "busy": {"kind": "status", "status": 503},
    "too many": {"kind": "status", "status": 429, "retry_after": 0.0},
    "no answer": {"kind": "hang_up"},
    "cut": raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "nested too deeply": answer("[" * 100_000),
}


@pytest.mark.parametrize("status", UNREADABLE_STATUS.values(), ids=UNREADABLE_STATUS)
def test_a_status_that_cannot_be_read_is_asked_for_again(shop: Shop, status: dict[str, Any]):
    """What is paid for is followed through any trouble."""
    shop.photo("a.png")
    fault = shop.faults.add("status", **status, nth="1-3")
    result = shop.run()
    assert result.code == 0, result
    assert fault.fired == 3
    assert shop.outputs() == ["a.png"]


def test_odd_values_in_a_record_do_no_harm(shop: Shop):
    """Types nobody promised."""
    shop.some_photos(2)
    odd: dict[str, object] = {"name": 5, "credits_charged": None, "error": [1], "enabled": None, "image_count": {}}
    shop.faults.add("status", "replace", nth=1, fields={"status": "error", "error": 7, "credits_charged": 0})
    shop.faults.add("status", "replace", nth="2-", fields=odd)
    result = shop.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"failed": 1, "done": 1} == result.json["jobs"]
    assert result.json["credits"]["spent"] == 5


# -- invariant 1: the order of things ------------------------------------------------------------------------------


def test_invariant_1_the_intent_is_in_the_ledger_when_the_create_arrives_and_the_id_before_the_first_status(shop: Shop):
    """Seen by another reader of the ledger, at the moments when the service is asked."""
    path = shop.folder / "batchbg.db"
    seen: list[tuple[str, int, str | None]] = []

    def look() -> None:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
            seen.extend(ledger.execute("SELECT state, credits, project_id FROM jobs"))

    shop.meanwhile("create", look)
    shop.meanwhile("status", look)
    shop.photo("a.png")
    assert shop.run().code == 0
    assert seen == [("submitting", 5, None), ("rendering", 5, shop.creates()[0].project_id)]


def test_invariant_4_only_one_create_is_in_the_air_until_the_price_is_known(shop: Shop):
    """The first create goes alone, however wide the pool."""
    in_the_air: list[int] = []

    def look() -> None:
        time.sleep(0.3)  # so that others could follow
        in_the_air.append(shop.requests())

    shop.meanwhile("create", look)
    shop.some_photos(20)
    assert shop.run("--max-in-flight", "64").code == 0
    assert in_the_air == [1]
