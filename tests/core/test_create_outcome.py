import datetime
import email.utils
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchbg.core.create_outcome import (
    Ambiguous,
    Answer,
    Created,
    Guarded,
    NotCreated,
    Refusal,
    Silence,
    classify,
    error_text,
    is_account_refusal,
    leading_members,
    retry_after_s,
    whole_number,
)
from batchbg.core.price import UNTOLD, Price

NOW = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC)
GOOD = b'{"id":"abc","frame_cost":5,"credits_charged":5}'


def answer(status: int, body: bytes | str = b"", headers: dict[str, str] | None = None, **more: Any) -> Answer:
    return Answer(status, headers or {}, body.encode() if isinstance(body, str) else body, **more)


def verdict(status: int, body: bytes | str = b"", headers: dict[str, str] | None = None, **more: Any):
    return classify(answer(status, body, headers, **more), NOW)


def http_date(seconds: float) -> str:
    return email.utils.format_datetime(NOW + datetime.timedelta(seconds=seconds), usegmt=True)


# What the wire gave


@pytest.mark.parametrize(
    "reason",
    [
        "ConnectError: [Errno 111] Connection refused",
        "ConnectError: [Errno -2] Name or service not known",
        "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED]",
        "ConnectTimeout",
        "PoolTimeout",
    ],
)
def test_what_never_left_made_nothing(reason):
    """Connection refused, DNS, TLS and pool failures: the same create may be sent again."""
    assert classify(Silence(sent=False, reason=reason), NOW) == NotCreated(Refusal.UNREACHABLE, reason)


@pytest.mark.parametrize("reason", ["WriteError", "WriteTimeout", "ReadTimeout", "ReadError: reset", "TimeoutError"])
def test_what_left_without_an_answer_is_ambiguous(reason):
    """Write errors, timeouts and resets: it may have been charged, and the reason is kept."""
    found = classify(Silence(sent=True, reason=reason), NOW)
    assert isinstance(found, Ambiguous)
    assert reason in found.reason


# Statuses

REFUSED = {
    400: Refusal.REQUEST,
    401: Refusal.ACCOUNT,
    402: Refusal.ACCOUNT,
    403: Refusal.ACCOUNT,
    404: Refusal.REQUEST,
    405: Refusal.REQUEST,
    413: Refusal.REQUEST,
    415: Refusal.REQUEST,
    422: Refusal.REQUEST,
    429: Refusal.BUSY,
}


@pytest.mark.parametrize(("status", "refusal"), REFUSED.items())
@pytest.mark.parametrize("body", [b"", b'{"code":"c","message":"m"}', b"<html>", b'{"message":"cut of'])
def test_the_contracts_refusals_are_certain(status, refusal, body):
    """Ten statuses made nothing for certain, whatever their body looks like."""
    found = verdict(status, body)
    assert isinstance(found, NotCreated)
    assert (found.refusal, found.status) == (refusal, status)


@pytest.mark.parametrize("body", [b"", b'{"message":"no id here"}', b"<html></html>"])
def test_every_other_status_without_an_id_is_ambiguous(body):
    """2xx and 3xx, 408, 409 and every other 4xx, 500, 503, 504: nobody can tell."""
    for status in range(200, 600):
        if status not in REFUSED and status != 502:
            assert isinstance(verdict(status, body), Ambiguous), status


@pytest.mark.parametrize("status", [200, 201, 202, 299, 301, 302, 307, 408, 409, 500, 502, 503, 504])
def test_a_readable_id_counts_whatever_the_status(status):
    """The id was told: it must not be lost because the status is odd."""
    assert verdict(status, GOOD, waited_s=0.1) == Created("abc", Price(5))


def test_a_redirect_is_never_followed_and_ambiguous():
    """Who answers 307 may have taken the order all the same."""
    assert isinstance(verdict(307, b"", {"location": "https://elsewhere.example/"}), Ambiguous)


@pytest.mark.parametrize(("waited_s", "quick"), [(0.0, True), (4.99, True), (5.0, True), (5.01, False), (60, False)])
def test_only_a_quick_502_may_have_made_nothing(waited_s, quick):
    """Headers within 5 s of the request's last byte: the balance decides, after 30 s; later ones are ambiguous."""
    found = verdict(502, "<h1>Bad gateway</h1>", waited_s=waited_s)
    assert found == Guarded("502 from a gateway", 30.0) if quick else isinstance(found, Ambiguous)


def test_a_quick_502_waits_longer_where_it_is_asked_to():
    """30 s is the least; a longer Retry-After wins, a shorter one does not."""
    longer, shorter = verdict(502, headers={"retry-after": "90"}), verdict(502, headers={"retry-after": "1"})
    assert isinstance(longer, Guarded)
    assert isinstance(shorter, Guarded)
    assert (longer.pause_s, shorter.pause_s) == (90.0, 30.0)


def test_a_quick_502_whose_body_broke_off_is_ambiguous():
    """The part that did not arrive may have held the id."""
    assert isinstance(verdict(502, b"<h1>", waited_s=0.1, broken="ReadError"), Ambiguous)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        (http_date(20), 20.0),
        (http_date(-20), 0.0),
        (http_date(1e6), 3600.0),
        ("Fri, 20 Nov 2026 12:00:10 -0000", 10.0),
        ("Fri, 20 Nov 2026 13:00:10 +0100", 10.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", None),
    ],
)
def test_429_carries_its_retry_after(value, seconds):
    """Seconds or an HTTP date; none, nonsense and the past are understood as far as they go."""
    found = verdict(429, b"", {} if value is None else {"retry-after": value})
    assert found == NotCreated(Refusal.BUSY, "429", 429, seconds)


@pytest.mark.parametrize(("dated", "seconds"), [(30, 20.0), (60, 0.0), (-3570, 3600.0)])
def test_a_date_to_come_back_at_is_held_against_the_answers_own(dated, seconds):
    """The server's clock wrote both; this machine's may be an hour off."""
    assert retry_after_s({"retry-after": http_date(50), "date": http_date(dated)}, NOW) == seconds


@given(st.one_of(st.text(max_size=60), st.dates().map(lambda day: f"Fri, {day:%d %b %Y} 10:00:00 +2359")))
@example("Fri, 31 Dec 99999999999 23:59:59 GMT")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
def test_no_retry_after_is_too_odd(value):
    """A header can hold anything; the wait is none or a time of at most an hour."""
    seconds = retry_after_s({"retry-after": value}, NOW)
    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ('{"code":"insufficient_credits","message":"m"}', Refusal.ACCOUNT),
        ('{"message":"m","code":"insufficient_credits"', Refusal.ACCOUNT),
        ('{"code":"unprocessable_entity"}', Refusal.REQUEST),
        ('{"message":"insufficient_credits"}', Refusal.REQUEST),
        ("", Refusal.REQUEST),
    ],
)
def test_422_insufficient_credits_is_a_402(body, refusal):
    """Before March 2026 the service said 422 where it now says 402."""
    found = verdict(422, body)
    assert isinstance(found, NotCreated)
    assert found.refusal is refusal


def test_account_refusals_are_told_by_status_and_code():
    """The same rule serves the requests that cost nothing."""
    assert [status for status in range(400, 500) if is_account_refusal(status, "")] == [401, 402, 403]
    assert not is_account_refusal(400, "insufficient_credits")


def test_a_refusal_tells_code_and_message_on_one_line():
    """Messages end up in tables and logs."""
    found = verdict(400, '{"code":"invalid_request","message":"first\\n  second"}')
    assert isinstance(found, NotCreated)
    assert found.reason == "400 invalid_request first second"


def test_an_error_text_is_bounded():
    """A server's page must not become our message."""
    code, message = error_text(json.dumps({"code": "c" * 999, "message": "m" * 9999}).encode())
    assert (len(code), len(message)) == (80, 300)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"code":5,"message":[]}', b"\xff\xfe"])
def test_an_error_body_may_be_anything(body):
    """No code and no message is no trouble."""
    assert error_text(body) == ("", "")


# Bodies


@pytest.mark.parametrize(
    ("body", "project_id", "price"),
    [
        (GOOD, "abc", 5),
        (b'{"id":"abc"}', "abc", None),
        (b'{"id":"abc","credits_charged":5}', "abc", 5),
        (b'{"id":"abc","frame_cost":5}', "abc", None),
        (b'{"id":"abc","credits_charged":"5"}', "abc", 5),
        (b'{"id":"abc","credits_charged":5.0}', "abc", 5),
        (b'{"id":"abc","credits_charged":0}', "abc", 0),
        (b'{"id":"abc","credits_charged":-5}', "abc", Price(None, "-5")),
        (b'{"id":"abc","credits_charged":null}', "abc", None),
        (b'{"id":"abc","credits_charged":true}', "abc", Price(None, "True")),
        (b'{"id":"abc","credits_charged":"five"}', "abc", Price(None, "'five'")),
        (b'{"id":"abc","credits_charged":5.5}', "abc", Price(6, "5.5")),
        (b'{"id":"abc","credits_charged":1e400}', "abc", Price(None, "inf")),
        (b'{"id":"abc","credits_charged":NaN}', "abc", Price(None, "nan")),
        (b'{"id":12345}', "12345", None),
        (b'  {"credits_charged":5,\n "id" : "abc" }\n', "abc", 5),
        (b"\xef\xbb\xbf" + GOOD, "abc", 5),
        ('{"id":"ab/c d?é","credits_charged":5}'.encode(), "ab/c d?é", 5),
        (b'{"id":"a\\u0062\\"c"}', 'ab"c', None),
        (b'{"id":"abc","x":{"id":"other"}}', "abc", None),
        (b'{"x":[{"id":"other"}],"id":"abc"}', "abc", None),
    ],
)
def test_a_readable_id_is_created(body, project_id, price):
    """Deprecated and missing fields, odd prices, a byte order mark: none of them costs the id."""
    assert verdict(200, body) == Created(project_id, price if isinstance(price, Price) else Price(price))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'["id","abc"]',
        b'"id"',
        b'{"id":""}',
        b'{"id":"  "}',
        b'{"id":null}',
        b'{"id":true}',
        b'{"id":{"id":"abc"}}',
        b'{"id":["abc"]}',
        b'{"ID":"abc"}',
        b'{"project":{"id":"abc"}}',
        b'{"credits_charged":5}',
        b'{"message":"the \\"id\\": \\"abc\\" is here"}',
        b'<html><script>{"id":"abc"}</script></html>',
        b'{"id":"' + b"a" * 5000 + b'"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id":' + b"9" * 5000 + b"}",
    ],
)
def test_200_without_a_readable_id_is_ambiguous(body):
    """HTML, other JSON, an id of an odd type, garbage however deep."""
    assert isinstance(verdict(200, body), Ambiguous)


@pytest.mark.parametrize(
    ("body", "project_id"),
    [
        (b'{"id":"abc"', "abc"),
        (b'{"id":"abc",', "abc"),
        (b'{"id":"abc","credits_ch', "abc"),
        (b'{"id":"abc","credits_charged":', "abc"),
        (b'{"credits_charged":5,"id":"abc"', "abc"),
        (b'{"name":undefined,"id":"abc","x":1}', "abc"),
        (b'{"id":"abc","name":"\xff\xfe', "abc"),
        (b'{"x":{"id":"other"},"id":"abc"', "abc"),
        (b'{"x":{"id":"other"},"y":nonsense,"id":"abc"', "abc"),
    ],
)
def test_a_spoilt_body_that_still_holds_the_id_is_created(body, project_id):
    """Cut off or spoilt after the id, or before it: the id was told."""
    found = verdict(200, body, broken="RemoteProtocolError")
    assert isinstance(found, Created)
    assert found.project_id == project_id


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"ab',
        b'{"id":"ab\\',
        b'{"id":"ab\\"',
        b'{"id":',
        b'{"id',
        b'{"id":12',
        b"{'id': undefined,",
        b'{"x":{"id":"other"},"id":"ab',
        b'{"x":{"id":"other"}',
        b'{"x":{"id":"other"',
        b'{"x":[{"id":"other"},{"i',
    ],
)
def test_an_id_that_is_cut_is_no_id(body):
    """Half an id, or the id of something else inside the answer, would be looked for in vain: nobody can tell."""
    assert isinstance(verdict(200, body, broken="RemoteProtocolError"), Ambiguous)


@pytest.mark.parametrize("body", [b'{"id":"\\ud800"}', b'{"id":"a\\udfff","credits_charged":5}'])
def test_an_id_that_no_ledger_can_keep_is_none(body):
    """Half a surrogate pair is no character: it can neither be stored nor asked for."""
    assert isinstance(verdict(200, body), Ambiguous)


def test_half_a_number_is_not_taken_for_the_whole():
    """Where the cut goes through 50, the answer does not say 5."""
    assert verdict(200, b'{"id":"abc","credits_charged":5') == Created("abc", UNTOLD)
    assert leading_members(b'{"a":1,"b":23') == {"a": 1}


@given(
    st.sampled_from([200, 201, 302, 400, 402, 422, 429, 500, 502, 504]),
    st.one_of(st.binary(max_size=200), st.text('{}[]":,\\id0 eE.-nulltrue\n\ufeff', max_size=60).map(str.encode)),
    st.floats(0, 100),
    st.sampled_from(["", "ReadError"]),
)
@example(200, b'{"' * 50_000, 0.0, "")
@example(200, b'{"id":"\\', 0.0, "")
@example(200, b"\xff\xfe{\x00", 0.0, "")
def test_classify_never_raises(status, body, waited_s, broken):
    """Whatever bytes come: an exception here would be a create of which nothing is recorded."""
    assert isinstance(
        verdict(status, body, waited_s=waited_s, broken=broken), Created | NotCreated | Guarded | Ambiguous
    )


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "a", "name"]), inner, max_size=3)
    ),
    max_leaves=5,
)
_ids = st.text('abcXYZ019-_é"\\/ {}:,', min_size=1, max_size=12).filter(str.strip)


@given(
    st.dictionaries(st.sampled_from(["name", "assets", "x"]), _values, max_size=2),
    _ids,
    st.dictionaries(st.sampled_from(["frame_cost", "credits_charged", "downloads", "y"]), _values, max_size=3),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.data(),
)
def test_an_answer_cut_anywhere_gives_the_right_id_or_none(before, project_id, after, ascii_only, indent, data):
    """From the id's closing quote on the id is found; before it none is, and never a wrong one."""
    whole = json.dumps(before | {"id": project_id} | after, ensure_ascii=ascii_only, indent=indent).encode()
    up_to_id = json.dumps(before | {"id": project_id}, ensure_ascii=ascii_only, indent=indent).encode()
    told_from = len(up_to_id.rstrip(b"}\n "))
    cut = data.draw(st.integers(0, len(whole)))
    found = verdict(200, whole[:cut], broken="ReadError")
    if cut >= told_from:
        assert isinstance(found, Created)
        assert found.project_id == project_id
    else:
        assert isinstance(found, Ambiguous)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.0, 5),
        ("5", 5),
        (0, 0),
        ("007", 7),
        (10**9, None),
        ("1e3", None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_whole_numbers_come_in_several_spellings(value, number):
    """5, 5.0 and "5" are five; anything else is not known."""
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("spoilt", "members"),
    [
        ('"' + '\\"' * 200_000 + "\\", {}),
        ('{"id":' * 60_000, {}),
        ('{"a":"' + "\\" * 200_001, {}),
        ("[" * 200_000, {}),
        ('{"id"' + " " * 200_000, {}),
        ("{" + '"id" ' * 60_000, {}),
        ('{"id":"' + '\\"' * 200_000 + "\\", {}),
        ("{" + '"a":1,' * 40_000 + '"b":tru', {"a": 1}),
    ],
    ids=range(8),
)
def test_a_spoilt_body_is_read_in_one_pass(spoilt, members):
    """Much that is read again for every quote in them would take hours, and hold up every other create."""
    assert leading_members(spoilt.encode()) == members
