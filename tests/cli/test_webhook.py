"""``batchbg webhook``: where it listens, with what secret, and how it ends."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from batchbg.cli import group
from batchbg.errors import ConfigError
from batchbg.ledger.spool import Spool
from batchbg.settings import load, webhook_secret
from batchbg.webhook.server import WebhookServer
from tests.support.shop import Shop
from tests.webhook.support import SECRET, body_of, headers_of

VARIABLE = "MAGIC_HOUR_WEBHOOK_SECRET"


def started(shop: Shop, *options: str) -> tuple["subprocess.Popen[str]", str]:
    """Start a receiver; return its process, and its address."""
    process = shop.spawn("webhook", "--listen", "127.0.0.1:0", *options)
    assert process.stderr is not None
    told = process.stderr.readline()
    assert told.startswith("receiving events at http://127.0.0.1:"), told
    return process, told.split()[3]


@pytest.mark.slow
def test_events_are_received_until_a_signal_ends_it(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """What came is said at the end, and on SIGUSR1; a second receiver gives way."""
    monkeypatch.setattr("batchbg.ledger.spool.RETRY_S", 0.0)
    shop.setting(VARIABLE, SECRET.decode(), prefix="")
    process, address = started(shop, "--path", "/hooks/batchbg")
    assert address.endswith("/hooks/batchbg")
    body = body_of()
    assert httpx.post(address, content=body, headers=headers_of(body)).status_code == 200
    assert httpx.post(address, content=body).status_code == 401
    process.send_signal(signal.SIGUSR1)
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(2)]
    assert "events so far: 1 stored, 1 wrongly signed\n" in lines
    other = shop.do("webhook", "--listen", "127.0.0.1:0")
    assert (other.code, "another process receives events" in other.err) == (11, True)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "events so far: 1 stored, 1 wrongly signed" in err
    assert SECRET.decode() not in err + "".join(lines)
    assert len(Spool(shop.folder / "batchbg.db").fresh()) == 1
    assert not (shop.folder / "batchbg.db").exists()


def test_without_a_secret_nothing_is_received(shop: Shop):
    """Whoever found the address could wake runs, as often as they like."""
    refused = shop.do("webhook")
    assert refused.code == 2
    assert VARIABLE in refused.err
    assert "webhook_secret_file" in refused.err
    assert not Spool(shop.folder / "batchbg.db").path.exists()


@pytest.mark.parametrize("content", ["", "two words", "a\nb"])
def test_a_secret_is_one_line_that_others_cannot_read(tmp_path: Path, content: str):
    """By the rules of the key."""
    path = tmp_path / "secret"
    path.write_text("whsec_abc\n")
    path.chmod(0o600)
    settings = load({}, {"BATCHBG_WEBHOOK_SECRET_FILE": str(path)})
    assert webhook_secret(settings, {}) == b"whsec_abc"
    assert webhook_secret(settings, {VARIABLE: " other "}) == b"other"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"webhook_secret_file .* can be read by others; `chmod 600"):
        webhook_secret(settings, {})
    path.chmod(0o600)
    path.write_text(content)
    with pytest.raises(ConfigError, match="webhook") as caught:
        webhook_secret(settings, {})
    assert content == "" or content not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        *(("--listen", text) for text in ("8788", "localhost", "[::1]", "::1:80", "a b:80", "host:99999", "host:")),
        *(("--path", text) for text in ("webhook", "/a b", "/{x}", "/a?b", "/\u00e9", "")),
    ],
    ids=range(13),
)
def test_an_address_that_is_none_is_refused(options: tuple[str, str]):
    refused = CliRunner().invoke(group, ["webhook", *options])
    assert refused.exit_code == 2
    assert "is not a" in refused.stderr


def test_an_address_that_cannot_be_had_is_said(shop: Shop):
    """With the option that names it."""
    shop.setting(VARIABLE, "secret", prefix="")
    port = shop.sandbox.url.rpartition(":")[2]
    taken = shop.do("webhook", "--listen", f"127.0.0.1:{port}")
    assert taken.code == 2
    assert f"--listen 127.0.0.1:{port}" in taken.err
    assert os.strerror(98) in taken.err


@pytest.mark.parametrize(("host", "is_warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_who_listens_beyond_this_machine_is_told_what_that_means(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, host: str, is_warned: bool
):
    shop.setting(VARIABLE, "secret", prefix="")
    run = WebhookServer.run
    monkeypatch.setattr(WebhookServer, "run", lambda server: (server.stop(), run(server)))
    result = shop.do("webhook", "--listen", f"{host}:0")
    assert result.code == 0
    assert ("let nothing but a proxy that ends TLS reach it" in result.err) is is_warned
    assert result.err.endswith("events so far: none\n")
