"""Events on the whole way: the service, https, a proxy that ends TLS, the receiver, a run."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_webhook_chaos import free_port, is_up
from tests.support.certificate import MISSING, OPENSSL, make_certificate
from tests.support.shop import Shop
from tests.webhook.support import SECRET

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        location /hooks/ {{ proxy_pass http://127.0.0.1:{receiver}/hooks/; }}
    }}
}}
"""


@pytest.fixture
def proxied(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a receiver behind nginx; yield the public address."""
    assert NGINX is not None
    folder, port, receiver = tmp_path / "nginx", free_port(), free_port()
    folder.mkdir()
    certificate = make_certificate(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    shop.setting("MAGIC_HOUR_WEBHOOK_SECRET", SECRET.decode(), prefix="")
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, receiver=receiver, certificate=certificate))
    shop.spawn("webhook", "--listen", f"127.0.0.1:{receiver}", "--path", "/hooks/batchbg")
    with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(config)], stderr=subprocess.DEVNULL) as nginx:
        try:
            shop.wait_for(lambda: is_up(port) and is_up(receiver))
            yield f"https://localhost:{port}/hooks/batchbg"
        finally:
            nginx.terminate()


@pytest.mark.slow
@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.skipif(OPENSSL is None, reason=MISSING)
def test_events_come_through_a_proxy_that_ends_tls(shop: Shop, proxied: str):
    """As doctor sees it, and a run: a lost create finds itself, and a body of nearly a megabyte is the receiver's to judge."""
    shop.some_photos(3)
    trial = shop.do("doctor", "--base-url", shop.base_url, "--webhook-url", proxied)
    assert f"an event sent to {proxied} arrived here in" in " ".join(trial.out.split())
    shop.sandbox.configure(webhook_url=proxied, webhook_secret=SECRET.decode())
    shop.faults.add("create", "hang_up", nth=2)
    ran = shop.run("-y", "--json")
    assert (ran.code, ran.json["jobs"]["done"], len(shop.outputs())) == (0, 3, 3)
    assert {sent.status for sent in shop.sandbox.books.events()} == {200}
    wrong = shop.do("doctor", "--base-url", shop.base_url, "--webhook-url", proxied.replace("/batchbg", "/else"))
    assert "nobody takes events there" in " ".join(wrong.out.split())
