"""Variables that decide how requests travel: named where no request would get through, before anything is paid."""

import ssl
import sys
from pathlib import Path

import certifi
import httpx
import pytest

from batchbg.errors import ConfigError
from batchbg.settings import network
from batchbg.settings.network import check_network
from tests.support.shop import Shop
from tests.support.tiers import rest_slow

PROXY = {"HTTPS_PROXY": "http://proxy:3128"}

USABLE = [
    {},
    PROXY,
    {"https_proxy": "proxy:3128"},
    {"ALL_PROXY": "https://user:pass%20word@proxy:3128"},
    {"http_proxy": "http://[::1]:3128"},
    {"ALL_PROXY": ""},
    PROXY | {"NO_PROXY": "*"},
    PROXY | {"NO_PROXY": "localhost,127.0.0.1, ::1,10.0.0.0/8,.example.com,example.org:8080,"},
    PROXY | {"no_proxy": "http://example.com"},
]

UNUSABLE = [
    ("ALL_PROXY", {"ALL_PROXY": "socks5://127.0.0.1:1080"}),
    ("https_proxy", {"https_proxy": "socks5h://127.0.0.1:1080"}),
    ("HTTPS_PROXY", {"HTTPS_PROXY": "socks4://127.0.0.1:1080"}),
    ("HTTP_PROXY", {"HTTP_PROXY": "ftp://proxy"}),
    ("HTTPS_PROXY", {"HTTPS_PROXY": "http://proxy:port"}),
    ("HTTPS_PROXY", {"HTTPS_PROXY": "http://[::1:80"}),
    ("NO_PROXY", PROXY | {"NO_PROXY": "localhost,[::1]"}),
    ("no_proxy", PROXY | {"no_proxy": "[::1]:80"}),
    ("NO_PROXY", PROXY | {"NO_PROXY": "example.com:http"}),
    ("NO_PROXY", PROXY | {"NO_PROXY": "fe80::/10"}),
]


def names(environ: dict[str, str]) -> str:
    """Return which variable is refused; "" for none."""
    try:
        check_network(environ)
    except ConfigError as error:
        return str(error).partition(":")[0]
    return ""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of these variables, and an installation without SOCKS."""
    for name in (*network.PROXIES, "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        for one in (name, name.upper()):
            monkeypatch.delenv(one, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "socksio", None)
    return monkeypatch


@pytest.mark.parametrize(("name", "environ"), [*rest_slow((("", one) for one in USABLE), 2), *rest_slow(UNUSABLE, 5)])
def test_a_proxy_is_refused_where_a_client_could_not_be_made(bare, name: str, environ: dict[str, str]):
    """By httpx itself, which reads the same variables and would end the run in the middle of things."""
    assert names(environ) == name
    for variable, value in environ.items():
        bare.setenv(variable, value)
    if name:
        with pytest.raises((httpx.InvalidURL, ImportError, ValueError)):
            httpx.AsyncClient()
    else:
        httpx.AsyncClient()


def test_exceptions_from_no_proxy_are_nobodys_trouble(bare):
    assert names({"NO_PROXY": "[::1]"}) == ""


def test_a_proxy_that_may_hold_a_password_is_not_shown(bare):
    with pytest.raises(ConfigError) as caught:
        check_network({"HTTPS_PROXY": "ftp://user:hunter2@proxy"})
    assert "hunter2" not in str(caught.value)


def test_a_socks_proxy_is_used_where_its_package_is_there(bare):
    bare.setattr("importlib.util.find_spec", lambda _name: object())
    assert names({"ALL_PROXY": "socks5://127.0.0.1:1080"}) == ""


def test_certificates_that_cannot_be_read_are_refused(bare, tmp_path: Path):
    """A file that is missing, a folder, or something else; OpenSSL alone says which error, and not of what."""
    text, folder = tmp_path / "text", tmp_path / "folder"
    text.write_text("no certificate")
    folder.mkdir()
    for value in (tmp_path / "missing", text, folder):
        assert names({"SSL_CERT_FILE": str(value)}) == "SSL_CERT_FILE"
        assert names({"SSL_CERT_DIR": str(value)}) == "SSL_CERT_DIR"
    assert names({"SSLKEYLOGFILE": str(tmp_path / "missing" / "log")}) == "SSLKEYLOGFILE"


def test_certificates_that_can_be_read_are_taken(bare, tmp_path: Path):
    """A bundle, and a folder as ``openssl rehash`` leaves it; of several folders one is enough."""
    (tmp_path / "5ed36f99.0").write_text(Path(certifi.where()).read_text("ascii"))
    assert names({"SSL_CERT_FILE": certifi.where(), "SSLKEYLOGFILE": str(tmp_path / "log")}) == ""
    assert names({"SSL_CERT_DIR": str(tmp_path)}) == ""
    assert names({"SSL_CERT_DIR": f"/nonexistent:{tmp_path}"}) == ""
    # Where both are named the file alone counts, as for OpenSSL's other users.
    assert names({"SSL_CERT_FILE": certifi.where(), "SSL_CERT_DIR": "/nonexistent"}) == ""
    assert ssl.create_default_context(capath=str(tmp_path))


BROKEN = [("ALL_PROXY", "socks5://127.0.0.1:1080"), ("SSL_CERT_FILE", "/nonexistent/ca.pem"), ("SSL_CERT_DIR", "/none")]


@pytest.mark.parametrize(("name", "value"), rest_slow(BROKEN))
def test_a_run_names_the_variable_before_anything_is_done(bare, shop: Shop, name: str, value: str):
    """Exit 2, no ledger made, nothing sent; what sends nothing goes on, `doctor` with the rest, and a rehearsal."""
    shop.some_photos(1)
    shop.setting(name, value, prefix="")
    result = shop.run()
    assert (result.code, f"batchbg: {name}: " in result.err) == (2, True), result
    assert "internal" not in result.err
    assert not (shop.folder / "batchbg.db").exists()
    assert shop.do("plan").code == 0
    found = shop.do("doctor", "--base-url", shop.base_url, "--json").json["findings"]
    assert [one["verdict"] for one in found if one["name"] in ("network", "output")] == ["ok", "fail"]
    assert not shop.sandbox.books.requests("account")
