"""``batchbg sandbox``: from options to settings; what it says about who can reach it."""

import pytest
from click.testing import CliRunner

from batchbg.cli.commands.sandbox import command
from batchbg.sandbox import SandboxServer


@pytest.fixture
def serve(monkeypatch):
    """Run the command with these options; returns its result and the server that it would have run."""
    served: list[SandboxServer] = []

    def note(config, on_ready):
        server = SandboxServer(config)
        server._address = (config.host, config.port)
        on_ready(server)
        served.append(server)
        return 0

    monkeypatch.setattr("batchbg.sandbox.serve", note)
    monkeypatch.delenv("BATCHBG_LEDGER", raising=False)

    def run(*options: str):
        result = CliRunner().invoke(command, options)
        return result, served[-1] if served else None

    return run


def test_options_become_settings(serve):
    """Times may be written as people write them; faults are in place before the first request."""
    result, server = serve(
        *("--port", "9001", "--credits", "20", "--render-time", "500ms", "--slots", "3", "--rate-limit", "2.5"),
        *("--webhook", "https://shop.example/hook", "--webhook-secret", "s3"),
        *("--latency", "1s", "--seed", "7", "--fault", "create:hang_up:nth=3", "--fault", "status:html"),
        *("--set", "background_cutout=fast", "--set", "in_flight_limit=2", "--set", "over_limit=refuse"),
    )
    assert (result.exit_code, result.output) == (0, "sandbox at http://127.0.0.1:9001\n")
    config = server.config
    assert (config.credits, config.render_s, config.slots, config.requests_per_second) == (20, 0.5, 3, 2.5)
    assert (config.latency_s, config.seed, config.control) == (1.0, 7, True)
    assert (config.webhook_url, config.webhook_secret) == ("https://shop.example/hook", "s3")
    assert (config.background_cutout, config.in_flight_limit, config.over_limit) == ("fast", 2, "refuse")
    assert [fault["kind"] for fault in server.faults.as_json()] == ["hang_up", "html"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::"])
def test_listening_beyond_this_machine_is_warned_of_and_has_no_control(serve, host):
    """Anybody on the network could use it; what could be changed from outside is switched off."""
    result, server = serve("--listen", host)
    assert f"anybody who reaches {host} can use this sandbox" in result.stderr
    assert not server.config.control


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_alone_is_no_matter(serve, host):
    """No warning, and the control endpoint is served."""
    result, server = serve("--listen", host)
    assert result.stderr == ""
    assert server.config.control


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--set", "slots", "should be NAME=VALUE"),
        ("--set", "speed=3", "no such setting: speed"),
        ("--set", "tier=gold", "tier must be one of"),
        ("--fault", "create:nonsense", "no such fault: nonsense"),
        ("--fault", "create:hang_up:nth=0", "nth must be like"),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_listens(serve, option, value, message):
    """With a reason."""
    result, server = serve(option, value)
    assert result.exit_code != 0
    assert message in str(result.exception)
    assert server is None
