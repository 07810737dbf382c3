import httpx
import pytest

from batchbg.ledger.spool import Spool
from batchbg.webhook.receiver import Receiver
from batchbg.webhook.server import WebhookServer
from tests.webhook.support import PATH, body_of, headers_of, serving


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_events_arrive_over_a_network(spool: Spool, receiver: Receiver, host: str):
    """Many on one connection; and what is too large closes it."""
    with serving(receiver, host) as server, httpx.Client(base_url=server.address) as client:
        for number in range(3):
            body = body_of(project_id=f"p{number}")
            assert client.post(PATH, content=body, headers=headers_of(body)).status_code == 200
        assert client.post(PATH, content=b"x" * 2_000_000).status_code == 413
        assert client.post(PATH, content=b"x").status_code == 401
    assert len(spool.fresh()) == 3


def test_an_address_that_is_taken_is_an_error_at_once(receiver: Receiver):
    with serving(receiver, "127.0.0.1") as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            WebhookServer("127.0.0.1", port, receiver.application(PATH))
