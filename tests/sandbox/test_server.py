import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest
from PIL import Image

from batchbg.errors import ConfigError
from batchbg.sandbox import SandboxConfig, SandboxServer
from batchbg.sandbox.rendering import _cut, is_rough
from tests.support.tiers import rest_slow


def test_it_starts_and_stops_in_no_time():
    """Hundreds of tests can afford one each, even with a request in the air; the best of five, as machines are busy."""
    config = SandboxConfig(background_cutout="fast")
    taken_s = []
    for _ in range(5):
        begin = time.perf_counter()
        with SandboxServer(config) as sandbox:
            sandbox.faults.add("account", "hang", seconds=1000)
            waiting = threading.Thread(target=_ask_in_vain, args=[sandbox.url])
            waiting.start()
            while not sandbox.books.requests("account"):
                time.sleep(0.001)
        waiting.join()
        taken_s.append(time.perf_counter() - begin)
    assert min(taken_s) < 0.5


def _ask_in_vain(url):
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/v1/account", trust_env=False, timeout=1000)


def test_it_logs_nothing_and_leaves_root_logging_alone(caplog):
    """A request that is cut off by the end is no crash."""
    handlers = list(logging.getLogger().handlers)
    with caplog.at_level(logging.WARNING), SandboxServer(SandboxConfig(latency_s=60, background_cutout="fast")) as slow:
        waiting = threading.Thread(target=_ask_in_vain, args=[slow.url])
        waiting.start()
        while not slow.books.requests("account"):
            time.sleep(0.001)
        slow.stop()
        waiting.join()
    assert caplog.records == []
    assert logging.getLogger().handlers == handlers


def test_a_taken_port_is_an_error_at_once(client):
    """The caller learns it where it can say so."""
    port = int(client.sandbox.url.rpartition(":")[2])
    with (
        pytest.raises(OSError, match="Address already in use"),
        SandboxServer(SandboxConfig(port=port, background_cutout="fast")),
    ):
        pass


@pytest.mark.slow
def test_without_opencv_it_cuts_out_roughly(monkeypatch):
    """A rehearsal needs nothing that has to be installed besides; the commands say what would make it better."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "batchbg.sandbox.cutout", raising=False)
    photo = Image.new("RGB", (60, 40), "white")
    photo.paste((200, 30, 30), (20, 10, 40, 30))
    content = io.BytesIO()
    photo.save(content, "PNG")
    assert is_rough()
    with Image.open(io.BytesIO(_cut(content.getvalue(), None))) as made:
        alpha = made.getchannel("A")
        assert (alpha.getpixel((2, 2)), alpha.getpixel((30, 20))) == (0, 255)


@pytest.mark.slow
@pytest.mark.parametrize("number", rest_slow([signal.SIGINT, signal.SIGTERM]))
def test_serve_ends_cleanly_on_a_signal(number):
    """Both signals close the server and return to the caller, who sees which it was."""
    script = (
        "from batchbg.sandbox import SandboxConfig, serve\n"
        "number = serve(SandboxConfig(background_cutout='fast'), lambda server: print(server.url, flush=True))\n"
        "print('ended by', number, flush=True)"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/_sandbox/books", trust_env=False, timeout=60).json()["balance"] == 10_000
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=100)
    assert (out, err, process.returncode) == (f"ended by {int(number)}\n", "", 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"account_id": "real"}, "begin with 'sandbox'"),
        ({"tier": "gold"}, "tier must be one of"),
        ({"render_s": -1}, "at least 0"),
        ({"credits": 1.5}, "credits must be int"),
        ({"slots": True}, "slots must be int or null"),
        ({"requests_per_second": 0}, "a rate of 0"),
    ],
)
def test_settings_are_checked_when_built(settings, message):
    """A wrong value is named before anything starts."""
    with pytest.raises(ConfigError, match=message):
        SandboxConfig(**settings)


def test_a_certificate_that_cannot_be_read_is_said(tmp_path):
    """Before it listens; not by a server that answers nobody."""
    for content in (None, "no certificate"):
        path = tmp_path / "certificate.pem"
        if content:
            path.write_text(content)
        with (
            pytest.raises(ConfigError, match=r"certificate: .*certificate\.pem: \S"),
            SandboxServer(SandboxConfig(certificate=str(path))),
        ):
            pass
