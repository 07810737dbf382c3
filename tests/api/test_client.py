import asyncio
import contextlib
import io
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from batchbg.api import connection, storage
from batchbg.api.client import MagicHour
from batchbg.api.quiet import silence_libraries
from batchbg.api.storage import chunks_of
from batchbg.api.wire import Project, ProjectStatus, UploadTarget
from batchbg.core.create_outcome import Ambiguous, Created, Guarded, NotCreated, Outcome, Refusal
from batchbg.core.price import Price
from batchbg.errors import AccountRefused, AccountUnreadable, ApiError, ApiUnreachable, DiskError, RequestRefused
from tests.api.support import KEY


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return buffer.getvalue()


async def upload(api: MagicHour, content: bytes | None = None) -> str:
    data = picture() if content is None else content
    (target,) = await api.upload_targets(["png"])
    await api.storage.put(target, chunks_of(data), len(data))
    return target.file_path


async def create(api: MagicHour, name: str = "batchbg job-1") -> Outcome:
    return await api.create(name, await upload(api), None)


async def finished(api: MagicHour, project_id: str) -> Project:
    async with asyncio.timeout(100):
        while (found := await api.project(project_id)).status is ProjectStatus.WAITING:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found


# The whole way


async def test_a_photo_goes_up_and_its_result_comes_down(api, sandbox, tmp_path):
    """Upload, create, ask, download; the name is kept, and the key never reaches storage."""
    outcome = await create(api, "batchbg abc-1")
    assert isinstance(outcome, Created)
    assert outcome.price.credits == 5
    project = await finished(api, outcome.project_id)
    assert (project.status, project.name, project.price.credits) == (ProjectStatus.COMPLETE, "batchbg abc-1", 5)
    await api.storage.download(project.downloads[0], tmp_path / "part")
    with Image.open(tmp_path / "part") as result:
        assert result.size == (64, 48)
    assert [one.name for one in sandbox.books.creates()] == ["batchbg abc-1"]
    assert sandbox.books.keys_at_storage == 0


async def test_a_background_goes_along(api, sandbox):
    """As a second asset of the same create."""
    photo, background = await upload(api), await upload(api, picture() + b"\0")
    outcome = await api.create("n", photo, background)
    assert isinstance(outcome, Created)
    (made,) = sandbox.books.creates()
    assert made.background_sha256 not in (None, made.image_sha256)


async def test_uploads_carry_their_length(listening, connect):
    """Storage refuses a body without it, and the sandbox does; large ones go in pieces."""
    api = connect(listening.url)
    data = picture() + b"\0" * 1_000_000
    (target,) = await api.upload_targets(["png"])
    await api.storage.put(target, chunks_of(data), len(data))
    (sent,) = listening.transfers
    assert sent.request_headers["content-length"] == str(len(data))
    assert "transfer-encoding" not in sent.request_headers
    assert "authorization" not in sent.request_headers
    assert sent.request_body == data


async def test_a_file_that_turns_out_shorter_is_no_upload(api):
    """It shrank while it was sent: it did not arrive, and may be tried again."""
    (target,) = await api.upload_targets(["png"])
    with pytest.raises(ApiUnreachable, match="upload to"):
        await api.storage.put(target, chunks_of(b"12345"), 6)


async def test_the_account_is_read_and_its_absence_is_no_trouble(api, sandbox):
    """Older descriptions of the API lack the operation."""
    found = await api.account()
    assert found is not None
    assert (found.id, found.credits) == (sandbox.account_id, 10_000)
    for status in (404, 405, 402):
        sandbox.faults.clear()
        sandbox.faults.add("account", "status", status=status)
        assert await api.account() is None


async def test_a_key_that_may_not_ask_for_the_account_is_told_from_a_service_without_one(api, sandbox):
    """A floor under the balance could not be held; a create may be allowed all the same."""
    sandbox.faults.add("account", "status", status=403)
    with pytest.raises(AccountUnreadable):
        await api.account()


async def test_a_rejected_key_is_said(sandbox, connect):
    """By the account endpoint and by a create."""
    wrong = connect(sandbox.url, "wrong-key-987")
    with pytest.raises(AccountRefused) as caught:
        await wrong.account()
    assert caught.value.status == 401
    outcome = await wrong.create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert outcome.refusal is Refusal.ACCOUNT


# What becomes of a create

LOST = [
    ("hang_up", {}),
    ("reset", {}),
    ("hang", {}),
    ("html", {}),
    ("broken_json", {}),
    ("truncated_json", {"keep_id": False}),
    ("missing", {"fields": ["id"]}),
    ("truncated", {"keep": 0.0}),
    ("truncated", {"keep": 0.1}),
    ("truncated", {"keep": 0.1, "length": "actual"}),
    ("truncated", {"keep": 0.1, "length": "chunked"}),
    ("status", {"status": 500, "commit": True}),
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("status", {"status": 504}),
    ("status", {"status": 408}),
    ("status", {"status": 409}),
    ("status", {"status": 204, "commit": True}),
    ("status", {"status": 301, "headers": {"Location": "/v1/elsewhere"}}),
    ("status", {"status": 307, "headers": {"Location": "/v1/elsewhere"}}),
    ("status", {"status": 502, "after_s": 0.2}),
]
"""Faults after which nobody can tell; the last with the limit for a quick 502 brought down."""


@pytest.mark.parametrize(("kind", "details"), LOST)
async def test_a_create_whose_answer_is_lost_is_ambiguous(sandbox, monkeypatch, kind, details, connect):
    """Over a real socket; and it was sent once, whatever happened."""
    monkeypatch.setattr("batchbg.core.create_outcome.BAD_GATEWAY_QUICK_S", 0.1)
    if kind == "hang":
        monkeypatch.setattr(connection, "SILENT_S", 1.0)
    api = connect(sandbox.url)
    sandbox.faults.add("create", kind, **details)
    outcome = await create(api)
    assert isinstance(outcome, Ambiguous)
    assert outcome.reason
    async with asyncio.timeout(100):
        while not sandbox.books.requests("create"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert sandbox.books.requests("create") == 1


TOLD = [
    ("truncated_json", {"keep_id": True}),
    ("missing", {}),
    ("missing", {"fields": ["credits_charged"]}),
    ("truncated", {"keep": 0.9}),
    ("truncated", {"keep": 0.9, "length": "actual"}),
    ("slow", {"chunk_bytes": 10, "interval_s": 0.01}),
    ("replace", {"fields": {"credits_charged": "5", "frame_cost": None}}),
    ("price", {"credits": 7}),
    ("delay", {"seconds": 0.05}),
]


@pytest.mark.parametrize(("kind", "details"), TOLD)
async def test_an_id_that_was_told_is_never_lost(api, sandbox, kind, details):
    """Cut off, late, dripping, without its prices: the id is there."""
    path = await upload(api)
    sandbox.faults.add("create", kind, **details)
    outcome = await api.create("n", path, None)
    assert isinstance(outcome, Created)
    (made,) = sandbox.books.creates()
    assert outcome.project_id == made.project_id
    assert outcome.price.credits in (None, made.credits)


@pytest.mark.parametrize(
    ("details", "refusal", "wait_s"),
    [
        ({"status": 400}, Refusal.REQUEST, None),
        ({"status": 401}, Refusal.ACCOUNT, None),
        ({"status": 402}, Refusal.ACCOUNT, None),
        ({"status": 403}, Refusal.ACCOUNT, None),
        ({"status": 404}, Refusal.REQUEST, None),
        ({"status": 405}, Refusal.REQUEST, None),
        ({"status": 413}, Refusal.REQUEST, None),
        ({"status": 415}, Refusal.REQUEST, None),
        ({"status": 422}, Refusal.REQUEST, None),
        ({"status": 422, "code": "insufficient_credits"}, Refusal.ACCOUNT, None),
        ({"status": 429}, Refusal.BUSY, None),
        ({"status": 429, "retry_after": 7}, Refusal.BUSY, 7.0),
        ({"status": 429, "retry_after": 40, "retry_after_date": True}, Refusal.BUSY, 40.0),
    ],
)
async def test_a_refusal_is_certain(api, sandbox, details, refusal, wait_s):
    """The contract's list, over a real socket; nothing is charged."""
    path = await upload(api)
    sandbox.faults.add("create", "status", **details)
    outcome = await api.create("n", path, None)
    assert isinstance(outcome, NotCreated)
    assert (outcome.refusal, outcome.status) == (refusal, details["status"])
    slack_s = 20 if "retry_after_date" in details else 0  # a date is nearer by the time it is read
    assert outcome.retry_after_s == (pytest.approx(wait_s, abs=slack_s) if wait_s else None)
    assert sandbox.books.charged == 0


@pytest.mark.parametrize("body", ["", "<h1>Bad gateway</h1>"])
async def test_a_quick_502_is_left_to_the_balance(api, sandbox, body):
    """Whether it made something, its answer does not tell."""
    sandbox.faults.add("create", "status", status=502, body=body)
    assert await api.create("n", "path", None) == Guarded("502 from a gateway", 30.0)


async def test_a_502_that_carries_an_id_is_created(api, sandbox):
    """The gateway passed on what the service said."""
    sandbox.faults.add("create", "status", status=502, body='{"id":"told","credits_charged":5}')
    assert await api.create("n", "path", None) == Created("told", Price(5))


async def test_a_redirect_takes_the_key_nowhere(api, sandbox, listening):
    """It is not followed: neither order nor key goes to another host."""
    elsewhere = {"Location": f"{listening.url}/v1/account"}
    sandbox.faults.add("create", "status", status=307, headers=elsewhere)
    sandbox.faults.add("status", "status", status=302, headers=elsewhere)
    assert isinstance(await api.create("n", "path", None), Ambiguous)
    with pytest.raises(ApiError):
        await api.project("x")
    assert listening.heard == listening.transfers == []


async def test_a_429_holds_everything_back(api, sandbox):
    """One shared pause, as long as the server asks for."""
    sandbox.faults.add("create", "status", status=429, retry_after=20)
    await api.create("n", "path", None)
    assert 10 < api._connection._limiter.paused_s <= 20.5


# What never left


async def test_a_refused_connection_made_nothing(connect):
    """Nobody listens: the create may be sent again."""
    with socket.socket() as bound:  # so that nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        outcome = await connect(f"http://127.0.0.1:{bound.getsockname()[1]}").create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert outcome.refusal is Refusal.UNREACHABLE


async def test_a_name_that_cannot_be_found_made_nothing(connect):
    """No label may be longer than 63 characters: refused before any server is asked."""
    outcome = await connect(f"https://{'a' * 64}.invalid").create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert outcome.refusal is Refusal.UNREACHABLE


async def test_tls_with_a_server_that_speaks_none_made_nothing(sandbox, connect):
    """The handshake fails before the request."""
    outcome = await connect(sandbox.url.replace("http://", "https://")).create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert outcome.refusal is Refusal.UNREACHABLE
    assert sandbox.books.charged == 0


async def test_no_free_connection_made_nothing(sandbox, connect, monkeypatch):
    """Every connection of the pool is busy: the request never left."""
    path = await upload(connect(sandbox.url))
    monkeypatch.setattr(connection, "TIMEOUT", httpx.Timeout(60, read=None, write=None, pool=0.2))
    api = connect(sandbox.url)
    sandbox.faults.add("create", "delay", seconds=0.6)
    outcomes = await asyncio.gather(*(api.create(f"{number}", path, None) for number in range(12)))
    assert {type(outcome) for outcome in outcomes} == {Created, NotCreated}
    assert len(sandbox.books.creates()) == sum(isinstance(outcome, Created) for outcome in outcomes)


async def test_a_server_that_hangs_up_in_the_middle_of_the_request_is_ambiguous(api, sandbox):
    """Some of it left; who knows how much was understood."""
    sandbox.faults.add("create", "deaf")
    assert isinstance(await api.create("n" * 200_000, "path", None), Ambiguous)


@pytest.mark.slow
async def test_a_body_that_drips_for_ever_ends_at_the_deadline(api, sandbox, monkeypatch):
    """Each byte comes in time, the whole does not; an id that has come by then counts."""
    path = await upload(api)
    monkeypatch.setattr(connection, "DEADLINE_S", 1.5)
    head = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    drips = [" "] * 5000
    sandbox.faults.add("create", "raw", answer=[head, *drips], interval_s=0.1, nth=1)
    sandbox.faults.add("create", "raw", answer=[head + '{"id":"<id>",', *drips], interval_s=0.1, nth=2)
    outcomes = await asyncio.gather(*(api.create(name, path, None) for name in "ab"))
    assert {type(outcome) for outcome in outcomes} == {Ambiguous, Created}
    (found,) = [outcome.project_id for outcome in outcomes if isinstance(outcome, Created)]
    assert found in {made.project_id for made in sandbox.books.creates()}


async def test_an_endless_answer_is_cut(api, sandbox, monkeypatch):
    """It must not fill the memory."""
    monkeypatch.setattr("batchbg.api.exchange.MAX_ANSWER_BYTES", 10_000)
    sandbox.faults.add("create", "status", status=200, body="[" * 1_000_000)
    assert isinstance(await api.create("n", "path", None), Ambiguous)


# Requests that cost nothing


@pytest.mark.parametrize(
    ("operation", "kind", "details", "error"),
    [
        ("status", "status", {"status": 500}, ApiUnreachable),
        ("status", "status", {"status": 429, "retry_after": 1}, ApiUnreachable),
        ("status", "status", {"status": 404}, RequestRefused),
        ("status", "status", {"status": 402}, AccountRefused),
        ("status", "status", {"status": 301, "headers": {"Location": "/"}}, ApiUnreachable),
        ("status", "html", {}, ApiUnreachable),
        ("status", "broken_json", {}, ApiUnreachable),
        ("status", "truncated", {"keep": 0.5}, ApiUnreachable),
        ("status", "missing", {"fields": ["status"]}, ApiUnreachable),
        ("status", "hang_up", {}, ApiUnreachable),
        ("status", "reset", {}, ApiUnreachable),
        ("upload_urls", "status", {"status": 422}, RequestRefused),
        ("upload_urls", "status", {"status": 401}, AccountRefused),
        ("upload_urls", "missing", {"fields": ["items"]}, ApiUnreachable),
        ("upload_urls", "reset", {}, ApiUnreachable),
        ("account", "html", {}, ApiUnreachable),
        ("account", "status", {"status": 401}, AccountRefused),
        ("delete", "status", {"status": 400}, RequestRefused),
        ("delete", "status", {"status": 403}, AccountRefused),
        ("delete", "status", {"status": 503}, ApiUnreachable),
        ("delete", "status", {"status": 404, "body": "<h1>no such application</h1>"}, RequestRefused),
        ("delete", "html", {}, ApiUnreachable),
        ("delete", "hang_up", {}, ApiUnreachable),
    ],
)
async def test_an_answer_that_is_no_answer_says_what_may_be_done(api, sandbox, operation, kind, details, error):
    """Again later, never, or nothing more with this account."""
    outcome = await create(api)
    assert isinstance(outcome, Created)
    sandbox.faults.add(operation, kind, **details)
    ask = {
        "status": lambda: api.project(outcome.project_id),
        "upload_urls": lambda: api.upload_targets(["png"]),
        "account": api.account,
        "delete": lambda: api.delete(outcome.project_id),
    }[operation]
    with pytest.raises(error) as caught:
        await ask()
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("project_id", ["../account", "a/b", "a?b=c", "ä#", "%2e%2e", ".."])
async def test_an_odd_project_id_asks_for_no_other_path(listening, connect, project_id):
    """It came from a server, or from a person's keyboard."""
    api = connect(listening.url)
    for ask in (api.project(project_id), api.delete(project_id)):
        with contextlib.suppress(ApiError):
            await ask
    for asked in listening.heard:
        assert asked.path.startswith("/v1/image-projects/")
        assert asked.path.count("/") == 3
        assert asked.path.removeprefix("/v1/image-projects/") not in ("", ".", "..")
        assert not asked.query


async def test_what_is_deleted_cannot_be_had_again_and_may_be_deleted_twice(api, sandbox, tmp_path):
    """The second answer is that of a try whose first answer was lost."""
    outcome = await create(api)
    assert isinstance(outcome, Created)
    project = await finished(api, outcome.project_id)
    await api.delete(outcome.project_id)
    with pytest.raises(RequestRefused):
        await api.storage.download(project.downloads[0], tmp_path / "part")
    assert not (await api.project(outcome.project_id)).enabled
    sandbox.configure(after_delete="not_found")
    await api.delete(outcome.project_id)
    with pytest.raises(RequestRefused):
        await api.project(outcome.project_id)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_project_that_the_service_does_not_know_counts_as_deleted(api, sandbox, status):
    sandbox.faults.add("delete", "status", status=status, commit=False)
    await api.delete("unknown")


# Storage


async def completed(api: MagicHour) -> str:
    outcome = await create(api)
    assert isinstance(outcome, Created)
    url: str = (await finished(api, outcome.project_id)).downloads[0]
    return url


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("expired", {}, RequestRefused),
        ("status", {"status": 404}, RequestRefused),
        ("status", {"status": 500}, ApiUnreachable),
        ("status", {"status": 429, "retry_after": 3}, ApiUnreachable),
        ("truncated", {"keep": 0.5}, ApiUnreachable),
        ("hang_up", {}, ApiUnreachable),
        ("reset", {}, ApiUnreachable),
    ],
)
async def test_a_download_that_is_not_whole_is_said(api, sandbox, tmp_path, kind, details, error):
    """Neither address nor signature stand in the message."""
    url = await completed(api)
    sandbox.faults.add("download", kind, **details)
    with pytest.raises(error) as caught:
        await api.storage.download(url, tmp_path / "part")
    assert "?" not in str(caught.value)
    assert url.partition("?")[2] not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("expired", {}, RequestRefused),
        ("status", {"status": 503}, ApiUnreachable),
        ("hang_up", {"commit": False}, ApiUnreachable),
        ("reset", {}, ApiUnreachable),
    ],
)
async def test_an_upload_that_did_not_arrive_is_said(api, sandbox, kind, details, error):
    """A new address after a refusal, the same again after trouble."""
    (target,) = await api.upload_targets(["png"])
    sandbox.faults.add("upload", kind, **details)
    with pytest.raises(error) as caught:
        await api.storage.put(target, chunks_of(picture()), len(picture()))
    assert "?" not in str(caught.value)


async def test_downloads_follow_redirects_without_the_key(api, sandbox, tmp_path):
    """Storage may send on; five times, not for ever."""
    url = await completed(api)
    sandbox.faults.add("download", "status", status=302, headers={"Location": url}, times=1)
    await api.storage.download(url, tmp_path / "part")
    assert (tmp_path / "part").stat().st_size > 0
    sandbox.faults.clear()
    sandbox.faults.add("download", "status", status=302, headers={"Location": url})
    with pytest.raises(ApiUnreachable, match="redirected too often"):
        await api.storage.download(url, tmp_path / "part")
    assert sandbox.books.keys_at_storage == 0


ODD_ADDRESSES = [
    "http://storage.example/x?sig=secret",
    "ftp://127.0.0.1/x?sig=secret",
    "/x?sig=secret",
    "https:///x?sig=secret",
    "http://[::1/x?sig=secret",
    "http://127.0.0.1:99999/x?sig=secret",
    "http://127.0.0.1:1/\x01?sig=secret",
    "http://127.0.0.1:1/" + "a" * 70_000 + "?sig=secret",
    "http://127.0.0.1:1/\ud800?sig=secret",
    "not an address",
]


@pytest.mark.parametrize("address", ODD_ADDRESSES, ids=range(len(ODD_ADDRESSES)))
async def test_an_odd_address_is_trouble_with_this_photo_not_a_crash(api, tmp_path, address):
    """Servers give addresses; plain http to others is refused, and no signature is repeated."""
    with pytest.raises(ApiError) as caught:
        await api.storage.download(address, tmp_path / "part")
    assert "secret" not in str(caught.value)
    with pytest.raises(ApiError) as caught:
        await api.storage.put(UploadTarget(address, "p"), chunks_of(b"x"), 1)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://[::1/x", "http://storage.example/x", "//[", "\x01", ""])
async def test_an_odd_redirect_is_trouble_with_this_photo_not_a_crash(api, sandbox, tmp_path, address):
    """The same for where storage sends on to."""
    url = await completed(api)
    answer = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {address}\r\n\r\n"
    sandbox.faults.add("download", "raw", answer=answer)
    with pytest.raises(ApiError):
        await api.storage.download(url, tmp_path / "part")


async def test_a_full_disk_during_a_download_is_the_disk_s_fault(api, tmp_path, monkeypatch):
    """Exit code 5; the paid result can still be downloaded."""
    url = await completed(api)

    def refuse(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DiskError, match="No space left"):
        await api.storage.download(url, tmp_path / "part")


async def test_a_result_without_end_is_cut(api, tmp_path, monkeypatch):
    """Longer than any picture."""
    monkeypatch.setattr(storage, "MAX_RESULT_BYTES", 10)
    with pytest.raises(ApiUnreachable, match="longer than any picture"):
        await api.storage.download(await completed(api), tmp_path / "part")


# The key and signed addresses


async def test_no_message_repeats_the_key(connect, sandbox):
    """Whatever a server puts into its answers."""
    api = connect(sandbox.url)
    for status in (400, 402, 404, 422, 500):
        sandbox.faults.clear()
        for operation in ("create", "status", "upload_urls"):
            sandbox.faults.add(operation, "status", status=status, code=KEY, message=f"the key {KEY} is bad")
        outcome = await api.create("n", "path", None)
        assert isinstance(outcome, Ambiguous if status == 500 else NotCreated)
        assert KEY not in outcome.reason
        for ask in (api.project("x"), api.upload_targets(["png"])):
            with pytest.raises(ApiError) as caught:
                await ask
            assert KEY not in str(caught.value)


async def test_nothing_secret_is_logged(api, sandbox, tmp_path, caplog):
    """At the loudest level: neither the key nor a signature."""
    caplog.set_level(logging.DEBUG)
    silence_libraries()
    sandbox.faults.add("download", "reset", nth=1)
    url = await completed(api)
    with contextlib.suppress(ApiError):
        await api.storage.download(url, tmp_path / "part")
    await api.storage.download(url, tmp_path / "part")
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))
    assert KEY not in ours
    assert "signature=" not in ours


async def test_many_at_once_are_all_answered(start, connect):
    """More than there are connections: they wait, and none is lost."""
    sandbox = start()
    api = connect(sandbox.url)
    path = await upload(api)
    outcomes = await asyncio.gather(*(api.create(f"{number}", path, None) for number in range(40)))
    made = {outcome.project_id for outcome in outcomes if isinstance(outcome, Created)}
    assert made == {one.project_id for one in sandbox.books.creates()}
    assert len(made) == 40


async def test_bodies_are_made_anew_for_every_try():
    """And come in pieces."""

    async def read(body: AsyncIterator[bytes]) -> list[bytes]:
        return [piece async for piece in body]

    body = chunks_of(b"x" * 600_000)
    assert [len(piece) for piece in await read(body())] == [262_144, 262_144, 75_712]
    assert b"".join(await read(body())) == b"x" * 600_000
