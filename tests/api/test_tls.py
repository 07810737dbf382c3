"""The same over TLS, and through proxies."""

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from batchbg.api import client
from batchbg.api.client import MagicHour
from batchbg.core.create_outcome import Ambiguous, Created, NotCreated, Refusal
from batchbg.sandbox import SandboxConfig
from tests.api.support import KEY, Resolve
from tests.api.test_client import create, finished, upload
from tests.contract.listening import ListeningSandbox
from tests.support.certificate import MISSING, OPENSSL, make_certificate
from tests.support.proxy import ProxySandbox
from tests.support.tiers import rest_slow

pytestmark = pytest.mark.skipif(OPENSSL is None, reason=MISSING)

UNPATCHED = httpx.create_ssl_context

UNENDING = "HTTP/1.1 200 OK\r\n\r\n<body>"
"""An answer that is over when the connection is."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> Iterator[None]:
    """The certificate is trusted, and there is no proxy."""
    monkeypatch.setattr(httpx, "create_ssl_context", UNPATCHED)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client._trust.cache_clear()
    yield
    client._trust.cache_clear()


@pytest.fixture(scope="module")
def serving(certificate: Path) -> Iterator[ListeningSandbox]:
    settings = SandboxConfig(render_s=0.0, background_cutout="fast", api_key=KEY, certificate=str(certificate))
    with ListeningSandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(serving: ListeningSandbox) -> ListeningSandbox:
    """One for all of these tests."""
    serving.faults.clear()
    serving.heard.clear()
    return serving


Connect = Callable[..., MagicHour]


async def test_the_whole_way_over_tls(sandbox: ListeningSandbox, connect: Connect, tmp_path: Path):
    """The certificate is the one that SSL_CERT_FILE names; connections are kept, but those of creates are their own."""
    api = connect(sandbox.url)
    for _ in range(2):
        outcome = await create(api)
        assert isinstance(outcome, Created)
        project = await finished(api, outcome.project_id)
        assert project.downloads[0].startswith("https://")
        await api.storage.download(project.downloads[0], tmp_path / "part")
        assert (tmp_path / "part").stat().st_size
    creates = {one.port for one in sandbox.heard if one.path == "/v1/image-background-remover"}
    others = {one.port for one in sandbox.heard if one.path != "/v1/image-background-remover"}
    assert (len(creates), len(others), len(creates & others)) == (2, 1, 0)


async def test_a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent(
    sandbox: ListeningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SSL_CERT_FILE")
    outcome = await connect(sandbox.url).create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert outcome.refusal is Refusal.UNREACHABLE
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason
    assert not sandbox.heard


async def test_another_hosts_certificate_ends_it_before_anything_is_sent(
    sandbox: ListeningSandbox,
    connect: Connect,
    resolve: Resolve,
):
    port = httpx.URL(sandbox.url).port
    resolve([(socket.AF_INET, ("127.0.0.1", port))])
    outcome = await connect(f"https://another.example:{port}").create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert "another.example" in outcome.reason
    assert not sandbox.heard


@pytest.mark.parametrize(
    ("kind", "settings", "verdict"),
    [
        *rest_slow([("hang_up", {}, Ambiguous), ("reset", {}, Ambiguous), ("truncated", {"keep": 0.05}, Ambiguous)]),
        *rest_slow([("truncated", {"keep": 0.9}, Created), ("raw", {"answer": UNENDING}, Created)]),
    ],
)
async def test_what_breaks_off_over_tls_is_judged_alike(
    sandbox: ListeningSandbox, connect: Connect, kind: str, settings: dict[str, object], verdict: type
):
    api = connect(sandbox.url)
    path = await upload(api)
    sandbox.faults.add("create", kind, **settings)
    assert isinstance(await api.create("n", path, None), verdict)
    assert sum(one.path.endswith("remover") for one in sandbox.heard) == 1


@pytest.mark.parametrize("turns", rest_slow([5, 8, 1, 2, 3, 4, 6, 7, 9, 10, 11]))
async def test_who_is_interrupted_in_a_handshake_leaves_no_socket(
    sandbox: ListeningSandbox, connect: Connect, turns: int
):
    asking = asyncio.ensure_future(connect(sandbox.url).account())
    for _ in range(turns):
        await asyncio.sleep(0.0005 if turns > 7 else 0)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()  # complains of sockets that nobody closed


# Proxies

HOST = "https://shop.example"


@pytest.fixture(params=["http", pytest.param("https", marks=pytest.mark.slow)])
def proxy(
    request: pytest.FixtureRequest, sandbox: ListeningSandbox, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProxySandbox]:
    """A proxy that wants a login, which the environment has."""
    with ProxySandbox(sandbox, "me:se%cret", str(certificate) if request.param == "https" else None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:se%25cret@"))
        yield proxy


async def test_a_proxy_is_asked_and_sees_nothing(proxy: ProxySandbox, sandbox: ListeningSandbox, connect: Connect):
    """Its login goes to it alone, the key through it unseen."""
    outcome = await create(connect(HOST))
    assert isinstance(outcome, Created)
    assert {where for where, _ in proxy.asked} == {"shop.example:443"}
    assert KEY not in str(proxy.asked)
    assert all("proxy-authorization" not in one.request_headers for one in sandbox.heard)
    assert sum(one.path.endswith("remover") for one in sandbox.heard) == 1


async def test_httpx_logs_no_address_of_ours(proxy: ProxySandbox, connect: Connect, caplog: pytest.LogCaptureFixture):
    """Signed ones are credentials, and the log may be a program's own, which says everything."""
    caplog.set_level(logging.DEBUG, "httpx")
    assert isinstance(await create(connect(HOST)), Created)
    assert proxy.asked
    assert "shop.example/" not in caplog.text
    logging.getLogger("httpx").info("another's https://shop.example/")
    assert "shop.example/" in caplog.text


async def test_a_proxy_that_refuses_made_nothing(
    proxy: ProxySandbox, sandbox: ListeningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    """Neither login nor key stand in the reason."""
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:wrong@"))
    outcome = await connect(HOST).create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert outcome.refusal is Refusal.UNREACHABLE
    assert "407" in outcome.reason
    assert "wrong" not in outcome.reason
    assert not sandbox.heard


async def test_a_proxy_that_is_not_there_made_nothing(
    sandbox: ListeningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{bound.getsockname()[1]}")
        outcome = await connect(HOST).create("n", "path", None)
    assert isinstance(outcome, NotCreated)
    assert "secret" not in outcome.reason
    assert not sandbox.heard


@pytest.mark.parametrize("fault", ["hang_up", "reset"])
async def test_what_is_lost_behind_a_proxy_may_have_been_made(
    proxy: ProxySandbox, sandbox: ListeningSandbox, connect: Connect, fault: str
):
    api = connect(HOST)
    path = await upload(api)
    sandbox.faults.add("create", fault)
    assert isinstance(await api.create("n", path, None), Ambiguous)
    assert sum(one.path.endswith("remover") for one in sandbox.heard) == 1


async def test_hosts_in_no_proxy_and_this_machine_are_reached_without_one(
    proxy: ProxySandbox,
    sandbox: ListeningSandbox,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    resolve: Resolve,
):
    monkeypatch.setenv("NO_PROXY", "shop.example")
    assert await connect(sandbox.url).account()
    port = httpx.URL(sandbox.url).port
    resolve([(socket.AF_INET, ("127.0.0.1", port))])
    assert await connect(f"https://shop.example:{port}").account()
    assert proxy.asked == []
    assert len(sandbox.heard) == 2
