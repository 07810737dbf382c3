import io
import time
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

from batchbg.errors import ConfigError
from batchbg.sandbox import Fault
from batchbg.sandbox.faults import KINDS


def test_status_answers_before_the_commit_or_after_it(client):
    """A planted 500 leaves no job behind; with commit it leaves one, charged."""
    path = client.upload()
    client.faults.add("create", "status", status=500, nth=1)
    client.faults.add("create", "status", status=500, commit=True, nth=2)
    assert client.create(path).json()["code"] == "internal_server_error"
    assert client.books.charged == 0
    assert client.create(path).status_code == 500
    assert client.books.charged == 5


def test_status_carries_retry_after_in_seconds_or_as_a_date(client):
    """Both forms of the header that HTTP knows."""
    client.faults.add("account", "status", status=429, retry_after=3, nth=1)
    client.faults.add("account", "status", status=503, retry_after=30, retry_after_date=True, nth=2)
    assert client.api.get("/v1/account").headers["retry-after"] == "3"
    date = parsedate_to_datetime(client.api.get("/v1/account").headers["retry-after"])
    assert 0 < date.timestamp() - time.time() <= 30


def test_status_can_come_late_with_any_body_and_headers(client):
    """A 502 that takes its time, and a redirect."""
    client.faults.add("create", "status", status=502, body="<h1>", after_s=0.05, nth=1)
    client.faults.add("create", "status", status=307, headers={"Location": "/elsewhere"}, nth=2)
    late, redirect = client.create("x"), client.create("x")
    assert (late.status_code, late.text, late.elapsed.total_seconds() > 0.05) == (502, "<h1>", True)
    assert (redirect.status_code, redirect.headers["location"]) == (307, "/elsewhere")


def test_html_answers_a_page_with_200(client):
    """The job exists and the answer is a web page."""
    client.faults.add("create", "html")
    answer = client.create()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert client.books.charged == 5


@pytest.mark.parametrize(("commit", "charged"), [(True, 5), (False, 0)])
@pytest.mark.parametrize(
    ("kind", "error"), [("hang_up", httpx.RemoteProtocolError), ("reset", httpx.ReadError), ("hang", httpx.ReadTimeout)]
)
def test_a_lost_answer_may_have_been_charged(client, kind, error, commit, charged):
    """Closing without a byte, RST and silence: each looks the same with the job made and without."""
    path = client.upload()
    planted = client.faults.add("create", kind, commit=commit)
    if kind == "hang":
        client.api.timeout = httpx.Timeout(60, read=0.2)
    with pytest.raises(error):
        client.create(path)
    client.wait_until(lambda: planted.fired == 1 and client.books.charged >= charged)
    assert client.books.charged == charged


def test_a_hang_ends(client):
    """Silence lasts as long as it was told to, then the connection is closed."""
    client.faults.add("account", "hang", seconds=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        client.api.get("/v1/account")


def test_raw_answers_with_any_bytes(client):
    """HTTP or not, with the true answer's body, its length and its id where they are asked for."""
    head = "HTTP/1.1 203 Perhaps\r\nContent-Length: <length>\r\nX-Id: <id>\r\n\r\n"
    client.faults.add("create", "raw", answer=head + "<body>", nth=1)
    client.faults.add("create", "raw", answer="\x16\x03\x01\xff", nth=2)
    client.faults.add("create", "raw", answer="HTTP/1.1 402 No\r\nContent-Length: 0\r\n\r\n", commit=False, nth=3)
    told = client.create()
    assert (told.status_code, told.reason_phrase) == (203, "Perhaps")
    assert [told.json()["id"]] == [told.headers["x-id"]] == [each.project_id for each in client.books.creates()]
    with pytest.raises(httpx.RemoteProtocolError):
        client.create()
    assert client.create().status_code == 402
    assert len(client.books.creates()) == 2


@pytest.mark.parametrize(("then", "error"), [("close", httpx.RemoteProtocolError), ("reset", httpx.ReadError)])
def test_raw_breaks_off_where_it_is_told_to(client, then, error):
    """After so many bytes, which all arrive, the connection is closed or reset."""
    client.faults.add("account", "raw", answer="HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", then=then)
    with client.api.stream("GET", "/v1/account") as answer, pytest.raises(error):
        answer.read()
    assert answer.status_code == 200


def test_raw_hangs_after_a_part_and_comes_in_pieces(client):
    """Each piece takes its time; then there is silence until the client goes or the time is up."""
    pieces = ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "ab", "c"]
    client.faults.add("account", "raw", answer=pieces, interval_s=0.02, then="hang", seconds=0.2)
    began = time.monotonic()
    with client.api.stream("GET", "/v1/account") as answer:
        chunks, came = answer.iter_raw(), b""
        while len(came) < 3:
            came += next(chunks)
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)
    assert came == b"abc"
    assert time.monotonic() - began > 0.2


def test_raw_says_with_its_last_byte_that_it_is_over(client):
    """Nobody sends a second request into a connection whose end came together with the first answer."""
    client.faults.add("account", "raw", answer="HTTP/1.1 200 OK\r\nContent-Length: <length>\r\n\r\n<body>")
    assert [client.api.get("/v1/account").json()["tier"] for _ in range(50)] == ["creator"] * 50


def test_deaf_closes_before_it_has_read_the_request(client):
    """Nobody can say how much of it was understood; nothing was made."""
    client.faults.add("create", "deaf")
    with pytest.raises((httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError)):
        client.create("x", name="n" * 5_000_000)
    assert client.books.charged == 0


@pytest.mark.parametrize("odd", ["../../v1/a?c=d#e", "schön ☂ 1", '"', "a\nb", "x" * 1000])
def test_a_project_can_have_any_id(client, odd):
    """It is asked for by one segment of the path, and downloaded; a second one gets another id."""
    client.faults.add("create", "project_id", id=odd)
    assert client.created() == odd
    assert client.created() != odd
    path = f"/v1/image-projects/{quote(odd, safe='')}"
    project = client.api.get(path).json()
    assert project["id"] == odd
    while not project["downloads"]:
        project = client.api.get(path).json()
    assert client.storage.get(project["downloads"][0]["url"]).status_code == 200
    if "/" in odd:
        assert client.api.get(f"/v1/image-projects/{quote(odd)}").status_code == 404


def test_expired_refuses_a_signed_url_once(client):
    """A download link that has expired although the clock says otherwise; the next one works."""
    client.faults.add("download", "expired", times=1)
    project_id = client.created()
    assert [client.download(project_id).status_code for _ in range(2)] == [403, 200]


def test_truncated_breaks_off_before_the_announced_length(client):
    """Httpx notices by the Content-Length."""
    client.faults.add("download", "truncated", keep=0.5)
    with pytest.raises(httpx.RemoteProtocolError, match="expected"):
        client.download(client.created())


@pytest.mark.parametrize("length", ["actual", "chunked"])
def test_truncated_can_look_complete(client, length):
    """With another length, or none, only the content shows that half of it is missing."""
    client.faults.add("download", "truncated", length=length)
    answer = client.download(client.created())
    assert ("content-length" in answer.headers) == (length == "actual")
    with pytest.raises((OSError, SyntaxError)):
        Image.open(io.BytesIO(answer.content)).load()


def test_slow_drips_the_body(client):
    """All of it arrives, in its own time."""
    client.faults.add("download", "slow", chunk_bytes=100, interval_s=0.02)
    answer = client.download(client.created())
    Image.open(io.BytesIO(answer.content)).load()
    assert answer.elapsed.total_seconds() > 0.02 * (len(answer.content) // 100 - 1)


def test_delay_answers_late_but_acts_in_time(client):
    """A client that gives up earlier has paid."""
    path = client.upload()
    client.faults.add("create", "delay", seconds=1000)
    client.api.timeout = httpx.Timeout(60, read=0.1)
    with pytest.raises(httpx.ReadTimeout):
        client.create(path)
    client.wait_until(lambda: client.books.charged == 5)


def test_broken_json_does_not_parse(client):
    """A 200 whose body is no JSON, for a job that exists."""
    client.faults.add("create", "broken_json")
    answer = client.create()
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()
    assert client.books.charged == 5


def test_truncated_json_still_holds_the_id_or_not(client):
    """The id of the paid job can be fished out of the first answer, not out of the second."""
    client.faults.add("create", "truncated_json", nth=1)
    client.faults.add("create", "truncated_json", keep_id=False, nth=2)
    texts = [client.create().text for _ in range(2)]
    ids = [create.project_id for create in client.books.creates()]
    assert [each in text for each, text in zip(ids, texts, strict=True)] == [True, False]
    assert not texts[0].endswith("}")


def test_missing_leaves_fields_out(client):
    """A create answer without the prices, another one without the id."""
    client.faults.add("create", "missing", nth=1)
    client.faults.add("create", "missing", fields=["id"], nth=2)
    assert list(client.create().json()) == ["id"]
    assert list(client.create().json()) == ["frame_cost", "credits_charged"]


def test_replace_puts_in_unknown_values(client):
    """An unknown status, a disabled project, no downloads, each with one fault."""
    project_id = client.created()
    client.faults.add("status", "replace", nth=1)
    client.faults.add("status", "replace", fields={"enabled": False, "downloads": []}, nth=2)
    assert client.project(project_id)["status"] == "paused"
    second = client.project(project_id)
    assert (second["status"], second["enabled"], second["downloads"]) == ("complete", False, [])


def test_status_404_hides_a_project_for_a_while(client):
    """The first two look-ups miss, the third finds it."""
    project_id = client.created()
    client.faults.add("status", "status", status=404, nth="1-2")
    path = f"/v1/image-projects/{project_id}"
    assert [client.api.get(path).status_code for _ in range(3)] == [404, 404, 200]


def test_corrupt_keeps_the_length_and_spoils_the_picture(client):
    """The download is complete and cannot be decoded."""
    project_id = client.created()
    whole = client.download(project_id).content
    client.faults.add("download", "corrupt")
    spoilt = client.download(project_id).content
    assert len(spoilt) == len(whole)
    with pytest.raises((OSError, SyntaxError)):
        Image.open(io.BytesIO(spoilt)).load()


def test_resized_delivers_a_smaller_picture_or_another_shape(client):
    """Factors for width and height; with nth only the first download is wrong."""
    client.faults.add("download", "resized", nth=1)
    client.faults.add("download", "resized", width=1, height=0.5, nth=2)
    project_id = client.created()
    assert [client.result(project_id).size for _ in range(3)] == [(32, 24), (64, 24), (64, 48)]


def test_jpeg_delivers_what_is_no_png(client):
    """The link still ends in .png."""
    client.faults.add("download", "jpeg")
    assert client.result(client.created()).format == "JPEG"


def test_price_charges_something_else(client):
    """The answer says what was taken."""
    client.faults.add("create", "price", credits=8)
    assert client.create().json()["credits_charged"] == 8
    assert client.credits() == 10_000 - 8


def test_job_error_is_refunded_at_once_late_or_never(client):
    """credits_charged is rewritten when the refund is made, and the account rises with it."""
    for nth, refund_after_s in enumerate((0, 100, None), start=1):
        client.faults.add(
            "create", "job_error", code="content_policy_violation", refund_after_s=refund_after_s, nth=nth
        )
    ids = [client.created() for _ in range(3)]
    projects = [client.project(each) for each in ids]
    assert {(each["status"], each["error"]["code"]) for each in projects} == {("error", "content_policy_violation")}
    assert [each["credits_charged"] for each in projects] == [0, 5, 5]
    client.sandbox.advance(100)
    assert [client.project(each)["credits_charged"] for each in ids] == [0, 0, 5]
    assert client.credits() == client.books.balance == 10_000 - 5
    assert (client.books.charged, client.books.refunded) == (15, 10)


def test_job_canceled_ends_without_an_error_object(client):
    """Somebody stopped it in the web app."""
    client.faults.add("create", "job_canceled")
    project = client.finished(client.created())
    assert (project["status"], project["error"], project["credits_charged"]) == ("canceled", None, 0)


def test_render_time_lets_one_job_take_for_ever(client):
    """Only the job that was hit is late."""
    client.faults.add("create", "render_time", render_s=1e6, times=1)
    assert [client.project(client.created())["status"] for _ in range(2)] == ["rendering", "complete"]


def test_several_faults_hit_one_call(client):
    """Another price and a lost answer go together."""
    client.faults.add("create", "price", credits=7)
    client.faults.add("create", "hang_up")
    with pytest.raises(httpx.RemoteProtocolError):
        client.create()
    assert client.books.charged == 7


@pytest.mark.parametrize(
    ("nth", "hits"),
    [(2, [2]), ([1, 4], [1, 4]), (range(2, 4), [2, 3]), ("2-3", [2, 3]), ("4-", [4, 5]), (None, [1, 2, 3, 4, 5])],
)
def test_nth_says_which_calls_go_wrong(client, nth, hits):
    """Calls are counted from one, from the moment the fault is planted."""
    client.api.get("/v1/account")
    planted = client.faults.add("account", "status", nth=nth)
    answers = [client.api.get("/v1/account").status_code for _ in range(5)]
    assert [number for number, status in enumerate(answers, start=1) if status == 500] == hits
    assert (planted.calls, planted.fired) == (5, len(hits))


def test_times_and_clear_end_a_fault(client):
    """At most so often; and never again after clear."""
    client.faults.add("account", "status", times=2)
    assert [client.api.get("/v1/account").status_code for _ in range(3)] == [500, 500, 200]
    client.faults.add("account", "status")
    client.faults.clear()
    assert client.api.get("/v1/account").status_code == 200


def test_probability_follows_the_seed(start):
    """The same seed makes the same calls fail; about as many as asked for."""
    runs = []
    for _ in range(2):
        client = start(seed=3)
        client.faults.add("account", "status", probability=0.3)
        runs.append([client.api.get("/v1/account").status_code for _ in range(60)])
    assert runs[0] == runs[1]
    assert 8 <= runs[0].count(500) <= 30


def test_a_fault_can_be_written_on_a_command_line():
    """OPERATION:KIND:NAME=VALUE,… says the same as the call."""
    text = "create:status:status=429,retry_after=2,probability=0.1,nth=2-5"
    made = Fault.make("create", "status", status=429, retry_after=2, probability=0.1, nth="2-5")
    assert Fault.parse(text) == made
    assert Fault.parse("create:reset") == Fault.make("create", "reset")
    text = 'create:raw:answer="HTTP/1.1 200 OK\\r\\n\\r\\n{\\"id\\": 1,",nth=[1,4],then=reset'
    made = Fault.make("create", "raw", answer='HTTP/1.1 200 OK\r\n\r\n{"id": 1,', nth=[1, 4], then="reset")
    assert Fault.parse(text) == made
    assert Fault.parse('status:replace:fields={"status": "x", "name": 5},times=1').times == 1


def test_a_fault_survives_json():
    """What the control endpoint lists can be planted again, for every kind."""
    for kind, effect in KINDS.items():
        fault = Fault.make(min(effect.operations), kind, nth="3-", times=2)
        assert Fault.from_json(fault.as_json()) == fault


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("buy", "reset", {}), "no such operation"),
        (("create", "explode", {}), "no such fault"),
        (("create", "reset", {"when": 1}), "knows no when"),
        (("status", "price", {}), "cannot happen to"),
        (("create", "jpeg", {}), "cannot happen to"),
        (("create", "status", {"status": "500"}), "status must be int"),
        (("create", "status", {"status": 99}), "200 to 599"),
        (("create", "reset", {"nth": 0}), "nth must be"),
        (("create", "reset", {"nth": "x"}), "nth must be"),
        (("create", "reset", {"times": -1}), "times must be"),
        (("create", "reset", {"probability": 2}), "probability must be"),
        (("create", "hang", {"seconds": -1}), "at least 0"),
        (("download", "truncated", {"length": "long"}), "must be one of"),
        (("download", "raw", {"then": "go on"}), "must be one of"),
        (("download", "raw", {"answer": "☂"}), "each character is one byte"),
        (("download", "raw", {"answer": ["a", 5]}), "each character is one byte"),
        (("download", "raw", {"answer": 5}), "answer must be str or list"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(settings, message):
    """A rehearsal must not pass because its fault was misspelt."""
    operation, kind, parameters = settings
    with pytest.raises(ConfigError, match=message):
        Fault.make(operation, kind, **parameters)
