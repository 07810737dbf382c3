"""Servers that lie, hang, drip and hang up: what they told is kept, what they took is counted."""

import threading
import time

import pytest
from _pytest.mark import ParameterSet
from PIL import Image

from batchbg.api import client
from tests.e2e.conftest import KEY, Shop
from tests.e2e.liar import Call, Handler, Liar, picture

pytestmark = pytest.mark.slow


@pytest.fixture
def liar():
    with Liar() as liar:
        yield liar


@pytest.fixture
def lied_to(shop: Shop, liar: Liar) -> Shop:
    """A shop whose service is the liar."""
    shop.base_url = liar.url
    return shop


def slowly(case: object) -> ParameterSet:
    """Leave a case that resembles another to the slow tier."""
    return pytest.param(case, marks=pytest.mark.slow)


def quick_deadlines(monkeypatch, seconds: float = 0.5) -> None:
    monkeypatch.setattr(client, "DEADLINE_S", seconds)


# -- what was told is kept -----------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def hang_after_id(call: Call) -> None:
    call.say(HEAD + b'Content-Length: 500\r\n\r\n{"id": "p1", "credits_ch')
    call.hang(3)


def drip_after_id(call: Call) -> None:
    call.say(HEAD + b'Transfer-Encoding: chunked\r\n\r\n11\r\n{"id": "p1", "x":\r\n')
    for _ in range(30):
        call.say(b"1\r\n \r\n")
        time.sleep(0.1)
    call.close()


def cut_after_id(call: Call) -> None:
    call.say(HEAD + b'Content-Length: 500\r\n\r\n{"id": "p1", "credits_ch')
    call.close()


def reset_inside_chunk(call: Call) -> None:
    call.say(HEAD + b'Transfer-Encoding: chunked\r\n\r\n50\r\n{"id": "p1", "cre')
    call.close()


def bad_chunk(call: Call) -> None:
    call.say(HEAD + b'Transfer-Encoding: chunked\r\n\r\n11\r\n{"id": "p1", "x":\r\nnonsense\r\n')
    call.close()


def no_length(call: Call) -> None:
    call.say(HEAD + b'Connection: close\r\n\r\n{"id": "p1", "credits_charged": 5}')
    call.close()


def informational(call: Call) -> None:
    call.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
    call.answer({"id": "p1", "credits_charged": 5})


def error_with_id(call: Call) -> None:
    call.answer({"id": "p1", "message": "queued, but something else broke"}, 500)


def behind_rubbish(call: Call) -> None:
    call.answer(b'{"frame_cost": NaN-ish, "name": {"id": "other"}, "id": "p1"}')


def with_bom(call: Call) -> None:
    call.answer(b'\xef\xbb\xbf{"id": "p1"}')


@pytest.mark.parametrize(
    "create",
    [
        hang_after_id,
        cut_after_id,
        informational,
        error_with_id,
        *map(slowly, [drip_after_id, reset_inside_chunk, bad_chunk, no_length, behind_rubbish, with_bom]),
    ],
)
def test_invariant_1_an_id_that_was_told_is_kept(lied_to: Shop, liar: Liar, monkeypatch, create):
    """However the answer goes on, or does not."""
    quick_deadlines(monkeypatch)
    lied_to.photo("a.png")
    liar.create = create
    result = lied_to.run("--json")
    assert result.code == 0, result
    assert lied_to.jobs()[0]["project_id"] == "p1"
    assert lied_to.outputs() == ["a.png"]
    assert len(liar.creates) == 1


def silent(call: Call) -> None:
    call.hang(2)


def half_a_head(call: Call) -> None:
    call.say(b"HTTP/1.1 200 OK\r\nContent-Len")
    call.hang(2)


def half_an_id(call: Call) -> None:
    call.say(HEAD + b'Content-Length: 500\r\n\r\n{"id": "p1')
    call.close()


def half_a_number(call: Call) -> None:
    call.say(HEAD + b'Content-Length: 500\r\n\r\n{"id": 12')
    call.close()


def garbage(call: Call) -> None:
    call.say(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    call.close()


def listed(call: Call) -> None:
    call.answer([{"id": "p1"}])


def elsewhere(call: Call) -> None:
    call.answer({"error": {"id": "req-1"}})


def nothing(call: Call) -> None:
    call.answer(b"", 204)


def endless_head(call: Call) -> None:
    call.say(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 300_000)
    call.close()


@pytest.mark.parametrize(
    "create",
    [silent, half_an_id, *map(slowly, [half_a_head, half_a_number, garbage, listed, elsewhere, nothing, endless_head])],
)
def test_invariant_3_what_nobody_can_read_is_unresolved_and_never_sent_again(
    lied_to: Shop, liar: Liar, monkeypatch, create
):
    """In this run and in the next, with --force as well."""
    quick_deadlines(monkeypatch)
    lied_to.photo("a.png")
    liar.create = create
    result = lied_to.run("--json")
    assert result.code == 3, result
    assert result.json["jobs"]["unresolved"] == 1
    assert result.json["credits"]["unresolved"] == 5
    assert lied_to.run().code == 3
    assert lied_to.run("--force").code == 3
    assert lied_to.do("retry").code == 0
    assert lied_to.resume().code == 3
    assert len(liar.creates) == 1


# -- ids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "project_id", ["../../v1/a?c=d#e", 1234567, *map(slowly, ["schön ☂ 1", "x" * 1000, '"', "a\nb"])]
)
def test_invariant_1_any_id_is_taken_as_it_is(lied_to: Shop, liar: Liar, project_id):
    """And asked for by one path segment."""
    lied_to.photo("a.png")
    liar.create = lambda call: call.answer({"id": project_id})
    liar.status = lambda call: call.answer(liar.project("p1"))
    assert lied_to.run().code == 0
    assert lied_to.jobs()[0]["project_id"] == str(project_id)
    assert not [line for line in liar.requests if line.startswith("GET /v1/image-projects/") and line.count("/") > 3]


def test_the_same_id_for_two_creates_never_gives_one_photo_the_others_picture(lied_to: Shop, liar: Liar):
    """Which of the two it is, a person has to say; the second counts as spent."""
    lied_to.some_photos(2)
    liar.create = lambda call: call.answer({"id": "same", "credits_charged": 5})
    result = lied_to.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"done": 1, "unresolved": 1} == result.json["jobs"]
    assert result.json["credits"]["spent"] == 10
    assert len(lied_to.outputs()) == 1


# -- connections ---------------------------------------------------------------------------------------------------


def test_a_server_that_closes_after_every_answer_loses_nothing(lied_to: Shop, liar: Liar):
    """Without saying so: an idle connection that was closed is not written to."""

    def and_close(handler: Handler) -> Handler:
        def handle(call: Call) -> None:
            handler(call)
            call.close()

        return handle

    for name in ("account", "upload_urls", "put", "create", "status", "download"):
        setattr(liar, name, and_close(getattr(liar, name)))
    lied_to.some_photos(12)
    result = lied_to.run("--json")
    assert result.code == 0, result
    assert len(liar.creates) == 12


def test_a_server_without_an_account_operation(lied_to: Shop, liar: Liar):
    """The base URL stands for the account, in this run and later ones."""
    liar.account = lambda call: call.answer({"message": "no such route"}, 404)
    lied_to.photo("a.png")
    assert lied_to.run().code == 0
    lied_to.photo("b.png")
    liar.account = lambda call: call.answer({"id": "now there is one", "credits": 3})
    assert lied_to.run().code == 0
    assert len(liar.creates) == 2


def test_upload_addresses_one_at_a_time(lied_to: Shop, liar: Liar):
    """A limit nobody documents."""

    def one_only(call: Call) -> None:
        if len(call.json["items"]) > 1:
            call.answer({"code": "invalid_request", "message": "one item"}, 400)
        else:
            liar.offer(call)

    liar.upload_urls = one_only
    lied_to.some_photos(6)
    assert lied_to.run().code == 0
    assert len(liar.creates) == 6


@pytest.mark.parametrize(
    "body", [{"items": []}, *map(slowly, [{}, [], {"items": [{"upload_url": 5, "file_path": "x"}]}])]
)
def test_upload_addresses_that_cannot_be_read_cost_nothing(lied_to: Shop, liar: Liar, body):
    """The API counts as down after a while; nothing is created."""
    lied_to.setting("GIVE_UP_AFTER", "1")
    liar.upload_urls = lambda call: call.answer(body)
    lied_to.photo("a.png")
    assert lied_to.run().code == 5
    assert not liar.creates


def test_uploads_that_fail_leave_the_photo_for_a_later_run(lied_to: Shop, liar: Liar):
    """Each time with a new address."""
    liar.put = lambda call: call.answer(b"<Error/>", 403)
    lied_to.photo("a.png")
    assert lied_to.run().code == 5
    assert len([line for line in liar.requests if line.startswith("PUT")]) == 4
    assert not liar.creates
    liar.put = lambda call: call.answer(b"")
    assert lied_to.run().code == 0


# -- invariant 5: results ------------------------------------------------------------------------------------------


def redirected(call: Call) -> None:
    if "real" in call.path:
        call.answer(picture())
    else:
        call.answer(b"", 302, Location="/real?signature=secret")


def chunked(call: Call) -> None:
    data = picture()
    call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n")


def dripping(call: Call) -> None:
    data = picture()
    call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
    for at in range(0, len(data), 16):
        call.say(data[at : at + 16])
        time.sleep(0.01)


def cut_at_first(call: Call) -> None:
    data = picture()
    if call.number == 1:
        call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data[:-20])
        call.close()
    elif call.number == 2:
        call.answer(data[:80])
    elif call.number == 3:
        call.answer(b"<Error><Code>AccessDenied</Code></Error>", 403)
    else:
        call.answer(data)


def closing(call: Call) -> None:
    call.say(b"HTTP/1.0 200 OK\r\n\r\n" + picture())
    call.close()


@pytest.mark.parametrize("download", [redirected, cut_at_first, *map(slowly, [chunked, dripping, closing])])
def test_invariant_5_a_result_arrives_whole_in_the_end(lied_to: Shop, liar: Liar, download):
    """By redirects, in chunks, in drips, at the fourth try; and without the key."""
    lied_to.photo("a.png")
    liar.download = download
    result = lied_to.run("--json", "-vv")
    assert result.code == 0, result
    assert (lied_to.output / "a.png").read_bytes() == picture()
    assert liar.keys_elsewhere == 0
    assert KEY not in result.err
    assert "secret" not in result.err
    assert list(lied_to.output.iterdir()) == [lied_to.output / "a.png"]


@pytest.mark.parametrize(
    "download",
    [
        lambda call: call.answer(b"<html>please log in</html>"),
        slowly(lambda call: call.answer(b"")),
        slowly(lambda call: call.answer(picture()[:80])),
        slowly(lambda call: call.answer(b"\x89PNG\r\n\x1a\n" + b"\0" * 300)),
    ],
)
def test_invariant_5_what_is_no_picture_never_gets_the_name_of_a_result(lied_to: Shop, liar: Liar, download):
    """The job fails and stays charged; `rescue` fetches it when the service has come to its senses."""
    lied_to.photo("a.png")
    liar.download = download
    result = lied_to.run("--json")
    assert result.code == 3, result
    assert result.json["jobs"]["failed"] == 1
    assert result.json["credits"]["spent"] == 5
    assert not lied_to.outputs()
    liar.download = lambda call: call.answer(picture())
    rescued = lied_to.do("rescue")
    assert rescued.code == 0, rescued
    assert lied_to.outputs() == ["a.png"]
    assert len(liar.creates) == 1


def test_invariant_5_a_jpeg_becomes_a_png_with_a_remark(lied_to: Shop, liar: Liar):
    """Losslessly."""
    lied_to.photo("a.png")
    liar.download = lambda call: call.answer(picture(form="JPEG"))
    assert lied_to.run().code == 0
    with Image.open(lied_to.output / "a.png") as saved:
        assert saved.format == "PNG"
    assert "JPEG" in lied_to.jobs()[0]["remark"]


def test_invariant_5_another_shape_is_fetched_once_more_then_kept(lied_to: Shop, liar: Liar):
    """With a remark."""
    lied_to.photo("a.png")
    liar.download = lambda call: call.answer(picture((64, 20)))
    assert lied_to.run().code == 0
    assert len([line for line in liar.requests if line.startswith("GET /results")]) == 2
    assert "another shape" in lied_to.jobs()[0]["remark"]


@pytest.mark.slow
def test_empty_downloads_are_asked_for_again(lied_to: Shop, liar: Liar):
    """Complete, but the address comes a little later."""

    def late(call: Call) -> None:
        call.answer(liar.project("p1", downloads=[] if call.number < 3 else liar.project("p1")["downloads"]))

    liar.status = late
    lied_to.photo("a.png")
    assert lied_to.run().code == 0


def test_invariant_5_a_file_that_appears_meanwhile_is_not_replaced(lied_to: Shop, liar: Liar):
    """The result is kept at the service, and fetched by `rescue` once the place is free."""
    lied_to.photo("a.png")

    def meanwhile(call: Call) -> None:
        (lied_to.output / "a.png").write_text("mine")
        call.answer(picture())

    liar.download = meanwhile
    result = lied_to.run("--json")
    assert result.code == 3
    assert (lied_to.output / "a.png").read_text() == "mine"
    (lied_to.output / "a.png").unlink()
    liar.download = lambda call: call.answer(picture())
    assert lied_to.do("rescue").code == 0
    assert lied_to.outputs() == ["a.png"]
    assert len(liar.creates) == 1


def test_a_result_that_is_gone_does_not_end_a_rescue(lied_to: Shop, liar: Liar):
    """The others come back; the one is named."""
    lied_to.some_photos(3)
    assert lied_to.run().code == 0
    for path in lied_to.output.iterdir():
        path.unlink()

    def one_gone(call: Call) -> None:
        call.answer({"message": "gone"}, 404) if call.path.endswith("/p2") else liar.complete(call)

    liar.status = one_gone
    result = lied_to.do("rescue")
    assert result.code == 3, result
    assert len(lied_to.outputs()) == 2
    assert "cannot be found" in result.out
    assert len(liar.creates) == 3


# -- what else a status can say ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        lambda call: call.answer(b"{", 200),
        lambda call: call.answer([]),
        lambda call: call.answer({"status": None}),
        lambda call: call.answer({"message": "busy"}, 503),
        lambda call: call.answer({"message": "slow down"}, 429, Retry_After="0"),
        lambda call: call.close(),
        lambda call: call.say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") or call.close(),
        lambda call: call.answer(b"[" * 100_000),
    ],
)
def test_a_status_that_cannot_be_read_is_asked_for_again(lied_to: Shop, liar: Liar, answer):
    """What is paid for is followed through any trouble."""
    lied_to.photo("a.png")
    liar.status = lambda call: answer(call) if call.number < 4 else liar.complete(call)
    result = lied_to.run()
    assert result.code == 0, result
    assert lied_to.outputs() == ["a.png"]


def test_odd_values_in_a_record_do_no_harm(lied_to: Shop, liar: Liar):
    """Types nobody promised."""
    lied_to.some_photos(2)
    odd = {"name": 5, "credits_charged": "x", "error": [1], "enabled": None, "image_count": {}}
    liar.status = lambda call: call.answer(
        liar.project("p1", **odd) if call.number > 1 else {"status": "error", "error": 7, "credits_charged": 0}
    )
    result = lied_to.run("--json")
    assert result.code == 3
    assert result.json["jobs"] | {"failed": 1, "done": 1} == result.json["jobs"]
    assert result.json["credits"]["spent"] == 5


# -- invariant 1: the order of things ------------------------------------------------------------------------------


def test_invariant_1_the_intent_is_in_the_ledger_when_the_create_arrives_and_the_id_before_the_first_status(
    lied_to: Shop, liar: Liar
):
    """Seen by another reader of the ledger, at the moments when the service is asked."""
    import sqlite3

    path = lied_to.folder / "batchbg.db"
    seen: list[tuple[str, int, str | None]] = []

    def look() -> None:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as ledger:
            seen.extend(ledger.execute("SELECT state, credits, project_id FROM jobs"))

    def create(call: Call) -> None:
        look()
        call.answer({"id": "p1", "credits_charged": 5})

    def status(call: Call) -> None:
        look()
        liar.complete(call)

    liar.create, liar.status = create, status
    lied_to.photo("a.png")
    assert lied_to.run().code == 0
    assert seen == [("submitting", 5, None), ("rendering", 5, "p1")]


def test_invariant_4_only_one_create_is_in_the_air_until_the_price_is_known(lied_to: Shop, liar: Liar):
    """The first create goes alone, however wide the pool."""
    in_air = threading.Semaphore(1)
    alone: list[bool] = []

    def create(call: Call) -> None:
        first = in_air.acquire(blocking=False)
        if call.number == 1:
            time.sleep(0.3)
            alone.append(len(liar.creates) == 1)
        call.answer({"id": f"p{call.number}", "credits_charged": 5})
        if first:
            in_air.release()

    liar.create = create
    lied_to.some_photos(20)
    assert lied_to.run("--max-in-flight", "64").code == 0
    assert alone == [True]
